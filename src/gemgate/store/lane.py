"""A connection in a thread of its own, so that the event loop never waits for the disk."""

import asyncio
import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Concatenate, ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Lane:
    """Does one thing after the other with a connection that `connect` makes in the lane's thread."""

    def __init__(self, name: str, connect: Callable[[], sqlite3.Connection]) -> None:
        self._executor = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._connect = connect
        self._connection: sqlite3.Connection | None = None

    async def open(self) -> None:
        """Connect; raises whatever that does."""
        await self._run(self._open)

    async def aclose(self) -> None:
        """Finish what was begun, and close the connection."""
        await self._run(self._close)
        self._executor.shutdown(wait=False)

    async def do(
        self, statement: Callable[Concatenate[sqlite3.Connection, P], T], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Run a statement; who gives up waiting does not stop it."""

        def run() -> T:
            assert self._connection is not None
            return statement(self._connection, *args, **kwargs)

        return await self._run(run)

    async def _run(self, work: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._executor, work)

    def _open(self) -> None:
        self._connection = self._connect()

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None
