"""The fake itself: a socket, a list of what came, and a script of what to answer."""

import asyncio
import contextlib
import socket
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from types import TracebackType
from typing import Self

from tests.bed.upstream.answers import Answer, error, invalid_key, no_key
from tests.bed.upstream.connection import Disconnected, Received, Wire, read_body, read_head
from tests.bed.upstream.pacing import Gate, Signal
from tests.bed.upstream.resources import Resources
from tests.bed.upstream.routing import Routes

Script = Callable[[Received], Answer | None]


class FakeUpstream:
    """A Google on a loopback port.

    In the test's own loop: `async with FakeUpstream() as up`; beside a subprocess or synchronous code:
    `with FakeUpstream.in_thread() as up`. What a test says goes first: `script`, then the queue of `answer`, then
    `answer_key`, then `always`; else the fake answers by itself.
    """

    def __init__(self, keys: set[str] | None = None, *, send_buffer_bytes: int | None = None) -> None:
        self.keys = keys
        """The keys it knows; None takes any."""
        self.requests: list[Received] = []
        self.client_gone = Signal()
        """A peer left before its reply was complete, for the first time."""
        self.script: Script | None = None
        self.always: Answer | None = None
        self.hold_bodies: Gate | None = None
        """Before the body of each request is read, this gate is passed: a slow reader."""
        self.resources = Resources(lambda: self.base_url)
        self.routes = Routes(self.resources)
        self.failures: list[BaseException] = []
        """Errors of the fake itself; a test bed that hides them would lie."""
        self.connections = 0
        self._send_buffer_bytes = send_buffer_bytes
        self._queue: deque[tuple[str, Answer]] = deque()
        self._by_key: dict[str, Answer] = {}
        self._server: asyncio.Server | None = None
        self._wires: set[Wire] = set()
        self._port = 0
        self._arrivals = threading.Condition()
        self._arrival_gate = Gate()

    @property
    def base_url(self) -> str:
        """Return its address, without a slash at the end."""
        return f"http://127.0.0.1:{self._port}"

    # ── script ──

    def answer(self, *answers: Answer, to: str = "") -> None:
        """Queue answers for the next requests whose path contains `to`."""
        self._queue.extend((to, one) for one in answers)

    def answer_key(self, key: str, answer: Answer | None) -> None:
        """Always answer this to a key; None ends it."""
        if answer is None:
            self._by_key.pop(key, None)
        else:
            self._by_key[key] = answer

    def reset(self) -> None:
        """Forget requests and script, keep resources: for one fake in many tests."""
        self.requests.clear()
        self.failures.clear()
        self._queue.clear()
        self._by_key.clear()
        self.script = self.always = self.hold_bodies = None
        self.client_gone = Signal()

    @property
    def last(self) -> Received:
        """Return the newest request."""
        return self.requests[-1]

    def calls(self, part: str) -> list[Received]:
        """Return the requests whose path contains `part`."""
        return [request for request in self.requests if part in request.path]

    def wait_for_requests(self, count: int = 1, timeout: float = 10.0) -> list[Received]:
        """Block until so many requests have come; not from the fake's own loop."""
        with self._arrivals:
            if not self._arrivals.wait_for(lambda: len(self.requests) >= count, timeout):
                raise TimeoutError(f"{len(self.requests)} of {count} requests came")
        return list(self.requests)

    async def received(self, count: int = 1, timeout: float = 10.0) -> list[Received]:
        """Wait until so many requests have come, from any loop."""
        return await asyncio.to_thread(self.wait_for_requests, count, timeout)

    def _choose(self, request: Received) -> Answer:
        if request.query.get("upload_id"):
            return self._scripted(request) or self.resources.go_on_uploading(request)
        if scripted := self._scripted(request):
            return scripted
        key = request.key
        if key is None:
            return no_key()
        if self.keys is not None and key not in self.keys:
            return invalid_key()
        if key in self._by_key:
            return self._by_key[key]
        return self.always or self.routes.answer(request, key)

    def _scripted(self, request: Received) -> Answer | None:
        if self.script is not None and (found := self.script(request)):
            return found
        for index, (part, one) in enumerate(self._queue):
            if part in request.path:
                del self._queue[index]
                return one
        return None

    # ── life ──

    async def start(self) -> Self:
        """Listen on a free loopback port, in the running loop."""
        self._server = await asyncio.get_running_loop().create_server(self._accept, "127.0.0.1", 0)
        self._port = self._server.sockets[0].getsockname()[1]
        return self

    async def stop(self) -> None:
        """Close everything."""
        if self._server is not None:
            self._server.close()
        for wire in list(self._wires):
            await wire.stop()
        if self._server is not None:
            async with asyncio.timeout(5):
                await self._server.wait_closed()
        self._server = None

    async def __aenter__(self) -> Self:
        return await self.start()

    async def __aexit__(self, kind: type[BaseException] | None, error: object, trace: TracebackType | None) -> None:
        await self.stop()
        if kind is None and self.failures:
            raise self.failures[0]

    @classmethod
    @contextlib.contextmanager
    def in_thread(cls, keys: set[str] | None = None, *, send_buffer_bytes: int | None = None) -> Iterator[Self]:
        """Run a fake in a thread with a loop of its own."""
        fake = cls(keys=keys, send_buffer_bytes=send_buffer_bytes)
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_forever, name="fake-upstream", daemon=True)
        thread.start()
        try:
            asyncio.run_coroutine_threadsafe(fake.start(), loop).result(10)
            yield fake
        finally:
            asyncio.run_coroutine_threadsafe(fake.stop(), loop).result(10)
            loop.call_soon_threadsafe(loop.stop)
            thread.join(10)
            loop.close()
        if fake.failures:
            raise fake.failures[0]

    def _accept(self) -> Wire:
        self.connections += 1
        return Wire(self._serve)

    async def _serve(self, wire: Wire) -> None:
        self._wires.add(wire)
        if self._send_buffer_bytes is not None and wire.transport is not None:
            wire.transport.set_write_buffer_limits(high=self._send_buffer_bytes)
            opened: socket.socket = wire.transport.get_extra_info("socket")
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, self._send_buffer_bytes)
        try:
            while True:
                await self._exchange(wire)
        except Disconnected:
            pass
        except Exception as failure:
            self.failures.append(failure)
            wire.abort()
        finally:
            self._wires.discard(wire)
            if wire.current is not None and wire.current.gone.is_set():
                self.client_gone.set()

    async def _exchange(self, wire: Wire) -> None:
        wire.current = None
        request = await read_head(wire)
        wire.current = request
        async with _watch(request, self.client_gone):
            if self.hold_bodies is not None:
                wire.stop_reading()
                await self.hold_bodies.passing()
                wire.go_on_reading()
            request.body = await read_body(wire, request)
            with self._arrivals:
                self.requests.append(request)
                self._arrivals.notify_all()
            try:
                answer = self._choose(request)
            except Exception as failure:
                self.failures.append(failure)
                answer = error(500, f"the fake broke: {failure!r}")
            await answer(request, wire)
            wire.finish_reply()
        if (request.header("connection") or "").lower() == "close":
            wire.close()


@contextlib.asynccontextmanager
async def _watch(request: Received, client_gone: Signal) -> AsyncIterator[None]:
    """Report at once that the peer left, even while the answer waits at a gate."""
    answering = asyncio.current_task()
    assert answering is not None
    left = False

    async def look() -> None:
        nonlocal left
        await request.gone.wait(3600)
        client_gone.set()
        left = True
        answering.cancel()

    watcher = asyncio.get_running_loop().create_task(look())
    try:
        yield
    except asyncio.CancelledError:
        if left and answering.uncancel() == 0:
            raise Disconnected from None
        raise
    finally:
        watcher.cancel()
