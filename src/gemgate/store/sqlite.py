"""SQLite: the store of one machine.

Writes run in one thread of their own and reads in another, so that the event loop never waits for the disk, there is
one writer, and who reads does not wait for it: a read sees what had been committed when it began.
"""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Concatenate, ParamSpec, TypeVar

from gemgate.errors import SettingsError
from gemgate.store import conversation_rows, event_rows, item_rows, owner_rows, response_rows, signature_rows
from gemgate.store.file import for_reading, for_writing, truncate_log
from gemgate.store.lane import Lane
from gemgate.store.patience import Patience, wait
from gemgate.store.protocols import Owner, StoredConversation, StoredItem, StoredResponse
from gemgate.store.purge import purge
from gemgate.store.write_behind import WriteBehind

TRUNCATE_SECONDS = 0.1

P = ParamSpec("P")
T = TypeVar("T")


class SqliteStore:
    """An `OwnerStore`, `SignatureStore`, `ResponseStore` and `ConversationStore` in one file.

    Open it before use; `clock` gives Unix seconds. Methods raise `sqlite3.Error` where they may raise at all.
    """

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        self._path = path
        self._clock = clock
        self._patience = Patience(monotonic)
        self._writings = Lane("sqlite-writing", partial(for_writing, path))
        self._readings = Lane("sqlite-reading", partial(for_reading, path))
        self._behind = WriteBehind(self._write_signatures, clock)

    async def open(self) -> None:
        """Open the file, making it if need be, and bring it to the newest shape; raises `SettingsError`."""
        try:
            await self._writings.open()
            await self._readings.open()
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
        await self._readings.aclose()
        await self._writings.aclose()  # the last to close leaves one file behind

    async def get(self, resource: str) -> Owner | None:
        """Find the owner of a resource."""
        found = await self.find([resource])
        return found[0] if found else None

    async def find(self, resources: list[str]) -> list[Owner]:
        """Find the owners of several resources at once."""
        return await self._read(owner_rows.find, resources, self._clock())

    async def of_caller(self, caller_id: str, prefix: str) -> list[Owner]:
        """List what a caller owns among the resources whose names begin so, by name."""
        return await self._read(owner_rows.of_caller, caller_id, prefix, self._clock())

    async def put(self, owners: list[Owner]) -> None:
        """Remember owners; under one key a resource's first owner stays."""
        await self._write(owner_rows.put, owners, self._clock())

    async def delete(self, owner: Owner) -> None:
        """Forget a resource."""
        await self._write(owner_rows.delete, owner)

    async def recall(self, keys: Sequence[bytes]) -> dict[bytes, bytes]:
        """Find remembered values by key; raises `sqlite3.Error`."""
        found = self._behind.find(keys)
        missing = [key for key in keys if key not in found]
        if missing:
            found |= await self._read(signature_rows.read, missing, self._clock())
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
        return await self._write(response_rows.put, response, given, output, only_if, self._clock())

    async def response(self, caller_id: str, response_id: str) -> StoredResponse | None:
        """Find a response."""
        return await self._read(response_rows.find, caller_id, response_id, self._clock())

    async def delete_response(self, caller_id: str, response_id: str) -> bool:
        """Forget a response with its items and events."""
        return await self._write(response_rows.delete, caller_id, response_id, self._clock())

    async def given(self, caller_id: str, response_id: str) -> list[StoredItem] | None:
        """List what a response was asked, with all that went before it; raises `TooLarge`."""
        return await self._read(response_rows.given, caller_id, response_id, self._clock())

    async def history(self, caller_id: str, response_id: str) -> list[StoredItem] | None:
        """List all that was said up to and with a response; raises `TooLarge`."""
        return await self._read(response_rows.history, caller_id, response_id, self._clock())

    async def items(self, caller_id: str, item_ids: Sequence[str]) -> dict[str, StoredItem]:
        """Find items of responses and conversations by their ids; raises `TooLarge`."""
        return await self._read(item_rows.find, caller_id, item_ids, self._clock())

    async def set_status(self, response_id: str, status: str, document: bytes, *, only_if: Sequence[str]) -> bool:
        """Set status and document if the status is one of these; tells whether it was."""
        return await self._write(response_rows.set_status, response_id, status, document, only_if, self._clock())

    async def add_events(self, response_id: str, first: int, events: Sequence[bytes], alive_at: float) -> str:
        """Append events, and say that their response is alive; gives its status, empty if it is gone."""
        return await self._write(event_rows.add, response_id, first, events, alive_at, self._clock())

    async def events(self, response_id: str, after: int, limit: int) -> list[tuple[int, bytes]]:
        """Give at most `limit` events with numbers above `after`, in order."""
        return await self._read(event_rows.read, response_id, after, limit, self._clock())

    async def abandoned(self, before: float) -> list[StoredResponse]:
        """List those in the background that nobody has said to be alive since `before`."""
        return await self._read(response_rows.abandoned, before, self._clock())

    async def purge(self) -> bool:
        """Clear away some of what has expired, and every trace of what was deleted; tells whether there may be more."""
        more = await self._write(purge, self._clock())
        await self._writings.do(_truncate)
        return more

    async def put_conversation(self, conversation: StoredConversation, items: Sequence[StoredItem] = ()) -> None:
        """Keep a new conversation; raises `TooLarge`."""
        await self._write(conversation_rows.put, conversation, items, self._clock())

    async def conversation(self, caller_id: str, conversation_id: str) -> StoredConversation | None:
        """Find a conversation."""
        return await self._read(conversation_rows.find, caller_id, conversation_id, self._clock())

    async def set_metadata(self, caller_id: str, conversation_id: str, metadata: bytes) -> bool:
        """Replace what a conversation is marked with; tells whether there is one."""
        return await self._write(conversation_rows.set_metadata, caller_id, conversation_id, metadata, self._clock())

    async def delete_conversation(self, caller_id: str, conversation_id: str) -> bool:
        """Forget a conversation and its items; tells whether there was one."""
        return await self._write(conversation_rows.delete, caller_id, conversation_id, self._clock())

    async def add_items(
        self, caller_id: str, conversation_id: str, items: Sequence[StoredItem], expires_at: float
    ) -> bool:
        """Append items; tells whether there is such a conversation; raises `TooLarge`."""
        return await self._write(conversation_rows.add, caller_id, conversation_id, items, expires_at, self._clock())

    async def conversation_items(self, caller_id: str, conversation_id: str) -> list[StoredItem] | None:
        """List the items of a conversation in order; `None` if there is none."""
        return await self._read(conversation_rows.items, caller_id, conversation_id, self._clock())

    async def delete_item(self, caller_id: str, conversation_id: str, item_id: str) -> bool:
        """Take an item out of a conversation; tells whether it was there."""
        return await self._write(conversation_rows.delete_item, caller_id, conversation_id, item_id, self._clock())

    async def _write_signatures(self, rows: signature_rows.Rows) -> None:
        await self._write(signature_rows.write, rows, self._clock())

    async def _read(
        self, statement: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        def run(connection: sqlite3.Connection) -> T:
            with connection:  # else it would see no news after a statement that began a transaction
                return statement(connection, *args, **kwargs)

        return await self._readings.do(run)

    async def _write(
        self, statement: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        def run(connection: sqlite3.Connection) -> T:
            self._patience.apply(connection)
            try:
                with connection:
                    done = statement(connection, *args, **kwargs)
            except sqlite3.Error as error:
                self._patience.failed(error)
                raise
            self._patience.succeeded()
            return done

        return await self._writings.do(run)


def _truncate(connection: sqlite3.Connection) -> None:
    wait(connection, TRUNCATE_SECONDS)
    truncate_log(connection)
