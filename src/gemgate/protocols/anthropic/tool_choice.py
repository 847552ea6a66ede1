"""The choice among the tools of a request."""

from collections.abc import Sequence

from msgspec import Struct

from gemgate.errors import InvalidRequest
from gemgate.hub.call import BuiltIn, Function, OpaqueTool, Tool, ToolChoice, ToolMode
from gemgate.hub.codec import Dropped
from gemgate.protocols.anthropic import wire

UNSUPPORTED = "unsupported_tool"
MODES: dict[str, ToolMode] = {"auto": "auto", "none": "none", "any": "required"}


class Offered(Struct, frozen=True):
    """A tool, the name by which a choice knows it, and where it stood."""

    tool: Tool
    name: str
    path: str


def chosen(
    given: str | wire.ToolChoice | None, found: Sequence[Offered], dropped: list[Dropped], *, offers: bool
) -> tuple[Sequence[Offered], ToolChoice | None]:
    """Read the choice; gives the tools that it leaves, too.

    `offers` is whether the request has any tools, though perhaps none that can be had.
    """
    choice = wire.ToolChoice(given) if isinstance(given, str) else given
    if choice is None or not (choice.type or choice.name):
        return found, None
    kind = choice.type or "tool"
    if kind == "tool":
        return _forced(choice.name, found)
    mode = MODES.get(kind)
    if mode is None:
        known = ", ".join((*MODES, "tool"))
        raise InvalidRequest(f"{kind[:80]!r} is no tool choice. It is one of {known}.", param="tool_choice.type")
    if found:
        return found, ToolChoice(mode)
    if mode == "required" and offers:
        raise InvalidRequest(
            "A tool must be called, but none is offered that could be.", param="tool_choice", code=UNSUPPORTED
        )
    if mode == "required":
        dropped.append(Dropped("tool_choice", "there are no tools to choose from"))
    return found, None


def _forced(name: str | None, found: Sequence[Offered]) -> tuple[Sequence[Offered], ToolChoice]:
    if not name:
        raise InvalidRequest("tool_choice must name a tool.", param="tool_choice.name")
    named = next((offered for offered in reversed(found) if offered.name == name), None)
    match named.tool if named is not None else None:
        case Function():
            return found, ToolChoice("required", (name,))
        case BuiltIn():
            # The upstream cannot be made to use its own tools; it can be left no other.
            return [offered for offered in found if offered is named], ToolChoice("auto")
        case OpaqueTool() | None:
            raise InvalidRequest(
                f"tool_choice names {name[:80]!r}, which is not among the tools that can be had.",
                param="tool_choice.name",
                code=UNSUPPORTED,
            )
