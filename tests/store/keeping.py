"""What tests of kept responses and conversations share."""

import sqlite3
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from gemgate.store.protocols import StoredConversation, StoredItem, StoredResponse
from gemgate.store.sqlite import SqliteStore

NOW = 1000.0
LATER = 2000.0


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def opened(path: Path, clock: Clock) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(path, clock)
    await store.open()
    try:
        yield store
    finally:
        await store.aclose()


@contextmanager
def connected(path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        yield connection
    finally:
        connection.close()


def item(item_id: str, json: bytes = b"", native: bytes = b"") -> StoredItem:
    return StoredItem(item_id, json or b'{"id":"%s"}' % item_id.encode(), native)


def response(
    response_id: str,
    previous_id: str = "",
    *,
    caller: str = "me",
    status: str = "completed",
    document: bytes = b"{}",
    until: float = LATER,
    conversation: str = "",
    background: bool = False,
    alive_at: float = 0.0,
) -> StoredResponse:
    return StoredResponse(
        id=response_id,
        caller_id=caller,
        status=status,
        document=document,
        created_at=NOW,
        expires_at=until,
        previous_id=previous_id,
        conversation_id=conversation,
        background=background,
        alive_at=alive_at,
    )


def conversation(conversation_id: str, *, caller: str = "me", until: float = LATER) -> StoredConversation:
    return StoredConversation(
        id=conversation_id, caller_id=caller, metadata=b'{"a":"b"}', created_at=NOW, expires_at=until
    )


def ids(items: Sequence[StoredItem] | None) -> list[str] | None:
    return None if items is None else [found.id for found in items]


CONTENTS = (
    "SELECT caller_id, length(document) FROM documents JOIN responses ON id = response_id",
    "SELECT caller_id, length(event) FROM events JOIN responses ON id = response_id",
    "SELECT caller_id, length(metadata) FROM conversations",
    "SELECT caller_id, length(json) + length(native) FROM items JOIN responses ON id = owner_id",
    "SELECT caller_id, length(json) + length(native) FROM items JOIN conversations ON id = owner_id",
)
OF_CONVERSATION = "SELECT coalesce(sum(100 + length(json) + length(native)), 0) FROM items WHERE owner_id = ?"
FORLORN = (
    "SELECT response_id FROM documents WHERE response_id NOT IN (SELECT id FROM responses)",
    "SELECT response_id FROM events WHERE response_id NOT IN (SELECT id FROM responses)",
    "SELECT owner_id FROM items WHERE owner_id NOT IN (SELECT id FROM responses UNION SELECT id FROM conversations)",
)


def kept(path: Path) -> list[str]:
    """The ids on disk, the first to expire first; totals are held to what is there, and rows to their owners."""
    with connected(path) as connection:
        totals: Counter[str] = Counter()
        for contents in CONTENTS:
            for caller, size in connection.execute(contents):
                totals[caller] += 100 + size
        assert dict(connection.execute("SELECT caller_id, bytes FROM kept_totals")) == totals
        for conversation_id, size in connection.execute("SELECT id, bytes FROM conversations"):
            assert connection.execute(OF_CONVERSATION, (conversation_id,)).fetchone() == (size,)
        for forlorn in FORLORN:
            assert connection.execute(forlorn).fetchall() == []
        everything = connection.execute(
            "SELECT id, expires_at FROM responses UNION ALL SELECT id, expires_at FROM conversations ORDER BY 2, 1"
        )
        return [kept_id for kept_id, _ in everything]
