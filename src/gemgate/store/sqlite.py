"""SQLite: the store of one machine.

All statements run in one thread of their own, so that the event loop never waits for the disk and there is one writer.
"""

import asyncio
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from gemgate.errors import SettingsError
from gemgate.store import signature_rows
from gemgate.store.protocols import Owner
from gemgate.store.write_behind import WriteBehind

BUSY_SECONDS = 5.0
PURGE_ROWS = 1_000
MIGRATIONS = Path(__file__).parent / "migrations"

P = ParamSpec("P")
T = TypeVar("T")


class SqliteStore:
    """An `OwnerStore` and a `SignatureStore` in one file. Open it before use; `clock` gives Unix seconds."""

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        self._path = path
        self._clock = clock
        self._executor = ThreadPoolExecutor(1, thread_name_prefix="sqlite")
        self._connection: sqlite3.Connection | None = None
        self._behind = WriteBehind(self._write_signatures, clock)

    async def open(self) -> None:
        """Open the file, making it if need be, and bring it to the newest shape; raises `SettingsError`."""
        try:
            await self._run(self._connect)
        except sqlite3.OperationalError as error:
            raise SettingsError(
                "GEMGATE_DATA_DIR", f"{self._path} cannot be used ({error}); name a folder that can be written"
            ) from error
        except sqlite3.DatabaseError as error:
            raise SettingsError(
                "GEMGATE_DATA_DIR", f"{self._path} is damaged ({error}); move it away, and a new one is made"
            ) from error
        except OSError as error:
            raise SettingsError(
                "GEMGATE_DATA_DIR", f"{self._path} cannot be used ({error.strerror}); name a folder that can be written"
            ) from error

    async def aclose(self) -> None:
        """Write what is still to be written, and close the file."""
        await self._behind.flush()
        await self._run(self._disconnect)
        self._executor.shutdown(wait=False)

    async def get(self, resource: str) -> Owner | None:
        """Find the owner of a resource."""
        found = await self.find([resource])
        return found[0] if found else None

    async def find(self, resources: list[str]) -> list[Owner]:
        """Find the owners of several resources at once."""
        return await self._do(_find, resources, self._clock())

    async def of_caller(self, caller_id: str, prefix: str) -> list[Owner]:
        """List what a caller owns among the resources whose names begin so, by name."""
        return await self._do(_of_caller, caller_id, prefix, self._clock())

    async def put(self, owners: list[Owner]) -> None:
        """Remember owners; under one key a resource's first owner stays."""
        await self._do(_put, owners, self._clock())

    async def delete(self, owner: Owner) -> None:
        """Forget a resource."""
        await self._do(_delete, owner)

    async def recall(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """Find remembered values by key; raises `sqlite3.Error`."""
        found = self._behind.find(keys)
        missing = [key for key in keys if key not in found]
        if missing:
            found |= await self._do(signature_rows.read, missing, self._clock())
        return found

    def remember(self, rows: Mapping[bytes, bytes], expires_at: float) -> None:
        """Keep values until `expires_at`; they are written in the background, and can be read at once."""
        self._behind.add(rows, expires_at)

    async def _write_signatures(self, rows: signature_rows.Rows) -> None:
        await self._do(signature_rows.write, rows, self._clock())

    async def _do(
        self, statement: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        def run() -> T:
            assert self._connection is not None
            with self._connection:
                return statement(self._connection, *args, **kwargs)

        return await self._run(run)

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)

    def _connect(self) -> None:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._connection = sqlite3.connect(self._path, timeout=BUSY_SECONDS, isolation_level="IMMEDIATE")
        self._path.chmod(0o600)
        self._connection.execute("PRAGMA journal_mode = WAL")
        self._connection.execute("PRAGMA synchronous = NORMAL")
        _migrate(self._connection)

    def _disconnect(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _migrate(connection: sqlite3.Connection) -> None:
    """Run the steps that this file has not seen; several processes may try at once."""
    for number, script in enumerate(sorted(MIGRATIONS.glob("*.sql")), start=1):
        with connection:
            connection.execute("BEGIN EXCLUSIVE")
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version >= number:
                continue
            for statement in script.read_text().split(";\n"):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number}")


def _owner(row: tuple[str, str, str, str, float]) -> Owner:
    resource, key_id, caller_id, location, expires_at = row
    return Owner(resource=resource, key_id=key_id, caller_id=caller_id, location=location, expires_at=expires_at)


COLUMNS = "SELECT resource, key_id, caller_id, location, expires_at FROM owners"


def _find(connection: sqlite3.Connection, resources: list[str], now: float) -> list[Owner]:
    found: list[Owner] = []
    for start in range(0, len(resources), signature_rows.FOUND_AT_ONCE):
        names = resources[start : start + signature_rows.FOUND_AT_ONCE]
        marks = ", ".join("?" for _ in names)
        rows = connection.execute(f"{COLUMNS} WHERE resource IN ({marks}) AND expires_at > ?", (*names, now))
        found += (_owner(row) for row in rows)
    return found


def _of_caller(connection: sqlite3.Connection, caller_id: str, prefix: str, now: float) -> list[Owner]:
    rows = connection.execute(
        f"{COLUMNS} WHERE caller_id = ? AND substr(resource, 1, ?) = ? AND expires_at > ? ORDER BY resource",
        (caller_id, len(prefix), prefix, now),
    )
    return [_owner(row) for row in rows]


def _put(connection: sqlite3.Connection, owners: list[Owner], now: float) -> None:
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


def _delete(connection: sqlite3.Connection, owner: Owner) -> None:
    connection.execute("DELETE FROM owners WHERE resource = ? AND key_id = ?", (owner.resource, owner.key_id))
