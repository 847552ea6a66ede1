"""Rows on their way to the disk: nobody waits for them, and they can be read meanwhile."""

import asyncio
import sqlite3
from collections.abc import Awaitable, Callable, Iterable, Mapping

from gemgate.store.signature_rows import Rows
from gemgate.store.trouble import Trouble

MAX_VALUE_BYTES = 8 << 20
MAX_WAITING_BYTES = 64 << 20


class WriteBehind:
    """Hands rows to `write` in the background, at once; what comes while it writes goes together in the next turn.

    Trouble with the disk costs the rows and a warning, nothing else. `clock` gives Unix seconds.
    """

    def __init__(self, write: Callable[[Rows], Awaitable[None]], clock: Callable[[], float]) -> None:
        self._write = write
        self._clock = clock
        self._trouble = Trouble(clock)
        self._waiting: dict[bytes, tuple[bytes, float]] = {}
        self._waiting_bytes = 0
        self._writing: dict[bytes, tuple[bytes, float]] = {}
        self._task: asyncio.Task[None] | None = None

    def add(self, rows: Mapping[bytes, bytes], expires_at: float) -> None:
        """Take rows of at most 8 MB each; `expires_at` in Unix seconds."""
        for key, value in rows.items():
            if len(value) > MAX_VALUE_BYTES:
                continue
            if self._waiting_bytes + len(value) > MAX_WAITING_BYTES:
                self._trouble.tell("signatures are not kept", OSError("the disk cannot keep up"))
                break
            self._waiting[key] = (value, expires_at)
            self._waiting_bytes += len(value)
        if self._waiting and (self._task is None or self._task.done()):
            self._task = asyncio.get_running_loop().create_task(self._work())

    def find(self, keys: Iterable[bytes]) -> dict[bytes, bytes]:
        """Find what has not reached the disk yet and has not expired."""
        if not self._waiting and not self._writing:
            return {}
        now = self._clock()
        rows = {key: self._waiting.get(key) or self._writing.get(key) for key in keys}
        return {key: row[0] for key, row in rows.items() if row is not None and row[1] > now}

    async def flush(self) -> None:
        """Wait until all is written."""
        while self._task is not None and not self._task.done():
            await asyncio.shield(self._task)

    async def _work(self) -> None:
        while self._waiting:
            self._writing, self._waiting = self._waiting, {}
            self._waiting_bytes = 0
            try:
                await self._write(self._writing)
            except (sqlite3.Error, OSError, RuntimeError) as error:  # the last: after the store was closed
                self._trouble.tell("signatures are not kept", error)
            finally:
                self._writing = {}
