"""Blocks of tools that a server ran, in histories: what they say, as text.

The model has no slot for them, and whoever made them is another server, or this one: its own are known again, and not
repeated, as the answer's text says what was found.
"""

from collections.abc import Sequence
from typing import cast

from msgspec import Raw, Struct, json

from gemgate.hub.parts import CodeResult
from gemgate.protocols.anthropic import wire
from gemgate.protocols.anthropic.server_blocks import MADE, TIMED_OUT, USE
from gemgate.protocols.shared.nested import read_or_none
from gemgate.protocols.shared.raw_json import is_given
from gemgate.protocols.shared.seals import HEAD

MAX_CHARACTERS = 16_000
"""Of the text that is made of one block."""

RESULT = "_tool_result"
CODE = "code_execution"
WITHOUT_WORDS = frozenset(
    (
        "type",
        "id",
        "tool_use_id",
        "file_id",
        "signature",
        "cache_control",
        "caller",
        "citations",
        "media_type",
        "page_age",
        "retrieved_at",
        "stop_reason",
    )
)
"""Members that say nothing to a reader."""

decode_any = json.Decoder().decode
Json = dict[str, object]


class Told(Struct, frozen=True):
    """What a block says; `is_cut` if that is more than is told again."""

    text: str | None = None
    is_cut: bool = False


def told(block: wire.Block) -> Told:
    """Say in words what a block of any type holds; nothing if there are no words in it."""
    if block.name is not None and is_given(block.input):
        text = f"[{block.name} {bytes(block.input).decode()}]"
    else:
        values = [decode_any(raw) for raw in (block.title, block.source, block.content) if is_given(raw)]
        text = "\n".join(_lines([block.text, *values]))
        kind = block.type or ""
        if text and kind.endswith(RESULT):
            text = f"[result of {kind.removesuffix(RESULT)}]\n{text}"
    if not text:
        return Told()
    return Told(f"{text[:MAX_CHARACTERS]}…", is_cut=True) if len(text) > MAX_CHARACTERS else Told(text)


def _lines(value: object) -> list[str]:
    """List the words in a value, in order; no more of them than are told."""
    lines: list[str] = []
    room = MAX_CHARACTERS + 2  # what is told has no break behind it, and must be seen to be cut
    waiting = [value]
    while waiting and room > 0:
        value = waiting.pop()
        if isinstance(value, str):
            if not value:
                continue
            lines.append(value)
            room -= len(value) + 1
        elif isinstance(value, list):
            waiting += reversed(cast("list[object]", value))
        elif isinstance(value, dict):
            waiting += reversed(_members(cast("Json", value)))
    return lines


def _members(value: Json) -> list[object]:
    """List what the members of an object may say; a title and its address are one line."""
    if value.get("type") == "base64":
        return []
    title, url = value.get("title"), value.get("url")
    linked = isinstance(title, str) and isinstance(url, str)
    found: list[object] = [f"{title} ({url})"] if linked else []
    for name, inner in value.items():
        if name in WITHOUT_WORDS or name.startswith("encrypted") or (linked and name in ("title", "url")):
            continue
        found.append(inner)
    return found


def own_ids(blocks: Sequence[wire.Block]) -> set[str]:
    """Find the uses of tools whose results this server has written."""
    return {
        block.tool_use_id
        for block in blocks
        if block.tool_use_id and (block.type or "").endswith(RESULT) and is_given(block.content) and _is_own(block)
    }


def _is_own(block: wire.Block) -> bool:
    assert is_given(block.content)
    content = read_or_none(decode_any, block.content)
    if content == []:
        return True  # nothing was found, whoever looked
    if block.type == "web_fetch_tool_result":
        return isinstance(content, dict) and not _page(cast("Json", content))
    entries = cast("list[object]", content) if isinstance(content, list) else [content]
    marks = (cast("Json", entry).get("encrypted_content") for entry in entries if isinstance(entry, dict))
    return any(isinstance(mark, str) and mark.startswith(HEAD) for mark in marks)


def _page(result: Json) -> str:
    """Give the text of a page that was fetched: this server leaves it out, and an error has none."""
    return "\n".join(_lines(result.get("content")))


def code_results(blocks: Sequence[wire.Block]) -> dict[str, CodeResult]:
    """Find what came of the code of a message, by the id of its use; code without a readable result is not in it."""
    codes = {block.id for block in blocks if block.id and code_of(block) is not None}
    return {
        block.tool_use_id: result
        for block in blocks
        if block.type == "code_execution_tool_result"
        and block.tool_use_id in codes
        and is_given(block.content)
        and (result := _code_result(block.tool_use_id, block.content)) is not None
    }


def code_of(block: wire.Block) -> str | None:
    """Give the code that a block asks a server to run."""
    if block.type != "server_tool_use" or block.name != CODE or not is_given(block.input):
        return None
    found = read_or_none(wire.decode_code, block.input)
    return found.code if found is not None else None


def _code_result(use: str, raw: Raw) -> CodeResult | None:
    found = read_or_none(wire.decode_output, raw)
    if found is None:
        return None
    code_id = bare(use)
    if found.error_code:
        late = found.error_code == "execution_time_exceeded"
        return CodeResult(code_id, "deadline_exceeded" if late else "failed", "" if late else found.error_code)
    if found.stdout is None and found.stderr is None:
        return None  # encrypted
    if found.return_code == TIMED_OUT:
        return CodeResult(code_id, "deadline_exceeded", found.stdout or "")
    output = "\n".join(words for words in (found.stdout, found.stderr) if words)
    return CodeResult(code_id, "failed" if found.return_code else "ok", output)


def bare(use_id: str) -> str:
    """Give the id that code has upstream: ours hold it, if there is one."""
    own = use_id.removeprefix(USE)
    return "" if own.startswith(MADE) else own
