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
from gemgate.store import conversation_rows, event_rows, item_rows, owner_rows, response_rows, signature_rows
from gemgate.store.protocols import Owner, StoredConversation, StoredItem, StoredResponse
from gemgate.store.purge import purge
from gemgate.store.write_behind import WriteBehind

BUSY_SECONDS = 5.0
MIGRATIONS = Path(__file__).parent / "migrations"

P = ParamSpec("P")
T = TypeVar("T")


class SqliteStore:
    """An `OwnerStore`, `SignatureStore`, `ResponseStore` and `ConversationStore` in one file.

    Open it before use; `clock` gives Unix seconds. Methods raise `sqlite3.Error` where they may raise at all.
    """

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
        return await self._do(owner_rows.find, resources, self._clock())

    async def of_caller(self, caller_id: str, prefix: str) -> list[Owner]:
        """List what a caller owns among the resources whose names begin so, by name."""
        return await self._do(owner_rows.of_caller, caller_id, prefix, self._clock())

    async def put(self, owners: list[Owner]) -> None:
        """Remember owners; under one key a resource's first owner stays."""
        await self._do(owner_rows.put, owners, self._clock())

    async def delete(self, owner: Owner) -> None:
        """Forget a resource."""
        await self._do(owner_rows.delete, owner)

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

    async def put_response(
        self,
        response: StoredResponse,
        given: Sequence[StoredItem],
        output: Sequence[StoredItem],
        *,
        only_if: Sequence[str] = (),
    ) -> bool:
        """Keep a response, in the place of what was there of it; tells whether it is kept; raises `TooLarge`."""
        return await self._do(response_rows.put, response, given, output, only_if, self._clock())

    async def response(self, caller_id: str, response_id: str) -> StoredResponse | None:
        """Find a response."""
        return await self._do(response_rows.find, caller_id, response_id, self._clock())

    async def delete_response(self, caller_id: str, response_id: str) -> bool:
        """Forget a response with its items and events."""
        return await self._do(response_rows.delete, caller_id, response_id, self._clock())

    async def given(self, caller_id: str, response_id: str) -> list[StoredItem] | None:
        """List what a response was asked, with all that went before it; raises `TooLarge`."""
        return await self._do(response_rows.given, caller_id, response_id, self._clock())

    async def history(self, caller_id: str, response_id: str) -> list[StoredItem] | None:
        """List all that was said up to and with a response; raises `TooLarge`."""
        return await self._do(response_rows.history, caller_id, response_id, self._clock())

    async def items(self, caller_id: str, item_ids: Sequence[str]) -> dict[str, StoredItem]:
        """Find items of responses and conversations by their ids; raises `TooLarge`."""
        return await self._do(item_rows.find, caller_id, item_ids, self._clock())

    async def set_status(self, response_id: str, status: str, document: bytes, *, only_if: Sequence[str]) -> bool:
        """Set status and document if the status is one of these; tells whether it was."""
        return await self._do(response_rows.set_status, response_id, status, document, only_if, self._clock())

    async def add_events(self, response_id: str, first: int, events: Sequence[bytes], alive_at: float) -> str:
        """Append events, and say that their response is alive; gives its status, empty if it is gone."""
        return await self._do(event_rows.add, response_id, first, events, alive_at, self._clock())

    async def events(self, response_id: str, after: int, limit: int) -> list[tuple[int, bytes]]:
        """Give at most `limit` events with numbers above `after`, in order."""
        return await self._do(event_rows.read, response_id, after, limit, self._clock())

    async def abandoned(self, before: float) -> list[StoredResponse]:
        """List those in the background that nobody has said to be alive since `before`."""
        return await self._do(response_rows.abandoned, before, self._clock())

    async def purge(self) -> bool:
        """Clear away some of what has expired; tells whether there may be more."""
        return await self._do(purge, self._clock())

    async def put_conversation(self, conversation: StoredConversation, items: Sequence[StoredItem] = ()) -> None:
        """Keep a new conversation; raises `TooLarge`."""
        await self._do(conversation_rows.put, conversation, items, self._clock())

    async def conversation(self, caller_id: str, conversation_id: str) -> StoredConversation | None:
        """Find a conversation."""
        return await self._do(conversation_rows.find, caller_id, conversation_id, self._clock())

    async def set_metadata(self, caller_id: str, conversation_id: str, metadata: bytes) -> bool:
        """Replace what a conversation is marked with; tells whether there is one."""
        return await self._do(conversation_rows.set_metadata, caller_id, conversation_id, metadata, self._clock())

    async def delete_conversation(self, caller_id: str, conversation_id: str) -> bool:
        """Forget a conversation and its items; tells whether there was one."""
        return await self._do(conversation_rows.delete, caller_id, conversation_id, self._clock())

    async def add_items(
        self, caller_id: str, conversation_id: str, items: Sequence[StoredItem], expires_at: float
    ) -> bool:
        """Append items; tells whether there is such a conversation; raises `TooLarge`."""
        return await self._do(conversation_rows.add, caller_id, conversation_id, items, expires_at, self._clock())

    async def conversation_items(self, caller_id: str, conversation_id: str) -> list[StoredItem] | None:
        """List the items of a conversation in order; `None` if there is none."""
        return await self._do(conversation_rows.items, caller_id, conversation_id, self._clock())

    async def delete_item(self, caller_id: str, conversation_id: str, item_id: str) -> bool:
        """Take an item out of a conversation; tells whether it was there."""
        return await self._do(conversation_rows.delete_item, caller_id, conversation_id, item_id, self._clock())

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
