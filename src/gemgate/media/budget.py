"""How much memory all fetched media together may take."""

import asyncio
import weakref
from collections import deque


class Budget:
    """So many bytes for everyone; who asks for more than are left waits in line."""

    def __init__(self, size_bytes: int) -> None:
        self._size = size_bytes
        self._free = size_bytes
        self._line: deque[tuple[int, asyncio.Future[None]]] = deque()

    @property
    def used_bytes(self) -> int:
        """How much is taken."""
        return self._size - self._free

    async def take(self, size_bytes: int) -> None:
        """Take bytes, after all who came before; more than there ever are is all of them."""
        size_bytes = min(size_bytes, self._size)
        if not self._line and size_bytes <= self._free:
            self._free -= size_bytes
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._line.append((size_bytes, turn))
        try:
            await turn
        except asyncio.CancelledError:
            self.give(0 if turn.cancelled() else size_bytes)
            raise

    def give(self, size_bytes: int) -> None:
        """Give bytes back, to whoever waits."""
        self._free = min(self._free + size_bytes, self._size)
        while self._line:
            wanted, turn = self._line[0]
            if not turn.done() and wanted > self._free:
                return
            self._line.popleft()  # before anything that may allocate, and so collect, and so give back
            if not turn.done():  # else it has left the line
                self._free -= wanted
                turn.set_result(None)


class Share:
    """A part of a budget that grows; after `belongs_to` it is given back when that object is gone."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self.size = 0
        self.waits = False
        """Whether it stands in line."""

    async def grow(self, size_bytes: int) -> None:
        """Make it as large as this."""
        if size_bytes > self.size:
            self.waits = True
            await self._budget.take(size_bytes - self.size)
            self.waits = False
            self.size = size_bytes

    def shrink(self, size_bytes: int) -> None:
        """Give back what is more than this."""
        size, self.size = self.size, min(size_bytes, self.size)
        self._budget.give(size - self.size)

    def belongs_to(self, holder: object) -> None:
        """Give all of it back when an object is gone."""
        weakref.finalize(holder, self.shrink, 0).atexit = False
