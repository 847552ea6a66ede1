"""Servers that say, byte by byte, what a test tells them to."""

import asyncio
import contextlib
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from gemgate.net.connection import Body, Deadlines
from gemgate.net.http import HttpClient, Request
from gemgate.net.proxy import Proxies
from gemgate.net.url import Origin

PATIENCE_SECONDS = 10.0


class Peer:
    """The server's side of one connection."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def head(self) -> bytes:
        """Read the head of a request."""
        return await self.reader.readuntil(b"\r\n\r\n")

    async def send(self, data: bytes) -> None:
        """Write, waiting for room."""
        self.writer.write(data)
        await self.writer.drain()

    async def answer(self, body: bytes = b"ok", more: str = "") -> bytes:
        """Read a head, answer 200 with a length; gives the head."""
        head = await self.head()
        await self.send(reply(body, more))
        return head

    async def gone(self) -> bytes:
        """Read until the client closes the connection; gives what came before."""
        try:
            return await self.reader.read()
        except ConnectionError:
            return b""


Script = Callable[[Peer], Awaitable[object]]


def reply(body: bytes = b"ok", more: str = "", status: str = "200 OK") -> bytes:
    """Render an answer with a length."""
    return f"HTTP/1.1 {status}\r\n{more}Content-Length: {len(body)}\r\n\r\n".encode() + body


class Served:
    """A running server: where it is, and what has come."""

    def __init__(self, port: int, scheme: str = "http", host: str = "127.0.0.1") -> None:
        self.port = port
        self.origin = Origin("https" if scheme == "https" else "http", host, port)
        self.connections = 0
        self.ended = 0
        self.news = asyncio.Event()
        self.failures: list[BaseException] = []

    async def all_ended(self) -> None:
        """Wait until every script has come to its end."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while self.ended < self.connections:
                self.news.clear()
                await self.news.wait()


@contextlib.asynccontextmanager
async def serving(
    *scripts: Script, tls: ssl.SSLContext | None = None, host: str = "127.0.0.1"
) -> AsyncIterator[Served]:
    """Serve each connection by its script, further ones by the last; what a script raises fails the test."""
    served = Served(0)
    tasks: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        script = scripts[min(served.connections, len(scripts) - 1)]
        served.connections += 1
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                await script(Peer(reader, writer))
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client has gone; a test that minds looks itself
        except (Exception, asyncio.CancelledError) as failure:
            served.failures.append(failure)
        finally:
            served.ended += 1
            served.news.set()
            writer.close()
            with contextlib.suppress(Exception, asyncio.CancelledError):
                await writer.wait_closed()
            tasks.discard(task)

    server = await asyncio.start_server(connected, "127.0.0.1", 0, ssl=tls)
    served.port = server.sockets[0].getsockname()[1]
    served.origin = Origin("https" if tls else "http", host, served.port)
    try:
        yield served
        if tasks:
            await asyncio.wait(tasks, timeout=PATIENCE_SECONDS)
    finally:
        for task in list(tasks):
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)
        server.close()
        await server.wait_closed()
    if served.failures:
        raise served.failures[0]


@contextlib.asynccontextmanager
async def client(
    deadlines: Deadlines | None = None, proxies: dict[str, str] | None = None, *, keep_connections: bool = True
) -> AsyncIterator[HttpClient]:
    """Give a client, closed at the end."""
    made = HttpClient(deadlines, Proxies(proxies or {}), keep_connections=keep_connections)
    try:
        async with asyncio.timeout(PATIENCE_SECONDS * 2):
            yield made
    finally:
        await made.aclose()
        await asyncio.sleep(0)  # aborted transports close in the loop's next turn
        await asyncio.sleep(0)


def asking(
    origin: Origin,
    method: str = "GET",
    target: str = "/",
    body: Body = b"",
    *,
    length_bytes: int | None = None,
    headers: Sequence[tuple[bytes, bytes]] = (),
    address: str | None = None,
) -> Request:
    """Make a request."""
    return Request(
        origin=origin,
        method=method,
        target=target,
        headers=headers,
        body=body,
        length_bytes=length_bytes,
        address=address,
    )


async def fetched(http: HttpClient, request: Request) -> tuple[int, bytes]:
    """Make a request and read all of its answer."""
    response = await http.open(request)
    return response.status, await response.read_all(100_000_000)
