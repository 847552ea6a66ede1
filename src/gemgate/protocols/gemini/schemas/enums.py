"""Choices: `enum` and `const`."""

from msgspec import Struct

from gemgate.protocols.gemini.schemas.values import Schema, as_list, as_number
from gemgate.protocols.gemini.schemas.words import compact, listed


class Choices(Struct, frozen=True):
    """What a value may be: `values` are strings that are not empty and numbers; none if words had to do.

    `types` are those of the values, `null` apart.
    """

    values: tuple[str | int | float, ...]
    types: tuple[str, ...]
    null: bool


def choices_of(raw: Schema, types: tuple[str, ...], words: list[str]) -> Choices | None:
    """Read the choices of a schema whose own types are `types`; None if it gives none.

    What cannot be a choice for Gemini (booleans, objects, lists, the empty string) goes into `words`.
    """
    members = [raw["const"]] if "const" in raw else as_list(raw.get("enum"))
    if not members:
        return None
    null = "null" in types or None in members
    wanted = tuple(kind for kind in types if kind != "null")
    known = [value for value in members if value is not None]
    if not known:
        return Choices((), ("null",), null=True)
    fitted = [_fitted(value, wanted) for value in known]
    values = tuple(dict.fromkeys(value for value in fitted if value is not None and value != ""))
    if any(value is None for value in fitted):
        words += _said(known, wanted)
        return Choices((), wanted or _kinds(known), null)
    if len(values) < len(set(fitted)):
        words.append("or empty" if values else "must be empty")
    return Choices(values, _used(values, wanted) or ("string",), null)


def _fitted(value: object, wanted: tuple[str, ...]) -> str | int | float | None:
    """Make a value one of the wanted types; None if it is none and looks like none."""
    if isinstance(value, str):
        if not wanted or "string" in wanted:
            return value
        number = as_number(value)
        return number if number is not None and _kind(number) in _widened(wanted) else None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    if not wanted or _kind(value) in _widened(wanted):
        return value
    return compact(value) if "string" in wanted else None


def _widened(wanted: tuple[str, ...]) -> tuple[str, ...]:
    return (*wanted, "integer") if "number" in wanted else wanted


def _kind(value: object) -> str:
    match value:
        case bool():
            return "boolean"
        case str():
            return "string"
        case int():
            return "integer"
        case float():
            return "integer" if value.is_integer() else "number"
        case list():
            return "array"
        case _:
            return "object"


def _kinds(values: list[object]) -> tuple[str, ...]:
    kinds = tuple(dict.fromkeys(_kind(value) for value in values))
    return tuple(kind for kind in kinds if kind != "integer" or "number" not in kinds)


def _used(values: tuple[str | int | float, ...], wanted: tuple[str, ...]) -> tuple[str, ...]:
    """Leave the wanted types that a value has; the values' own if none are wanted."""
    kinds = _kinds([*values])
    if not wanted:
        return kinds
    return tuple(kind for kind in wanted if kind in kinds or (kind == "number" and "integer" in kinds))


def _said(members: list[object], wanted: tuple[str, ...]) -> list[str]:
    texts = {compact(value).strip('"').lower() for value in members}
    if wanted in ((), ("boolean",)) and texts == {"true", "false"}:
        return []
    return [f"must be {compact(members[0])}" if len(members) == 1 else f"one of: {listed(members)}"]
