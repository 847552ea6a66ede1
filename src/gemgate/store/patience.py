"""How long writes wait for a file that another process holds."""

import sqlite3
from collections.abc import Callable

from gemgate.store.file import BUSY_SECONDS

HURRIED_SECONDS = 0.005
HURRY_SECONDS = 1.0


class Patience:
    """Lets a write wait for five seconds, and those after one that waited in vain hardly at all.

    Writes go one after the other: each waiting in full would add up. For a second after a failure they only look
    whether the file is free; the first that finds it so ends the hurry. `seconds` is a steady clock.
    """

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        self._failed_at: float | None = None

    def apply(self, connection: sqlite3.Connection) -> None:
        """Set how long the next write waits."""
        hurried = self._failed_at is not None and self._seconds() - self._failed_at < HURRY_SECONDS
        wait(connection, HURRIED_SECONDS if hurried else BUSY_SECONDS)

    def succeeded(self) -> None:
        """Say that a write has come through."""
        self._failed_at = None

    def failed(self, error: sqlite3.Error) -> None:
        """Say that a write has failed, and why."""
        # The extended codes of SQLite have the plain one in their lowest byte; errors of Python's module have none.
        if getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_BUSY:
            self._failed_at = self._seconds()


def wait(connection: sqlite3.Connection, seconds: float) -> None:
    """Set how long a connection waits for the file."""
    connection.execute(f"PRAGMA busy_timeout = {round(seconds * 1000)}")
