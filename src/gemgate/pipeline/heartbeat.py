"""A sign of life while nothing else is sent, so that nobody on the way hangs up."""

import asyncio
from collections.abc import Awaitable, Callable


class Heartbeat:
    """Calls `beat` whenever `seconds` pass without a `touch`; costs one timer a request while all goes well."""

    __slots__ = ("_beat", "_last", "_loop", "_seconds", "_stopped", "_task", "_timer")

    def __init__(self, seconds: float, beat: Callable[[], Awaitable[None]]) -> None:
        self._loop = asyncio.get_running_loop()
        self._seconds = seconds
        self._beat = beat
        self._last = self._loop.time()
        self._stopped = False
        self._task: asyncio.Task[None] | None = None
        self._timer = self._loop.call_later(seconds, self._check)

    def touch(self) -> None:
        """Something was sent."""
        self._last = self._loop.time()

    async def stop(self) -> None:
        """End; a beat under way is finished first."""
        self._stopped = True
        self._timer.cancel()
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)

    def _check(self) -> None:
        due = self._last + self._seconds
        if self._loop.time() >= due:
            self._task = self._loop.create_task(self._send())
        else:
            self._timer = self._loop.call_at(due, self._check)

    async def _send(self) -> None:
        await self._beat()
        self.touch()
        if not self._stopped:
            self._timer = self._loop.call_later(self._seconds, self._check)
