"""Trying, and trying again: which key, which model, and whether it is worth another go."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from datetime import date

from gemgate.catalog.catalog import Catalog, Target
from gemgate.errors import GemgateError, ModelNotFound, RateLimited
from gemgate.hub.call import Generate
from gemgate.hub.codec import Dropped
from gemgate.hub.events import Event
from gemgate.keys.pool import KeyPool, Lease
from gemgate.pipeline.exchange import Exchange
from gemgate.pipeline.unsigned import unsigned
from gemgate.upstreams.base import Reply, Upstream
from gemgate.upstreams.refusal import UpstreamRefusal

BACKOFF_SECONDS = 0.2
MAX_BACKOFF_SECONDS = 2.0


class Attempts:
    """The attempts at one request: gives a key for each, and decides after a failure whether another follows.

    A client's own fault ends it at once and touches no key. A quota or a bad key sends it to another key. Trouble of
    the service is tried on another key, or after a pause on the same. A model that the upstream no longer knows is
    replaced by its successor, once.
    """

    def __init__(
        self,
        exchange: Exchange,
        upstream_name: str,
        pool: KeyPool,
        catalog: Catalog,
        target: Target,
        *,
        limit: int,
        today: date,
        pinned: Lease | None = None,
    ) -> None:
        self.target = target
        self._exchange = exchange
        self._upstream_name = upstream_name
        self._pool = pool
        self._catalog = catalog
        self._limit = limit
        self._today = today
        self._pinned = pinned
        self._tried: set[str] = set()
        self._lease: Lease | None = None
        self._succeeded = False
        self._broken = 0
        exchange.sent_model = target.model

    def take(self) -> Lease:
        """Lend the key for the next attempt; raises `RateLimited` while all of them rest."""
        lease = self._pinned or self._pool.take(self.target.model, but_not=self._tried)
        if lease is None:
            wait = self._pool.rested_in(self.target.model)
            raise RateLimited(
                "The quota of every upstream key for this model is used up for now.", retry_after_seconds=wait or 1.0
            )
        self._lease = lease
        self._exchange.attempts += 1
        self._exchange.upstream = self._upstream_name
        return lease

    def worked(self) -> None:
        """The attempt was answered."""
        if self._lease is not None:
            self._pool.worked(self._lease, self.target.model)

    async def refused(self, refusal: UpstreamRefusal) -> None:
        """Take note of a failed attempt; returns if another shall follow, else raises the refusal."""
        lease = self._lease
        assert lease is not None
        if refusal.kind in ("quota", "key", "service"):
            self._pool.failed(lease, self.target.model, refusal.trouble)
        if self._exchange.attempts >= self._limit:
            raise refusal
        match refusal.kind:
            case "model":
                if self._succeeded or self.target.successor is None:
                    raise refusal
                self._succeeded = True
                self.target = succeeded(self._catalog, self.target, self._today)
                self._exchange.sent_model = self.target.model
            case "quota" | "key":
                self._tried.add(lease.id)
                if self._pinned or not self._pool.has(self.target.model, but_not=self._tried):
                    raise refusal
            case "service" | "network":
                self._broken += 1
                self._tried.add(lease.id)
                if self._pinned or not self._pool.has(self.target.model, but_not=self._tried):
                    self._tried.discard(lease.id)
                    await _pause(self._broken)
            case "client":
                raise refusal


async def _pause(count: int) -> None:
    longest = min(BACKOFF_SECONDS * 2**count, MAX_BACKOFF_SECONDS)
    await asyncio.sleep(longest * random.uniform(0.5, 1.0))  # noqa: S311 - spreads retries, guards nothing


def succeeded(catalog: Catalog, target: Target, today: date) -> Target:
    """Give the successor of a target, with what the client asked for by suffix."""
    assert target.successor is not None
    found = catalog.route(target.successor, today)
    return type(target)(
        asked=target.asked,
        model=found.model,
        abilities=found.abilities,
        reasoning=target.reasoning,
        web_search=target.web_search,
        by_url=target.by_url,
        successor=found.successor,
    )


class Answer:
    """A reply that has begun: its first batch of events is here."""

    __slots__ = ("_batches", "_reply", "dropped", "first")

    def __init__(self, reply: Reply, first: list[Event], batches: AsyncIterator[list[Event]]) -> None:
        self._reply = reply
        self.first = first
        self.dropped: tuple[Dropped, ...] = reply.dropped
        self._batches = batches

    def rest(self) -> AsyncIterator[list[Event]]:
        """Give the batches after the first."""
        return self._batches

    async def aclose(self) -> None:
        """Stop the upstream's work, if it is not done."""
        close = getattr(self._batches, "aclose", None)  # a generator that was left early keeps its frame
        if close is not None:
            await close()
        await self._reply.aclose()


async def begin(upstream: Upstream, call: Generate, target: Target, lease: Lease | None) -> Answer:
    """Ask once, and wait for the first events; raises `UpstreamRefusal` or a `GemgateError`."""
    reply = await upstream.generate(call, target, lease)
    batches = aiter(reply)
    try:
        first = await anext(batches)
    except BaseException:
        await reply.aclose()
        raise
    return Answer(reply, first, batches)


async def answered(upstream: Upstream, attempts: Attempts, prepare: Callable[[Target], Generate]) -> Answer:
    """Ask until somebody answers; raises the `GemgateError` to show when nobody does.

    `prepare` fits the call to a target, which may change on the way.
    """
    resigned = False
    while True:
        call = prepare(attempts.target)
        if resigned:
            call = unsigned(call)
        lease = attempts.take()
        try:
            answer = await begin(upstream, call, attempts.target, lease)
        except UpstreamRefusal as refusal:
            if refusal.signature and not resigned:
                # Signatures of another model, key or provider: once more without them (notes §5.1 rule 11).
                resigned = True
                continue
            try:
                await attempts.refused(refusal)
            except UpstreamRefusal as last:
                raise shown(last, attempts.target) from last
            continue
        attempts.worked()
        return answer


def shown(refusal: UpstreamRefusal, target: Target) -> GemgateError:
    """Give the error that a client is told."""
    if refusal.kind == "model":
        return ModelNotFound(f"There is no model {target.asked!r} upstream. GET /v1/models lists those there are.")
    return refusal.error
