"""The SQL of items: in order under the response or the conversation that they belong to, and found by their ids."""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing

from gemgate.errors import TooLarge
from gemgate.store.protocols import StoredItem

MAX_READ_BYTES = 64 << 20
"""What may be read at once, and what a conversation may hold; far more than a model can take in."""
ROW_BYTES = 100
"""What a row counts beyond what is in it; the triggers say so too."""

Query = tuple[str, Mapping[str, str | float]]
"""A statement that gives items, and its values."""

OF_OWNER = "SELECT item_id, json, native FROM items WHERE owner_id = :owner"
NEWEST = (
    "SELECT item_id, json, native FROM items WHERE item_id = :item AND ("
    "EXISTS (SELECT 1 FROM responses WHERE id = owner_id AND caller_id = :caller AND expires_at > :now) OR "
    "EXISTS (SELECT 1 FROM conversations WHERE id = owner_id AND caller_id = :caller AND expires_at > :now)) "
    "ORDER BY is_output DESC, rowid DESC LIMIT 1"
)


def of_owner(owner_id: str) -> Query:
    """Ask for the items of a response or of a conversation in order."""
    return f"{OF_OWNER} ORDER BY position", {"owner": owner_id}


def input_of(response_id: str) -> Query:
    """Ask for what a response was asked, in order."""
    return f"{OF_OWNER} AND is_output = 0 ORDER BY position", {"owner": response_id}


def find(connection: sqlite3.Connection, caller_id: str, item_ids: Sequence[str], now: float) -> dict[str, StoredItem]:
    """Find a caller's items; of several with one id the answer's, then the newest."""
    asked = ((NEWEST, {"item": item_id, "caller": caller_id, "now": now}) for item_id in dict.fromkeys(item_ids))
    return {item.id: item for item in gathered(connection, asked)}


def put(
    connection: sqlite3.Connection, response_id: str, given: Sequence[StoredItem], output: Sequence[StoredItem]
) -> None:
    """Keep the items of a response in the place of those that were there."""
    connection.execute("DELETE FROM items WHERE owner_id = ?", (response_id,))
    connection.executemany(
        "INSERT INTO items (owner_id, position, item_id, is_output, json, native) VALUES (?, ?, ?, ?, ?, ?)",
        [
            (response_id, position, item.id, position >= len(given), item.json, item.native)
            for position, item in enumerate([*given, *output])
        ],
    )


def append(
    connection: sqlite3.Connection, conversation_id: str, given: Sequence[StoredItem], output: Sequence[StoredItem]
) -> None:
    """Put items at the end of a conversation, but for those that are in it already."""
    (end,) = connection.execute(
        "SELECT coalesce(max(position), -1) + 1 FROM items WHERE owner_id = ?", (conversation_id,)
    ).fetchone()
    connection.executemany(
        "INSERT INTO items (owner_id, position, item_id, is_output, json, native) "
        "SELECT :owner, :position, :item, :output, :json, :native "
        "WHERE NOT EXISTS (SELECT 1 FROM items WHERE owner_id = :owner AND item_id = :item)",
        [
            {
                "owner": conversation_id,
                "position": position,
                "item": item.id,
                "output": position >= end + len(given),
                "json": item.json,
                "native": item.native,
            }
            for position, item in enumerate([*given, *output], start=end)
        ],
    )


def delete(connection: sqlite3.Connection, owner_id: str, item_id: str) -> bool:
    """Take an item away; tells whether it was there."""
    deleted = connection.execute("DELETE FROM items WHERE owner_id = ? AND item_id = ?", (owner_id, item_id))
    return deleted.rowcount > 0


def gathered(connection: sqlite3.Connection, asked: Iterable[Query]) -> list[StoredItem]:
    """Read what is asked for, with its size in mind; raises `TooLarge`."""
    found: list[StoredItem] = []
    total = 0
    # A cursor that is left open, by an error too, would hold the connection to what it sees now.
    with closing(connection.cursor()) as cursor:
        for statement, values in asked:
            for row in cursor.execute(statement, values):
                item = StoredItem(*row)
                total += _size(item)
                if total > MAX_READ_BYTES:
                    raise TooLarge(f"What is kept of this is more than {MAX_READ_BYTES >> 20} MB. Begin anew.")
                found.append(item)
    return found


def size(items: Iterable[StoredItem]) -> int:
    """Give what items count for."""
    return sum(_size(item) for item in items)


def _size(item: StoredItem) -> int:
    return ROW_BYTES + len(item.json) + len(item.native)
