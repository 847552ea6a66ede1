"""Responses in the background: worked on apart from the client's connection, and followed from the store."""

import asyncio
from collections import Counter
from collections.abc import Sequence

from msgspec.structs import replace

from gemgate.errors import GemgateError, RateLimited, TooLarge, Unavailable
from gemgate.hub.call import Generate
from gemgate.hub.codec import Parsed
from gemgate.pipeline.contracts import Clock
from gemgate.pipeline.exchange import Exchange
from gemgate.pipeline.handle import Handler
from gemgate.store.protocols import MAX_RESPONSE_BYTES, WORKING, StoredItem, StoredResponse
from gemgate.store.trouble import Trouble
from gemgate.surfaces.responses.following import Following
from gemgate.surfaces.responses.items import size
from gemgate.surfaces.responses.job import Job
from gemgate.surfaces.responses.journal import Wakers
from gemgate.surfaces.responses.past import Store, read
from gemgate.surfaces.responses.unfinished import opening_events, with_failure, with_status

MAX_JOBS = 100
"""At once, in one process."""
MAX_JOBS_OF_CALLER = 50
"""Of these, so that nobody takes them all."""

SWEEP_SECONDS = 60.0
PURGES_A_SWEEP = 100
ABANDONED_SECONDS = 60.0
STOPPED = GemgateError("The server was stopped while it worked on this.")


class Background:
    """Works on responses whether their clients stay or not. Start it when the store is open, close it before that."""

    def __init__(self, handler: Handler, store: Store, clock: Clock, *, keepalive_seconds: float = 15.0) -> None:
        self._handler = handler
        self._store = store
        self._clock = clock
        self._keepalive_seconds = keepalive_seconds
        self._wakers = Wakers()
        self._trouble = Trouble(clock.seconds)
        self._jobs: dict[str, tuple[StoredResponse, asyncio.Task[None]]] = {}
        self._places = Counter[str]()
        """How many jobs each caller has, those that are about to begin among them."""
        self._sweeping: asyncio.Task[None] | None = None

    @property
    def under_way(self) -> int:
        """How many responses are being worked on."""
        return len(self._jobs)

    async def start(self) -> None:
        """Look after those whose server has died, now and each minute."""
        self._sweeping = asyncio.create_task(self._sweep_often())

    async def aclose(self) -> None:
        """Stop all work; who asks for it later learns that it was stopped."""
        if self._sweeping is not None:
            self._sweeping.cancel()
            await asyncio.gather(self._sweeping, return_exceptions=True)
        jobs = list(self._jobs.values())
        for _, task in jobs:
            task.cancel()
        await asyncio.gather(*(task for _, task in jobs), return_exceptions=True)
        try:
            for response, _ in jobs:
                await self._abandon(response)
        except Exception as error:  # whatever the database does
            self._trouble.tell("that work was stopped is not kept", error)

    async def begin(
        self, exchange: Exchange, parsed: Parsed, queued: StoredResponse, given: Sequence[StoredItem]
    ) -> None:
        """Keep a response that is queued, begin the work on it, and answer with it, or with its events.

        The writer of `parsed` frames its answer in lines, the first two of which tell of `queued`; `given` is what the
        response is asked. Raises a `GemgateError` while nothing has been sent.
        """
        call = parsed.call
        assert isinstance(call, Generate)
        if size(queued, given) > MAX_RESPONSE_BYTES:
            raise TooLarge(f"What is answered in the background may have {MAX_RESPONSE_BYTES >> 20} MB at most.")
        self._take_place(queued.caller_id)
        try:
            await read(lambda: self._store.put_response(queued, given, ()))
            if call.stream:
                opening = opening_events(queued.document)
                await read(lambda: self._store.add_events(queued.id, 0, opening, self._clock.seconds()))
        except BaseException:
            self._places[queued.caller_id] -= 1
            raise
        self._run(exchange, parsed, queued, given)
        if call.stream:
            await self.follow(exchange, queued, -1)
        else:
            await exchange.answer(200, queued.document)

    def _take_place(self, caller_id: str) -> None:
        """Take a place among the jobs; raises `Unavailable` or `RateLimited` if there is none."""
        if self._places.total() >= MAX_JOBS:
            raise Unavailable("This server has all the work in the background that it can do.", retry_after_seconds=10)
        if self._places[caller_id] >= MAX_JOBS_OF_CALLER:
            raise RateLimited(
                f"At most {MAX_JOBS_OF_CALLER} responses at a time are worked on in the background for one key.",
                retry_after_seconds=10,
            )
        self._places[caller_id] += 1

    def _run(self, exchange: Exchange, parsed: Parsed, queued: StoredResponse, given: Sequence[StoredItem]) -> None:
        job = Job(self._handler, self._store, self._clock, self._wakers, self._trouble, parsed, queued, given)
        task = asyncio.create_task(job.run(exchange))
        self._jobs[queued.id] = (queued, task)
        task.add_done_callback(lambda _: self._ended(queued))

    def _ended(self, response: StoredResponse) -> None:
        del self._jobs[response.id]
        self._places[response.caller_id] -= 1

    def stop(self, response_id: str) -> None:
        """Stop the work on a response, if it is done here; other processes see for themselves."""
        if (job := self._jobs.get(response_id)) is not None:
            job[1].cancel()

    async def cancel(self, response: StoredResponse) -> StoredResponse:
        """Give the response as it is now: cancelled, unless it was over before."""
        document = with_status(response.document, "cancelled")
        if await self._store.set_status(response.id, "cancelled", document, only_if=WORKING):
            self.stop(response.id)
            return replace(response, status="cancelled", document=document)
        return await self._store.response(response.caller_id, response.id) or response

    async def follow(self, exchange: Exchange, response: StoredResponse, starting_after: int) -> None:
        """Send the events with greater numbers, as they come, until the response is over."""
        following = Following(
            exchange,
            self._store,
            response,
            starting_after,
            is_here=lambda: response.id in self._jobs,
            keepalive_seconds=self._keepalive_seconds,
        )
        await following.run(self._wakers)

    async def _sweep_often(self) -> None:
        while True:
            try:
                await self.sweep()
            except Exception as error:  # whatever the database does
                self._trouble.tell("what is kept cannot be looked after", error)
            await asyncio.sleep(SWEEP_SECONDS)

    async def sweep(self) -> None:
        """Let fail what nobody works on any more, and clear away what has expired."""
        for response in await self._store.abandoned(self._clock.seconds() - ABANDONED_SECONDS):
            await self._abandon(response)
        for _ in range(PURGES_A_SWEEP):
            if not await self._store.purge():
                break

    async def _abandon(self, response: StoredResponse) -> None:
        document = with_failure(response.document, STOPPED)
        await self._store.set_status(response.id, "failed", document, only_if=WORKING)
        self._wakers.wake(response.id)
