"""Ids of the calls in a reply: short, plain, and each its own."""

import re
from collections.abc import Callable

FITTING = re.compile(r"[A-Za-z0-9_-]{1,40}")
"""What every client takes and gives back unchanged."""


class CallIds:
    """Gives each call of one reply its id; `new_id` makes bare ones of `[A-Za-z0-9]`, 32 characters at most."""

    __slots__ = ("_new_id", "_taken")

    def __init__(self, new_id: Callable[[], str]) -> None:
        self._new_id = new_id
        self._taken: set[str] = set()

    def own(self, given: str) -> str:
        """Give a call the id that came with it, or a new one if that does not fit or is another call's."""
        call_id = given
        while call_id in self._taken or not FITTING.fullmatch(call_id):
            call_id = f"call_{self._new_id()}"
        self._taken.add(call_id)
        return call_id
