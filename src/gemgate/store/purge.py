"""Clearing away responses and conversations: what has expired a piece at a time, what exceeds the bound at once."""

import sqlite3

MAX_BYTES = 4 << 30
PURGE_ROWS = 100
PURGE_BYTES = 16 << 20
"""How much of what has expired one write may clear away; what exceeds the bound always goes.

Of that the oldest of the caller who keeps most goes first."""

OLDEST = (
    "SELECT 0, id, expires_at FROM responses UNION ALL "
    "SELECT 1, id, expires_at FROM conversations ORDER BY expires_at LIMIT 1"
)
OLDEST_OF_HEAVIEST = (
    "WITH heaviest AS (SELECT caller_id FROM kept_totals ORDER BY bytes DESC LIMIT 1) "
    "SELECT 0, id, expires_at FROM responses WHERE caller_id = (SELECT caller_id FROM heaviest) UNION ALL "
    "SELECT 1, id, expires_at FROM conversations WHERE caller_id = (SELECT caller_id FROM heaviest) "
    "ORDER BY expires_at LIMIT 1"
)
CLEAR = ("DELETE FROM responses WHERE id = ?", "DELETE FROM conversations WHERE id = ?")

Kept = tuple[int, str, float]
"""What kind of thing it is (its place in `CLEAR`), its id, and when it expires."""


def purge(connection: sqlite3.Connection, now: float) -> bool:
    """Make room; tells whether there may be more to clear away."""
    before = size = _size(connection)
    cleared = 0
    while (oldest := _first(connection, OLDEST)) is not None:
        enough = cleared >= PURGE_ROWS or before - size >= PURGE_BYTES
        expired = oldest[-1] <= now
        if size <= MAX_BYTES and (enough or not expired):
            return expired
        # So that nobody loses what is theirs to one who keeps more.
        kind, row_id, _ = oldest if expired else _first(connection, OLDEST_OF_HEAVIEST) or oldest
        connection.execute(CLEAR[kind], (row_id,))
        size = _size(connection)
        cleared += 1
    return False


def _first(connection: sqlite3.Connection, statement: str) -> Kept | None:
    return connection.execute(statement).fetchone()


def _size(connection: sqlite3.Connection) -> int:
    (size,) = connection.execute("SELECT coalesce(sum(bytes), 0) FROM kept_totals").fetchone()
    return size
