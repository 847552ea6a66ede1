"""Sending a client the events of a response in the background, as the store has them."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial

from msgspec import Struct, json

from gemgate.pipeline.exchange import Exchange
from gemgate.pipeline.send import STREAM_HEADERS
from gemgate.store.protocols import WORKING, ResponseStore, StoredResponse
from gemgate.surfaces.responses.journal import Wakers, signalled
from gemgate.surfaces.responses.past import read
from gemgate.surfaces.responses.unfinished import last_event

LOOK_SECONDS = 1.0
"""Between two looks for events that another process writes."""
EVENTS_AT_ONCE = 256
EVENT_STREAM = b"text/event-stream; charset=utf-8"
KEEPALIVE = b": keep-alive\n\n"
TERMINAL = frozenset({"response.completed", "response.incomplete", "response.failed"})
"""The last event of a response is one of these; one that was cancelled has none."""


class _Typed(Struct):
    type: str


_kind = json.Decoder(_Typed).decode


class Following:
    """One client that follows a response, from the event after number `after` on.

    `is_here` tells whether this process works on it. `keepalive_seconds` is how long the client is left without a sign.
    """

    def __init__(
        self,
        exchange: Exchange,
        store: ResponseStore,
        response: StoredResponse,
        after: int,
        *,
        is_here: Callable[[], bool],
        keepalive_seconds: float,
    ) -> None:
        self._exchange = exchange
        self._store = store
        self._response = response
        self._after = after
        self._is_here = is_here
        self._keepalive_seconds = keepalive_seconds
        self._seconds = asyncio.get_running_loop().time
        self._sent_at = self._seconds()
        self._seems_over = False

    async def run(self, wakers: Wakers) -> None:
        """Send events until the response is over; raises `Unavailable` where the database fails."""
        with wakers.listening(self._response.id) as more:
            while not self._exchange.ended:
                more.clear()
                found = await self._events(self._after, EVENTS_AT_ONCE)
                if not self._exchange.started:
                    await self._exchange.start(200, EVENT_STREAM, STREAM_HEADERS)
                if found:
                    await self._send(found)
                else:
                    await self._end_or_wait()
                if len(found) < EVENTS_AT_ONCE and not self._exchange.ended:
                    await signalled(more, LOOK_SECONDS)

    async def _events(self, after: int, limit: int) -> list[tuple[int, bytes]]:
        return await read(partial(self._store.events, self._response.id, after, limit))

    async def _send(self, events: Sequence[tuple[int, bytes]]) -> None:
        self._after, self._sent_at = events[-1][0], self._seconds()
        kinds = [_kind(line).type for _, line in events]
        frames = [
            b"event: %b\ndata: %b\n\n" % (kind.encode(), line) for kind, (_, line) in zip(kinds, events, strict=True)
        ]
        await self._exchange.send(b"".join(frames), more=TERMINAL.isdisjoint(kinds))

    async def _end_or_wait(self) -> None:
        now = await read(lambda: self._store.response(self._response.caller_id, self._response.id))
        if self._is_here() or (now is not None and now.status in WORKING):
            if self._seconds() - self._sent_at >= self._keepalive_seconds:
                self._sent_at = self._seconds()
                await self._exchange.send(KEEPALIVE)
        elif now is None or not await self._lacks_its_end(now):
            await self._exchange.send(b"", more=False)
        elif self._seems_over:
            await self._send([(self._after + 1, last_event(now.status, now.document, self._after + 1))])
        else:
            # The last events come a little later than the status.
            self._seems_over = True

    async def _lacks_its_end(self, response: StoredResponse) -> bool:
        """Whether the client has all events but for a last one, as its server has died."""
        if f"response.{response.status}" not in TERMINAL:
            return False
        last = await self._events(self._after - 1, 1)
        return bool(last) and _kind(last[0][1]).type not in TERMINAL
