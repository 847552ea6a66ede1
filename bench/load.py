"""The load generator: some connections, each sending its next request when the reply to the last has come whole."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast

import httptools

from bench import BenchError

TIMEOUT_SECONDS = 120


@dataclass(frozen=True)
class Result:
    """One counted run."""

    requests: int
    seconds: float
    cpu_us: float
    """CPU time of the measured process, per request"""
    p50_ms: float
    p99_ms: float


class Load:
    """One request, sent many times over a fixed set of connections; `check` raises if a reply's body is not whole."""

    def __init__(self, port: int, request: bytes, check: Callable[[bytes], None]) -> None:
        self.port, self.request, self.check = port, request, check
        self.connections: list[Connection] = []
        self.unsent = self.unanswered = 0

    async def open(self, connections: int) -> None:
        loop = asyncio.get_running_loop()
        for _ in range(connections):
            _, connection = await loop.create_connection(lambda: Connection(self), "127.0.0.1", self.port)
            self.connections.append(connection)

    async def send(self, count: int) -> list[int]:
        """Send `count` requests; the latencies in nanoseconds."""
        self.unsent = self.unanswered = count
        self.latencies: list[int] = []
        self.finished = asyncio.get_running_loop().create_future()
        for connection in self.connections[:count]:
            connection.send()
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                await self.finished
        except TimeoutError:
            raise BenchError(f"{self.unanswered} of {count} replies had not come in {TIMEOUT_SECONDS} s") from None
        return self.latencies

    def answered(self, connection: "Connection", latency: int, status: int, body: bytes) -> None:
        if status != 200:
            raise BenchError(f"status {status}: {body[:500]!r}")
        self.check(body)
        self.latencies.append(latency)
        self.unanswered -= 1
        if self.unsent:
            connection.send()
        elif not self.unanswered:
            self.finished.set_result(None)

    def failed(self, error: Exception) -> None:
        if not self.finished.done():
            self.finished.set_exception(error)

    def close(self) -> None:
        for connection in self.connections:
            connection.transport.abort()


class Connection(asyncio.Protocol):
    """One keep-alive connection with one request on its way."""

    def __init__(self, load: Load) -> None:
        self.load = load
        self.parser = httptools.HttpResponseParser(self)
        self.waiting = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def send(self) -> None:
        if self.transport.is_closing():
            self.load.failed(BenchError("a connection was closed between two requests, though it was to be kept alive"))
            return
        self.load.unsent -= 1
        self.pieces: list[bytes] = []
        self.waiting, self.complete = True, False
        self.started = time.perf_counter_ns()
        self.transport.write(self.load.request)

    def data_received(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
            if self.complete:
                self.waiting = False
                latency = time.perf_counter_ns() - self.started
                self.load.answered(self, latency, self.parser.get_status_code(), b"".join(self.pieces))
        except Exception as error:
            self.load.failed(error)

    def on_body(self, piece: bytes) -> None:
        self.pieces.append(piece)

    def on_message_complete(self) -> None:
        self.complete = True

    def connection_lost(self, exc: Exception | None) -> None:
        if self.waiting:
            self.load.failed(BenchError(f"a connection was closed in the middle of a reply ({exc or 'end of file'})"))


async def measure(load: Load, connections: int, count: int, cpu_ns: Callable[[], int]) -> Result:
    """Warm up, then one counted run with the CPU clock read at both ends of it."""
    try:
        await load.open(connections)
        await load.send(2 * connections)
        cpu, started = cpu_ns(), time.perf_counter()
        latencies = sorted(await load.send(count))
        seconds, cpu = time.perf_counter() - started, cpu_ns() - cpu
    finally:
        load.close()
    p50, p99 = latencies[count // 2] / 1e6, latencies[count * 99 // 100] / 1e6
    return Result(count, seconds, cpu / count / 1000, p50, p99)
