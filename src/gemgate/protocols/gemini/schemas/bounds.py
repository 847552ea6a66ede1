"""Bounds of numbers, lengths and counts."""

import math

from gemgate.protocols.gemini.schemas.values import Schema, as_count, as_number
from gemgate.protocols.gemini.schemas.words import compact


def add_range(made: Schema, raw: Schema, words: list[str], *, whole: bool) -> None:
    """Copy the bounds of a number; `whole` for integers, whose exclusive bounds become inclusive ones."""
    low = _bound(raw, "minimum", "exclusiveMinimum", words, whole=whole)
    high = _bound(raw, "maximum", "exclusiveMaximum", words, whole=whole)
    if low is not None:
        made["minimum"] = low
    if high is not None:
        made["maximum"] = high


def _bound(raw: Schema, inclusive: str, exclusive: str, words: list[str], *, whole: bool) -> int | float | None:
    lower = inclusive == "minimum"
    bound = as_number(raw.get(inclusive))
    if raw.get(exclusive) is True:
        open_bound, bound = bound, None  # draft 4
    else:
        open_bound = as_number(raw.get(exclusive))
    if bound is not None and whole:
        bound = math.ceil(bound) if lower else math.floor(bound)
    if open_bound is None:
        return bound
    if whole:
        beyond = math.floor(open_bound) + 1 if lower else math.ceil(open_bound) - 1
    else:
        beyond = open_bound
    if bound is not None and (bound > beyond if lower else bound < beyond):
        return bound
    if not whole:
        words.append(f"{'greater' if lower else 'less'} than {compact(open_bound)}")
    return beyond


def add_counts(made: Schema, raw: Schema, keys: tuple[str, ...]) -> None:
    """Copy the counts among `keys` that are whole numbers from 0 to 2^63-1."""
    for key in keys:
        if key in raw and (count := as_count(raw[key])) is not None:
            made[key] = count
