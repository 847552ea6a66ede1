"""`allOf`: several schemas that all hold → one."""

from collections.abc import Callable, Iterable, Sequence
from functools import reduce

from msgspec import json

from gemgate.protocols.gemini.schemas.values import Schema, as_list, as_number, as_schema, is_schema
from gemgate.protocols.gemini.schemas.words import alternatives, listed

LOWEST = frozenset({"maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"})
HIGHEST = frozenset({"minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"})
EITHER = frozenset({"anyOf", "oneOf"})


def combined(schemas: Iterable[Schema], words: list[str]) -> Schema:
    """Combine schemas without `allOf`; where they cannot all hold, the last one wins."""
    given: dict[str, list[object]] = {}
    for schema in schemas:
        for key, value in schema.items():
            given.setdefault(key, []).append(value)
    return {key: values[0] if len(values) == 1 else _all(key, values, words) for key, values in given.items()}


def _all(key: str, values: list[object], words: list[str]) -> object:
    match key:
        case "properties":
            return _properties(values)
        case "required":
            return [name for value in values for name in as_list(value) or ()] or values[-1]
        case "items" | "additionalProperties":
            last = values[-1]
            return _joint([value for value in values if is_schema(value)]) if is_schema(last) else last
        case _:
            return reduce(lambda one, other: _both(key, one, other, words), values)


def _both(key: str, one: object, other: object, words: list[str]) -> object:
    if key in EITHER:
        return _either(one, other, words)
    if key in LOWEST or key in HIGHEST:
        return _tighter(one, other, max if key in HIGHEST else min)
    return _shared(one, other) if key in ("type", "enum") else other


def _properties(values: list[object]) -> Schema:
    given: dict[str, list[object]] = {}
    for value in values:
        for name, schema in (as_schema(value) or {}).items():
            given.setdefault(name, []).append(schema)
    return {name: _joint(schemas) for name, schemas in given.items()}


def _joint(schemas: Sequence[object]) -> object:
    """Say that all of several schemas hold, each once."""
    unlike = list({id(schema): schema for schema in schemas}.values())
    return {"allOf": unlike} if len(unlike) > 1 else unlike[0]


def _shared(one: object, other: object) -> object:
    """Keep what both list; the second where they share nothing."""
    first = as_list(one) or [one]
    second = as_list(other) or [other]
    listed_first = {_key(value) for value in first}
    shared = [value for value in second if _key(value) in listed_first]
    if not shared:
        return other
    return shared[0] if len(shared) == 1 and not isinstance(shared[0], bool) and isinstance(other, str) else shared


def _key(value: object) -> object:
    """Give what stands for a value in a set."""
    return json.encode(value, order="sorted") if isinstance(value, (dict, list)) else value


def _tighter(one: object, other: object, pick: Callable[[float, float], float]) -> object:
    first, second = as_number(one), as_number(other)
    if first is None or second is None:
        return one if second is None and not isinstance(other, bool) else other
    return pick(first, second)


def _either(one: object, other: object, words: list[str]) -> object:
    """Keep the alternatives of the first; there is no way to write that one of the second must hold too."""
    branches = as_list(other)
    if not branches:
        return one
    if as_list(one):
        words.append(alternatives(branches) or f"and one of: {listed(branches)}")
        return one
    return other
