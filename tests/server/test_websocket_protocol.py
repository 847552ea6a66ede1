"""What a client can make a WebSocket hold: pongs that it does not read, and messages that it does not end."""

import asyncio
import socket
import struct
import tracemalloc
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from typing import Any, cast

import pytest
import uvicorn
from uvicorn.server import ServerState

from gemgate.server import websocket_protocol as module
from gemgate.server.protocol import JoinedHttpProtocol, websocket_protocol
from gemgate.server.websocket_protocol import FRAGMENT_BYTES, UNFINISHED, BoundedWebSocketProtocol

PATIENCE_SECONDS = 5.0
MAX_SIZE = 8 << 20
CONTINUED, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
HANDSHAKE = (
    b"GET / HTTP/1.1\r\nhost: h\r\nconnection: Upgrade\r\nupgrade: websocket\r\n"
    b"sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)


def frame(opcode: int, data: bytes, *, final: bool = True, announced: int | None = None) -> bytes:
    """Write a frame; one that announces more than it has is not whole."""
    length = len(data) if announced is None else announced
    long = length > 125
    head = struct.pack("!BB", final << 7 | opcode, 0x80 | (127 if long else length))
    return head + (struct.pack("!Q", length) if long else b"") + bytes(4) + data


class Client:
    """A connection that reads when it is told to."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.reader = reader
        self.writer = writer

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        async with asyncio.timeout(PATIENCE_SECONDS * 2):
            await self.writer.drain()

    async def frame(self) -> tuple[int, bytes]:
        """Read a frame: its opcode and what it says."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            head, length = await self.reader.readexactly(2)
            if length == 126:
                (length,) = struct.unpack("!H", await self.reader.readexactly(2))
            return head & 15, await self.reader.readexactly(length)

    async def ended(self) -> int:
        """Read until the end, and give its code."""
        while (said := await self.frame())[0] != CLOSE:
            pass
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert await self.reader.read() == b""
        return int.from_bytes(said[1][:2], "big")


class Served:
    """A server that says how long each message was."""

    def __init__(self) -> None:
        self.state = ServerState()
        self.port = 0
        self.clients: list[Client] = []
        self.heard = asyncio.Event()
        self.may_hear = asyncio.Event()
        self.may_hear.set()

    async def __call__(self, scope: dict[str, Any], receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.accept"})
        while await self.hear(receive, send):
            pass

    async def hear(self, receive: Any, send: Any) -> bool:
        await self.may_hear.wait()
        message = await receive()
        if message["type"] == "websocket.receive":
            self.heard.set()
            await send({"type": "websocket.send", "text": f"{len(message['bytes'])}"})
        return message["type"] == "websocket.receive"

    async def client(self) -> Client:
        sock = socket.socket()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        sock.setblocking(False)
        await asyncio.get_running_loop().sock_connect(sock, ("127.0.0.1", self.port))
        client = Client(*await asyncio.open_connection(sock=sock, limit=4096))
        self.clients.append(client)
        client.writer.write(HANDSHAKE)
        async with asyncio.timeout(PATIENCE_SECONDS):
            assert (await client.reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
        return client

    @property
    def connections(self) -> list[BoundedWebSocketProtocol]:
        return [connection for connection in self.state.connections if isinstance(connection, BoundedWebSocketProtocol)]


@pytest.fixture
async def served() -> AsyncIterator[Served]:
    made = Served()
    config = uvicorn.Config(
        cast(Any, made),
        log_config=None,
        ws=cast(Any, websocket_protocol),
        ws_max_size=MAX_SIZE,
        ws_per_message_deflate=False,
        lifespan="off",
    )
    config.load()
    server = await asyncio.get_running_loop().create_server(
        lambda: JoinedHttpProtocol(config=config, server_state=made.state, app_state={}), "127.0.0.1", 0
    )
    made.port = server.sockets[0].getsockname()[1]
    yield made
    server.close()
    made.may_hear.set()
    for client in made.clients:
        client.writer.transport.abort()
    async with asyncio.timeout(PATIENCE_SECONDS):
        await asyncio.gather(*made.state.tasks)
        while made.connections:
            await asyncio.sleep(0.01)
    assert UNFINISHED.bytes == 0


@contextmanager
def memory_that_is_left() -> Iterator[list[int]]:
    """Measure how much more is held at the end."""
    measured: list[int] = []
    tracemalloc.start()
    try:
        yield measured
        measured.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()


async def test_pongs_do_not_pile_up_for_a_client_that_does_not_read(served: Served) -> None:
    client = await served.client()
    (connection,) = served.connections
    client.reader._transport.pause_reading()  # pyright: ignore
    pings = frame(PING, b"p" * 125) * 8000
    connection.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
    for _ in range(3):
        await client.send(pings)
    await client.send(frame(PING, b"the last") + frame(TEXT, b"said"))
    async with asyncio.timeout(PATIENCE_SECONDS):
        await served.heard.wait()
    assert not connection.writable.is_set()
    assert connection.transport.get_write_buffer_size() < 500_000
    client.reader._transport.resume_reading()  # pyright: ignore
    heard = {await client.frame()}
    while (TEXT, b"4") not in heard or (PONG, b"the last") not in heard:
        heard.add(await client.frame())
    await client.send(frame(PING, b"again"))
    assert await client.frame() == (PONG, b"again")


async def test_a_message_that_is_begun_and_not_ended_ends_the_connection(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MESSAGE_SILENCE_SECONDS", 0.1)
    for begun in (frame(TEXT, b"x" * 1000, announced=2000), frame(TEXT, b"x", final=False), b"\x81"):
        client = await served.client()
        await client.send(begun)
        assert await client.ended() == 1008
        assert UNFINISHED.bytes == 0


async def test_pings_within_a_message_do_not_carry_it_on(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MESSAGE_SILENCE_SECONDS", 0.1)
    client = await served.client()
    await client.send(frame(BINARY, b"x", final=False))
    ended = asyncio.create_task(client.ended())
    while not ended.done():
        await client.send(frame(PING, b""))
        await asyncio.sleep(0.02)
    assert ended.result() == 1008


async def test_a_slow_message_is_heard_and_silence_between_messages_is_none(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MESSAGE_SILENCE_SECONDS", 0.1)
    client = await served.client()
    whole = frame(TEXT, b"x" * 200) + frame(TEXT, b"x", final=False) + frame(CONTINUED, b"yz")
    for at in range(0, len(whole), 40):
        await client.send(whole[at : at + 40])
        await asyncio.sleep(0.05)
    assert [await client.frame() for _ in range(2)] == [(TEXT, b"200"), (TEXT, b"3")]
    await asyncio.sleep(0.25)
    await client.send(frame(TEXT, b"still here"))
    assert await client.frame() == (TEXT, b"10")


async def test_a_message_that_we_do_not_read_is_not_late(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MESSAGE_SILENCE_SECONDS", 0.1)
    client = await served.client()
    await client.send(frame(TEXT, b"one"))
    assert await client.frame() == (TEXT, b"3")
    served.may_hear.clear()
    await client.send(frame(TEXT, b"heard before the server stops listening"))
    assert (await client.frame())[0] == TEXT
    await client.send(frame(TEXT, b"two") + frame(TEXT, b"begun", announced=10))
    await asyncio.sleep(0.3)
    served.may_hear.set()
    assert await client.frame() == (TEXT, b"3")
    await client.send(b"ended")
    assert await client.frame() == (TEXT, b"10")


async def test_of_too_many_large_messages_the_largest_ends(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_UNFINISHED_BYTES", 1_000_000)
    large, small, late = [await served.client() for _ in range(3)]
    await large.send(frame(TEXT, b"x" * 600_000, announced=700_000))
    await small.send(frame(TEXT, b"x" * 300_000, announced=300_001))
    await _until(lambda: UNFINISHED.bytes == 900_000)
    await late.send(frame(TEXT, b"x" * 200_000, announced=200_001))
    assert await large.ended() == 1013
    assert UNFINISHED.bytes < 600_000
    for client, length in ((small, b"300001"), (late, b"200001")):
        await client.send(b"x")
        assert await client.frame() == (TEXT, length)
    assert UNFINISHED.bytes == 0


async def test_pieces_that_say_nothing_count_too(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_UNFINISHED_BYTES", FRAGMENT_BYTES * 1000)
    client = await served.client()
    await client.send(frame(TEXT, b"", final=False) + frame(CONTINUED, b"", final=False) * 1001)
    assert await client.ended() == 1013


async def test_what_is_too_large_or_no_message_is_let_go(served: Served) -> None:
    for wrong, code in ((frame(CONTINUED, b"", announced=MAX_SIZE), 1009), (frame(TEXT, b"x"), 1002)):
        client = await served.client()
        await client.send(frame(TEXT, b"x" * 1000, final=False))
        await _until(lambda: UNFINISHED.bytes > 1000)
        await client.send(wrong)
        assert await client.ended() == code
        assert UNFINISHED.bytes == 0


async def test_a_client_that_leaves_within_a_message_leaves_nothing(served: Served) -> None:
    client = await served.client()
    await client.send(frame(TEXT, b"x" * 1000, announced=2000))
    await _until(lambda: UNFINISHED.bytes == 1000)
    client.writer.transport.abort()
    await _until(lambda: UNFINISHED.bytes == 0)


async def test_a_message_that_was_heard_is_not_held(served: Served) -> None:
    client = await served.client()
    messages = [
        frame(TEXT, b"x" * 4_000_000),
        frame(BINARY, b"x" * 2_000_000, final=False) + frame(CONTINUED, b"x" * 2_000_000),
    ]
    for message in messages:
        with memory_that_is_left() as left:
            await client.send(message)
            assert await client.frame() == (TEXT, b"4000000")
        assert left[0] < 1_000_000


async def test_a_client_that_does_not_answer_and_does_not_read_is_dropped(served: Served) -> None:
    client = await served.client()
    (connection,) = served.connections
    connection.close_timeout = 0.05
    client.reader._transport.pause_reading()  # pyright: ignore
    while connection.writable.is_set():
        connection.transport.write(bytes(1 << 20))
    connection.keepalive_timeout()
    await _until(lambda: not served.connections)


async def _until(reached: Any) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not reached():
            await asyncio.sleep(0.005)
