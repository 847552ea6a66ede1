"""The SQL of responses: found by id for their callers, each going on from another or belonging to a conversation."""

import sqlite3
from collections.abc import Sequence

from gemgate.store import chains, conversation_rows, item_rows
from gemgate.store.protocols import OVER, StoredItem, StoredResponse
from gemgate.store.purge import purge

MAX_ABANDONED = 100

COLUMNS = (
    "SELECT id, caller_id, status, document, created_at, expires_at, previous_id, conversation_id, background, "
    "alive_at FROM responses JOIN documents ON response_id = id"
)


def put(
    connection: sqlite3.Connection,
    response: StoredResponse,
    given: Sequence[StoredItem],
    output: Sequence[StoredItem],
    only_if: Sequence[str],
    now: float,
) -> bool:
    """Keep a response with its items; tells whether it is kept."""
    connection.execute("BEGIN IMMEDIATE")
    if only_if and status_of(connection, response.id, now) not in only_if:
        return False
    if not _put(connection, response):
        return False
    item_rows.put(connection, response.id, given, output)
    if response.previous_id:
        chains.prolong(connection, response, now)
    if response.conversation_id:
        news = (given, output) if response.status in OVER else ((), ())
        conversation_rows.prolong(
            connection, response.caller_id, response.conversation_id, *news, response.expires_at, now
        )
    purge(connection, now)
    return True


def find(connection: sqlite3.Connection, caller_id: str, response_id: str, now: float) -> StoredResponse | None:
    """Find a response."""
    row = connection.execute(
        f"{COLUMNS} WHERE id = ? AND caller_id = ? AND expires_at > ?", (response_id, caller_id, now)
    ).fetchone()
    return None if row is None else _response(row)


def delete(connection: sqlite3.Connection, caller_id: str, response_id: str, now: float) -> bool:
    """Forget a response; a trigger takes along what belongs to it."""
    deleted = connection.execute(
        "DELETE FROM responses WHERE id = ? AND caller_id = ? AND expires_at > ?", (response_id, caller_id, now)
    )
    return deleted.rowcount > 0


def given(connection: sqlite3.Connection, caller_id: str, response_id: str, now: float) -> list[StoredItem] | None:
    """List what a response was asked, with what went before as far as it is there."""
    connection.execute("BEGIN")
    members, _ = chains.members(connection, caller_id, response_id, now)
    if not members:
        return None
    before = [item_rows.of_owner(member) for member in reversed(members[1:])]
    return item_rows.gathered(connection, [*before, item_rows.input_of(response_id)])


def history(connection: sqlite3.Connection, caller_id: str, response_id: str, now: float) -> list[StoredItem] | None:
    """List all that was said up to and with a response; `None` if a part of it is gone."""
    connection.execute("BEGIN")
    members, whole = chains.members(connection, caller_id, response_id, now)
    if not whole:
        return None
    return item_rows.gathered(connection, (item_rows.of_owner(member) for member in reversed(members)))


def set_status(
    connection: sqlite3.Connection, response_id: str, status: str, document: bytes, only_if: Sequence[str], now: float
) -> bool:
    """Set status and document if the status is one of these."""
    connection.execute("BEGIN IMMEDIATE")
    if status_of(connection, response_id, now) not in only_if:
        return False
    connection.execute("UPDATE responses SET status = ? WHERE id = ?", (status, response_id))
    connection.execute("UPDATE documents SET document = ? WHERE response_id = ?", (document, response_id))
    return True


def abandoned(connection: sqlite3.Connection, before: float, now: float) -> list[StoredResponse]:
    """List those in the background that nobody works on any more, the longest silent first."""
    rows = connection.execute(
        f"{COLUMNS} WHERE background = 1 AND status IN ('queued', 'in_progress') AND alive_at < ? AND expires_at > ? "
        "ORDER BY alive_at LIMIT ?",
        (before, now, MAX_ABANDONED),
    )
    return [_response(row) for row in rows]


def status_of(connection: sqlite3.Connection, response_id: str, now: float) -> str:
    """Give the status of a response, empty if it is not there."""
    row = connection.execute(
        "SELECT status FROM responses WHERE id = ? AND expires_at > ?", (response_id, now)
    ).fetchone()
    return "" if row is None else row[0]


def _put(connection: sqlite3.Connection, response: StoredResponse) -> bool:
    written = connection.execute(
        "INSERT INTO responses (id, caller_id, status, created_at, expires_at, previous_id, conversation_id, "
        "background, alive_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) "
        "ON CONFLICT (id) DO UPDATE SET status = excluded.status, created_at = excluded.created_at, "
        "expires_at = max(expires_at, excluded.expires_at), previous_id = excluded.previous_id, "
        "conversation_id = excluded.conversation_id, background = excluded.background, alive_at = excluded.alive_at "
        "WHERE caller_id = excluded.caller_id",
        (
            response.id,
            response.caller_id,
            response.status,
            response.created_at,
            response.expires_at,
            response.previous_id,
            response.conversation_id,
            response.background,
            response.alive_at,
        ),
    )
    if written.rowcount == 0:  # another caller's
        return False
    connection.execute(
        "INSERT INTO documents (response_id, document) VALUES (?, ?) "
        "ON CONFLICT (response_id) DO UPDATE SET document = excluded.document",
        (response.id, response.document),
    )
    return True


def _response(row: tuple[str, str, str, bytes, float, float, str, str, int, float]) -> StoredResponse:
    response_id, caller_id, status, document, created_at, expires_at, previous_id, conversation_id, *rest = row
    background, alive_at = rest
    return StoredResponse(
        id=response_id,
        caller_id=caller_id,
        status=status,
        document=document,
        created_at=created_at,
        expires_at=expires_at,
        previous_id=previous_id,
        conversation_id=conversation_id,
        background=bool(background),
        alive_at=alive_at,
    )
