"""The choice among the tools of a request, as OpenAI's formats put it."""

from collections.abc import Callable, Sequence

from msgspec import Struct

from gemgate.errors import InvalidRequest
from gemgate.hub.call import BuiltIn, BuiltInKind, Function, Tool, ToolChoice, ToolMode
from gemgate.hub.codec import Dropped

PATH = "tool_choice"
UNSUPPORTED = "unsupported_tool"
MODES: dict[str, ToolMode] = {"auto": "auto", "none": "none", "required": "required", "any": "required"}
CLIENTS_OWN = (None, "", "function", "custom", "tool")
"""Types of choices whose tool goes by its name alone."""


class Named(Struct):
    """Something by its name."""

    name: str = ""


class AllowedTools(Struct):
    """The tools that may, or must, be called out of those offered."""

    mode: str = "auto"
    tools: list["NamedChoice"] = []


class NamedChoice(Struct):
    """A tool choice that names its tool, flat or nested."""

    type: str | None = None
    name: str | None = None
    namespace: str | None = None
    function: Named | None = None
    custom: Named | None = None
    allowed_tools: AllowedTools | None = None
    mode: str | None = None
    tools: list["NamedChoice"] | None = None


Pick = Callable[[NamedChoice], Function | BuiltIn | None]
"""Finds the tool that a choice names, among those that can be had."""


def chosen(
    choice: str | NamedChoice | None,
    tools: Sequence[Tool],
    pick: Pick,
    dropped: list[Dropped],
    *,
    offers: bool,
    path: str = PATH,
) -> tuple[Sequence[Tool], ToolChoice | None]:
    """Read the choice; gives the tools that it leaves, too.

    `offers` is whether the request has any tools, though perhaps none that can be had; `path` is where the choice
    stands. Raises `InvalidRequest` for a tool that is forced and cannot be had.
    """
    if choice is None or choice == "":
        return tools, None
    if not tools:
        if _is_forced(choice):
            _refuse_or_tell(choice, dropped, offers=offers, path=path)
        return tools, None
    mode = _mode(choice)
    if mode is not None:
        return tools, ToolChoice(mode)
    if isinstance(choice, str):
        raise InvalidRequest(f"{choice[:80]!r} is no tool choice. It is auto, none or required.", param=path)
    if choice.type == "allowed_tools":
        return _allowed(choice, tools, pick)
    return _forced(choice, tools, pick)


def name_of(choice: NamedChoice) -> str:
    """Give the name of the tool, or "" where the type says which it is."""
    named = choice.function or choice.custom
    return (named.name if named is not None else choice.name) or ""


def named_choices(choice: str | NamedChoice | None) -> Sequence[NamedChoice]:
    """List what a choice names: one tool, or those that are allowed."""
    if not isinstance(choice, NamedChoice):
        return ()
    return _inner(choice).tools if choice.type == "allowed_tools" else (choice,)


def _inner(choice: NamedChoice) -> AllowedTools:
    return choice.allowed_tools or AllowedTools(choice.mode or "auto", choice.tools or [])


def _mode(choice: str | NamedChoice) -> ToolMode | None:
    """Read a mode, plain or as the type of an object that names nothing."""
    if isinstance(choice, NamedChoice):
        return None if name_of(choice) else MODES.get((choice.type or "").lower())
    return MODES.get(choice.lower())


def _is_forced(choice: str | NamedChoice) -> bool:
    if isinstance(choice, NamedChoice) and choice.type == "allowed_tools":
        return _inner(choice).mode == "required"
    return _mode(choice) not in ("auto", "none")


def _refuse_or_tell(choice: str | NamedChoice, dropped: list[Dropped], *, offers: bool, path: str) -> None:
    if offers and isinstance(choice, NamedChoice) and _names_a_tool(choice):
        raise _not_to_be_had(choice)
    if offers:
        raise InvalidRequest("A tool must be called, but none is offered that could be.", param=PATH, code=UNSUPPORTED)
    dropped.append(Dropped(path, "there are no tools to choose from"))


def _names_a_tool(choice: NamedChoice) -> bool:
    return bool(name_of(choice)) or (choice.type not in (*CLIENTS_OWN, "allowed_tools") and _mode(choice) is None)


def _allowed(choice: NamedChoice, tools: Sequence[Tool], pick: Pick) -> tuple[Sequence[Tool], ToolChoice | None]:
    """Leave of the upstream's own tools what is allowed, and name the functions that are.

    Tools that were offered and cannot be had are passed over, unless one must be called and no other is left.
    """
    allowed, is_flat = _inner(choice), choice.tools is not None or choice.mode is not None
    path = PATH if is_flat else f"{PATH}.allowed_tools"
    if allowed.mode not in ("auto", "required"):
        raise InvalidRequest(f"{allowed.mode[:80]!r} is no mode. It is auto or required.", param=f"{path}.mode")
    names: list[str] = []
    kinds: set[BuiltInKind] = set()
    for number, tool in enumerate(allowed.tools):
        found = pick(tool)
        if isinstance(found, Function):
            names.append(found.name)
        elif isinstance(found, BuiltIn):
            kinds.add(found.kind)
        elif name_of(tool) and tool.type in CLIENTS_OWN:
            raise InvalidRequest("This is not among the tools.", param=f"{path}.tools.{number}")
    if not names and not kinds:
        if allowed.mode == "required" or not allowed.tools:
            raise InvalidRequest("None of the tools that are allowed can be had.", param=path, code=UNSUPPORTED)
        return [], None
    mode: ToolMode = "required" if allowed.mode == "required" else "auto"
    kept = [tool for tool in tools if _stays(tool, kinds, functions=bool(names))]
    return kept, ToolChoice(mode, tuple(names))


def _stays(tool: Tool, kinds: set[BuiltInKind], *, functions: bool) -> bool:
    return functions if isinstance(tool, Function) else isinstance(tool, BuiltIn) and tool.kind in kinds


def _forced(choice: NamedChoice, tools: Sequence[Tool], pick: Pick) -> tuple[Sequence[Tool], ToolChoice]:
    if not name_of(choice) and choice.type in CLIENTS_OWN:
        raise InvalidRequest("tool_choice must name a function, or be auto, none or required.", param=PATH)
    found = pick(choice)
    if isinstance(found, Function):
        return tools, ToolChoice("required", (found.name,))
    if isinstance(found, BuiltIn):
        # The upstream cannot be made to use its own tools; it can be left no other. Whether it makes images is known.
        return [found], ToolChoice("required" if found.kind == "image_generation" else "auto")
    raise _not_to_be_had(choice)


def _not_to_be_had(choice: NamedChoice) -> InvalidRequest:
    name = name_of(choice) or choice.type or ""
    return InvalidRequest(
        f"tool_choice names {name[:80]!r}, which is not among the tools that can be had.",
        param=PATH,
        code=UNSUPPORTED,
    )
