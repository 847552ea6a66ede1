"""Clearing away responses and conversations: what has expired a piece at a time, what exceeds the bound at once."""

import sqlite3

MAX_BYTES = 4 << 30
PURGE_ROWS = 100
PURGE_BYTES = 16 << 20
"""How much of what has expired one write may clear away; what exceeds the bound always goes, oldest first."""

OLDEST = (
    "SELECT 0, id, expires_at FROM responses UNION ALL "
    "SELECT 1, id, expires_at FROM conversations ORDER BY expires_at LIMIT 1"
)
CLEAR = ("DELETE FROM responses WHERE id = ?", "DELETE FROM conversations WHERE id = ?")


def purge(connection: sqlite3.Connection, now: float) -> bool:
    """Make room; tells whether there may be more to clear away."""
    before = size = _size(connection)
    cleared = 0
    while (oldest := _oldest(connection)) is not None:
        kind, row_id, expires_at = oldest
        enough = cleared >= PURGE_ROWS or before - size >= PURGE_BYTES
        if size <= MAX_BYTES and (expires_at > now or enough):
            return expires_at <= now
        connection.execute(CLEAR[kind], (row_id,))
        size = _size(connection)
        cleared += 1
    return False


def _oldest(connection: sqlite3.Connection) -> tuple[int, str, float] | None:
    return connection.execute(OLDEST).fetchone()


def _size(connection: sqlite3.Connection) -> int:
    (size,) = connection.execute("SELECT bytes FROM kept_totals").fetchone()
    return size
