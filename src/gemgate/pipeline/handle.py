"""The life of one translated request: route → fit → attempts → events → writer → client.

Headers are held until the first event, or until the client needs a sign of life; until then every failure has its real
status, after it the stream itself carries the error. Only events close the door to another attempt.
"""

from collections.abc import Awaitable, Callable
from datetime import date
from typing import Any, Generic, TypeVar

from msgspec import Struct

from gemgate.catalog.catalog import Catalog, Target
from gemgate.errors import GemgateError, InvalidRequest
from gemgate.hub.call import CountTokens, Generate
from gemgate.hub.codec import Identity, Parsed, Writer
from gemgate.hub.events import Event, Failure, Finish, Usage
from gemgate.keys.pool import KeyPool, Lease
from gemgate.pipeline.attempt import Answer, Attempts, begin, shown
from gemgate.pipeline.exchange import Exchange
from gemgate.pipeline.fit import fitted, in_client_terms, in_client_words, refuse_drops
from gemgate.pipeline.heartbeat import Heartbeat
from gemgate.pipeline.unsigned import unsigned
from gemgate.upstreams.base import Prepared, Upstream
from gemgate.upstreams.refusal import UpstreamRefusal

T = TypeVar("T")

STREAM_HEADERS = ((b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no"))
"""Nobody on the way may hold a stream back."""


class Clock(Struct, frozen=True):
    """Where time and randomness come from: Unix seconds, today's date, and fresh ids of `[A-Za-z0-9]`."""

    seconds: Callable[[], float]
    today: Callable[[], date]
    new_id: Callable[[], str]


class Handler:
    """Serves translated requests from one upstream; `pool` is `None` where it needs no keys."""

    def __init__(
        self,
        upstream: Upstream[Any],
        pool: KeyPool | None,
        catalog: Catalog,
        clock: Clock,
        *,
        max_attempts: int,
        keepalive_seconds: float,
    ) -> None:
        self._upstream = upstream
        self._pool = pool
        self._catalog = catalog
        self._clock = clock
        self._max_attempts = max_attempts
        self._keepalive_seconds = keepalive_seconds

    async def generate(self, exchange: Exchange, parsed: Parsed) -> None:
        """Answer a request for an answer; raises a `GemgateError` while nothing has been sent."""
        call = parsed.call
        assert isinstance(call, Generate)
        target = self._route(exchange, call.model)
        writer = parsed.write(self._identity(target))
        work = _Work(self._begin, parsed, call)
        try:
            if call.stream:
                await self._streamed(exchange, work, target, writer)
            else:
                await self._whole(exchange, work, target, writer)
        except InvalidRequest as error:
            raise in_client_terms(error, parsed.paths) from error

    async def count_tokens(self, exchange: Exchange, parsed: Parsed) -> int:
        """Count a prompt's tokens; raises a `GemgateError`."""
        call = parsed.call
        assert isinstance(call, CountTokens)
        target = self._route(exchange, call.generate.model)
        try:
            return await self._done(exchange, _Work(self._upstream.count_tokens, parsed, call.generate), target)
        except InvalidRequest as error:
            raise in_client_terms(error, parsed.paths) from error

    def _route(self, exchange: Exchange, model: str) -> Target:
        if not model:
            raise InvalidRequest("The request names no model.", param="model")
        target = self._catalog.route(model, self._clock.today())
        exchange.asked_model = target.asked
        return target

    def _identity(self, target: Target) -> Identity:
        model = self._upstream.model_name or target.asked
        return Identity(self._clock.new_id(), int(self._clock.seconds()), model, self._clock.new_id)

    async def _done(self, exchange: Exchange, work: "_Work[T]", target: Target) -> T:
        """Prepare and ask until it is done; raises the `GemgateError` to show when nobody does it."""
        if self._pool is None:
            prepared = self._prepared(exchange, work, target)
            exchange.upstream, exchange.attempts = self._upstream.name, 1
            exchange.sent_model = self._upstream.model_name or target.model
            return await work.ask(prepared, target, None)
        today = self._clock.today()
        attempts = Attempts(
            exchange, self._upstream.name, self._pool, self._catalog, target, limit=self._max_attempts, today=today
        )
        while True:
            prepared = self._prepared(exchange, work, attempts.target)
            lease = attempts.take()
            try:
                done = await work.ask(prepared, attempts.target, lease)
            except UpstreamRefusal as refusal:
                if refusal.signature and not work.bare:
                    # Signatures of another model, key or provider: once more without them (notes §5.1 rule 11).
                    work.bare = True
                    continue
                try:
                    await attempts.refused(refusal)
                except UpstreamRefusal as last:
                    raise shown(last, attempts.target) from last
                continue
            attempts.worked()
            return done

    def _prepared(self, exchange: Exchange, work: "_Work[Any]", target: Target) -> Prepared:
        call = fitted(work.call, target)
        prepared: Prepared = self._upstream.prepare(unsigned(call) if work.bare else call, target)
        exchange.dropped = [*work.parsed.dropped, *in_client_words(prepared.dropped, work.parsed.paths)]
        if exchange.strict:
            refuse_drops(exchange.dropped)
        return prepared

    async def _begin(self, prepared: Prepared, target: Target, lease: Lease | None) -> Answer:
        return await begin(await self._upstream.generate(prepared, target, lease))

    async def _whole(self, exchange: Exchange, work: "_Work[Answer]", target: Target, writer: Writer) -> None:
        answer = await self._done(exchange, work, target)
        try:
            events = answer.first
            async for batch in answer.rest():
                events += batch
        finally:
            await answer.aclose()
        _remember_usage(exchange, events)
        await exchange.answer(200, writer.whole(events))

    async def _streamed(self, exchange: Exchange, work: "_Work[Answer]", target: Target, writer: Writer) -> None:
        async def beat() -> None:
            if not exchange.started:
                await exchange.start(200, writer.content_type, STREAM_HEADERS)
            await exchange.send(writer.keepalive)

        heartbeat = Heartbeat(self._keepalive_seconds, beat)
        answer: Answer | None = None
        try:
            answer = await self._done(exchange, work, target)
            await _send_batch(exchange, writer, answer.first)
            async for batch in answer.rest():
                heartbeat.touch()
                await _send_batch(exchange, writer, batch)
        except GemgateError as error:
            await heartbeat.stop()
            if not exchange.started:
                raise
            await exchange.send(writer.failure(error), more=False)
        finally:
            await heartbeat.stop()
            if answer is not None:
                await answer.aclose()


class _Work(Generic[T]):
    """What is to be done about a request: ask the upstream for an answer, or for a count.

    `bare` after it has refused a signature: the history goes without.
    """

    __slots__ = ("ask", "bare", "call", "parsed")

    def __init__(
        self, ask: Callable[[Any, Target, Lease | None], Awaitable[T]], parsed: Parsed, call: Generate
    ) -> None:
        self.ask = ask
        self.parsed = parsed
        self.call = call
        self.bare = False


async def _send_batch(exchange: Exchange, writer: Writer, batch: list[Event]) -> None:
    """Send the events of one upstream read in one write; the end of the stream goes with the last of them.

    Raises the error of a failure at the end of the batch, after what came before it has been sent.
    """
    end = batch[-1]
    if not isinstance(end, (Finish, Failure)):
        await _send(exchange, writer, writer.stream(batch), more=True)
        return
    _remember_usage(exchange, batch)
    finishes = [event for event in batch if isinstance(event, (Finish, Failure))]
    data = writer.stream(batch[: -len(finishes)])
    try:
        data += writer.stream(finishes) + writer.end()
    except GemgateError:
        if data:
            await _send(exchange, writer, data, more=True)
        raise
    await _send(exchange, writer, data, more=False)


async def _send(exchange: Exchange, writer: Writer, data: bytes, *, more: bool) -> None:
    if not exchange.started:
        await exchange.start(200, writer.content_type, STREAM_HEADERS)
    if data or not more:
        await exchange.send(data, more=more)


def _remember_usage(exchange: Exchange, events: list[Event]) -> None:
    for event in reversed(events):
        if isinstance(event, Usage):
            exchange.usage = event
            return
