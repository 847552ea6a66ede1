"""The SQL of events: what a response in the background has streamed, by number."""

import sqlite3
from collections.abc import Sequence

from gemgate.store import response_rows
from gemgate.store.purge import purge


def add(
    connection: sqlite3.Connection, response_id: str, first: int, events: Sequence[bytes], alive_at: float, now: float
) -> str:
    """Append events, and say that their response is alive; gives its status, empty if it is gone."""
    connection.execute("BEGIN IMMEDIATE")
    status = response_rows.status_of(connection, response_id, now)
    if not status:
        return ""
    connection.execute("UPDATE responses SET alive_at = max(alive_at, ?) WHERE id = ?", (alive_at, response_id))
    connection.executemany(
        "INSERT INTO events (response_id, number, event) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
        [(response_id, number, event) for number, event in enumerate(events, start=first)],
    )
    purge(connection, now)
    return status


def read(
    connection: sqlite3.Connection, response_id: str, after: int, limit: int, now: float
) -> list[tuple[int, bytes]]:
    """Give at most `limit` events with numbers above `after`, in order."""
    return connection.execute(
        "SELECT number, event FROM events WHERE response_id = ? AND number > ? "
        "AND EXISTS (SELECT 1 FROM responses WHERE id = response_id AND expires_at > ?) ORDER BY number LIMIT ?",
        (response_id, after, now, limit),
    ).fetchall()
