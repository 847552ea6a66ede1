"""An upstream that does as it is told, and one translated request served from it."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from time import monotonic
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from gemgate.callers.auth import Caller
from gemgate.catalog.catalog import Catalog, Target
from gemgate.errors import GemgateError, UpstreamError
from gemgate.hub.call import Generate
from gemgate.hub.codec import Dropped
from gemgate.hub.events import BlockEnd, BlockStart, Event, Finish, ResponseStart, Usage
from gemgate.hub.parts import Media, Part, Text, Thought
from gemgate.keys.pool import KeyPool, Lease
from gemgate.media.fetch import MediaFetcher
from gemgate.pipeline.contracts import Clock, Filled
from gemgate.pipeline.exchange import Exchange
from gemgate.pipeline.handle import Handler
from gemgate.pipeline.recall.recall import Recall
from gemgate.protocols.openai_chat.errors import render
from gemgate.protocols.openai_chat.inbound import inbound
from gemgate.upstreams.base import Outgoing
from gemgate.upstreams.refusal import UpstreamRefusal
from tests.pipeline.client import Client

TODAY = date(2026, 11, 1)
CATALOG = Catalog.load()
HELLO: dict[str, Any] = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "hi"}]}

Step = list[Event] | asyncio.Event
"""A batch, or something that is waited for before the next."""
Outcome = Sequence[Step] | Exception


class Prepared(Struct, frozen=True):
    call: Generate
    dropped: tuple[Dropped, ...] = ()
    references: tuple[str, ...] = ()


class Reply:
    """A reply in steps."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self._steps = steps
        self.given = 0
        self.closed = False

    async def __aiter__(self) -> AsyncIterator[list[Event]]:
        for step in self._steps:
            if isinstance(step, asyncio.Event):
                await step.wait()
            else:
                self.given += 1
                yield [*step]

    async def aclose(self) -> None:
        self.closed = True


class Fake:
    """An upstream whose attempts come out as told, one after the other."""

    name = "fake"
    model_name: str | None = None

    def __init__(self, *outcomes: Outcome, dropped: tuple[Dropped, ...] = (), references: tuple[str, ...] = ()) -> None:
        self.outcomes = list(outcomes)
        self.dropped = dropped
        self.references = references
        self.asked: list[tuple[Prepared, Target, Lease | None]] = []
        self.replies: list[Reply] = []

    @property
    def calls(self) -> list[Generate]:
        return [prepared.call for prepared, _, _ in self.asked]

    @property
    def keys(self) -> list[str]:
        return [lease.id for _, _, lease in self.asked if lease is not None]

    def by_address(self, media: Media, target: Target) -> Media | None:
        return None

    def prepare(self, call: Generate, target: Target) -> Prepared:
        return Prepared(call, self.dropped, self.references)

    def outgoing(self, prepared: Prepared) -> Outgoing:
        return Outgoing(method="POST", url="fake:", body=(repr(prepared.call).encode(),))

    async def generate(self, prepared: Prepared, target: Target, lease: Lease | None) -> Reply:
        self.asked.append((prepared, target, lease))
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        self.replies.append(Reply(outcome))
        return self.replies[-1]

    async def count_tokens(self, prepared: Prepared, target: Target, lease: Lease | None) -> int:
        return 7


class Fetched(Struct, frozen=True):
    content_type: str
    data: memoryview


class Web:
    """Every address holds the same image; `gate` holds it back, `error` is raised instead."""

    def __init__(self, gate: asyncio.Event | None = None, error: GemgateError | None = None) -> None:
        self.asked: list[str] = []
        self._gate = gate
        self._error = error

    async def fetch(self, url: str, /) -> Fetched:
        self.asked.append(url)
        if self._gate is not None:
            await self._gate.wait()
        if self._error is not None:
            raise self._error
        return Fetched("image/png", memoryview(b"iVBORw0KGgo="))


class Seen:
    """What one watcher has seen."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.kept = False

    def see(self, events: list[Event]) -> None:
        self.events += events

    def keep(self) -> None:
        self.kept = True


class Memory:
    """A memory that says one thing more at the end of the system prompt, so that filling twice would show."""

    def __init__(self) -> None:
        self.filled_with: list[tuple[str, str, bool]] = []
        self.watches: list[Seen] = []
        self.forgotten: list[list[bytes]] = []

    async def filled(self, call: Generate, caller_id: str, family: str, *, everything: bool) -> Filled:
        self.filled_with.append((caller_id, family, everything))
        return Filled(replace(call, system=(*call.system, Text("remembered"))), (b"a name",))

    def forget(self, names: Sequence[bytes]) -> None:
        self.forgotten.append([*names])

    def watch(self, call: Generate, caller_id: str, family: str) -> Seen:
        self.watches.append(Seen())
        return self.watches[-1]


class WatchedClient(Client):
    """A client that can be waited for, and that takes things slowly if told so."""

    def __init__(self) -> None:
        super().__init__()
        self._news = asyncio.Condition()
        self.patience: asyncio.Event | None = None

    async def send(self, message: Any) -> None:
        await super().send(message)
        async with self._news:
            self._news.notify_all()
        if self.patience is not None and message["type"] == "http.response.body":
            await self.patience.wait()

    async def got(self, text: bytes) -> None:
        """Wait until this has been sent."""
        async with asyncio.timeout(5), self._news:
            await self._news.wait_for(lambda: text in self.body)


@dataclass
class House:
    """All that serves a request."""

    fake: Fake
    keys: int | None = 3
    web: Web | None = None
    memory: Memory | None = None
    fetcher: MediaFetcher | None = None
    """A real one."""
    recall: Recall | None = None
    """A real memory."""
    keepalive_seconds: float = 60.0
    whole_keepalive: bool = False
    owner: str = ""
    """The id of the key that owns what is referred to."""
    client: WatchedClient = field(default_factory=WatchedClient)
    looked_up: list[tuple[str, ...]] = field(default_factory=list[tuple[str, ...]])
    settled: list[bytes] = field(default_factory=list[bytes])

    def __post_init__(self) -> None:
        self.exchange: Exchange = self.client.exchange()
        self.exchange.render_error = render
        self.exchange.caller = Caller("me")
        self.pool = None if self.keys is None else KeyPool([f"key-{number}" for number in range(self.keys)], monotonic)

    def own_by_one_key(self) -> str:
        """Let one key own all that is referred to; give its id."""
        assert self.pool is not None
        lease = self.pool.take("m")
        assert lease is not None
        self.owner = lease.id
        return lease.id

    async def key_of(self, caller: Caller, names: Sequence[str]) -> Lease | None:
        self.looked_up.append((caller.id, *names))
        return self.pool.get(self.owner) if self.pool is not None and self.owner else None

    async def settle(self) -> None:
        """Note what the client has by the time the answer is over."""
        self.settled.append(self.client.body if self.client.sent else b"")

    async def serve(self, **fields: Any) -> GemgateError | None:
        """Serve one chat request; give the error if nothing was sent."""
        handler = Handler(
            self.fake,
            self.pool,
            CATALOG,
            Clock(lambda: 0.0, lambda: TODAY, lambda: "id"),
            fetcher=self.web or self.fetcher,
            memory=self.memory or self.recall,
            key_of=self.key_of,
            max_attempts=4,
            keepalive_seconds=self.keepalive_seconds,
            whole_keepalive=self.whole_keepalive,
        )
        try:
            await handler.generate(self.exchange, inbound(json.dumps(HELLO | fields).encode()), self.settle)
        except GemgateError as error:
            return error
        finally:
            assert all(reply.closed for reply in self.fake.replies)
        return None

    @property
    def document(self) -> Any:
        """The whole answer."""
        return json.loads(self.client.body)

    @property
    def chunks(self) -> list[Any]:
        """The chunks of a stream, without comments and the end mark."""
        events = [event.removeprefix("data: ") for event in self.client.body.decode().split("\n\n") if event]
        return [json.loads(event) for event in events if not event.startswith(":") and event != "[DONE]"]

    def told(self, member: str = "content", choice: int = 0) -> str:
        """What the deltas of a choice say."""
        return "".join(
            one["delta"].get(member) or ""
            for chunk in self.chunks
            for one in chunk.get("choices", ())
            if one["index"] == choice
        )

    @property
    def finishes(self) -> list[tuple[int, str]]:
        """The choices that end in a stream, and how."""
        choices = [one for chunk in self.chunks for one in chunk.get("choices", ())]
        return [(one["index"], one["finish_reason"]) for one in choices if one["finish_reason"]]


def said(*parts: Part, start: bool = True) -> list[Event]:
    """One batch: a reply's beginning and these parts."""
    events: list[Event] = [ResponseStart("", "")] if start else []
    for part in parts:
        events += (BlockStart(0, part), BlockEnd(0))
    return events


def ended(tokens: int = 3, reason: Any = "stop") -> list[Event]:
    """One batch: the end of a reply."""
    return [Usage(input_tokens=1, output_tokens=tokens - 1, total_tokens=tokens), Finish(0, reason, reason.upper())]


def answered(text: str, tokens: int = 3) -> list[list[Event]]:
    """A good reply."""
    return [said(Text(text)), ended(tokens)]


def broken(*thoughts: str, tokens: int = 5) -> list[list[Event]]:
    """A reply that breaks off with nothing said, but for thoughts."""
    return [said(*(Thought(text) for text in thoughts)), ended(tokens, "malformed")]


def refused(kind: Any, **how: Any) -> UpstreamRefusal:
    return UpstreamRefusal(kind, UpstreamError("no"), **how)
