"""Trying, and trying again: which key, which model, and whether it is worth another go."""

import asyncio
import logging
import random
from collections.abc import AsyncIterator
from datetime import date

from msgspec.structs import replace

from gemgate.catalog.catalog import Catalog, Target
from gemgate.errors import GemgateError, ModelNotFound, RateLimited
from gemgate.hub.events import Event
from gemgate.keys.pool import KeyPool, Lease
from gemgate.pipeline.exchange import Exchange
from gemgate.upstreams.base import Reply
from gemgate.upstreams.refusal import UpstreamRefusal

LOGGER = logging.getLogger("gemgate")

BACKOFF_SECONDS = 0.2
MAX_BACKOFF_SECONDS = 2.0


class Attempts:
    """The attempts at one request: gives a key for each, and decides after a failure whether another follows.

    A client's own fault ends it at once and touches no key. A used-up quota or a bad key sends it to another key, as
    long as there is one. Trouble of the service is tried on another key, or after a pause on the same, `limit` times
    in all (an internal error twice) and only where asking again does no harm (`repeatable`). A model that the upstream
    no longer knows is replaced by its successor, once. A `pinned` key is not left.
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
        repeatable: bool = True,
    ) -> None:
        self.target = target
        self._exchange = exchange
        self._upstream_name = upstream_name
        self._pool = pool
        self._catalog = catalog
        self._limit = limit
        self._today = today
        self._pinned = pinned
        self._repeatable = repeatable
        self._tried: set[str] = set()
        self._lease: Lease | None = None
        self._succeeded = False
        self._troubled = 0

    def take(self) -> Lease:
        """Lend the key for the next attempt; raises `RateLimited` while all of them rest."""
        lease = self._pinned or self._pool.take(self.target.model, but_not=self._tried)
        if lease is None:
            wait = self._pool.rested_in(self.target.model)
            raise RateLimited(
                "The quota of every upstream key for this model is used up for now.", retry_after_seconds=wait or 1.0
            )
        self._lease = lease
        exchange = self._exchange
        exchange.attempts += 1
        exchange.upstream = self._upstream_name
        if exchange.asked_model:
            exchange.sent_model = self.target.model
        return lease

    def worked(self) -> None:
        """The attempt was answered."""
        if self._lease is not None:
            self._pool.worked(self._lease, self.target.model)

    async def refused(self, refusal: UpstreamRefusal) -> None:
        """Take note of a failed attempt; returns if another shall follow, else raises the refusal."""
        lease = self._lease
        assert lease is not None
        LOGGER.info(
            "attempt %d refused (%s, status %s) on key %s for %s  %s",
            self._exchange.attempts,
            refusal.kind,
            refusal.status or "none",
            lease.id[:8],
            self.target.model,
            self._exchange.request_id,
        )
        if refusal.kind in ("quota", "key", "service"):
            self._pool.failed(lease, self.target.model, refusal.trouble)
        match refusal.kind:
            case "model":
                if self._succeeded or self.target.successor is None:
                    raise refusal
                self._succeeded = True
                self.target = succeeded(self._catalog, self.target, self._today)
            case "quota" | "key":
                self._tried.add(lease.id)
                if self._is_last():
                    raise refusal
            case "service" | "network":
                self._troubled += 1
                limit = min(self._limit, 2) if refusal.status == 500 else self._limit
                if not self._repeatable or self._troubled >= limit:
                    raise refusal
                self._tried.add(lease.id)
                if self._is_last():
                    self._tried.discard(lease.id)
                    await _pause(self._troubled)
            case "client":
                raise refusal

    def _is_last(self) -> bool:
        return self._pinned is not None or not self._pool.has(self.target.model, but_not=self._tried)


async def _pause(count: int) -> None:
    longest = min(BACKOFF_SECONDS * 2**count, MAX_BACKOFF_SECONDS)
    await asyncio.sleep(longest * random.uniform(0.5, 1.0))  # noqa: S311 - spreads retries, guards nothing


def succeeded(catalog: Catalog, target: Target, today: date) -> Target:
    """Give the successor of a target, with what the client asked for by suffix."""
    assert target.successor is not None
    found = catalog.route(target.successor, today)
    return replace(found, asked=target.asked, reasoning=target.reasoning, web_search=target.web_search)


class Answer:
    """A reply that has begun: its first batch of events is here."""

    __slots__ = ("_batches", "_reply", "first")

    def __init__(self, reply: Reply, first: list[Event], batches: AsyncIterator[list[Event]]) -> None:
        self._reply = reply
        self.first = first
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


async def begin(reply: Reply) -> Answer:
    """Wait for the first events; raises `UpstreamRefusal` or a `GemgateError`."""
    batches = aiter(reply)
    try:
        first = await anext(batches)
    except BaseException:
        await reply.aclose()
        raise
    return Answer(reply, first, batches)


def shown(refusal: UpstreamRefusal, target: Target) -> GemgateError:
    """Give the error that a client is told."""
    if refusal.kind == "model":
        return ModelNotFound(
            f"There is no model {target.asked[:200]!r} upstream. GET /v1/models lists those there are."
        )
    return refusal.error
