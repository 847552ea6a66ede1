"""The tools of a request: functions, the upstream's own, and those with a schema that everybody knows."""

from collections.abc import Sequence

import msgspec
from msgspec import Raw, Struct

from gemgate.errors import InvalidRequest
from gemgate.hub.call import BuiltIn, BuiltInKind, Function, Tool, ToolChoice
from gemgate.hub.codec import Dropped
from gemgate.protocols.anthropic import wire
from gemgate.protocols.anthropic.known_tools import known_tool
from gemgate.protocols.anthropic.tool_choice import Offered, chosen
from gemgate.protocols.shared.empty import NOTHING
from gemgate.protocols.shared.nested import read
from gemgate.protocols.shared.raw_json import is_given, schema_text
from gemgate.protocols.shared.unknown import unknown

HABITUAL = frozenset(
    (
        "cache_control",
        "eager_input_streaming",
        "allowed_callers",
        "display_number",
        "max_characters",
        "citations",
        "use_cache",
    )
)
"""Members that ask for nothing of the model: how the tool's input comes and when it is loaded, or how it is run."""

FIELDS = frozenset(field.name for field in msgspec.structs.fields(wire.Tool))
UNDERSTOOD = FIELDS | HABITUAL

BUILT_INS: dict[str, BuiltInKind] = {
    "web_search": "web_search",
    "web_fetch": "url_context",
    "code_execution": "code_execution",
}
"""The upstream's own tools, by their types without the date."""

NOT_UPSTREAM = "there is no such tool upstream"
SEARCHED = "tool_search_tool"
LOST = {
    SEARCHED: "all tools are offered at once, so that none needs to be searched for",
    "mcp_toolset": "the upstream connects to no servers of tools",
}
"""Why some are left out, by how their types begin."""

MAX_EXAMPLES = 4_000
"""In characters."""


class Tools(Struct, frozen=True):
    """What may be called; `paths` tells where in the request each stood."""

    tools: tuple[Tool, ...] = ()
    choice: ToolChoice | None = None
    dropped: tuple[Dropped, ...] = ()
    paths: dict[str, str] = {}


def tools(
    request: wire.Request,
    more: Sequence[tuple[str, Raw]] = (),
    withdrawn: frozenset[str] = frozenset(),
    named: frozenset[str] = frozenset(),
) -> Tools:
    """Translate the tools and the choice; raises `InvalidRequest` for a tool that is forced and cannot be had.

    `more` are tools that stand elsewhere in the request, with their paths; those in `withdrawn` are not offered, nor
    deferred ones that are not among the `named`, unless the request has a server search for them, which nobody does.
    """
    given = [*((f"tools.{number}", raw) for number, raw in enumerate(request.tools or ())), *more]
    found: list[Offered] = []
    dropped: list[Dropped] = []
    read_tools = [(path, raw, read(wire.decode_tool, raw, path)) for path, raw in given]
    choice = request.tool_choice
    forced = choice.name if isinstance(choice, wire.ToolChoice) else None
    loads_all = any((tool.type or "").startswith(SEARCHED) for _, _, tool in read_tools)
    for path, raw, tool in read_tools:
        made = _tool(tool, raw, path, dropped)
        name = tool.name or (made.name if isinstance(made, Function) else "")
        is_loaded = loads_all or not tool.defer_loading or name in named or name == forced
        if made is not None and name not in withdrawn and is_loaded:
            found.append(Offered(made, name, path))
    left, choice = chosen(request.tool_choice, found, dropped, offers=bool(given))
    paths = {f"tools.{number}": offered.path for number, offered in enumerate(left)}
    return Tools(tuple(offered.tool for offered in left), choice, tuple(dropped), paths)


def _tool(tool: wire.Tool, raw: Raw, path: str, dropped: list[Dropped]) -> Tool | None:
    kind = tool.type or "custom"
    if kind in ("custom", "function"):
        dropped += unknown(wire.decode_members(raw), UNDERSTOOD, path)
        return _function(tool, path, dropped)
    own = BUILT_INS.get(kind.rstrip("0123456789").rstrip("_"))
    if own is not None:
        dropped += unknown(wire.decode_members(raw), HABITUAL | {"type", "name", "strict", "defer_loading"}, path)
        return BuiltIn(own)
    known = known_tool(tool)
    if known is not None:
        dropped += unknown(wire.decode_members(raw), UNDERSTOOD, path)
        return known
    why = next((why for start, why in LOST.items() if kind.startswith(start)), NOT_UPSTREAM)
    dropped.append(Dropped(path, why))
    return None


def _function(tool: wire.Tool, path: str, dropped: list[Dropped]) -> Function:
    if not tool.name:
        raise InvalidRequest("A tool must have a name.", param=f"{path}.name")
    schema = tool.input_schema
    return Function(
        name=tool.name,
        description="\n".join(line for line in (tool.description, _examples(tool, path, dropped)) if line),
        parameters=schema_text(schema, f"{path}.input_schema") if is_given(schema) else None,
        strict=bool(tool.strict),
    )


def _examples(tool: wire.Tool, path: str, dropped: list[Dropped]) -> str:
    """Put examples into words: the model has no slot for them, and they help it."""
    if not is_given(tool.input_examples) or bytes(tool.input_examples) in NOTHING:
        return ""
    text = bytes(tool.input_examples).decode()
    if len(text) > MAX_EXAMPLES:
        dropped.append(Dropped(f"{path}.input_examples", "they are too long for a description"))
        return ""
    return f"Examples of input: {text}"
