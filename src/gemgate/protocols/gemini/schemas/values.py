"""Values of keywords, whatever a client put there."""

import math
from typing import TypeGuard, cast

Schema = dict[str, object]
"""A JSON object that stands where a schema may stand."""


def is_schema(value: object) -> TypeGuard[Schema]:
    """Whether a value is an object."""
    return isinstance(value, dict)


def as_schema(value: object) -> Schema | None:
    """Take an object; None for all else."""
    return cast("Schema", value) if isinstance(value, dict) else None


def as_list(value: object) -> list[object] | None:
    """Take a list; None for all else."""
    return cast("list[object]", value) if isinstance(value, list) else None


def as_number(value: object) -> int | float | None:
    """Take a number, or one that was written as a string; None for all else, booleans among it."""
    if isinstance(value, bool):
        return None
    if isinstance(value, (int, float)):
        return value
    return _parsed(value) if isinstance(value, str) and len(value) < 40 else None


def _parsed(text: str) -> int | float | None:
    try:
        return int(text)
    except ValueError:
        pass
    try:
        number = float(text)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def as_count(value: object) -> int | None:
    """Take a whole number from 0 to 2^63-1 in any spelling; None for all else."""
    number = as_number(value)
    if number is None or number < 0 or number >= 2**63 or number != int(number):
        return None
    return int(number)


def as_names(value: object) -> list[str]:
    """Take the strings of a list, each once and in their order."""
    listed = as_list(value)
    return list(dict.fromkeys(name for name in listed if isinstance(name, str))) if listed else []
