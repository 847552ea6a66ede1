"""Tools that an upstream runs itself: this one has none, and passes over those that are merely offered."""

from typing import assert_never

from gemgate.hub.call import BuiltIn, BuiltInKind, Function, Generate, OpaqueTool
from gemgate.hub.codec import Dropped
from gemgate.upstreams.embedded.advice import beyond_demo

WEB_SEARCH = "search the web"
ABILITIES: dict[BuiltInKind, str] = {
    "web_search": WEB_SEARCH,
    "code_execution": "run code",
    "url_context": "read URLs",
    "maps": "use maps",
    "image_generation": "make images",
}
"""What each kind of tool would do; completes "cannot …"."""

Own = BuiltIn | OpaqueTool


def refuse_forced(call: Generate) -> None:
    """Raise `InvalidRequest` if a call must use such a tool: nothing else could be called."""
    own = _own(call)
    if not own or len(own) < len(call.tools) or call.tool_choice is None:
        return
    # Formats leave one that is forced as the only tool, to be chosen freely: no upstream can be made to use its own.
    is_left_alone = call.tool_choice.mode == "auto" and len(own) == 1 and isinstance(own[0], BuiltIn)
    if call.tool_choice.mode == "required" or is_left_alone:
        raise beyond_demo(_ability(own[0]), "tools.0")


def passed_over(call: Generate) -> list[Dropped]:
    """Record those that are offered."""
    why = "the embedded demo model cannot"
    return [Dropped(f"tools.{at}", f"{why} {_ability(tool)}") for at, tool in _own(call).items()]


def _own(call: Generate) -> dict[int, Own]:
    """Give them by their position among the tools."""
    return {at: tool for at, tool in enumerate(call.tools) if not isinstance(tool, Function)}


def _ability(tool: Own) -> str:
    match tool:
        case BuiltIn():
            return ABILITIES[tool.kind]
        case OpaqueTool():
            return f"use this {tool.vendor.format} tool"
        case _:
            assert_never(tool)
