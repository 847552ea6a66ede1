"""The tools of a chat completion request, in all the forms that clients write them."""

from collections.abc import Sequence

import msgspec
from msgspec import UNSET, Raw, Struct, json

from gemgate.errors import InvalidRequest
from gemgate.hub.call import BuiltIn, Function, Tool, ToolChoice
from gemgate.hub.codec import Dropped
from gemgate.hub.parts import JsonText
from gemgate.protocols.openai_chat import wire
from gemgate.protocols.openai_chat.native_tools import native
from gemgate.protocols.openai_chat.tool_choice import chosen
from gemgate.protocols.shared.built_ins import NAMED_LIKE_FUNCTIONS, kind_of
from gemgate.protocols.shared.empty import NOTHING
from gemgate.protocols.shared.free_text_tools import free_text_function
from gemgate.protocols.shared.raw_json import JsonField, decode_string, schema_text
from gemgate.protocols.shared.unknown import UNKNOWN

NO_SETTINGS: dict[str, frozenset[bytes]] = {
    "type": frozenset(),
    "name": frozenset(),
    "cache_control": frozenset(),
    "search_context_size": frozenset({b'"medium"'}),
    "container": frozenset({b'{"type":"auto"}', b'{"type": "auto"}'}),
}
"""Members of tools that ask for nothing beyond the tool; an empty set stands for any value."""

TOOL_FIELDS = frozenset(field.name for field in msgspec.structs.fields(wire.Tool))
FUNCTION_FIELDS = frozenset(field.name for field in msgspec.structs.fields(wire.Function))


class _Shape(Struct):
    properties: dict[str, Raw] | None = None


class Tools(Struct, frozen=True):
    """What may be called.

    `custom` names the functions that stand for tools called with free text, `paths` where in the request each stood.
    """

    tools: tuple[Tool, ...] = ()
    choice: ToolChoice | None = None
    custom: frozenset[str] = frozenset()
    dropped: tuple[Dropped, ...] = ()
    paths: dict[str, str] = {}


def tools(request: wire.Request, more: Sequence[tuple[str, Raw]] = ()) -> Tools:
    """Translate the tools and the choice; raises `InvalidRequest` for a tool that is forced and cannot be had.

    `more` are tools that stand elsewhere in the request, with their paths.
    """
    found: list[tuple[Tool, str]] = []
    custom: set[str] = set()
    dropped: list[Dropped] = []
    for path, raw in (*((f"tools.{number}", raw) for number, raw in enumerate(request.tools or ())), *more):
        read = _tools(bytes(raw), path, custom, dropped)
        if not read:
            dropped.append(Dropped(path, "there is no such tool upstream"))
        found += ((tool, path) for tool in read)
    for number, function in enumerate(request.functions or ()):
        found.append((_function(function, f"functions.{number}"), f"functions.{number}"))
    if request.web_search_options is not None:
        found.append((BuiltIn("web_search"), "web_search_options"))
        dropped += _unsearched(request.web_search_options)
    left, choice = chosen(request, [tool for tool, _ in found], dropped, offers=bool(request.tools or more))
    places = {id(tool): path for tool, path in found}
    paths = {f"tools.{number}": places[id(tool)] for number, tool in enumerate(left)}
    return Tools(tuple(left), choice, frozenset(custom), tuple(dropped), paths)


def _unsearched(options: wire.WebSearch) -> list[Dropped]:
    given = {"search_context_size": options.search_context_size, "user_location": options.user_location}
    empty = (None, UNSET, "medium")
    return [
        Dropped(f"web_search_options.{name}", UNKNOWN)
        for name, value in given.items()
        if value not in empty and not (isinstance(value, Raw) and bytes(value) == b"null")
    ]


def _tools(raw: bytes, path: str, custom: set[str], dropped: list[Dropped]) -> list[Tool]:
    """Translate one entry; none if the upstream has nothing like it."""
    if raw.startswith(b'"'):
        kind = kind_of(decode_string(raw))
        return [BuiltIn(kind)] if kind else []
    try:
        tool = wire.decode_tool(raw)
    except msgspec.MsgspecError as error:
        raise InvalidRequest(f"This tool cannot be read: {error}.", param=path) from error
    if tool.function is not None:
        _lost(raw, path, TOOL_FIELDS, dropped)
        _lost(wire.decode_members(raw)["function"], f"{path}.function", FUNCTION_FIELDS, dropped)
        return [_function(tool.function, f"{path}.function")]
    is_anthropic = tool.input_schema is not UNSET
    if tool.custom is not None or (tool.type == "custom" and tool.name and not is_anthropic):
        _lost(raw, path, TOOL_FIELDS, dropped)
        given = tool.custom or wire.CustomTool(tool.name or "", tool.description, tool.format)
        if not given.name:
            raise InvalidRequest("A tool must have a name.", param=f"{path}.custom.name")
        custom.add(given.name)
        return [free_text_function(given.name, given.description, given.format, path)]
    if tool.name and (tool.type in (None, "function") or is_anthropic):
        _lost(raw, path, TOOL_FIELDS | FUNCTION_FIELDS, dropped)
        return [_function(tool, path)]
    if tool.type in ("function", "custom"):
        raise InvalidRequest("A tool must have a name.", param=path)
    if tool.type is not None:
        kind = kind_of(tool.type)
        if kind is not None:
            _lost(raw, path, frozenset(), dropped)
        return [BuiltIn(kind)] if kind else []
    return native(raw, path, dropped)


def _lost(raw: bytes | Raw, path: str, known: frozenset[str], dropped: list[Dropped]) -> None:
    """Record the members of a tool that say something and are not known."""
    for name, value in wire.decode_members(raw).items():
        given = bytes(value)
        habitual = NO_SETTINGS.get(name)
        if name in known or given in NOTHING or (habitual is not None and (not habitual or given in habitual)):
            continue
        dropped.append(Dropped(f"{path}.{name}", UNKNOWN))


def _function(function: wire.Function | wire.Tool, path: str) -> Function | BuiltIn:
    if not function.name:
        raise InvalidRequest("A function must have a name.", param=f"{path}.name")
    parameters = _parameters(function, path)
    kind = NAMED_LIKE_FUNCTIONS.get(function.name)
    if kind and not function.description and (parameters is None or _takes_nothing(parameters)):
        return BuiltIn(kind)
    return Function(
        name=function.name,
        description=function.description or "",
        parameters=parameters,
        strict=bool(function.strict),
    )


def _parameters(function: wire.Function | wire.Tool, path: str) -> JsonText | None:
    """Find the schema, by the name that each vendor has for it."""
    for name in ("parameters", "parametersJsonSchema", "parameters_json_schema", "input_schema"):
        raw: JsonField = getattr(function, name)
        if raw is not UNSET and bytes(raw) != b"null":
            return schema_text(raw, f"{path}.{name}")
    return None


def _takes_nothing(parameters: JsonText) -> bool:
    """Whether a schema names no property; clients put `required`, `additionalProperties` and more beside it."""
    try:
        return not json.decode(parameters, type=_Shape).properties
    except msgspec.ValidationError:
        return False
