"""The SQL of remembered signatures: found by key, bounded in number and size, the oldest gone first."""

import sqlite3
from collections.abc import Mapping, Sequence

FOUND_AT_ONCE = 500
"""SQLite bounds the parameters of one statement."""
MAX_ROWS = 200_000
MAX_BYTES = 1 << 30
PURGE_ROWS = 1_000
PURGE_BYTES = 16 << 20
"""How much of what has expired one write may clear away; what exceeds the bounds always goes."""

Rows = Mapping[bytes, tuple[bytes, float]]
"""Key → value, and when it expires in Unix seconds."""

COLUMNS = "SELECT key, value FROM signatures"


def read(connection: sqlite3.Connection, keys: Sequence[bytes], now: float) -> dict[bytes, bytes]:
    """Find the values that have not expired."""
    found: dict[bytes, bytes] = {}
    for start in range(0, len(keys), FOUND_AT_ONCE):
        some = keys[start : start + FOUND_AT_ONCE]
        marks = ", ".join("?" for _ in some)
        found.update(connection.execute(f"{COLUMNS} WHERE key IN ({marks}) AND expires_at > ?", (*some, now)))
    return found


def write(connection: sqlite3.Connection, rows: Rows, now: float) -> None:
    """Keep rows, newer values in the place of older ones, and make room for them."""
    connection.executemany(
        "INSERT INTO signatures (key, value, expires_at) VALUES (?, ?, ?) "
        "ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at",
        [(key, value, expires_at) for key, (value, expires_at) in rows.items()],
    )
    _purge(connection, now, max(PURGE_ROWS, len(rows)))


def _purge(connection: sqlite3.Connection, now: float, most: int) -> None:
    count, size = connection.execute("SELECT count, bytes FROM signature_totals").fetchone()
    oldest = connection.execute(
        "SELECT rowid, length(value), expires_at FROM signatures ORDER BY expires_at LIMIT ?", (most,)
    )
    doomed: list[tuple[int]] = []
    cleared = 0
    for rowid, length, expires_at in oldest:
        if count <= MAX_ROWS and size <= MAX_BYTES and (expires_at > now or cleared >= PURGE_BYTES):
            break
        doomed.append((rowid,))
        count, size, cleared = count - 1, size - length, cleared + length
    oldest.close()
    connection.executemany("DELETE FROM signatures WHERE rowid = ?", doomed)
