"""Members that are decoded after the rest of a request."""

from collections.abc import Callable
from typing import TypeVar

import msgspec
from msgspec import Raw

from gemgate.protocols.shared.reading import unreadable

T = TypeVar("T")


def read(decode: Callable[[Raw], T], raw: Raw, path: str) -> T:
    """Decode a member that stands at `path`; raises `InvalidRequest` with the path of what is wrong in it."""
    try:
        return decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        found = unreadable(error)
        found.param = f"{path}.{found.param}" if found.param else path
        raise found from error


def read_or_none(decode: Callable[[Raw], T], raw: Raw) -> T | None:
    """Decode a member that may be anything; `None` if it is something else."""
    try:
        return decode(raw)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
