"""Noticing that the client has left.

Under uvicorn, sending to a client that has gone does nothing and says nothing, so the handler would go on draining, and
paying, upstream. Our protocol (`server/protocol.py`) tells of a lost connection through `Leaving`; under any other
server a task that waits for the disconnect does, at the price of a task a request. Either way the handler is cancelled
within milliseconds.
"""

import asyncio
from types import TracebackType

from gemgate.pipeline.exchange import ClientGone, Exchange


class Departure:
    """While the block runs, the client's leaving cancels it and becomes `ClientGone`. The body must be read by then."""

    __slots__ = ("_exchange", "_gone", "_task", "_watcher")

    def __init__(self, exchange: Exchange) -> None:
        self._exchange = exchange
        self._gone = False
        self._task: asyncio.Task[object] | None = None
        self._watcher: asyncio.Task[None] | None = None

    async def __aenter__(self) -> None:
        self._task = asyncio.current_task()
        leaving = self._exchange.leaving
        if leaving is not None:
            leaving.callback = self._left
        else:
            self._watcher = asyncio.create_task(self._watch())

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._watcher is not None:
            self._watcher.cancel()
        leaving = self._exchange.leaving
        # The connection may already serve its next request, which has put its own callback there.
        if leaving is not None and leaving.callback == self._left:
            leaving.callback = None
        if self._gone and kind is asyncio.CancelledError:
            assert self._task is not None
            self._task.uncancel()
            raise ClientGone from None

    async def _watch(self) -> None:
        while (await self._exchange.receive())["type"] != "http.disconnect":
            pass
        self._left()

    def _left(self) -> None:
        if not self._exchange.ended:
            assert self._task is not None
            self._gone = True
            self._task.cancel()
