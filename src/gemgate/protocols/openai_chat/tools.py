"""The tools of a chat completion request, in all the forms that clients write them, and the choice among them."""

from collections.abc import Sequence

import msgspec
from msgspec import UNSET, Raw, Struct, json

from gemgate.errors import InvalidRequest
from gemgate.hub.call import BuiltIn, BuiltInKind, Function, Tool, ToolChoice, ToolMode
from gemgate.hub.codec import Dropped
from gemgate.hub.parts import JsonText
from gemgate.protocols.openai_chat import wire
from gemgate.protocols.openai_chat.empty import EMPTY, ZERO
from gemgate.protocols.openai_chat.native_tools import native

BUILT_INS: dict[str, BuiltInKind] = {
    "codeexecution": "code_execution",
    "codeinterpreter": "code_execution",
    "googlesearch": "web_search",
    "websearch": "web_search",
    "urlcontext": "url_context",
    "webfetch": "url_context",
    "googlemaps": "maps",
}
"""The upstream's own tools, by every name that clients give them; case, dashes, underscores and dates do not count."""

NAMED_LIKE_FUNCTIONS: dict[str, BuiltInKind] = {
    "codeExecution": "code_execution",
    "code_execution": "code_execution",
    "googleSearch": "web_search",
    "google_search": "web_search",
    "urlContext": "url_context",
    "url_context": "url_context",
    "googleMaps": "maps",
    "google_maps": "maps",
}
"""Those that are meant by a function of that name without description and parameters (notes §6.1)."""

NO_SETTINGS: dict[str, frozenset[bytes]] = {
    "type": frozenset(),
    "name": frozenset(),
    "cache_control": frozenset(),
    "search_context_size": frozenset({b'"medium"'}),
    "container": frozenset({b'{"type":"auto"}', b'{"type": "auto"}'}),
}
"""Members of tools that ask for nothing beyond the tool; an empty set stands for any value."""

UNSUPPORTED = "unsupported_tool"
TOOL_FIELDS = frozenset(field.name for field in msgspec.structs.fields(wire.Tool))
FUNCTION_FIELDS = frozenset(field.name for field in msgspec.structs.fields(wire.Function))
MODES: dict[str, ToolMode] = {"auto": "auto", "none": "none", "required": "required", "any": "required"}
TEXT_INPUT = '{"type":"object","properties":{"input":{"type":"string"}},"required":["input"]}'


class _Shape(Struct):
    properties: dict[str, Raw] | None = None


class _Grammar(Struct):
    definition: str = ""
    syntax: str = ""


class _Format(Struct):
    grammar: _Grammar | None = None
    definition: str = ""
    syntax: str = ""


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
    chosen, choice = _chosen(request, [tool for tool, _ in found], dropped, offers=bool(request.tools or more))
    places = {id(tool): path for tool, path in found}
    paths = {f"tools.{number}": places[id(tool)] for number, tool in enumerate(chosen)}
    return Tools(tuple(chosen), choice, frozenset(custom), tuple(dropped), paths)


def _unsearched(options: wire.WebSearch) -> list[Dropped]:
    given = {"search_context_size": options.search_context_size, "user_location": options.user_location}
    empty = (None, UNSET, "medium")
    return [
        Dropped(f"web_search_options.{name}", "nothing upstream corresponds to it")
        for name, value in given.items()
        if value not in empty and not (isinstance(value, Raw) and bytes(value) == b"null")
    ]


def _tools(raw: bytes, path: str, custom: set[str], dropped: list[Dropped]) -> list[Tool]:
    """Translate one entry; none if the upstream has nothing like it."""
    if raw.startswith(b'"'):
        kind = _kind(wire.decode_strings(raw))
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
        custom.add(given.name)
        return [_custom(given, path)]
    if tool.name and (tool.type in (None, "function") or is_anthropic):
        _lost(raw, path, TOOL_FIELDS | FUNCTION_FIELDS, dropped)
        return [_function(tool, path)]
    if tool.type in ("function", "custom"):
        raise InvalidRequest("A tool must have a name.", param=path)
    if tool.type is not None:
        kind = _kind(tool.type)
        if kind is not None:
            _lost(raw, path, frozenset(), dropped)
        return [BuiltIn(kind)] if kind else []
    return native(raw, path, _kind, dropped)


def _lost(raw: bytes | Raw, path: str, known: frozenset[str], dropped: list[Dropped]) -> None:
    """Record the members of a tool that say something and are not known."""
    for name, value in wire.decode_members(raw).items():
        given = bytes(value)
        habitual = NO_SETTINGS.get(name)
        if name in known or given in EMPTY | ZERO or (habitual is not None and (not habitual or given in habitual)):
            continue
        dropped.append(Dropped(f"{path}.{name}", "nothing upstream corresponds to it"))


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
        raw: wire.JsonField = getattr(function, name)
        if raw is not UNSET and bytes(raw) != b"null":
            return schema_text(raw, f"{path}.{name}")
    return None


def schema_text(raw: Raw, path: str) -> JsonText | None:
    """Give a schema, which some clients send as JSON within a string; raises `InvalidRequest`."""
    if bytes(memoryview(raw)[:1]) != b'"':
        return bytes(raw).decode()
    try:
        text = wire.decode_strings(raw)
        json.decode(text or "null")
    except (msgspec.MsgspecError, RecursionError) as error:
        raise InvalidRequest("This must be a JSON Schema.", param=path) from error
    return text or None


def _takes_nothing(parameters: JsonText) -> bool:
    """Whether a schema names no property; clients put `required`, `additionalProperties` and more beside it."""
    try:
        return not json.decode(parameters, type=_Shape).properties
    except msgspec.ValidationError:
        return False


def _custom(tool: wire.CustomTool, path: str) -> Function:
    """Stand in for a tool of free text: a function of one string, its grammar in words."""
    if not tool.name:
        raise InvalidRequest("A tool must have a name.", param=f"{path}.custom.name")
    form = "" if tool.format is UNSET else bytes(tool.format).decode()
    words = [tool.description or ""]
    if '"grammar"' in form:
        words.append(f"`input` must follow this grammar: {_grammar(form, path)}")
    description = "\n".join(word for word in words if word)
    return Function(name=tool.name, description=description, parameters=TEXT_INPUT)


def _grammar(form: JsonText, path: str) -> str:
    """Give a grammar in its own words, nested as this format has it or flat."""
    try:
        found = json.decode(form, type=_Format)
    except msgspec.MsgspecError as error:
        raise InvalidRequest(f"This grammar cannot be read: {error}.", param=f"{path}.format") from error
    grammar = found.grammar or _Grammar(found.definition, found.syntax)
    return f"{grammar.definition} ({grammar.syntax})" if grammar.syntax else grammar.definition


def _kind(name: str) -> BuiltInKind | None:
    """Find a tool of the upstream's own: `web_search_preview_2025_03_11` is `websearch`."""
    plain = name.lower().replace("-", "").replace("_", "").rstrip("0123456789")
    return BUILT_INS.get(plain.removesuffix("preview"))


class _Offered:
    """The tools of a request, by what a choice calls them."""

    def __init__(self, tools: Sequence[Tool]) -> None:
        self.tools = list(tools)
        self._functions = {tool.name: tool for tool in tools if isinstance(tool, Function)}
        self._own = {tool.kind: tool for tool in tools if isinstance(tool, BuiltIn)}

    def pick(self, choice: wire.NamedChoice) -> Function | BuiltIn | None:
        """Find the tool that a choice names."""
        name = _name(choice)
        kind = NAMED_LIKE_FUNCTIONS.get(name) or _kind(name or choice.type or "")
        return self._functions.get(name) or (self._own.get(kind) if kind else None)


def _chosen(
    request: wire.Request, tools: list[Tool], dropped: list[Dropped], *, offers: bool
) -> tuple[list[Tool], ToolChoice | None]:
    """Read the choice; `offers` is whether the request has any tools, though perhaps none that can be had."""
    choice = request.tool_choice if request.tool_choice is not None else request.function_call
    if choice is None or not tools:
        if not tools and _is_forced(choice):
            if offers:
                raise InvalidRequest(
                    "A tool must be called, but none is offered that could be.", param="tool_choice", code=UNSUPPORTED
                )
            name = "tool_choice" if request.tool_choice is not None else "function_call"
            dropped.append(Dropped(name, "there are no tools to choose from"))
        return tools, None
    if isinstance(choice, wire.Named):
        choice = wire.NamedChoice(name=choice.name)
    mode = _mode(choice)
    if mode is not None:
        return tools, ToolChoice(mode)
    if isinstance(choice, str):
        if not choice:
            return tools, None
        raise InvalidRequest(f"{choice[:80]!r} is no tool choice. It is auto, none or required.", param="tool_choice")
    offered = _Offered(tools)
    if choice.type == "allowed_tools":
        inner = choice.allowed_tools or wire.AllowedTools(choice.mode or "auto", choice.tools or [])
        return _allowed(inner, offered)
    return _forced(choice, offered)


def _mode(choice: str | wire.NamedChoice) -> ToolMode | None:
    """Read a mode, plain or as the type of an object that names nothing."""
    if isinstance(choice, wire.NamedChoice):
        return None if _name(choice) else MODES.get((choice.type or "").lower())
    return MODES.get(choice.lower())


def _is_forced(choice: str | wire.NamedChoice | wire.Named | None) -> bool:
    if choice is None or choice == "":
        return False
    if isinstance(choice, wire.NamedChoice) and choice.type == "allowed_tools":
        return (choice.allowed_tools.mode if choice.allowed_tools is not None else choice.mode) == "required"
    return isinstance(choice, wire.Named) or _mode(choice) not in ("auto", "none")


def _allowed(allowed: wire.AllowedTools, offered: _Offered) -> tuple[list[Tool], ToolChoice | None]:
    """Leave of the upstream's own tools what is allowed, and name the functions that are.

    Tools that were offered and cannot be had are passed over, unless one must be called and no other is left.
    """
    if allowed.mode not in ("auto", "required"):
        raise InvalidRequest(
            f"{allowed.mode[:80]!r} is no mode. It is auto or required.", param="tool_choice.allowed_tools.mode"
        )
    names: list[str] = []
    kinds: set[BuiltInKind] = set()
    for number, tool in enumerate(allowed.tools):
        found = offered.pick(tool)
        if isinstance(found, Function):
            names.append(found.name)
        elif isinstance(found, BuiltIn):
            kinds.add(found.kind)
        elif _name(tool):
            raise InvalidRequest("This is not among the tools.", param=f"tool_choice.allowed_tools.tools.{number}")
    if not names and not kinds:
        if allowed.mode == "required" or not allowed.tools:
            raise InvalidRequest(
                "None of the tools that are allowed can be had.", param="tool_choice.allowed_tools", code=UNSUPPORTED
            )
        return [], None
    mode: ToolMode = "required" if allowed.mode == "required" else "auto"
    kept = [tool for tool in offered.tools if _stays(tool, kinds, functions=bool(names))]
    return kept, ToolChoice(mode, tuple(names))


def _stays(tool: Tool, kinds: set[BuiltInKind], *, functions: bool) -> bool:
    return functions if isinstance(tool, Function) else isinstance(tool, BuiltIn) and tool.kind in kinds


def _forced(choice: wire.NamedChoice, offered: _Offered) -> tuple[list[Tool], ToolChoice]:
    if not _name(choice) and choice.type in (None, "", "function", "custom", "tool"):
        raise InvalidRequest("tool_choice must name a function, or be auto, none or required.", param="tool_choice")
    found = offered.pick(choice)
    if isinstance(found, Function):
        return offered.tools, ToolChoice("required", (found.name,))
    if isinstance(found, BuiltIn):
        # The upstream cannot be made to use its own tools; it can be left no other.
        return [found], ToolChoice("auto")
    name = _name(choice) or choice.type or ""
    raise InvalidRequest(
        f"tool_choice names {name[:80]!r}, which is not among the tools that can be had.",
        param="tool_choice",
        code=UNSUPPORTED,
    )


def _name(choice: wire.NamedChoice) -> str:
    named = choice.function or choice.custom
    return (named.name if named is not None else choice.name) or ""
