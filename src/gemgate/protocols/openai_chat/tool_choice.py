"""The choice among the tools of a request."""

from collections.abc import Sequence

from gemgate.errors import InvalidRequest
from gemgate.hub.call import BuiltIn, BuiltInKind, Function, Tool, ToolChoice, ToolMode
from gemgate.hub.codec import Dropped
from gemgate.protocols.openai_chat import wire
from gemgate.protocols.openai_chat.built_ins import NAMED_LIKE_FUNCTIONS, kind_of

UNSUPPORTED = "unsupported_tool"
MODES: dict[str, ToolMode] = {"auto": "auto", "none": "none", "required": "required", "any": "required"}


class _Offered:
    """The tools of a request, by what a choice calls them."""

    def __init__(self, tools: Sequence[Tool]) -> None:
        self.tools = list(tools)
        self._functions = {tool.name: tool for tool in tools if isinstance(tool, Function)}
        self._own = {tool.kind: tool for tool in tools if isinstance(tool, BuiltIn)}

    def pick(self, choice: wire.NamedChoice) -> Function | BuiltIn | None:
        """Find the tool that a choice names."""
        name = _name(choice)
        kind = NAMED_LIKE_FUNCTIONS.get(name) or kind_of(name or choice.type or "")
        return self._functions.get(name) or (self._own.get(kind) if kind else None)


def chosen(
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
