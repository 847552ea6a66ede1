"""Recursion as Gemini takes it: every circle of references passes through a property that may be left out."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

from msgspec import Struct

from gemgate.protocols.gemini.schemas.values import Schema, as_names
from gemgate.protocols.gemini.schemas.walking import properties_of, target_name, unnamed
from gemgate.protocols.gemini.schemas.words import noted

Graph = Mapping[str, Sequence[str]]


class Link(Struct, frozen=True):
    """A reference that a value of `source` cannot do without.

    `place` holds it; `owner` requires the property `name` that leads there, or is None if no property does.
    """

    source: str
    target: str
    place: Schema
    owner: Schema | None
    name: str


def open_cycles(definitions: dict[str, Schema]) -> None:
    """Make recursion optional, in place: properties lose their duty, and where none leads round, references go."""
    links = [link for name, schema in definitions.items() for link in _links(name, schema)]
    if not links:
        return
    fixed = [link for link in links if link.owner is None]
    order = _order(_graph(definitions, fixed), list(definitions))
    for link in fixed:
        if order[link.target] <= order[link.source]:
            _cut(link)
    kept = [link for link in fixed if order[link.target] > order[link.source]]
    # What is left of the fixed ones forms no circle, so any order of theirs shows which others lead back.
    order = _order(_graph(definitions, kept), list(reversed(definitions)))
    free = [link for link in links if link.owner is not None]
    circles = _circles(_graph(definitions, kept + free))
    released: dict[int, tuple[Schema, dict[str, None]]] = {}
    for link in free:
        if order[link.target] <= order[link.source] and circles[link.source] == circles[link.target]:
            assert link.owner is not None
            released.setdefault(id(link.owner), (link.owner, {}))[1][link.name] = None
    for owner, names in released.values():
        _release(owner, names)


def _links(source: str, schema: Schema) -> Iterator[Link]:
    waiting: list[tuple[Schema, Schema | None, str]] = [(schema, None, "")]
    while waiting:
        node, owner, name = waiting.pop()
        if (target := target_name(node)) is not None:
            yield Link(source, target, node, owner, name)
        properties = properties_of(node)
        waiting += [(properties[inner], node, inner) for inner in as_names(node.get("required")) if inner in properties]
        waiting += [(inner, owner, name) for inner in unnamed(node)]


def _cut(link: Link) -> None:
    link.place.clear()
    link.place["description"] = f"(again a {link.target})"


def _release(owner: Schema, names: Collection[str]) -> None:
    required = [name for name in as_names(owner.get("required")) if name not in names]
    if required:
        owner["required"] = required
    else:
        del owner["required"]
    noted(owner, [f"{name} is needed too" for name in names])


def _graph(names: Iterable[str], links: Iterable[Link]) -> dict[str, list[str]]:
    graph: dict[str, list[str]] = {name: [] for name in names}
    for link in links:
        graph[link.source].append(link.target)
    return graph


def _order(graph: Graph, starts: Sequence[str]) -> dict[str, int]:
    """Number the names so that only the links of circles lead backwards."""
    seen: set[str] = set()
    finished = [name for start in starts for name in _finished(graph, start, seen)]
    return {name: number for number, name in enumerate(reversed(finished))}


def _circles(graph: Graph) -> dict[str, str]:
    """Map each name to one that stands for all those it forms circles with (Kosaraju's way)."""
    backwards: dict[str, list[str]] = {name: [] for name in graph}
    for source, targets in graph.items():
        for target in targets:
            backwards[target].append(source)
    seen: set[str] = set()
    order = _order(graph, list(graph))
    return {name: start for start in order for name in _finished(backwards, start, seen)}


def _finished(graph: Graph, start: str, seen: set[str]) -> Iterator[str]:
    """Walk from a name to those not seen yet; gives each when all behind it are done."""
    if start in seen:
        return
    seen.add(start)
    path = [(start, iter(graph[start]))]
    while path:
        name, rest = path[-1]
        for target in rest:
            if target not in seen:
                seen.add(target)
                path.append((target, iter(graph[target])))
                break
        else:
            path.pop()
            yield name
