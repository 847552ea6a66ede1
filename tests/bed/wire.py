"""A small raw HTTP client: sends what a test says, reads step by step, and can leave at any moment."""

import asyncio
import gzip
import json
import socket
import struct
from collections.abc import AsyncIterator, Mapping
from typing import Any, Self
from urllib.parse import urlsplit


class Reply:
    """A reply whose head has been read and whose body has not."""

    def __init__(self, status: int, headers: list[tuple[str, str]], wire: "Connection", head_only: bool) -> None:
        self.status = status
        self.headers = headers
        self._wire = wire
        self._head_only = head_only

    def header(self, name: str) -> str | None:
        """Return the first value of a header."""
        return next((value for key, value in self.headers if key.lower() == name.lower()), None)

    async def pieces(self) -> AsyncIterator[bytes]:
        """Read the body as it comes: chunk by chunk where it is chunked."""
        if self._head_only or self.status in (204, 304):
            return
        if "chunked" in (self.header("transfer-encoding") or "").lower():
            while size := int((await self._wire.read_until(b"\r\n")).split(b";")[0], 16):
                yield await self._wire.read_exactly(size)
                await self._wire.read_exactly(2)
            while await self._wire.read_until(b"\r\n") != b"\r\n":
                pass
            return
        length = self.header("content-length")
        left = int(length) if length is not None else None
        while left is None or left > 0:
            piece = await self._wire.read_some(65536 if left is None else min(left, 65536))
            if not piece:
                if left is None:
                    return
                raise asyncio.IncompleteReadError(b"", left)
            left = None if left is None else left - len(piece)
            yield piece

    async def body(self) -> bytes:
        """Read all of the body."""
        data = b"".join([piece async for piece in self.pieces()])
        return gzip.decompress(data) if self.header("content-encoding") == "gzip" else data

    async def json(self) -> Any:
        """Read the body as JSON."""
        return json.loads(await self.body())

    async def events(self) -> AsyncIterator[tuple[str, str]]:
        """Read server-sent events: name and data of each; a comment comes as `(":", text)`."""
        buffer = b""
        async for piece in self.pieces():
            buffer += piece
            buffer = buffer.replace(b"\r\n", b"\n")
            while b"\n\n" in buffer:
                block, _, buffer = buffer.partition(b"\n\n")
                for event in _parse(block.decode()):
                    yield event
        if buffer.strip():
            raise ValueError(f"the stream ended within an event: {buffer[:200]!r}")


def _parse(block: str) -> list[tuple[str, str]]:
    name, data, found = "", [], []
    for line in block.split("\n"):
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if not field and value:
            found.append((":", value))
        elif field == "event":
            name = value
        elif field == "data":
            data.append(value)
    return [*found, (name, "\n".join(data))] if data else found


class Connection:
    """One connection; every read is bounded by `timeout` seconds."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, host: str, timeout: float) -> None:
        self._reader = reader
        self._writer = writer
        self._host = host
        self.timeout = timeout

    @classmethod
    async def open(cls, base_url: str, timeout: float = 10.0, *, receive_buffer_bytes: int | None = None) -> Self:
        """Connect; a small receive buffer makes a slow reader felt soon."""
        url = urlsplit(base_url)
        assert url.hostname is not None
        opened = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        opened.setblocking(False)
        if receive_buffer_bytes is not None:
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer_bytes)
        async with asyncio.timeout(timeout):
            await asyncio.get_running_loop().sock_connect(opened, (url.hostname, url.port or 80))
            reader, writer = await asyncio.open_connection(sock=opened, limit=receive_buffer_bytes or 2**16)
        return cls(reader, writer, url.netloc, timeout)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def send(self, data: bytes) -> None:
        """Send bare bytes."""
        self._writer.write(data)
        async with asyncio.timeout(self.timeout):
            await self._writer.drain()

    async def request(
        self, method: str, target: str, headers: Mapping[str, str] | None = None, body: Any = None
    ) -> Reply:
        """Send a request and read the head of its reply; a body that is no bytes is sent as JSON."""
        await self.send(render(method, target, self._host, headers, body))
        return await self.reply(method)

    async def reply(self, method: str = "GET") -> Reply:
        """Read the head of the next reply, passing over 1xx."""
        while True:
            head = (await self.read_until(b"\r\n\r\n")).decode("latin-1")
            first, *lines = head.strip().split("\r\n")
            status = int(first.split(" ")[1])
            if status >= 200 or status == 101:
                pairs = [line.partition(":") for line in lines]
                return Reply(status, [(name, value.strip()) for name, _, value in pairs], self, method == "HEAD")

    async def read_until(self, mark: bytes) -> bytes:
        """Read up to and including `mark`."""
        async with asyncio.timeout(self.timeout):
            return await self._reader.readuntil(mark)

    async def read_exactly(self, size: int) -> bytes:
        """Read `size` bytes."""
        async with asyncio.timeout(self.timeout):
            return await self._reader.readexactly(size)

    async def read_some(self, size: int = 65536) -> bytes:
        """Read what is there; empty at the end."""
        async with asyncio.timeout(self.timeout):
            return await self._reader.read(size)

    async def close(self) -> None:
        """Close in good order."""
        self._writer.close()
        try:
            async with asyncio.timeout(self.timeout):
                await self._writer.wait_closed()
        except OSError:
            pass  # the other side was faster

    def leave(self, *, reset: bool = True) -> None:
        """Go away at once, as a killed client does; without `reset` the connection is closed in good order."""
        if reset:
            opened = self._writer.get_extra_info("socket")
            opened.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            self._writer.transport.abort()
        else:
            self._writer.close()


def render(method: str, target: str, host: str, headers: Mapping[str, str] | None = None, body: Any = None) -> bytes:
    """Render a request."""
    data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    fields = {"Host": host} | dict(headers or {})
    names = {name.lower() for name in fields}
    if (data or method == "POST") and not names & {"content-length", "transfer-encoding"}:
        fields["Content-Length"] = str(len(data))
    if body is not None and not isinstance(body, bytes) and "content-type" not in names:
        fields["Content-Type"] = "application/json"
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1") + data


async def fetch(
    method: str, url: str, headers: Mapping[str, str] | None = None, body: Any = None, timeout: float = 10.0
) -> tuple[Reply, bytes]:
    """Make one request on a connection of its own and read the whole reply."""
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    async with await Connection.open(url, timeout) as connection:
        reply = await connection.request(method, target, headers, body)
        return reply, await reply.body()


async def fetch_json(
    method: str, url: str, headers: Mapping[str, str] | None = None, body: Any = None, timeout: float = 10.0
) -> tuple[int, Any]:
    """Make one request and return status and parsed body."""
    reply, data = await fetch(method, url, headers, body, timeout)
    return reply.status, json.loads(data)
