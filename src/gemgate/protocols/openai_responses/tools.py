"""The tools of a request, and those that its conversation defines: functions, and the upstream's own."""

from collections.abc import Callable, Collection, Mapping, Sequence

from msgspec import Raw, Struct
from msgspec.structs import replace

from gemgate.hub.call import BuiltIn, Function, Tool, ToolChoice
from gemgate.hub.codec import Dropped
from gemgate.protocols.openai_responses import wire, wire_tools
from gemgate.protocols.openai_responses.known_tools import KINDS
from gemgate.protocols.openai_responses.namespaces import flat
from gemgate.protocols.openai_responses.offered import Offered, offered
from gemgate.protocols.openai_responses.style import Called
from gemgate.protocols.shared.built_ins import kind_of
from gemgate.protocols.shared.nested import read
from gemgate.protocols.shared.raw_json import is_given
from gemgate.protocols.shared.tool_choice import CLIENTS_OWN, PATH, NamedChoice, chosen, name_of, named_choices

NAME_TAKEN = "another tool has this name"


class Tools(Struct, frozen=True):
    """What may be called, and how.

    `called` tells by the names of functions which of them stand for other tools; `paths` where each tool stood.
    """

    tools: tuple[Tool, ...] = ()
    choice: ToolChoice | None = None
    called: Mapping[str, Called] = {}
    dropped: tuple[Dropped, ...] = ()
    paths: dict[str, str] = {}


def tools(
    request: wire.Request,
    defined: Sequence[tuple[str, Raw]] = (),
    named: Callable[[], Collection[str]] = frozenset,
) -> Tools:
    """Translate the tools and the choice; raises `InvalidRequest` for a tool that is forced and cannot be had.

    `defined` are tools that stand elsewhere in the request, with their paths. Where the client searches for tools
    itself, deferred ones are offered once they are defined there, forced, or among the `named`.
    """
    dropped: list[Dropped] = []
    found: list[Offered] = []
    for number, raw in enumerate(request.tools or ()):
        found += offered(raw, f"tools.{number}", dropped)
    for path, raw in defined:
        found += (replace(one, deferred=False) for one in offered(raw, path, dropped))
    choice = read(wire_tools.decode_choice, request.tool_choice, PATH) if is_given(request.tool_choice) else None
    found = _each_once(found, dropped)
    if any(one.deferred for one in found) and any(_searches(one) for one in found):
        picks = map(_Shelf(found).pick, named_choices(choice))
        wanted = {*named(), *(tool.name for tool in picks if isinstance(tool, Function))}
        found = [one for one in found if not one.deferred or _name(one) in wanted]
    found = _introduced(found)
    shelf = _Shelf(found)
    left, how = chosen(choice, shelf.tools, shelf.pick, dropped, offers=bool(request.tools or defined))
    places = {id(one.tool): one.path for one in found}
    return Tools(
        tools=tuple(left),
        choice=how,
        called={_name(one): one.called for one in found if one.called is not None},
        dropped=tuple(dropped),
        paths={f"tools.{number}": places[id(tool)] for number, tool in enumerate(left)},
    )


class _Shelf:
    """The tools that can be had, by what a choice calls them."""

    def __init__(self, found: Sequence[Offered]) -> None:
        self.tools = [one.tool for one in found]
        self._functions = {tool.name: tool for tool in self.tools if isinstance(tool, Function)}
        self._own = {tool.kind: tool for tool in self.tools if isinstance(tool, BuiltIn)}
        self._known = {one.called.kind: one.tool for one in found if one.called is not None and one.is_known}
        self._short = {one.called.name: one.tool for one in found if one.called is not None and one.called.namespace}
        """Functions of namespaces by their names alone, for choices that do not say which."""

    def pick(self, choice: NamedChoice) -> Function | BuiltIn | None:
        """Find the tool that a choice names: the client's own by name, any other by its type."""
        name = name_of(choice)
        if choice.type in CLIENTS_OWN:
            function = self._functions.get(flat(choice.namespace, name))
            if function is not None or choice.namespace:
                return function
            return self._short.get(name) or self._of_type(name)
        return self._of_type(choice.type or "")

    def _of_type(self, kind: str) -> Function | BuiltIn | None:
        known = KINDS.get(kind)
        if known is not None:
            return self._known.get(known)
        own = kind_of(kind)
        return self._own.get(own) if own is not None else None


def _name(one: Offered) -> str:
    return one.tool.name if isinstance(one.tool, Function) else ""


def _searches(one: Offered) -> bool:
    return one.called is not None and one.called.kind == "tool_search"


def _each_once(found: Sequence[Offered], dropped: list[Dropped]) -> list[Offered]:
    """Leave one function of each name: what is said later says it anew.

    The client's own take a name before tools of a fixed schema do; that is told, as is the clash of two that only look
    alike to the model.
    """
    kept: dict[str | int, Offered] = {}
    for number, one in enumerate(found):
        key = _name(one) or number
        other = kept.get(key)
        if other is None or other.called == one.called:
            kept[key] = one
            continue
        loser = one if one.is_known else other
        dropped.append(Dropped(loser.path, NAME_TAKEN))
        kept[key] = other if loser is one else one
    return list(kept.values())


def _introduced(found: Sequence[Offered]) -> list[Offered]:
    """Tell the model of each namespace, once: at the first of its functions."""
    made: list[Offered] = []
    told: set[str] = set()
    for one in found:
        space = one.called.namespace if one.called is not None else ""
        if one.about and space not in told and isinstance(one.tool, Function):
            told.add(space)
            words = f"Of all functions whose names begin with {flat(space, '')}: {one.about}"
            description = "\n".join(line for line in (one.tool.description, words) if line)
            one = replace(one, tool=replace(one.tool, description=description))
        made.append(one)
    return made
