"""Memory: idle, with many slow streams open, and after their clients have gone."""

import asyncio
import json
import time
import urllib.request
from collections.abc import Callable
from typing import cast

import uvloop

from bench import BenchError, kernel
from bench.servers import Server

SETTLE_SECONDS = 2
OPEN_WITHIN_SECONDS = 60
OPENED_AT_ONCE = 50


def measure(server: Server, upstream: Server, request: bytes, streams: int) -> dict[str, dict[str, float]]:
    """Memory in MB of a server that has just started, in its three states."""
    time.sleep(SETTLE_SECONDS)
    idle = kernel.memory_mb(server.pid)

    def all_open() -> dict[str, float]:
        if (there := open_streams(upstream)) != streams:
            raise BenchError(f"{streams} slow streams were opened, but {there} are open at the upstream")
        return kernel.memory_mb(server.pid)

    busy = uvloop.run(with_open_streams(server.port, request, streams, all_open))
    time.sleep(SETTLE_SECONDS)
    if there := open_streams(upstream):
        raise BenchError(f"all clients have gone, but {there} streams are still open at the upstream")
    return {"idle": idle, "streaming": busy, "after": kernel.memory_mb(server.pid)}


def open_streams(upstream: Server) -> int:
    with urllib.request.urlopen(f"http://127.0.0.1:{upstream.port}/stats", timeout=10) as reply:
        return json.load(reply)["open_streams"]


class Stream(asyncio.Protocol):
    """A client that reads one stream and throws it away."""

    def __init__(self) -> None:
        self.begun: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.seen = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        if self.begun.done():
            return
        self.seen += data
        if not self.seen.startswith(b"HTTP/1.1 200 "[: len(self.seen)]):
            self.begun.set_exception(BenchError(f"a slow stream was refused: {self.seen[:300]!r}"))
        elif b"data: " in self.seen:
            self.begun.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.begun.done():
            self.begun.set_exception(
                BenchError(f"a slow stream was closed before its first event: {self.seen[:300]!r}")
            )


async def with_open_streams(
    port: int, request: bytes, count: int, measured: Callable[[], dict[str, float]]
) -> dict[str, float]:
    """What `measured` says while `count` streams are open and have had their first event."""
    loop = asyncio.get_running_loop()
    streams: list[Stream] = []

    async def open_one() -> None:
        transport, stream = await loop.create_connection(Stream, "127.0.0.1", port)
        streams.append(stream)
        transport.write(request)
        await stream.begun

    try:
        async with asyncio.timeout(OPEN_WITHIN_SECONDS):
            while len(streams) < count:
                await asyncio.gather(*(open_one() for _ in range(min(OPENED_AT_ONCE, count - len(streams)))))
        await asyncio.sleep(SETTLE_SECONDS)
        return await asyncio.to_thread(measured)
    except TimeoutError:
        raise BenchError(f"only {len(streams)} of {count} slow streams began in {OPEN_WITHIN_SECONDS} s") from None
    finally:
        for stream in streams:
            stream.transport.abort()
