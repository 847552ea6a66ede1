"""Families of names: which one a model belongs to by its name alone."""

from collections.abc import Iterable


def family(name: str, families: Iterable[str]) -> str | None:
    """Find the closest family of a name: those with a star first, then the longest; `None` if none fits.

    `a-b` holds `a-b` and all that begins with `a-b-`; `a-*-b` holds what begins with `a-` and has the segment `b`
    anywhere after it.
    """
    return max(
        (each for each in families if _holds(each, name)), key=lambda each: ("*" in each, len(each)), default=None
    )


def _holds(pattern: str, name: str) -> bool:
    start, star, segment = pattern.partition("-*-")
    if not f"{name}-".startswith(f"{start}-"):
        return False
    return not star or f"-{segment}-" in f"{name}-"[len(start) :]
