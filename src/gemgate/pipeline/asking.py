"""Asking the upstream until it is done: prepare, attempt, give in to what it refuses, attempt again."""

from collections.abc import Callable
from datetime import date
from typing import Any, TypeVar

from gemgate.catalog.catalog import Catalog, Target
from gemgate.keys.pool import KeyPool, Lease
from gemgate.pipeline.attempt import Attempts, shown
from gemgate.pipeline.contracts import KeyOf
from gemgate.pipeline.exchange import Exchange
from gemgate.pipeline.fit import fitted, in_client_words, refuse_drops
from gemgate.pipeline.lessen import lessened
from gemgate.pipeline.unsigned import unsigned
from gemgate.pipeline.work import Work
from gemgate.upstreams.base import Prepared, Upstream
from gemgate.upstreams.refusal import UpstreamRefusal

T = TypeVar("T")


class Asking:
    """Asks one upstream. `pool` is `None` where it needs no keys, `key_of` where nothing is kept."""

    def __init__(
        self,
        upstream: Upstream[Any],
        pool: KeyPool | None,
        catalog: Catalog,
        today: Callable[[], date],
        *,
        key_of: KeyOf | None,
        max_attempts: int,
    ) -> None:
        self._upstream = upstream
        self._pool = pool
        self._catalog = catalog
        self._today = today
        self._key_of = key_of
        self._max_attempts = max_attempts

    async def done(self, exchange: Exchange, work: Work[T], target: Target) -> T:
        """Prepare and ask until it is done; raises the `GemgateError` to show when nobody does it."""
        prepared = self._prepared(exchange, work, target)
        if self._pool is None:
            exchange.upstream, exchange.attempts = self._upstream.name, 1
            exchange.sent_model = self._upstream.model_name or target.model
            return await work.ask(prepared, target, None)
        attempts = Attempts(
            exchange,
            self._upstream.name,
            self._pool,
            self._catalog,
            target,
            limit=self._max_attempts,
            today=self._today(),
            pinned=await self._key_for(exchange, prepared),
        )
        while True:
            lease = attempts.take()
            try:
                done = await work.ask(prepared, attempts.target, lease)
            except UpstreamRefusal as refusal:
                before, lesser = prepared, work.gives_in_to(refusal)
                if lesser:
                    prepared = self._prepared(exchange, work, attempts.target)
                    lesser = self._differ(before, prepared)
                if not lesser:
                    try:
                        await attempts.refused(refusal)
                    except UpstreamRefusal as last:
                        raise shown(last, attempts.target) from last
                    prepared = self._prepared(exchange, work, attempts.target)
                continue
            attempts.worked()
            return done

    def _differ(self, one: Prepared, other: Prepared) -> bool:
        """Whether two requests are not the same: what has been refused would be refused again."""
        return self._upstream.outgoing(one) != self._upstream.outgoing(other)

    async def _key_for(self, exchange: Exchange, prepared: Prepared) -> Lease | None:
        if not prepared.references or self._key_of is None or exchange.caller is None:
            return None
        return await self._key_of(exchange.caller, prepared.references)

    def _prepared(self, exchange: Exchange, work: Work[Any], target: Target) -> Prepared:
        call, lost = work.call, ()
        learnt = work.heeded()
        if learnt.without is not None:
            call, target, lost = lessened(call, target, learnt.without)
        call = fitted(call, target)
        if learnt.bare:
            call, untold = unsigned(call)
            lost = (*lost, *untold)
        prepared: Prepared = self._upstream.prepare(call, target)
        dropped = (*lost, *prepared.dropped)
        exchange.dropped = [*work.parsed.dropped, *in_client_words(dropped, work.parsed.paths)]
        if exchange.strict:
            refuse_drops(exchange.dropped)
        return prepared
