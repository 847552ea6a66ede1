"""The socket side of the fake: requests are read and replies written byte by byte, so that both can go wrong."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, unquote

from tests.bed.upstream.pacing import Signal


class Received:
    """One request as it came."""

    def __init__(self, method: str, target: str, headers: list[tuple[str, str]]) -> None:
        path, _, query = target.partition("?")
        self.method = method
        self.target = target
        self.path = unquote(path)
        self.query: dict[str, str] = dict(parse_qsl(query, keep_blank_values=True))
        self.headers = headers
        self.body = b""
        self.gone = Signal()
        """The peer closed the connection before the reply was complete."""
        self.done = Signal()
        """The reply is complete, or broken off."""
        self.sent_bytes = 0
        """How much of the reply the socket has taken."""

    def header(self, name: str) -> str | None:
        """Return the first value of a header."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    @property
    def key(self) -> str | None:
        """Return the credential the request carries, from where Google looks for it."""
        bearer = self.header("authorization") or ""
        return self.header("x-goog-api-key") or self.query.get("key") or bearer.partition(" ")[2] or None

    @property
    def json(self) -> Any:
        """Return the parsed body; None if it is empty."""
        return json.loads(self.body) if self.body else None

    def __repr__(self) -> str:
        return f"<{self.method} {self.target} {len(self.body)} bytes>"


class Disconnected(Exception):
    """The peer has closed the connection."""


class Wire(asyncio.Protocol):
    """One accepted connection: incremental reads, writes under back-pressure, and notice of the peer's leaving."""

    def __init__(self, serve: Any) -> None:
        self._serve = serve
        self._buffer = bytearray()
        self._news = asyncio.Event()
        self._writable = asyncio.Event()
        self._writable.set()
        self._task: asyncio.Task[None] | None = None
        self.transport: asyncio.Transport | None = None
        self.closed = False
        self.current: Received | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start serving."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self._task = asyncio.get_running_loop().create_task(self._serve(self))

    def data_received(self, data: bytes) -> None:
        """Keep what came."""
        self._buffer += data
        self._news.set()

    def eof_received(self) -> bool:
        """Take a half-closed connection for a closed one."""
        self._gone()
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """Note that the peer is gone."""
        self._gone()

    def pause_writing(self) -> None:
        """Hold writes back while the peer does not read."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """Go on writing."""
        self._writable.set()

    def _gone(self) -> None:
        self.closed = True
        self._news.set()
        self._writable.set()
        if self.current is not None and not self.current.done.is_set():
            self.current.gone.set()

    async def _more(self) -> None:
        if self.closed:
            raise Disconnected
        self._news.clear()
        await self._news.wait()

    async def read_until(self, mark: bytes) -> bytes:
        """Read up to and including `mark`."""
        while (end := self._buffer.find(mark)) < 0:
            await self._more()
        data = bytes(self._buffer[: end + len(mark)])
        del self._buffer[: end + len(mark)]
        return data

    async def read_exactly(self, size: int) -> bytes:
        """Read `size` bytes."""
        while len(self._buffer) < size:
            await self._more()
        data = bytes(self._buffer[:size])
        del self._buffer[:size]
        return data

    async def write(self, data: bytes) -> None:
        """Write, and wait until the socket took it."""
        await self._writable.wait()
        if self.closed or self.transport is None or self.transport.is_closing():
            raise Disconnected
        self.transport.write(data)
        await self._writable.wait()
        if self.current is not None:
            self.current.sent_bytes += len(data)

    def stop_reading(self) -> None:
        """Read nothing more from the peer until `go_on_reading`."""
        if self.transport is not None:
            self.transport.pause_reading()

    def go_on_reading(self) -> None:
        """Read again."""
        if self.transport is not None and not self.closed:
            self.transport.resume_reading()

    def finish_reply(self) -> None:
        """Say that the reply is complete, or that breaking off is meant: closing is no fault of the peer from now."""
        if self.current is not None:
            self.current.done.set()

    def close(self) -> None:
        """Close in good order: what was written is still sent."""
        self.finish_reply()
        if self.transport is not None:
            self.transport.close()

    def abort(self) -> None:
        """Break the connection off: the peer sees a reset."""
        self.finish_reply()
        if self.transport is not None:
            self.transport.abort()

    async def stop(self) -> None:
        """End this connection and its task."""
        if self.transport is not None:
            self.transport.abort()
        if self._task is not None and self._task is not asyncio.current_task():
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)


async def read_head(wire: Wire) -> Received:
    """Read the head of a request."""
    head = (await wire.read_until(b"\r\n\r\n")).decode("latin-1").lstrip("\r\n")
    first, *rest = head.split("\r\n")
    method, target, _ = first.split(" ", 2)
    pairs = [line.partition(":") for line in rest if line]
    return Received(method, target, [(name.strip(), value.strip()) for name, _, value in pairs])


async def read_body(wire: Wire, request: Received) -> bytes:
    """Read the body of a request, of known length or in chunks."""
    if (request.header("expect") or "").lower() == "100-continue":
        await wire.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    if "chunked" not in (request.header("transfer-encoding") or "").lower():
        return await wire.read_exactly(int(request.header("content-length") or 0))
    body = bytearray()
    while True:
        size = int((await wire.read_until(b"\r\n")).split(b";")[0], 16)
        if size == 0:
            while await wire.read_until(b"\r\n") != b"\r\n":
                pass
            return bytes(body)
        body += await wire.read_exactly(size)
        await wire.read_exactly(2)


_REASONS = {200: "OK", 204: "No Content", 302: "Found", 308: "Resume Incomplete", 400: "Bad Request", 404: "Not Found"}


def render_head(status: int, headers: Mapping[str, str]) -> bytes:
    """Render the head of a reply."""
    lines = [f"HTTP/1.1 {status} {_REASONS.get(status, 'Status')}", *(f"{key}: {val}" for key, val in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def chunk(data: bytes) -> bytes:
    """Frame a chunk of a chunked reply."""
    return b"%x\r\n%s\r\n" % (len(data), data)
