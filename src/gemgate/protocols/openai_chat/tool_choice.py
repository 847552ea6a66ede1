"""The choice among the tools of a request."""

from collections.abc import Sequence

from gemgate.hub.call import BuiltIn, Function, Tool, ToolChoice
from gemgate.hub.codec import Dropped
from gemgate.protocols.openai_chat import wire
from gemgate.protocols.shared import tool_choice
from gemgate.protocols.shared.built_ins import NAMED_LIKE_FUNCTIONS, kind_of
from gemgate.protocols.shared.tool_choice import Named, NamedChoice, name_of


class _Offered:
    """The tools of a request, by what a choice calls them."""

    def __init__(self, tools: Sequence[Tool]) -> None:
        self._functions = {tool.name: tool for tool in tools if isinstance(tool, Function)}
        self._own = {tool.kind: tool for tool in tools if isinstance(tool, BuiltIn)}

    def pick(self, choice: NamedChoice) -> Function | BuiltIn | None:
        """Find the tool that a choice names."""
        name = name_of(choice)
        kind = NAMED_LIKE_FUNCTIONS.get(name) or kind_of(name or choice.type or "")
        return self._functions.get(name) or (self._own.get(kind) if kind else None)


def chosen(
    request: wire.Request, tools: Sequence[Tool], dropped: list[Dropped], *, offers: bool
) -> tuple[Sequence[Tool], ToolChoice | None]:
    """Read the choice; `offers` is whether the request has any tools, though perhaps none that can be had."""
    choice, path = request.tool_choice, tool_choice.PATH
    if choice is None and request.function_call is not None:
        given, path = request.function_call, "function_call"
        choice = NamedChoice(name=given.name) if isinstance(given, Named) else given
    return tool_choice.chosen(choice, tools, _Offered(tools).pick, dropped, offers=offers, path=path)
