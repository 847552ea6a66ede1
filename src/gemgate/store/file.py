"""The file of the store: connections to it for writing and for reading, and its shape."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

BUSY_SECONDS = 5.0
MIGRATIONS = Path(__file__).parent / "migrations"


def for_writing(path: Path) -> sqlite3.Connection:
    """Open the file, making it if need be, and bring it to the newest shape."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    connection = _connected(path, "IMMEDIATE")
    try:
        path.chmod(0o600)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA secure_delete = ON")
        _migrate(connection)
    except BaseException:
        connection.close()
        raise
    return connection


def for_reading(path: Path) -> sqlite3.Connection:
    """Open a file that is there, to see what has been committed when a read begins."""
    connection = _connected(path, None)
    connection.execute("PRAGMA query_only = ON")
    return connection


def truncate_log(connection: sqlite3.Connection) -> None:
    """Empty the write-ahead log into the file, so that what was deleted is in neither; not while others are at it."""
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchall()


def _connected(path: Path, isolation_level: Literal["IMMEDIATE"] | None) -> sqlite3.Connection:
    return sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=isolation_level)


def _migrate(connection: sqlite3.Connection) -> None:
    """Run the steps that this file has not seen; several processes may try at once."""
    for number, script in enumerate(sorted(MIGRATIONS.glob("*.sql")), start=1):
        with connection:
            connection.execute("BEGIN EXCLUSIVE")
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version >= number:
                continue
            for statement in _statements(script.read_text()):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number}")


def _statements(script: str) -> Iterator[str]:
    # `executescript` would commit before it begins.
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
