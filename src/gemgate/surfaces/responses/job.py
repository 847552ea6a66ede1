"""The work on one response in the background."""

import asyncio
import logging
from collections.abc import Sequence
from time import monotonic

from msgspec import Struct, json
from msgspec.structs import replace

from gemgate.errors import GemgateError, TooLarge
from gemgate.hub.call import Generate
from gemgate.hub.codec import Identity, Parsed, Writer
from gemgate.observe.log import log_exchange
from gemgate.pipeline.contracts import Clock
from gemgate.pipeline.exchange import Exchange, Message
from gemgate.pipeline.handle import Handler
from gemgate.protocols.openai_responses.writer import ResponsesWriter
from gemgate.store.protocols import MAX_RESPONSE_BYTES, WORKING, StoredItem, StoredResponse
from gemgate.store.trouble import Trouble
from gemgate.surfaces.responses.items import size, stored
from gemgate.surfaces.responses.journal import Journal, Wakers
from gemgate.surfaces.responses.past import Store
from gemgate.surfaces.responses.unfinished import OPENING, last_event, with_failure, with_status

AFTER_TROUBLE_SECONDS = (1.0, 3.0)
"""How long to wait before an answer is tried to be kept again."""

LOGGER = logging.getLogger("gemgate")


class _Queued(Struct):
    created_at: int


_decode_queued = json.Decoder(_Queued).decode


class Job:
    """Works on a response and keeps it. Who cancels the work has said in the store why; this says nothing then."""

    def __init__(
        self,
        handler: Handler,
        store: Store,
        clock: Clock,
        wakers: Wakers,
        trouble: Trouble,
        parsed: Parsed,
        queued: StoredResponse,
        given: Sequence[StoredItem],
    ) -> None:
        call = parsed.call
        assert isinstance(call, Generate)
        self._handler = handler
        self._store = store
        self._clock = clock
        self._queued = queued
        self._given = given
        self._make = parsed.write
        self._writer: ResponsesWriter | None = None
        self._parsed = replace(parsed, call=replace(call, stream=True), write=self._write)
        self._untold = len(OPENING)
        """How many lines the writer will write that were told before."""
        self._wakers = wakers
        self._trouble = trouble
        self._journal = Journal(
            queued.id,
            store,
            wakers,
            trouble,
            first=self._untold,
            keeps=call.stream,
            stop=self._stop,
            seconds=clock.seconds,
        )
        self._task: asyncio.Task[object] | None = None

    async def run(self, asking: Exchange) -> None:
        """Work for the caller of a request, until the response is over."""
        began = monotonic()
        self._task = asyncio.current_task()
        exchange = self._own(asking)
        writing = asyncio.create_task(self._journal.run())
        stopped = True
        try:
            await self._work(exchange)
            stopped = False
        finally:
            self._journal.over = True
            self._journal.close()
            await asyncio.gather(writing, return_exceptions=True)
            self._wakers.wake(self._queued.id)
            log_exchange(exchange, began, monotonic(), gone=stopped)

    def _own(self, asking: Exchange) -> Exchange:
        exchange = Exchange(
            method="BACKGROUND",
            path=asking.path,
            query=b"",
            headers=asking.headers,
            receive=_nothing,
            send=self._take,
            request_id=asking.request_id,
        )
        exchange.caller = asking.caller
        exchange.strict = asking.strict
        exchange.render_error = asking.render_error
        return exchange

    async def _work(self, exchange: Exchange) -> None:
        document = with_status(self._queued.document, "in_progress")
        try:
            if await self._store.set_status(self._queued.id, "in_progress", document, only_if=("queued",)):
                await self._answered(exchange)
        except _NotKept:
            pass
        except Exception as error:  # whatever the database does; the next sweep lets it fail
            self._trouble.tell("a response in the background is not kept", error)

    async def _answered(self, exchange: Exchange) -> None:
        try:
            await self._handler.generate(exchange, self._parsed, self._settle)
        except GemgateError as error:
            await self._fail(exchange, error)
        except _NotKept:
            raise
        except Exception:
            LOGGER.exception("work in the background failed (%s)", exchange.request_id)
            await self._fail(exchange, GemgateError("Something went wrong inside this server; its log says what."))

    async def _fail(self, exchange: Exchange, error: GemgateError) -> None:
        exchange.error = error
        exchange.status = error.status
        if self._writer is None or self._writer.finished is not None:
            await self._give_up(error)
            return
        lines = self._writer.failure(error)
        await self._settle()
        self._tell(lines)

    async def _settle(self) -> None:
        """Keep the answer; raises `_NotKept` where nobody wants it any more, or it cannot be kept."""
        finished = self._writer.finished if self._writer is not None else None
        assert finished is not None
        response = replace(self._queued, status=finished.status, document=finished.document)
        output = [stored(item) for item in finished.output]
        self._journal.over = True
        try:
            if size(response, self._given, output) > MAX_RESPONSE_BYTES:
                raise TooLarge("The answer is too large to be kept.")
            if not await self._kept(response, output):
                raise _NotKept
        except TooLarge as error:
            await self._give_up(error)
            raise _NotKept from error

    async def _kept(self, response: StoredResponse, output: Sequence[StoredItem]) -> bool:
        """Keep the response, unless it is over already; a database that is busy is asked again."""
        for pause in AFTER_TROUBLE_SECONDS:
            try:
                return await self._store.put_response(response, self._given, output, only_if=WORKING)
            except TooLarge:
                raise
            except Exception as error:
                self._trouble.tell("a response in the background is not kept yet", error)
                await asyncio.sleep(pause)
        return await self._store.put_response(response, self._given, output, only_if=WORKING)

    async def _give_up(self, error: GemgateError) -> None:
        document = with_failure(self._queued.document, error)
        self._journal.over = True
        if await self._store.set_status(self._queued.id, "failed", document, only_if=WORKING):
            self._journal.add([last_event("failed", document, self._journal.next_number)])

    def _write(self, identity: Identity) -> Writer:
        """Make the writer of the answer, as old as what was queued."""
        created = _decode_queued(self._queued.document).created_at
        writer = self._make(replace(identity, created=created))
        assert isinstance(writer, ResponsesWriter)
        self._writer = writer
        return writer

    async def _take(self, message: Message) -> None:
        """Take what would be sent to a client."""
        if message["type"] == "http.response.body":
            self._tell(message["body"])

    def _tell(self, data: bytes) -> None:
        lines = [line for line in data.split(b"\n") if line]
        told = lines[: self._untold]
        self._untold -= len(told)
        self._journal.add(lines[len(told) :])

    def _stop(self) -> None:
        if self._task is not None:
            self._task.cancel()


class _NotKept(Exception):
    """The response is over already, or gone, or too large: there is nobody to tell more of it."""


async def _nothing() -> Message:
    return {"type": "http.disconnect"}
