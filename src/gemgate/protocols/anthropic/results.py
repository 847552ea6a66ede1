"""Results of tools that the client has run."""

from collections.abc import Mapping

from msgspec import json

from gemgate.hub.parts import JsonText, Media, Part, Text, ToolResult
from gemgate.protocols.anthropic import wire
from gemgate.protocols.anthropic.blocks import listed, parts
from gemgate.protocols.anthropic.notes import Notes
from gemgate.protocols.shared.nested import read
from gemgate.protocols.shared.raw_json import is_given, object_text


def result(block: wire.Block, path: str, names: Mapping[str, str], notes: Notes) -> ToolResult:
    """Translate a result, which stands at `path`; `names` are those of the calls before it, by id."""
    said: list[Part] = []
    if is_given(block.content):
        content = read(wire.decode_content, block.content, f"{path}.content")
        for number, inner in enumerate(listed(content)):
            said += parts(inner, f"{path}.content.{number}", notes)
    text = "\n".join(part.text for part in said if isinstance(part, Text))
    media = tuple(part for part in said if isinstance(part, Media))
    use = block.tool_use_id or ""
    return ToolResult(use, names.get(use, ""), _response(text, failed=bool(block.is_error)), media)


def _response(text: str, *, failed: bool) -> JsonText:
    return json.encode({"error": text}).decode() if failed else object_text(text, "output")
