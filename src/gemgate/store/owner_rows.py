"""The SQL of owners: whose a resource is, under each key."""

import sqlite3

from gemgate.store.protocols import Owner

FOUND_AT_ONCE = 500
"""SQLite bounds the parameters of one statement."""
PURGE_ROWS = 1_000

COLUMNS = "SELECT resource, key_id, caller_id, location, expires_at FROM owners"


def find(connection: sqlite3.Connection, resources: list[str], now: float) -> list[Owner]:
    """Find those that have not expired."""
    found: list[Owner] = []
    for start in range(0, len(resources), FOUND_AT_ONCE):
        names = resources[start : start + FOUND_AT_ONCE]
        marks = ", ".join("?" for _ in names)
        rows = connection.execute(f"{COLUMNS} WHERE resource IN ({marks}) AND expires_at > ?", (*names, now))
        found += (_owner(row) for row in rows)
    return found


def of_caller(connection: sqlite3.Connection, caller_id: str, prefix: str, now: float) -> list[Owner]:
    """List a caller's, by name."""
    rows = connection.execute(
        f"{COLUMNS} WHERE caller_id = ? AND substr(resource, 1, ?) = ? AND expires_at > ? ORDER BY resource",
        (caller_id, len(prefix), prefix, now),
    )
    return [_owner(row) for row in rows]


def put(connection: sqlite3.Connection, owners: list[Owner], now: float) -> None:
    """Keep rows, unless a name has another owner under its key."""
    connection.execute(
        "DELETE FROM owners WHERE (resource, key_id) IN "
        "(SELECT resource, key_id FROM owners WHERE expires_at <= ? LIMIT ?)",
        (now, PURGE_ROWS),
    )
    # The purge may not have come to these yet.
    connection.executemany(
        "DELETE FROM owners WHERE resource = ? AND expires_at <= ?", [(owner.resource, now) for owner in owners]
    )
    connection.executemany(
        "INSERT INTO owners (resource, key_id, caller_id, location, expires_at) VALUES (?, ?, ?, ?, ?) "
        "ON CONFLICT (resource, key_id) DO UPDATE SET expires_at = excluded.expires_at, location = excluded.location "
        "WHERE caller_id = excluded.caller_id",
        [(owner.resource, owner.key_id, owner.caller_id, owner.location, owner.expires_at) for owner in owners],
    )


def delete(connection: sqlite3.Connection, owner: Owner) -> None:
    """Forget one."""
    connection.execute("DELETE FROM owners WHERE resource = ? AND key_id = ?", (owner.resource, owner.key_id))


def _owner(row: tuple[str, str, str, str, float]) -> Owner:
    resource, key_id, caller_id, location, expires_at = row
    return Owner(resource=resource, key_id=key_id, caller_id=caller_id, location=location, expires_at=expires_at)
