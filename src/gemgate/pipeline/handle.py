"""The life of one translated request: route → fit → attempts → events → writer → client.

Headers are held until the first event, or until the client needs a sign of life; until then every failure has its real
status, after it the stream itself carries the error. Only events close the door to another attempt.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from functools import partial
from traceback import clear_frames
from typing import Any

from gemgate.catalog.catalog import Catalog, Target
from gemgate.errors import BrokenAnswer, GemgateError, InvalidRequest
from gemgate.hub.call import CountTokens, Generate
from gemgate.hub.codec import Identity, Parsed, Writer
from gemgate.hub.events import Event, Finish, ResponseStart
from gemgate.keys.pool import KeyPool, Lease
from gemgate.media.bring import Fetcher, brought
from gemgate.pipeline.asking import Asking
from gemgate.pipeline.attempt import begin
from gemgate.pipeline.contracts import Answer, Clock, KeyOf, Memory, Watching
from gemgate.pipeline.exchange import Exchange
from gemgate.pipeline.fit import in_client_terms
from gemgate.pipeline.heartbeat import Heartbeat
from gemgate.pipeline.insistent import Insistent
from gemgate.pipeline.send import STREAM_HEADERS, Settle, nothing_to_settle, remember_usage, send_batch, send_blank
from gemgate.pipeline.several import all_begun, singles
from gemgate.pipeline.single_call import SingleCall
from gemgate.pipeline.unsigned import is_signed, understood
from gemgate.pipeline.work import Work
from gemgate.upstreams.base import Prepared, Upstream


class Handler:
    """Serves translated requests from one upstream.

    `pool` is `None` where it needs no keys, `memory` where nothing is signed, `key_of` where nothing is kept.
    `whole_keepalive` sends white space before an unstreamed reply that takes long; from then on its status is 200.
    """

    def __init__(
        self,
        upstream: Upstream[Any],
        pool: KeyPool | None,
        catalog: Catalog,
        clock: Clock,
        *,
        fetcher: Fetcher | None = None,
        memory: Memory | None = None,
        key_of: KeyOf | None = None,
        max_attempts: int,
        keepalive_seconds: float,
        whole_keepalive: bool = False,
    ) -> None:
        self._upstream = upstream
        self._splits = pool is not None
        self._catalog = catalog
        self._clock = clock
        self._fetcher = fetcher
        self._memory = memory
        self._asking = Asking(upstream, pool, catalog, clock.today, key_of=key_of, max_attempts=max_attempts)
        self._keepalive_seconds = keepalive_seconds
        self._whole_keepalive = whole_keepalive

    async def generate(self, exchange: Exchange, parsed: Parsed, settle: Settle = nothing_to_settle) -> None:
        """Answer a request for an answer; raises a `GemgateError` while nothing has been sent.

        `settle` is awaited when the answer is written and before its client is sent the end of it, also of one that
        broke off on its way; not where an error is raised, or the client has gone.
        """
        call = parsed.call
        assert isinstance(call, Generate)
        target = self._route(exchange, call.model)
        writer = parsed.write(self._identity(target))
        work = Work(self._begin, parsed, call)
        try:
            if call.stream:
                await self._streamed(exchange, work, target, writer, settle)
            else:
                await self._whole(exchange, work, target, writer, settle)
        finally:
            work.call = call  # what was fetched ends with the request, though an error may hold on to this frame

    async def count_tokens(self, exchange: Exchange, parsed: Parsed) -> int:
        """Count a prompt's tokens; raises a `GemgateError`."""
        call = parsed.call
        assert isinstance(call, CountTokens)
        target = self._route(exchange, call.generate.model)
        try:
            prompt = await self._brought(parsed, call.generate, target)
            return await self._asking.done(exchange, Work(self._upstream.count_tokens, parsed, prompt), target)
        except InvalidRequest as error:
            in_client_terms(error, parsed.paths)
            raise

    def identity(self, exchange: Exchange, model: str) -> Identity:
        """Say what a reply of a model is called before it is asked for; raises `InvalidRequest`."""
        return self._identity(self._route(exchange, model))

    def _route(self, exchange: Exchange, model: str) -> Target:
        if not model:
            raise InvalidRequest("The request names no model.", param="model")
        target = self._catalog.route(model, self._clock.today())
        exchange.asked_model = target.asked
        return target

    def _identity(self, target: Target) -> Identity:
        model = self._upstream.model_name or target.asked
        clock = self._clock
        return Identity(clock.new_id(), int(clock.seconds()), model, clock.new_id, target.family, clock.seconds)

    async def _whole(
        self, exchange: Exchange, work: "Work[Answer]", target: Target, writer: Writer, settle: Settle
    ) -> None:
        heartbeat = Heartbeat(self._keepalive_seconds, partial(send_blank, exchange)) if self._whole_keepalive else None
        try:
            body = await self._written(exchange, work, target, writer)
            await settle()
        except GemgateError as error:
            _let_go(error)
            if heartbeat is not None:
                await heartbeat.stop()
            if not exchange.started:
                raise
            assert exchange.render_error is not None
            body = exchange.render_error(error)[1]
        finally:
            if heartbeat is not None:
                await heartbeat.stop()
        if exchange.started:
            await exchange.send(body, more=False)
        else:
            await exchange.answer(200, body)

    async def _written(self, exchange: Exchange, work: "Work[Answer]", target: Target, writer: Writer) -> bytes:
        """Write a whole reply; one that broke off before anything was said is asked for once more."""
        while True:
            events: list[Event] = []
            async with aclosing(self._batches(exchange, work, target)) as batches:
                async for batch in batches:
                    events += batch
            remember_usage(exchange, events)
            try:
                return writer.whole(events)
            except BrokenAnswer:
                if not work.may_try_again(exchange.usage):
                    raise

    async def _streamed(
        self, exchange: Exchange, work: "Work[Answer]", target: Target, writer: Writer, settle: Settle
    ) -> None:
        async def beat() -> None:
            if not exchange.started:
                await exchange.start(200, writer.content_type, STREAM_HEADERS)
            await exchange.send(writer.keepalive)

        heartbeat = Heartbeat(self._keepalive_seconds, beat)
        try:
            while True:
                try:
                    async with aclosing(self._batches(exchange, work, target)) as batches:
                        async for batch in batches:
                            heartbeat.touch()
                            await send_batch(exchange, writer, batch, settle)
                    break
                except BrokenAnswer:
                    if not work.may_try_again(exchange.usage):
                        raise
        except GemgateError as error:
            _let_go(error)
            await heartbeat.stop()
            if not exchange.started:
                raise
            exchange.broke_off = error.message
            data = writer.failure(error)
            await settle()
            await exchange.send(data, more=False)
        finally:
            await heartbeat.stop()

    async def _batches(self, exchange: Exchange, work: "Work[Answer]", target: Target) -> AsyncGenerator[list[Event]]:
        """Give the batches of the reply, and have it remembered what it signs."""
        try:
            call = await self._completed(exchange, work, target)
            answer = await self._answer(exchange, work, target)
        except InvalidRequest as error:
            in_client_terms(error, work.parsed.paths)
            raise
        finally:
            if self._memory is not None and work.recalled and work.learnt.bare and not is_signed(work.parsed.call):
                self._memory.forget(work.recalled)
                work.recalled = ()
        single = None if call.parallel_calls else SingleCall()
        watch = None if self._memory is None else self._memory.watch(call, _caller_id(exchange), target.family)
        try:
            first = answer.first if work.usage is None or not call.stream else _again(answer.first)
            if told := _told(first, work, single, watch):
                yield told
            async for batch in answer.rest():
                if told := _told(batch, work, single, watch):
                    yield told
        finally:
            if watch is not None:
                watch.keep()
            await answer.aclose()

    async def _completed(self, exchange: Exchange, work: "Work[Answer]", target: Target) -> Generate:
        """Bring in what the call lacks, once: media at addresses, and what the client has lost of its history."""
        if work.completed:
            return work.call
        work.completed = True
        call = await self._brought(work.parsed, work.call, target)
        if work.parsed.families - {target.family}:
            call = understood(call, target.family)
        if self._memory is not None:
            everything = target.abilities.signatures
            filled = await self._memory.filled(call, _caller_id(exchange), target.family, everything=everything)
            call, work.recalled = filled.call, filled.names
        work.call = call
        return call

    async def _brought(self, parsed: Parsed, call: Generate, target: Target) -> Generate:
        if parsed.remote and self._fetcher is not None:
            return await brought(call, partial(self._upstream.by_address, target=target), self._fetcher)
        return call

    async def _answer(self, exchange: Exchange, work: "Work[Answer]", target: Target) -> Answer:
        """Begin the answer, or as many as there are choices, where the model gives but one at a time."""
        call = work.call
        if call.sampling.candidates == 1:
            return await self._asking.done(exchange, work, target)
        splits = self._splits and not target.abilities.candidates
        # Of several choices others may have been told already; they cannot be told anew.
        work.insists = not splits and not call.stream
        if not splits:
            return await self._asking.done(exchange, work, target)
        asked = [partial(self._asking.done, exchange, work.split(each), target) for each in singles(call)]
        return await all_begun([partial(begin, Insistent(each)) for each in asked])

    async def _begin(self, prepared: Prepared, target: Target, lease: Lease | None) -> Answer:
        return await begin(await self._upstream.generate(prepared, target, lease))


def _caller_id(exchange: Exchange) -> str:
    return exchange.caller.id if exchange.caller is not None else ""


def _let_go(error: BaseException | None) -> None:
    """Empty the frames that an error has passed: errors and frames often form rings, which would hold the media."""
    while error is not None:
        clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__


def _told(batch: list[Event], work: "Work[Answer]", single: SingleCall | None, watch: Watching | None) -> list[Event]:
    """Give what the client is told of a batch; may be nothing."""
    if single is not None:
        batch = single.filtered(batch)
    if watch is not None:
        watch.see(batch)
        if batch and isinstance(batch[-1], Finish):
            watch.keep()  # before the client can come back with it
    return batch if work.usage is None else work.counted(batch)


def _again(events: list[Event]) -> list[Event]:
    """Give the beginning of a second answer, to be told after that of the first."""
    return [event for event in events if not isinstance(event, ResponseStart)]
