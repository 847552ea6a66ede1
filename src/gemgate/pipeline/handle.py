"""The life of one translated request: route → fit → attempts → events → writer → client.

Headers are held until the first event, or until the client needs a sign of life; until then every failure has its real
status, after it the stream itself carries the error. Only events close the door to another attempt.
"""

from collections.abc import Callable
from datetime import date

from msgspec import Struct

from gemgate.catalog.catalog import Catalog, Target
from gemgate.errors import GemgateError, InvalidRequest
from gemgate.hub.call import CountTokens, Generate
from gemgate.hub.codec import Identity, Parsed, Writer
from gemgate.hub.events import Event, Failure, Finish, Usage
from gemgate.keys.pool import KeyPool
from gemgate.pipeline.attempt import Answer, Attempts, answered, begin, shown
from gemgate.pipeline.exchange import Exchange
from gemgate.pipeline.fit import client_path, fitted, in_client_words, refuse_drops
from gemgate.pipeline.heartbeat import Heartbeat
from gemgate.upstreams.base import Upstream
from gemgate.upstreams.refusal import UpstreamRefusal

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
        upstream: Upstream,
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
        try:
            self._check(exchange, parsed, call, target)
            writer = parsed.write(self._identity(target))
            if call.stream:
                await self._streamed(exchange, parsed, call, target, writer)
            else:
                await self._whole(exchange, parsed, call, target, writer)
        except InvalidRequest as error:
            if error.param:
                error.param = client_path(error.param, parsed.paths)
            raise

    async def count_tokens(self, exchange: Exchange, parsed: Parsed) -> int:
        """Count a prompt's tokens; raises a `GemgateError`."""
        call = parsed.call
        assert isinstance(call, CountTokens)
        target = self._route(exchange, call.generate.model)
        if self._pool is None:
            exchange.attempts = 1
            return await self._upstream.count_tokens(call, target, None)
        attempts = self._attempts(exchange, target, self._pool)
        while True:
            lease = attempts.take()
            try:
                total = await self._upstream.count_tokens(call, attempts.target, lease)
            except UpstreamRefusal as refusal:
                try:
                    await attempts.refused(refusal)
                except UpstreamRefusal as last:
                    raise shown(last, attempts.target) from last
                continue
            attempts.worked()
            return total

    def _route(self, exchange: Exchange, model: str) -> Target:
        if not model:
            raise InvalidRequest("The request names no model.", param="model")
        target = self._catalog.route(model, self._clock.today())
        exchange.asked_model = target.asked
        exchange.sent_model = self._upstream.model_name or target.model
        if self._pool is None:
            exchange.upstream = self._upstream.name
        return target

    def _identity(self, target: Target) -> Identity:
        model = self._upstream.model_name or target.asked
        return Identity(self._clock.new_id(), int(self._clock.seconds()), model, self._clock.new_id)

    def _check(self, exchange: Exchange, parsed: Parsed, call: Generate, target: Target) -> None:
        exchange.dropped += parsed.dropped
        if exchange.strict:
            unable = self._upstream.unable(fitted(call, target), target)
            refuse_drops([*exchange.dropped, *in_client_words(unable, parsed.paths)])

    def _attempts(self, exchange: Exchange, target: Target, pool: KeyPool) -> Attempts:
        limit, today = self._max_attempts, self._clock.today()
        return Attempts(exchange, self._upstream.name, pool, self._catalog, target, limit=limit, today=today)

    async def _answer(self, exchange: Exchange, parsed: Parsed, call: Generate, target: Target) -> Answer:
        if self._pool is None:
            exchange.attempts = 1
            answer = await begin(self._upstream, fitted(call, target), target, None)
        else:
            attempts = self._attempts(exchange, target, self._pool)
            answer = await answered(self._upstream, attempts, lambda to: fitted(call, to))
        if answer.dropped:
            exchange.dropped += in_client_words(answer.dropped, parsed.paths)
        return answer

    async def _whole(self, exchange: Exchange, parsed: Parsed, call: Generate, target: Target, writer: Writer) -> None:
        answer = await self._answer(exchange, parsed, call, target)
        try:
            events = answer.first
            async for batch in answer.rest():
                events += batch
        finally:
            await answer.aclose()
        _remember_usage(exchange, events)
        await exchange.answer(200, writer.whole(events))

    async def _streamed(
        self, exchange: Exchange, parsed: Parsed, call: Generate, target: Target, writer: Writer
    ) -> None:
        async def beat() -> None:
            if not exchange.started:
                await exchange.start(200, writer.content_type, STREAM_HEADERS)
            await exchange.send(writer.keepalive)

        heartbeat = Heartbeat(self._keepalive_seconds, beat)
        answer: Answer | None = None
        try:
            answer = await self._answer(exchange, parsed, call, target)
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


async def _send_batch(exchange: Exchange, writer: Writer, batch: list[Event]) -> None:
    """Send the events of one upstream read in one write; the end of the stream goes with the last of them.

    Raises the error of a failure at the end of the batch, after what came before it has been sent.
    """
    failure = batch[-1] if isinstance(batch[-1], Failure) else None
    if failure is not None:
        batch = batch[:-1]
        _remember_usage(exchange, batch)
        if not batch:
            raise failure.error
    last = isinstance(batch[-1], Finish)
    if last or isinstance(batch[-1], Usage):
        _remember_usage(exchange, batch)
    data = writer.stream(batch)
    if last:
        data += writer.end()
    if not exchange.started:
        await exchange.start(200, writer.content_type, STREAM_HEADERS)
    if data or last:
        await exchange.send(data, more=not last)
    if failure is not None:
        raise failure.error


def _remember_usage(exchange: Exchange, events: list[Event]) -> None:
    for event in reversed(events):
        if isinstance(event, Usage):
            exchange.usage = event
            return
