"""A server's responses with a real store, a real handler, and an upstream that does as it is told."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import date
from itertools import count
from pathlib import Path
from time import monotonic
from typing import Any

from gemgate.callers.auth import Caller
from gemgate.catalog.catalog import Catalog
from gemgate.errors import GemgateError
from gemgate.hub.codec import Identity
from gemgate.keys.pool import KeyPool
from gemgate.pipeline.contracts import Clock
from gemgate.pipeline.exchange import Exchange
from gemgate.pipeline.handle import Handler
from gemgate.protocols.openai_responses.conversation import Past, listed_items
from gemgate.protocols.openai_responses.inbound import read, understood
from gemgate.protocols.openai_responses.style import Style
from gemgate.protocols.openai_responses.writer import queued
from gemgate.store.protocols import StoredResponse
from gemgate.store.sqlite import SqliteStore
from gemgate.surfaces.responses.background import Background
from gemgate.surfaces.responses.compact import Compaction
from gemgate.surfaces.responses.conversations import Conversations
from gemgate.surfaces.responses.items import stored_input
from gemgate.surfaces.responses.kept import KeptResponses
from tests.pipeline.told import Fake, Outcome, WatchedClient

TODAY = date(2026, 11, 1)
CATALOG = Catalog.load()
DAY_SECONDS = 24 * 3600.0


class Room:
    """One process: its surfaces over a store that others may share."""

    def __init__(self, store: SqliteStore, fake: Fake, *, start: int = 0, keepalive_seconds: float = 15.0) -> None:
        numbers = count(start + 1)
        self.now = 1_000_000.5
        self.store = store
        self.fake = fake
        self.clock = Clock(lambda: self.now, lambda: TODAY, lambda: f"{next(numbers):024x}")
        pool = KeyPool(["key"], monotonic)
        self.handler = Handler(fake, pool, CATALOG, self.clock, max_attempts=2, keepalive_seconds=60.0)
        self.background = Background(self.handler, store, self.clock, keepalive_seconds=keepalive_seconds)
        self.kept = KeptResponses(store, self.background)
        self.conversations = Conversations(store, self.clock, retention_days=30)
        self.compaction = Compaction(self.handler, store, self.clock)

    async def begin(self, exchange: Exchange, **body: Any) -> str:
        """Begin a response in the background; gives its id as soon as that is answered."""
        asked = read(json.dumps({"model": "m", "input": "hi", "background": True} | body).encode())
        bare = self.clock.new_id()
        style = Style(framing="lines", response_id=bare, queued=True, stored=True, keeps_parts=True)
        parsed = understood(asked, Past(), style)
        identity = Identity(bare, int(self.now), "m", self.clock.new_id)
        response = StoredResponse(
            id=f"resp_{bare}",
            caller_id="me",
            status="queued",
            document=queued(identity, style),
            created_at=self.now,
            expires_at=self.now + DAY_SECONDS,
            background=True,
            alive_at=self.now,
        )
        given = stored_input(listed_items(asked.request.input), self.clock.new_id)
        await self.background.begin(exchange, parsed, response, given)
        return response.id

    async def idle(self) -> None:
        """Wait until nothing is worked on."""
        async with asyncio.timeout(5):
            while self.background.under_way:
                await asyncio.sleep(0.005)

    async def document(self, response_id: str) -> Any:
        """What a client is shown of a response."""
        return json.loads((await answer_of(self.kept.get, response_id)).body)


@asynccontextmanager
async def room(path: Path, *outcomes: Outcome, **how: Any) -> AsyncIterator[Room]:
    """A process that begins, and ends well."""
    made: list[Room] = []
    store = SqliteStore(path / "store.sqlite3", lambda: made[0].now if made else 1_000_000.5)
    made.append(Room(store, Fake(*outcomes), **how))
    await store.open()
    await made[0].background.start()
    try:
        yield made[0]
    finally:
        await made[0].background.aclose()
        await store.aclose()


def asking(*, query: bytes = b"", caller: str = "me", client: WatchedClient | None = None) -> Exchange:
    """A request of a caller's."""
    exchange = (client or WatchedClient()).exchange()
    exchange.query = query
    exchange.caller = Caller(caller)
    return exchange


async def answer_of(method: Any, *arguments: Any, query: bytes = b"", caller: str = "me") -> WatchedClient:
    """What a client is sent when it asks."""
    client = WatchedClient()
    await method(asking(query=query, caller=caller, client=client), *arguments)
    return client


async def shown(method: Any, *arguments: Any, **how: Any) -> Any:
    """The document that a client is sent."""
    return json.loads((await answer_of(method, *arguments, **how)).body)


async def error_of(method: Any, *arguments: Any, **how: Any) -> GemgateError:
    """The error that a request ends with."""
    try:
        await answer_of(method, *arguments, **how)
    except GemgateError as error:
        return error
    raise AssertionError("it was answered")


def events(body: bytes) -> list[Any]:
    """The events of a stream, without comments; each is framed as it should be."""
    found: list[Any] = []
    for frame in body.decode().split("\n\n"):
        if frame and not frame.startswith(":"):
            name, data = frame.split("\n")
            found.append(json.loads(data.removeprefix("data: ")))
            assert name == f"event: {found[-1]['type']}"
    return found


def texts(document: Any) -> list[str]:
    """What the messages of a response say."""
    messages: Sequence[Any] = [item for item in document["output"] if item["type"] == "message"]
    return [part["text"] for message in messages for part in message["content"]]
