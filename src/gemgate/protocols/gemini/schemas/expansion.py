"""A cleaned JSON Schema → Gemini's own dialect: references unrolled, one type for each schema, few formats.

Level by level, so that what has to be cut for its size is what lies deepest.
"""

import re
from collections import deque
from collections.abc import Iterable

from msgspec import Struct

from gemgate.protocols.gemini.schemas.bounds import add_range
from gemgate.protocols.gemini.schemas.cleaning import ANNOTATIONS, STRUCTURE, TOO_DEEP
from gemgate.protocols.gemini.schemas.cleaning import MAX_DEPTH as MAX_GIVEN_DEPTH
from gemgate.protocols.gemini.schemas.roots import is_anything, joined
from gemgate.protocols.gemini.schemas.unions import flattened
from gemgate.protocols.gemini.schemas.values import Schema, as_list, as_names, as_schema
from gemgate.protocols.gemini.schemas.walking import branches_of, properties_of, target_name
from gemgate.protocols.gemini.schemas.words import compact, described, listed, noted, weight

MAX_NODES = 1_000
"""Above so many schemas nothing is unrolled any more."""
MAX_UNROLLED = 512 * 1024
"""Above so many bytes that were written more than once, or came from definitions, nothing is unrolled any more."""
MAX_DEPTH = 32
"""Below this level nothing is unrolled any more."""
DEEPEST = MAX_GIVEN_DEPTH - 4
"""Below this level nothing is written any more."""
UNROLLED = 2
"""How often a definition may stand inside itself."""

FORMATS = {
    "STRING": frozenset({"enum", "date-time"}),
    "NUMBER": frozenset({"float", "double"}),
    "INTEGER": frozenset({"int32", "int64"}),
}
FIELDS = {
    "ARRAY": ("minItems", "maxItems"),
    "OBJECT": ("minProperties", "maxProperties"),
}
FOREIGN_REGEX = re.compile(r"\(\?(?:[=!>]|<[=!])|\\[1-9]|\\k<")
"""Parts of regular expressions that RE2 does not know."""

OUTSIDE = frozenset({*ANNOTATIONS, "anyOf"})
ANYTHING = "any JSON value"
LEFT_OUT = "more of it left out"
FREE = "value"
"""Gemini refuses objects without properties; this one stands for those that a client did not name."""


class _Place(Struct, frozen=True):
    """A schema to write into `made`, `depth` levels down; `inside` are the definitions it stands in."""

    made: Schema
    node: Schema
    depth: int
    inside: tuple[str, ...]


class _Settled(Struct, frozen=True):
    """A schema that is no reference any more; `nullable` if `null` stood beside it."""

    node: Schema
    nullable: bool
    inside: tuple[str, ...]


def expanded(root: Schema, definitions: dict[str, Schema]) -> Schema | None:
    """Write a cleaned schema in Gemini's own dialect; None if it is an object of any properties."""
    expansion = _Expansion(definitions)
    settled = expansion.settled(root, 0, ())
    told = properties_of(settled.node) or branches_of(settled.node)
    if is_anything(settled.node) or (settled.node.get("type") == "object" and not told):
        return None
    return expansion.written(root)


class _Expansion:
    def __init__(self, definitions: dict[str, Schema]) -> None:
        self._definitions = definitions
        self._waiting: deque[_Place] = deque()
        self._count = 0
        self._room = MAX_UNROLLED
        self._weights: dict[str, int] = {}

    def written(self, root: Schema) -> Schema:
        made = self._later(root, -1, ())
        while self._waiting:
            self._write(self._waiting.popleft())
        return made

    def _later(self, node: Schema, depth: int, inside: tuple[str, ...]) -> Schema:
        """Promise a schema one level below `depth`."""
        made: Schema = {}
        self._count += 1
        self._waiting.append(_Place(made, node, depth + 1, inside))
        return made

    # ── references ──

    def settled(self, node: Schema, depth: int, inside: tuple[str, ...]) -> _Settled:
        """Follow references, take `null` out of alternatives, and unwrap the only one that is left."""
        nullable = False
        while True:
            if (name := target_name(node)) is not None:
                node, inside = self._pointed(name, depth, inside), (*inside, name)
                continue
            given = branches_of(node)
            branches = [branch for branch in given if branch.get("type") != "null"]
            nullable = nullable or len(branches) < len(given)
            if len(branches) == 1 and not node.keys() - OUTSIDE:
                only = self.settled(branches[0], depth, inside)
                outer = {key: value for key, value in node.items() if key != "anyOf"}
                return _Settled(joined(outer, only.node), nullable or only.nullable, only.inside)
            if given and not branches:
                node = {"type": "null"} | {key: value for key, value in node.items() if key != "anyOf"}
            elif len(branches) < len(given):
                node = {**node, "anyOf": branches}
            return _Settled(node, nullable, inside)

    def _pointed(self, name: str, depth: int, inside: tuple[str, ...]) -> Schema:
        node = self._definitions[name]
        if self._room < 0:
            return noted({"type": node["type"]} if "type" in node else {}, [LEFT_OUT])
        full = self._count > MAX_NODES or depth > MAX_DEPTH or len(inside) > 2 * MAX_DEPTH
        if node.get("type") in SCALARS or (not full and inside.count(name) < UNROLLED):
            self._room -= self._weight(name)
            return node
        shallow: Schema = {key: node[key] for key in ("type", "title", "description", "enum") if key in node}
        self._room -= weight(shallow)
        return noted(shallow, [LEFT_OUT if full else f"again a {name}"])

    def _weight(self, name: str) -> int:
        if name not in self._weights:
            self._weights[name] = weight(self._definitions[name])
        return self._weights[name]

    # ── writing ──

    def _write(self, place: _Place) -> None:
        words: list[str] = []
        settled = self.settled(place.node, place.depth, place.inside)
        if place.depth >= DEEPEST and settled.node.keys() & STRUCTURE:
            words.append(TOO_DEEP)
            node = {key: value for key, value in settled.node.items() if key not in STRUCTURE}
            settled = _Settled(node, settled.nullable, settled.inside)
        while branches_of(settled.node) and settled.node.keys() - OUTSIDE:
            settled = self._without_siblings(settled, place.depth, words)
        node = settled.node
        kinds = [
            kind for kind in _kinds(node) if kind != "null" and (kind != "integer" or "number" not in _kinds(node))
        ]
        nullable = settled.nullable or (bool(kinds) and "null" in _kinds(node))
        if branches := branches_of(node):
            self._write_any_of(place, branches, settled.inside)
        elif len(kinds) > 1:
            self._write_any_of(place, [_narrowed(node, kind) for kind in kinds], settled.inside)
        elif _kinds(node):
            self._write_kind(place, node, (kinds or ["null"])[0].upper(), words, settled.inside)
        else:
            place.made["type"] = "STRING"
            if ANYTHING not in str(node.get("description")):
                words.insert(0, ANYTHING)
        _annotate(place.made, node, words)
        if nullable and place.made.get("type") != "NULL":
            place.made["nullable"] = True

    def _write_any_of(self, place: _Place, branches: Iterable[Schema], inside: tuple[str, ...]) -> None:
        place.made["anyOf"] = [self._later(branch, place.depth, inside) for branch in branches]

    def _write_kind(self, place: _Place, node: Schema, kind: str, words: list[str], inside: tuple[str, ...]) -> None:
        made = place.made
        made["type"] = kind
        _add_format(made, node, kind, words)
        made.update({key: node[key] for key in FIELDS.get(kind, ()) if key in node})
        match kind:
            case "STRING":
                _add_string(made, node, words)
            case "NUMBER" | "INTEGER":
                add_range(made, node, words, whole=kind == "INTEGER")
                _add_choices(made, node, words)
            case "ARRAY":
                made["items"] = self._later(_items(node, words), place.depth, inside)
            case "OBJECT":
                self._write_object(place, node, words, inside)
            case _:
                pass

    def _write_object(self, place: _Place, node: Schema, words: list[str], inside: tuple[str, ...]) -> None:
        properties = properties_of(node)
        place.made["properties"] = (
            {name: self._later(inner, place.depth, inside) for name, inner in properties.items()}
            if properties
            else {FREE: {"type": "STRING", "description": "stands for properties of any name"}}
        )
        for key in ("required", "propertyOrdering"):
            if names := as_names(node.get(key)):
                place.made[key] = names
        if additional := as_schema(node.get("additionalProperties")):
            words.append(f"other properties: {self._brief(additional)}")

    def _without_siblings(self, settled: _Settled, depth: int, words: list[str]) -> _Settled:
        """Bring what stands beside alternatives into them, or the other way round: Gemini takes nothing beside them."""
        branches = branches_of(settled.node)
        base = {key: value for key, value in settled.node.items() if key != "anyOf"}
        if "object" in _kinds(base):
            found = [self.settled(branch, depth, settled.inside) for branch in branches]
            inside = tuple(name for branch in found for name in branch.inside[len(settled.inside) :])
            if all(_kinds(branch.node) in ([], ["object"]) for branch in found):
                joint = flattened(base, [branch.node for branch in found])
                return _Settled(joint, settled.nullable, (*settled.inside, *inside))
        spread_weight = weight(base) * len(branches)
        full = self._count > MAX_NODES or spread_weight > self._room
        if full or "object" in _kinds(base) or any("$ref" in branch for branch in branches):
            words.append(f"and one of: {listed(branches)}")
            return _Settled(base, settled.nullable, settled.inside)
        self._room -= spread_weight
        outer = {key: base.pop(key) for key in ANNOTATIONS if key in base}
        spread: Schema = {**outer, "anyOf": [{**base, **branch} for branch in branches]}
        alone = self.settled(spread, depth, settled.inside)
        return _Settled(alone.node, settled.nullable or alone.nullable, alone.inside)

    def _brief(self, node: Schema) -> str:
        if (name := target_name(node)) is not None:
            return name
        return compact(node)


SCALARS = ("string", "number", "integer", "boolean", "null")


def _kinds(node: Schema) -> list[str]:
    given = node.get("type")
    return [given] if isinstance(given, str) else as_names(given)


def _narrowed(node: Schema, kind: str) -> Schema:
    """Give a schema of several types as one of them; its descriptions stay outside."""
    made = {key: value for key, value in node.items() if key not in ANNOTATIONS} | {"type": kind}
    if "enum" in node:
        made["enum"] = [value for value in as_list(node["enum"]) or () if isinstance(value, str) == (kind == "string")]
    return made


def _annotate(made: Schema, node: Schema, words: list[str]) -> None:
    if "title" in node:
        made["title"] = node["title"]
    if node.get("default") is not None:
        words.append(f"default: {compact(node['default'])}")
    description = described(node.get("description"), words)
    if description is not None:
        made["description"] = description


def _add_format(made: Schema, node: Schema, kind: str, words: list[str]) -> None:
    given = node.get("format")
    if not isinstance(given, str) or kind not in FORMATS:
        return
    if given in FORMATS[kind]:
        if given != "enum" or "enum" in node:
            made["format"] = given
    else:
        words.append(f"format: {given}")


def _add_string(made: Schema, node: Schema, words: list[str]) -> None:
    if "enum" in node:
        made["enum"] = node["enum"]
        return
    made.update({key: node[key] for key in ("minLength", "maxLength") if key in node})
    pattern = node.get("pattern")
    if not isinstance(pattern, str):
        return
    if FOREIGN_REGEX.search(pattern):
        words.append(f"pattern: {compact(pattern)}")
    else:
        made["pattern"] = pattern


def _add_choices(made: Schema, node: Schema, words: list[str]) -> None:
    """Say which numbers may be chosen: a choice would have to be a string, which the client does not expect."""
    numbers = [value for value in as_list(node.get("enum")) or () if isinstance(value, (int, float))]
    if numbers:
        words.append(f"must be {compact(numbers[0])}" if len(numbers) == 1 else f"one of: {listed(numbers)}")
        made["minimum"], made["maximum"] = min(numbers), max(numbers)


def _items(node: Schema, words: list[str]) -> Schema:
    first = as_list(node.get("prefixItems"))
    rest = as_schema(node.get("items"))
    if not first:
        return rest if rest is not None else {}
    words.append(f"in this order: {listed(first)}")
    schemas = [schema for value in (*first, rest) if (schema := as_schema(value)) is not None]
    unlike = list({compact(schema): schema for schema in schemas}.values())
    return unlike[0] if len(unlike) == 1 else {"anyOf": unlike}
