"""The tools of a chat completion request, in all the forms that clients write them, and the choice among them."""

import msgspec
from msgspec import UNSET, Raw, Struct, json

from gemgate.errors import InvalidRequest
from gemgate.hub.call import BuiltIn, BuiltInKind, Function, OpaqueTool, Tool, ToolChoice, ToolMode
from gemgate.hub.codec import Dropped
from gemgate.hub.parts import JsonText, Vendor
from gemgate.protocols.openai_chat import wire
from gemgate.protocols.openai_chat.marks import GOOGLE

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

NAMED_LIKE_FUNCTIONS = frozenset({"codeexecution", "googlesearch", "urlcontext", "googlemaps"})
"""Those that are meant by a function of that name without parameters (notes §6.1)."""

UNSUPPORTED = "unsupported_tool"
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
    """What may be called; `custom` names the functions that stand for tools called with free text."""

    tools: tuple[Tool, ...] = ()
    choice: ToolChoice | None = None
    custom: frozenset[str] = frozenset()
    dropped: tuple[Dropped, ...] = ()


def tools(request: wire.Request) -> Tools:
    """Translate the tools and the choice; raises `InvalidRequest` for a tool that is forced and cannot be had."""
    found: list[Tool] = []
    custom: set[str] = set()
    dropped: list[Dropped] = []
    for number, raw in enumerate(request.tools or ()):
        path = f"tools.{number}"
        tool = _tool(bytes(raw), path, custom)
        if tool is None:
            dropped.append(Dropped(path, "there is no such tool upstream"))
        else:
            found.append(tool)
    found += (_function(function, f"functions.{number}") for number, function in enumerate(request.functions or ()))
    if request.web_search_options is not None:
        found.append(BuiltIn("web_search"))
        dropped += _unsearched(request.web_search_options)
    chosen, choice = _chosen(request, found)
    return Tools(tuple(chosen), choice, frozenset(custom), tuple(dropped))


def _unsearched(options: wire.WebSearch) -> list[Dropped]:
    given = {"search_context_size": options.search_context_size, "user_location": options.user_location}
    empty = (None, UNSET, "medium")
    return [
        Dropped(f"web_search_options.{name}", "nothing upstream corresponds to it")
        for name, value in given.items()
        if value not in empty and not (isinstance(value, Raw) and bytes(value) == b"null")
    ]


def _tool(raw: bytes, path: str, custom: set[str]) -> Tool | None:
    """Translate one tool; `None` if the upstream has nothing like it."""
    if raw.startswith(b'"'):
        kind = BUILT_INS.get(_plain(wire.decode_strings(raw)))
        return BuiltIn(kind) if kind else None
    try:
        tool = wire.decode_tool(raw)
    except msgspec.MsgspecError as error:
        raise InvalidRequest(f"This tool cannot be read: {error}.", param=path) from error
    if tool.function is not None:
        return _function(tool.function, f"{path}.function")
    if tool.custom is not None or (tool.type == "custom" and tool.name):
        given = tool.custom or wire.CustomTool(tool.name or "", tool.description, tool.format)
        custom.add(given.name)
        return _custom(given, path)
    if tool.type in (None, "function") and tool.name:
        flat = wire.Function(tool.name, tool.description, tool.parameters, tool.strict)
        return _function(flat, path)
    if tool.type in ("function", "custom"):
        raise InvalidRequest("A tool must have a name.", param=path)
    if tool.type is not None:
        kind = BUILT_INS.get(_plain(tool.type))
        return BuiltIn(kind) if kind else None
    return _native(raw, path)


def _native(raw: bytes, path: str) -> Tool | None:
    """Read a tool of Gemini's own shape, such as `{"google_search": {}}`."""
    members = json.decode(raw, type=dict[str, Raw])
    if not members:
        raise InvalidRequest("A tool must say what it is.", param=path)
    if len(members) == 1:
        (name, settings), *_ = members.items()
        kind = BUILT_INS.get(_plain(name))
        if kind is not None:
            own = bytes(settings).decode()
            return BuiltIn(kind, None if own in ("{}", "null") else Vendor(GOOGLE, own))
    return OpaqueTool(Vendor(GOOGLE, raw.decode()))


def _function(function: wire.Function, path: str) -> Function | BuiltIn:
    if not function.name:
        raise InvalidRequest("A function must have a name.", param=f"{path}.name")
    parameters: JsonText | None = None
    if function.parameters is not UNSET and bytes(function.parameters) != b"null":
        parameters = bytes(function.parameters).decode()
        if parameters[:1] == '"':  # some clients send the schema as JSON within a string
            parameters = _unquoted(function.parameters, f"{path}.parameters")
    name = _plain(function.name)
    if name in NAMED_LIKE_FUNCTIONS and (parameters is None or _takes_nothing(parameters)):
        return BuiltIn(BUILT_INS[name])
    return Function(
        name=function.name,
        description=function.description or "",
        parameters=parameters,
        strict=bool(function.strict),
    )


def _takes_nothing(parameters: JsonText) -> bool:
    """Whether a schema names no property; clients put `required`, `additionalProperties` and more beside it."""
    try:
        return not json.decode(parameters, type=_Shape).properties
    except msgspec.ValidationError:
        return False


def _unquoted(raw: Raw, path: str) -> JsonText | None:
    try:
        text = wire.decode_strings(raw)
        json.decode(text or "null")
    except (msgspec.MsgspecError, RecursionError) as error:
        raise InvalidRequest("parameters must be a JSON Schema.", param=path) from error
    return text or None


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


def _plain(name: str) -> str:
    """Reduce a tool's name to what tells it apart: `web_search_preview_2025_03_11` is `websearch`."""
    plain = name.lower().replace("-", "").replace("_", "").rstrip("0123456789")
    return plain.removesuffix("preview")


def _chosen(request: wire.Request, tools: list[Tool]) -> tuple[list[Tool], ToolChoice | None]:
    choice = request.tool_choice if request.tool_choice is not None else request.function_call
    if choice is None or not tools:
        if request.tools and _is_forced(choice):
            raise InvalidRequest(
                "A tool must be called, but none is offered that could be.",
                param="tool_choice",
                code=UNSUPPORTED,
            )
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
    if choice.type == "allowed_tools":
        inner = choice.allowed_tools or wire.AllowedTools(choice.mode or "auto", choice.tools or [])
        return _allowed(inner, tools)
    return _forced(choice, tools)


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


def _allowed(allowed: wire.AllowedTools, tools: list[Tool]) -> tuple[list[Tool], ToolChoice | None]:
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
        found = _pick(tool, tools)
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
    kept = [tool for tool in tools if _stays(tool, kinds, functions=bool(names))]
    return kept, ToolChoice(mode, tuple(names))


def _stays(tool: Tool, kinds: set[BuiltInKind], *, functions: bool) -> bool:
    return functions if isinstance(tool, Function) else isinstance(tool, BuiltIn) and tool.kind in kinds


def _forced(choice: wire.NamedChoice, tools: list[Tool]) -> tuple[list[Tool], ToolChoice]:
    found = _pick(choice, tools)
    if isinstance(found, Function):
        return tools, ToolChoice("required", (found.name,))
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


def _pick(choice: wire.NamedChoice, tools: list[Tool]) -> Tool | None:
    """Find the tool that a choice names."""
    name = _name(choice)
    for tool in tools:
        if isinstance(tool, Function) and name == tool.name:
            return tool
    kind = BUILT_INS.get(_plain(name or choice.type or ""))
    return next((tool for tool in tools if isinstance(tool, BuiltIn) and tool.kind == kind), None)
