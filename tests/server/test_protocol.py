"""One connection: the head and the body in one write, limits of a request's head, and who is told of its loss."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any, cast

import pytest
import uvicorn
from uvicorn.server import ServerState

from gemgate.server import protocol as module
from gemgate.server.protocol import LEAVING, HeadJoiner, JoinedHttpProtocol

HEAD = b"HTTP/1.1 200 OK\r\nx: y\r\n\r\n"
PATIENCE_SECONDS = 5.0


class Wire:
    """A transport that keeps each write."""

    def __init__(self) -> None:
        self.writes: list[bytes] = []
        self.closed = False

    def write(self, data: bytes) -> None:
        self.writes.append(data)

    def close(self) -> None:
        self.closed = True

    def is_closing(self) -> bool:
        return self.closed

    def get_extra_info(self, name: str, default: object = None) -> object:
        return default

    def pause_reading(self) -> None: ...

    def resume_reading(self) -> None: ...


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
def joiner(wire: Wire) -> HeadJoiner:
    return HeadJoiner(cast(Any, wire))


def test_a_head_goes_with_the_first_piece(wire: Wire, joiner: HeadJoiner) -> None:
    for _ in range(2):
        joiner.write(HEAD)
        assert wire.writes == []
        joiner.write(b"one")
        joiner.write(b"two")
        joiner.end()
        assert wire.writes == [HEAD + b"one", b"two"]
        wire.writes.clear()


def test_a_head_without_a_body_goes_at_the_end(wire: Wire, joiner: HeadJoiner) -> None:
    joiner.write(HEAD)
    joiner.end()
    joiner.end()
    assert wire.writes == [HEAD]
    joiner.write(HEAD)
    joiner.close()
    assert wire.writes == [HEAD, HEAD] and wire.closed


def test_a_piece_that_looks_like_a_head_is_not_held(wire: Wire, joiner: HeadJoiner) -> None:
    """A model may write of HTTP."""
    for piece in (HEAD, b"a", HEAD, b"b", HEAD):
        joiner.write(piece)
    assert wire.writes == [HEAD + b"a", HEAD, b"b", HEAD]


def test_an_interim_answer_is_not_held(wire: Wire, joiner: HeadJoiner) -> None:
    joiner.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    joiner.write(HEAD)
    joiner.write(b"a")
    assert wire.writes == [b"HTTP/1.1 100 Continue\r\n\r\n", HEAD + b"a"]


class Served:
    """A server with one application, and what it has seen."""

    def __init__(self) -> None:
        self.port = 0
        self.scopes: list[dict[str, Any]] = []
        self.waiting = asyncio.Event()
        self.left = asyncio.Event()

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        self.scopes.append(scope)
        if scope["path"] == "/wait":
            scope[LEAVING].callback = self.left.set
            self.waiting.set()
            await self.left.wait()
            return
        while (await receive()).get("more_body"):
            pass
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
        await send({"type": "http.response.body", "body": b"ok"})

    async def asked(self, *pieces: bytes) -> bytes:
        """Send pieces one by one; give all that comes until the server closes."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            for piece in pieces:
                writer.write(piece)
                await writer.drain()
                await asyncio.sleep(0.01)
            async with asyncio.timeout(PATIENCE_SECONDS):
                return await reader.read()
        finally:
            writer.close()


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    made = Served()
    config = uvicorn.Config(cast(Any, made), log_config=None, access_log=False, ws="none", lifespan="off")
    config.load()
    state = ServerState()
    server = await asyncio.get_running_loop().create_server(
        lambda: JoinedHttpProtocol(config=config, server_state=state, app_state={}), "127.0.0.1", 0
    )
    made.port = server.sockets[0].getsockname()[1]
    yield made
    server.close()
    for task in list(state.tasks):
        task.cancel()


CLOSING = b"GET / HTTP/1.1\r\nhost: h\r\nconnection: close\r\n\r\n"


async def test_requests_one_after_the_other(served: Served) -> None:
    body = b"POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 200000\r\n\r\n"
    said = await served.asked(b"GET / HTTP/1.1\r\nho", b"st: h\r\n\r\n", body, bytes(200_000), CLOSING)
    assert said.count(b"HTTP/1.1 200 OK") == 3 and len(served.scopes) == 3


@pytest.mark.parametrize(
    "start", [b"GET / HTTP/1.1\r\nx-long: ", b"GET /", b"GET / HTTP/1.1\r\nhost: h\r\n\r\nGET / HTTP/1.1\r\nx-long: "]
)
async def test_a_head_that_never_ends_is_refused(served: Served, monkeypatch: pytest.MonkeyPatch, start: bytes) -> None:
    monkeypatch.setattr(module, "MAX_HEAD_BYTES", 4096)
    said = await served.asked(start, *[b"y" * 1000] * 4, b"y" * 200)
    assert said.count(b"HTTP/1.1 431 ") == 1 and said.endswith(b"\r\n\r\n")
    assert b"connection: close" in said.rpartition(b"HTTP/1.1 431")[2]


@pytest.mark.parametrize("start", [b"", b"GET / HTTP/1.1\r\nhost:", b"GET / HTTP/1.1\r\nhost: h\r\n\r\nGET /"])
async def test_a_head_that_dawdles_is_refused(served: Served, monkeypatch: pytest.MonkeyPatch, start: bytes) -> None:
    monkeypatch.setattr(module, "HEAD_SECONDS", 0.1)
    said = await served.asked(start)
    assert said.count(b"HTTP/1.1 408 ") == 1 and said.endswith(b"\r\n\r\n")
    assert said.startswith(b"HTTP/1.1 200 OK") is (start.count(b"HTTP/1.1") == 1 and b"\r\n\r\n" in start)


async def test_a_later_head_has_its_time_too(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HEAD_SECONDS", 0.1)
    said = await served.asked(b"GET / HTTP/1.1\r\nhost: h\r\n\r\n", b"GET / HTTP/1.1\r\n")
    assert said.startswith(b"HTTP/1.1 200 OK") and said.count(b"HTTP/1.1 408 ") == 1


async def test_bodies_and_idle_connections_have_other_limits(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HEAD_SECONDS", 0.1)
    monkeypatch.setattr(module, "MAX_HEAD_BYTES", 4096)
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    writer.write(b"POST / HTTP/1.1\r\nhost: h\r\ncontent-length: 9001\r\n\r\n" + bytes(9000))
    await asyncio.sleep(0.25)
    writer.write(b"x")
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert (await reader.readuntil(b"ok")).startswith(b"HTTP/1.1 200 OK")
        await asyncio.sleep(0.25)
        writer.write(CLOSING)
        assert (await reader.read()).startswith(b"HTTP/1.1 200 OK")
    writer.close()


async def test_a_lost_connection_is_told(served: Served) -> None:
    _, writer = await asyncio.open_connection("127.0.0.1", served.port)
    writer.write(b"GET /wait HTTP/1.1\r\nhost: h\r\n\r\n")
    async with asyncio.timeout(PATIENCE_SECONDS):
        await served.waiting.wait()
        assert not served.left.is_set()
        writer.transport.abort()
        await served.left.wait()
