"""The SQL of chains: a response and those that it goes on from."""

import sqlite3
from math import ceil

from gemgate.store.protocols import StoredResponse

MAX_CHAIN = 10_000
"""Responses of one history."""
MAX_STEP_SECONDS = 3600

CHAIN = (
    "WITH RECURSIVE chain (id, previous_id, depth) AS ("
    "SELECT id, previous_id, 1 FROM responses WHERE id = :id AND caller_id = :caller AND expires_at > :now "
    "UNION ALL "
    "SELECT before.id, before.previous_id, depth + 1 "
    "FROM chain JOIN responses AS before ON before.id = chain.previous_id "
    "WHERE caller_id = :caller AND expires_at > :now AND depth < :most"
    ") SELECT id, previous_id FROM chain ORDER BY depth"
)
PROLONG = (
    "UPDATE responses SET expires_at = :until WHERE id IN ("
    "WITH RECURSIVE older (id, previous_id, depth) AS ("
    "SELECT id, previous_id, 1 FROM responses "
    "WHERE id = :id AND caller_id = :caller AND expires_at > :now AND expires_at < :until "
    "UNION ALL "
    "SELECT before.id, before.previous_id, depth + 1 "
    "FROM older JOIN responses AS before ON before.id = older.previous_id "
    "WHERE caller_id = :caller AND expires_at > :now AND expires_at < :until AND depth < :most"
    ") SELECT id FROM older)"
)


def members(connection: sqlite3.Connection, caller_id: str, response_id: str, now: float) -> tuple[list[str], bool]:
    """List a response and those that it goes on from, newest first, and tell whether all of them are there."""
    rows = connection.execute(CHAIN, {"id": response_id, "caller": caller_id, "now": now, "most": MAX_CHAIN}).fetchall()
    return [row[0] for row in rows], bool(rows) and not rows[-1][1]


def prolong(connection: sqlite3.Connection, response: StoredResponse, now: float) -> None:
    """Let those that a response goes on from live as long as it does, and a little longer.

    Their times are rounded up to steps, and no response outlives one that it goes on from: within a step, what is
    added to a long chain has to prolong the last one alone.
    """
    lifetime = response.expires_at - response.created_at
    step = max(1, min(MAX_STEP_SECONDS, int(lifetime / 24)))
    until = ceil(response.expires_at / step) * step
    connection.execute(
        PROLONG,
        {"id": response.previous_id, "caller": response.caller_id, "now": now, "until": until, "most": MAX_CHAIN},
    )
