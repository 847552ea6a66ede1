"""Things to wait on, instead of sleeping; they work across threads and event loops."""

import asyncio
import threading
import time
from collections import deque

Waiter = tuple[asyncio.AbstractEventLoop, "asyncio.Future[None]"]


def _wake(waiter: Waiter) -> None:
    loop, future = waiter

    def finish() -> None:
        if not future.done():
            future.set_result(None)

    if not loop.is_closed():
        loop.call_soon_threadsafe(finish)


class Signal:
    """Something that happens once; `at` is the monotonic time at which it did, None before."""

    def __init__(self) -> None:
        self.at: float | None = None
        self._lock = threading.Lock()
        self._event = threading.Event()
        self._waiters: list[Waiter] = []

    def is_set(self) -> bool:
        """Tell whether it has happened."""
        return self.at is not None

    def set(self) -> None:
        """Let it happen; the first time counts."""
        with self._lock:
            if self.at is not None:
                return
            self.at = time.monotonic()
            waiters, self._waiters = self._waiters, []
        self._event.set()
        for waiter in waiters:
            _wake(waiter)

    async def wait(self, timeout: float = 10.0) -> float:
        """Wait for it, from any event loop; return when it happened; raises TimeoutError."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        with self._lock:
            if self.at is not None:
                return self.at
            self._waiters.append((loop, future))
        async with asyncio.timeout(timeout):
            await future
        assert self.at is not None
        return self.at

    def wait_blocking(self, timeout: float = 10.0) -> float:
        """Wait for it, from a thread without event loop; return when it happened; raises TimeoutError."""
        if not self._event.wait(timeout) or self.at is None:
            raise TimeoutError
        return self.at


class Gate:
    """What a paced answer waits at before each step; a test lets it through, one step or all."""

    def __init__(self, permits: int = 0) -> None:
        self._lock = threading.Lock()
        self._permits: float = permits
        self._waiters: deque[Waiter] = deque()
        self.arrived = Signal()
        """The answer has come to a closed gate for the first time."""

    def release(self, steps: int = 1) -> None:
        """Let that many steps through."""
        with self._lock:
            self._permits += steps
            woken = [self._waiters.popleft() for _ in range(min(steps, len(self._waiters)))]
        for waiter in woken:
            _wake(waiter)

    def open(self) -> None:
        """Let everything through from now on."""
        with self._lock:
            self._permits = float("inf")
            woken, self._waiters = list(self._waiters), deque()
        for waiter in woken:
            _wake(waiter)

    async def passing(self) -> None:
        """Take one step; waits while the gate is closed."""
        while True:
            loop = asyncio.get_running_loop()
            future: asyncio.Future[None] = loop.create_future()
            with self._lock:
                if self._permits >= 1:
                    self._permits -= 1
                    return
                self._waiters.append((loop, future))
            self.arrived.set()
            await future
