"""`allOf`: several schemas that all hold → one."""

from collections.abc import Callable

from gemgate.protocols.gemini.schemas.values import Schema, as_list, as_number, as_schema, is_schema
from gemgate.protocols.gemini.schemas.words import alternatives, listed

LOWEST = frozenset({"maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"})
HIGHEST = frozenset({"minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties"})
EITHER = frozenset({"anyOf", "oneOf"})


def combined(one: Schema, other: Schema, words: list[str]) -> Schema:
    """Combine two schemas without `allOf`; where they cannot both hold, the second one wins."""
    made = dict(one)
    for key, value in other.items():
        if key in made:
            made[key] = _both(key, made[key], value, words)
        else:
            made[key] = value
    return made


def _both(key: str, one: object, other: object, words: list[str]) -> object:
    if key in EITHER:
        return _either(one, other, words)
    if key in LOWEST or key in HIGHEST:
        return _tighter(one, other, max if key in HIGHEST else min)
    match key:
        case "properties":
            return _properties(as_schema(one) or {}, as_schema(other) or {})
        case "required":
            lists = as_list(one), as_list(other)
            return [*(lists[0] or ()), *(lists[1] or ())] if any(lists) else other
        case "type" | "enum":
            return _shared(one, other)
        case "items" | "additionalProperties" if is_schema(one) and is_schema(other):
            return {"allOf": [one, other]}
        case _:
            return other


def _properties(one: Schema, other: Schema) -> Schema:
    made = dict(one)
    for name, schema in other.items():
        made[name] = {"allOf": [made[name], schema]} if name in made and made[name] is not schema else schema
    return made


def _shared(one: object, other: object) -> object:
    """Keep what both list; the second where they share nothing."""
    first = as_list(one) or [one]
    second = as_list(other) or [other]
    shared = [value for value in second if value in first]
    if not shared:
        return other
    return shared[0] if len(shared) == 1 and not isinstance(shared[0], bool) and isinstance(other, str) else shared


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
