"""The line in front of the model: who runs now, who waits, who is turned away."""

import asyncio
import math
from collections import deque

from gemgate.errors import Unavailable

# Before anything has been measured: a full answer on a slow machine.
_FIRST_GUESS_SECONDS = 10.0
# The weight of the newest measurement in the running average.
_NEWEST = 0.3


class Line:
    """First come, first served: `places` run at a time, up to `limit` wait behind them."""

    def __init__(self, places: int, limit: int) -> None:
        self._places = places
        self._free = places
        self._limit = limit
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._closed = False
        self._usual_seconds = _FIRST_GUESS_SECONDS

    async def enter(self) -> None:
        """Wait for a place, to be given back with `leave`; raises `Unavailable` when the line is full or closed."""
        if self._closed:
            raise _closing()
        if self._free:
            self._free -= 1
            return
        if len(self._waiting) >= self._limit:
            raise Unavailable(
                "The embedded model is busy and its waiting line is full. Try again later.",
                retry_after_seconds=math.ceil(self._usual_seconds / self._places),
            )
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn in self._waiting:
                self._waiting.remove(turn)
            elif not turn.cancelled() and turn.exception() is None:
                # The place came just as its owner left.
                self._pass_on()
            raise

    def leave(self, seconds: float) -> None:
        """Give a place back after having used it for that long."""
        self._usual_seconds += _NEWEST * (seconds - self._usual_seconds)
        self._pass_on()

    def close(self) -> None:
        """Turn away everyone who waits and everyone who comes."""
        self._closed = True
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_exception(_closing())

    def _pass_on(self) -> None:
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1


def _closing() -> Unavailable:
    return Unavailable("The embedded model is shutting down.", retry_after_seconds=5)
