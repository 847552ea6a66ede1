"""The SQL of conversations: found by id for their callers, with items in order."""

import sqlite3
from collections.abc import Sequence

from gemgate.errors import TooLarge
from gemgate.store import item_rows
from gemgate.store.protocols import StoredConversation, StoredItem
from gemgate.store.purge import purge

FIND = (
    "SELECT metadata, created_at, expires_at, bytes FROM conversations "
    "WHERE id = ? AND caller_id = ? AND expires_at > ?"
)


def put(
    connection: sqlite3.Connection, conversation: StoredConversation, items: Sequence[StoredItem], now: float
) -> None:
    """Keep a new conversation."""
    connection.execute(
        "INSERT INTO conversations (id, caller_id, metadata, created_at, expires_at) VALUES (?, ?, ?, ?, ?)",
        (
            conversation.id,
            conversation.caller_id,
            conversation.metadata,
            conversation.created_at,
            conversation.expires_at,
        ),
    )
    _append(connection, conversation.id, 0, items, ())
    purge(connection, now)


def find(connection: sqlite3.Connection, caller_id: str, conversation_id: str, now: float) -> StoredConversation | None:
    """Find a conversation."""
    row = connection.execute(FIND, (conversation_id, caller_id, now)).fetchone()
    if row is None:
        return None
    metadata, created_at, expires_at, _ = row
    return StoredConversation(
        id=conversation_id, caller_id=caller_id, metadata=metadata, created_at=created_at, expires_at=expires_at
    )


def set_metadata(
    connection: sqlite3.Connection, caller_id: str, conversation_id: str, metadata: bytes, now: float
) -> bool:
    """Replace what a conversation is marked with."""
    changed = connection.execute(
        "UPDATE conversations SET metadata = ? WHERE id = ? AND caller_id = ? AND expires_at > ?",
        (metadata, conversation_id, caller_id, now),
    )
    return changed.rowcount > 0


def delete(connection: sqlite3.Connection, caller_id: str, conversation_id: str, now: float) -> bool:
    """Forget a conversation; a trigger takes its items along."""
    deleted = connection.execute(
        "DELETE FROM conversations WHERE id = ? AND caller_id = ? AND expires_at > ?", (conversation_id, caller_id, now)
    )
    return deleted.rowcount > 0


def add(
    connection: sqlite3.Connection,
    caller_id: str,
    conversation_id: str,
    items: Sequence[StoredItem],
    expires_at: float,
    now: float,
) -> bool:
    """Append items to a conversation."""
    connection.execute("BEGIN IMMEDIATE")
    there = prolong(connection, caller_id, conversation_id, items, (), expires_at, now)
    purge(connection, now)
    return there


def prolong(
    connection: sqlite3.Connection,
    caller_id: str,
    conversation_id: str,
    given: Sequence[StoredItem],
    output: Sequence[StoredItem],
    expires_at: float,
    now: float,
) -> bool:
    """Append items to a conversation, and let it live until `expires_at`; raises `TooLarge`."""
    row = connection.execute(FIND, (conversation_id, caller_id, now)).fetchone()
    if row is None:
        return False
    connection.execute(
        "UPDATE conversations SET expires_at = max(expires_at, ?) WHERE id = ?", (expires_at, conversation_id)
    )
    _append(connection, conversation_id, row[-1], given, output)
    return True


def items(connection: sqlite3.Connection, caller_id: str, conversation_id: str, now: float) -> list[StoredItem] | None:
    """List the items of a conversation."""
    connection.execute("BEGIN")
    if find(connection, caller_id, conversation_id, now) is None:
        return None
    return item_rows.gathered(connection, [item_rows.of_owner(conversation_id)])


def delete_item(connection: sqlite3.Connection, caller_id: str, conversation_id: str, item_id: str, now: float) -> bool:
    """Take an item out of a conversation."""
    connection.execute("BEGIN IMMEDIATE")
    if find(connection, caller_id, conversation_id, now) is None:
        return False
    return item_rows.delete(connection, conversation_id, item_id)


def _append(
    connection: sqlite3.Connection,
    conversation_id: str,
    present_bytes: int,
    given: Sequence[StoredItem],
    output: Sequence[StoredItem],
) -> None:
    if present_bytes + item_rows.size(given) + item_rows.size(output) > item_rows.MAX_READ_BYTES:
        raise TooLarge(f"A conversation holds at most {item_rows.MAX_READ_BYTES >> 20} MB. Begin a new one.")
    item_rows.append(connection, conversation_id, given, output)
