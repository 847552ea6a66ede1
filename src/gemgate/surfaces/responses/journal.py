"""The events of a response in the background: written to the store a few at a time, and followed from there."""

import asyncio
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager

from gemgate.store.protocols import WORKING, ResponseStore
from gemgate.store.trouble import Trouble

HEARTBEAT_SECONDS = 2.0
"""How often it is said that the work goes on, and seen whether it still shall."""
PAUSE_SECONDS = 0.05
"""Between two writes; what comes in the meantime is written together."""
AFTER_TROUBLE_SECONDS = 1.0
MAX_LAST_TRIES = 5


class Wakers:
    """Tells those in this process who follow a response that there is more of it."""

    def __init__(self) -> None:
        self._waiting: dict[str, set[asyncio.Event]] = {}

    def wake(self, response_id: str) -> None:
        """There is more."""
        for event in self._waiting.get(response_id, ()):
            event.set()

    @contextmanager
    def listening(self, response_id: str) -> Generator[asyncio.Event]:
        """Give an event that is set whenever there is more."""
        event = asyncio.Event()
        self._waiting.setdefault(response_id, set()).add(event)
        try:
            yield event
        finally:
            waiting = self._waiting[response_id]
            waiting.discard(event)
            if not waiting:
                del self._waiting[response_id]


class Journal:
    """Writes the events of one response, and says that it is worked on, until it is closed.

    `first` is the number of the first event. `keeps` is whether events are kept at all. `stop` is called when the store
    says that the response is over or gone, which another process may have brought about. `seconds` is a clock.
    """

    def __init__(
        self,
        response_id: str,
        store: ResponseStore,
        wakers: Wakers,
        trouble: Trouble,
        *,
        first: int,
        keeps: bool,
        stop: Callable[[], object],
        seconds: Callable[[], float],
    ) -> None:
        self._response_id = response_id
        self._store = store
        self._wakers = wakers
        self._trouble = trouble
        self._next_number = self._next_written = first
        self._keeps = keeps
        self._stop = stop
        self._seconds = seconds
        self._pending: list[bytes] = []
        self._more = asyncio.Event()
        self._closed = asyncio.Event()
        self.over = False
        """Whether the work is done: what the status says then is no news."""

    @property
    def next_number(self) -> int:
        """The number that the next event will have."""
        return self._next_number

    def add(self, events: Sequence[bytes]) -> None:
        """Take the next events; they are written soon."""
        if events and self._keeps:
            self._next_number += len(events)
            self._pending += events
            self._more.set()

    def close(self) -> None:
        """Have the rest written, and `run` end."""
        self._closed.set()
        self._more.set()

    async def run(self) -> None:
        """Write until it is closed."""
        tries = 0
        while (self._pending or not self._closed.is_set()) and tries < MAX_LAST_TRIES:
            await signalled(self._more, HEARTBEAT_SECONDS)
            self._more.clear()
            events, self._pending = self._pending, []
            try:
                status = await self._store.add_events(self._response_id, self._next_written, events, self._seconds())
            except Exception as error:  # whatever the database does
                self._trouble.tell("events of a response are not kept yet", error)
                self._pending = [*events, *self._pending]
                self._more.set()
                tries += self._closed.is_set()
                await asyncio.sleep(AFTER_TROUBLE_SECONDS)
                continue
            self._next_written += len(events)
            self._wakers.wake(self._response_id)
            if status not in WORKING and not self.over:
                self._stop()
                return
            await signalled(self._closed, PAUSE_SECONDS)


async def signalled(event: asyncio.Event, seconds: float) -> None:
    """Wait for an event, but not longer than this."""
    try:
        async with asyncio.timeout(seconds):
            await event.wait()
    except TimeoutError:
        pass
