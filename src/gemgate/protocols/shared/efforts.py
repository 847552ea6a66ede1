"""Words for how much a model shall think, as clients of several formats write them."""

from typing import get_args

from gemgate.errors import InvalidRequest
from gemgate.hub.call import Effort

EFFORTS: dict[str, Effort | None] = {
    **{effort: effort for effort in get_args(Effort)},
    "xhigh": "max",
    "disable": "none",
    "auto": None,
    "default": None,
}


def effort(word: str | None, path: str) -> Effort | None:
    """Read an effort that stands at `path`; `None` says nothing. Raises `InvalidRequest` for any other word."""
    if not word:
        return None
    if word.lower() not in EFFORTS:
        known = ", ".join(word for word, meant in EFFORTS.items() if meant is not None)
        raise InvalidRequest(f"{word[:80]!r} is no effort. It is one of {known}.", param=path)
    return EFFORTS[word.lower()]
