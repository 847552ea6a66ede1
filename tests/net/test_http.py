"""The client against servers that write bare bytes."""

import asyncio
import gzip
import mmap
import tempfile
import zlib
from collections.abc import AsyncIterator

import pytest

from gemgate.net import connection as connection_module
from gemgate.net import http as http_module
from gemgate.net.body import Segments
from gemgate.net.connection import MAX_HEADER_BYTES, DeadlineError, Deadlines, NetworkError
from gemgate.net.http import HttpClient
from tests.net.server import Peer, Served, asking, client, fetched, reply, serving

CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
CHUNKED_BODY = b"5\r\nhello\r\n1;x=y\r\n,\r\n6\r\n world\r\n0\r\nTrailer: t\r\n\r\n"
BROKEN = "broke off"
NOT_HTTP = "not HTTP"


def saying(*pieces: bytes, keep: bool = False):
    """Answer each request with these bytes, each piece on its own; then close, unless kept."""

    async def script(peer: Peer) -> None:
        while True:
            await peer.head()
            for piece in pieces:
                await peer.send(piece)
                await asyncio.sleep(0)
            if not keep:
                return

    return script


async def lone(http: HttpClient, served: Served, method: str = "GET") -> tuple[int, bytes]:
    return await fetched(http, asking(served.origin, method))


# What answers look like.


async def test_a_body_with_a_length() -> None:
    async with serving(saying(reply(b"hello", "X-One: a\r\nX-One: b\r\n"))) as served, client() as http:
        response = await http.open(asking(served.origin, target="/path?q=1", headers=[(b"accept", b"*/*")]))
        assert (response.status, response.header(b"x-one"), response.header(b"x-two")) == (200, b"a", b"")
        assert (b"x-one", b"b") in response.headers
        assert await response.read_all(5) == b"hello"
        assert response.exhausted and await response.read() == b""


async def test_the_head_of_a_request_is_exact() -> None:
    heads: list[bytes] = []

    async def script(peer: Peer) -> None:
        heads.extend([await peer.answer(), await peer.answer(), await peer.answer()])

    async with serving(script) as served, client() as http:
        await fetched(http, asking(served.origin, target="/a?b=c", headers=[(b"x-a", b"1"), (b"x-a", b"2")]))
        await fetched(http, asking(served.origin, "POST", "/p"))
        await fetched(http, asking(served.origin, "DELETE", "/d"))
    host = f"host: 127.0.0.1:{served.port}\r\n".encode()
    assert heads == [
        b"GET /a?b=c HTTP/1.1\r\n" + host + b"x-a: 1\r\nx-a: 2\r\n\r\n",
        b"POST /p HTTP/1.1\r\n" + host + b"content-length: 0\r\n\r\n",
        b"DELETE /d HTTP/1.1\r\n" + host + b"\r\n",
    ]


async def test_a_target_cannot_break_out_of_its_line() -> None:
    heads: list[bytes] = []

    async def script(peer: Peer) -> None:
        heads.append(await peer.answer())

    async with serving(script) as served, client() as http:
        await fetched(http, asking(served.origin, target="/m/x HTTP/1.1\r\nx-evil: 1\r\n\r\nGET /é%20?a=1&b"))
    first, *rest = heads[0].split(b"\r\n")
    assert first == b"GET /m/x%20HTTP/1.1%0D%0Ax-evil:%201%0D%0A%0D%0AGET%20/%C3%A9%20?a=1&b HTTP/1.1"
    assert rest == [f"host: 127.0.0.1:{served.port}".encode(), b"", b""]


async def test_a_chunked_body_split_anywhere() -> None:
    data = CHUNKED + CHUNKED_BODY

    async def script(peer: Peer) -> None:
        for cut in range(1, len(data)):
            await peer.head()
            await peer.send(data[:cut])
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            await peer.send(data[cut:])
        await peer.gone()

    async with serving(script) as served, client() as http:
        for _ in range(1, len(data)):
            assert await lone(http, served) == (200, b"hello, world")
        assert served.connections == 1


async def test_a_chunked_body_byte_by_byte() -> None:
    data = CHUNKED + CHUNKED_BODY
    pieces = [data[index : index + 1] for index in range(len(data))]
    async with serving(saying(*pieces)) as served, client() as http:
        assert await lone(http, served) == (200, b"hello, world")


@pytest.mark.parametrize("version", ["1.0", "1.1"])
async def test_a_body_until_the_end_of_the_connection(version: str) -> None:
    head = f"HTTP/{version} 200 OK\r\nContent-Type: text/plain\r\n\r\n".encode()
    async with serving(saying(head, b"hel", b"lo")) as served, client() as http:
        assert await lone(http, served) == (200, b"hello")
        assert await lone(http, served) == (200, b"hello")
        assert served.connections == 2


async def test_interim_answers_are_passed_over() -> None:
    interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\nX-Early: 1\r\n\r\n"
    for pieces in (
        [interim + reply(b"hello")],
        [interim, reply(b"hello")],
        [interim[:40], interim[40:] + reply(b"hello")],
    ):
        async with serving(saying(*pieces)) as served, client() as http:
            response = await http.open(asking(served.origin))
            assert (response.status, response.header(b"x-early")) == (200, b"")
            assert await response.read_all(100) == b"hello"


@pytest.mark.parametrize("status", ["204 No Content", "304 Not Modified"])
async def test_answers_without_a_body(status: str) -> None:
    head = f"HTTP/1.1 {status}\r\nETag: x\r\n\r\n".encode()
    async with serving(saying(head, keep=True)) as served, client() as http:
        for _ in range(3):
            assert await lone(http, served) == (int(status[:3]), b"")
        assert served.connections == 1


async def test_head_has_no_body_whatever_its_headers_say() -> None:
    async with serving(saying(b"HTTP/1.1 200 OK\r\nContent-Length: 4000000\r\n\r\n")) as served, client() as http:
        response = await http.open(asking(served.origin, "HEAD"))
        assert response.header(b"content-length") == b"4000000"
        assert await response.read() == b"" and response.exhausted


# Keeping connections.


async def test_a_connection_is_kept_and_used_again() -> None:
    async with serving(saying(reply(b"x" * 1000), keep=True)) as served, client() as http:
        for _ in range(20):
            assert await lone(http, served) == (200, b"x" * 1000)
        assert served.connections == 1


async def test_requests_at_once_have_connections_of_their_own() -> None:
    async with serving(saying(reply(), keep=True)) as served, client() as http:
        await asyncio.gather(*(lone(http, served) for _ in range(5)))
        await asyncio.gather(*(lone(http, served) for _ in range(5)))
        assert served.connections == 5


async def test_a_connection_that_shall_close_is_not_kept() -> None:
    async with serving(saying(reply(b"ok", "Connection: close\r\n"), keep=True)) as served, client() as http:
        for _ in range(2):
            assert await lone(http, served) == (200, b"ok")
        assert served.connections == 2


async def test_a_stale_kept_connection_is_tried_again_on_a_new_one() -> None:
    async def stale(peer: Peer) -> None:
        await peer.answer()
        await peer.head()  # and closes without a word

    async with serving(stale, saying(reply(b"new"))) as served, client() as http:
        await lone(http, served)
        assert await fetched(http, asking(served.origin, "POST", body=b"again")) == (200, b"new")
        assert served.connections == 2


@pytest.mark.parametrize(("seconds", "connections"), [(5.0, 2), (0.02, 1)])
async def test_a_kept_connection_that_breaks_late_is_not_asked_twice(
    monkeypatch: pytest.MonkeyPatch, seconds: float, connections: int
) -> None:
    """The upstream may have been at work on it, and would be paid twice."""
    monkeypatch.setattr(http_module, "STALE_WITHIN_SECONDS", seconds)

    async def breaking(peer: Peer) -> None:
        await peer.answer()
        await peer.head()
        await asyncio.sleep(0.2)

    async with serving(breaking, saying(reply(b"new"))) as served, client() as http:
        await lone(http, served)
        if connections == 2:
            assert await fetched(http, asking(served.origin, "POST", body=b"{}")) == (200, b"new")
        else:
            with pytest.raises(NetworkError, match=BROKEN):
                await fetched(http, asking(served.origin, "POST", body=b"{}"))
        assert served.connections == connections


async def test_only_one_new_connection_is_tried() -> None:
    async def first(peer: Peer) -> None:
        await peer.answer()
        await peer.head()

    async def others(peer: Peer) -> None:
        await peer.head()

    async with serving(first, others) as served, client() as http:
        await lone(http, served)
        with pytest.raises(NetworkError, match=BROKEN):
            await lone(http, served)
        assert served.connections == 2


async def test_a_post_that_was_answered_in_part_is_not_sent_again() -> None:
    async def half(peer: Peer) -> None:
        await peer.answer()
        await peer.head()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-")

    async with serving(half) as served, client() as http:
        await lone(http, served)
        with pytest.raises(NetworkError, match=BROKEN):
            await fetched(http, asking(served.origin, "POST", body=b"{}"))
        assert served.connections == 1


async def test_segments_are_sent_again() -> None:
    received: list[bytes] = []

    async def stale(peer: Peer) -> None:
        await peer.answer()
        await peer.head()

    async def fresh(peer: Peer) -> None:
        await peer.head()
        received.append(await peer.reader.readexactly(len(BIG)))
        await peer.send(reply(b"fresh"))

    async with serving(stale, fresh) as served, client() as http:
        await lone(http, served)
        body = segmented(BIG)
        assert await fetched(http, asking(served.origin, "POST", body=body)) == (200, b"fresh")
    assert received == [BIG]


async def test_a_stream_is_not_sent_again() -> None:
    async def stale(peer: Peer) -> None:
        await peer.answer()
        await peer.head()

    async def chunks() -> AsyncIterator[bytes]:
        yield b"once"

    async with serving(stale) as served, client() as http:
        await lone(http, served)
        with pytest.raises(NetworkError, match=BROKEN):
            await fetched(http, asking(served.origin, "POST", body=chunks()))
        assert served.connections == 1


@pytest.mark.parametrize("garbage", [b"H", b"HTTP/1.1 200 OK\r\nContent-Le", b"\x00\x01", reply(b"second")])
async def test_what_follows_an_answer_spoils_the_connection_and_not_the_answer(garbage: bytes) -> None:
    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.send(reply(b"first") + garbage)
        await peer.gone()

    async with serving(script, saying(reply(b"fresh"))) as served, client() as http:
        assert await lone(http, served) == (200, b"first")
        assert await lone(http, served) == (200, b"fresh")
        assert served.connections == 2


async def test_what_comes_unasked_takes_an_idle_connection_down() -> None:
    closed = asyncio.Event()
    go = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.answer()
        await go.wait()
        await peer.send(reply(b"unasked"))
        await peer.gone()
        closed.set()

    async with serving(script, saying(reply(b"fresh"))) as served, client() as http:
        await lone(http, served)
        go.set()
        await closed.wait()
        assert await lone(http, served) == (200, b"fresh")


async def test_idle_connections_get_old(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serving(saying(reply(), keep=True)) as served, client() as http:
        await lone(http, served)
        await lone(http, served)
        assert served.connections == 1
        monkeypatch.setattr(http_module, "MAX_IDLE_SECONDS", -1.0)
        await lone(http, served)
        assert served.connections == 2


async def test_only_so_many_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_module, "MAX_IDLE_CONNECTIONS", 1)
    async with serving(saying(reply(), keep=True)) as served, client() as http:
        await asyncio.gather(*(lone(http, served) for _ in range(3)))
        await asyncio.gather(*(lone(http, served) for _ in range(2)))
        assert served.connections == 4


async def test_closing_the_client_closes_what_is_idle() -> None:
    async def script(peer: Peer) -> None:
        await peer.answer()
        assert await peer.gone() == b""

    async with serving(script) as served, client() as http:
        await lone(http, served)
        await http.aclose()
        await served.all_ended()


async def test_closing_the_client_closes_what_is_under_way_when_it_is_done() -> None:
    go = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n")
        await go.wait()
        await peer.send(b"ok")
        assert await peer.gone() == b""

    async with serving(script) as served, client() as http:
        response = await http.open(asking(served.origin))
        await http.aclose()
        go.set()
        assert await response.read_all(10) == b"ok"
        await served.all_ended()


# Answers that go wrong.


@pytest.mark.parametrize(
    "sent",
    [
        b"\x00\xff\xfeSSH-2.0-nothing\r\n\r\n",
        b"HTTP/1.1 abc OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nNo colon here\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello!",
        b"HTTP/1.1 101 Switching\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n\x81\x00",
    ],
)
async def test_what_is_not_http(sent: bytes, caplog: pytest.LogCaptureFixture) -> None:
    async with serving(saying(sent)) as served, client() as http:
        with pytest.raises(NetworkError, match=NOT_HTTP):
            await lone(http, served)
    assert not caplog.records  # nothing escapes into the event loop


async def test_a_chunk_that_is_none() -> None:
    async with serving(saying(CHUNKED + b"5\r\nhello\r\nzz\r\n")) as served, client() as http:
        response = await http.open(asking(served.origin))
        assert await response.read() == b"hello"
        with pytest.raises(NetworkError, match=NOT_HTTP):
            await response.read()
        with pytest.raises(NetworkError, match=NOT_HTTP):
            await response.read()


async def test_too_many_headers() -> None:
    bomb = b"HTTP/1.1 200 OK\r\n" + b"".join(b"x-%d: %b\r\n" % (i, b"y" * 1000) for i in range(100)) + b"\r\n"
    async with serving(saying(bomb)) as served, client() as http:
        with pytest.raises(NetworkError, match=NOT_HTTP):
            await lone(http, served)


@pytest.mark.parametrize("start", [b"HTTP/1.1 200 OK\r\nx-endless: ", b"HTTP/1.1 200 "])
async def test_a_head_that_never_ends(start: bytes) -> None:
    sent = 0

    async def script(peer: Peer) -> None:
        nonlocal sent
        await peer.head()
        await peer.send(start)
        while sent < 64 * MAX_HEADER_BYTES:
            await peer.send(b"y" * 4096)
            await asyncio.sleep(0)
            sent += 4096

    async with serving(script) as served, client() as http:
        with pytest.raises(NetworkError, match=NOT_HTTP):
            await lone(http, served)
    assert sent < 64 * MAX_HEADER_BYTES


async def test_interim_answers_without_end() -> None:
    async def script(peer: Peer) -> None:
        await peer.head()
        for _ in range(100_000):
            await peer.send(b"HTTP/1.1 102 Processing\r\n\r\n" * 100)
            await asyncio.sleep(0)

    async with serving(script) as served, client() as http:
        with pytest.raises(NetworkError, match=NOT_HTTP):
            await lone(http, served)


@pytest.mark.parametrize("head", [b"", b"HTTP/1.1 20", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n"])
async def test_cut_in_the_head(head: bytes) -> None:
    async with serving(saying(head)) as served, client() as http:
        with pytest.raises(NetworkError, match=BROKEN):
            await lone(http, served)


@pytest.mark.parametrize(
    "sent", [b"HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello", CHUNKED + b"5\r\nhello\r\n", CHUNKED + b"9\r\nhello"]
)
async def test_cut_in_the_body(sent: bytes) -> None:
    async with serving(saying(sent)) as served, client() as http:
        response = await http.open(asking(served.origin))
        assert await response.read() == b"hello"  # what has come is not lost
        with pytest.raises(NetworkError, match=BROKEN):
            await response.read()
        assert not response.exhausted


async def test_a_reset_is_no_end_of_a_body_without_length() -> None:
    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.send(b"HTTP/1.1 200 OK\r\n\r\nhello")
        await read.wait()
        peer.writer.get_extra_info("socket").setsockopt(1, 13, b"\x01\x00\x00\x00\x00\x00\x00\x00")  # SO_LINGER 0
        peer.writer.transport.abort()

    read = asyncio.Event()
    async with serving(script) as served, client() as http:
        response = await http.open(asking(served.origin))
        assert await response.read() == b"hello"
        read.set()
        with pytest.raises(NetworkError, match=BROKEN):
            await response.read()


async def test_an_answer_beyond_its_limit_is_let_go() -> None:
    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.send(CHUNKED + b"6\r\nhello!\r\n")
        await peer.gone()

    async with serving(script) as served, client() as http:
        response = await http.open(asking(served.origin))
        with pytest.raises(NetworkError, match="longer than 5 bytes"):
            await response.read_all(5)
        await served.all_ended()


async def test_reading_all_that_is_cancelled_hangs_up() -> None:
    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.send(CHUNKED + b"6\r\nhello!\r\n")
        await peer.gone()

    async with serving(script) as served, client() as http:
        response = await http.open(asking(served.origin))
        task = asyncio.create_task(response.read_all(1000))
        while not response.waited_for:
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])
        await served.all_ended()


# Compression that was not asked for.


@pytest.mark.parametrize("encoding", ["gzip", "x-gzip", "GZIP", "deflate"])
@pytest.mark.parametrize("size", [1, 7, 100_000])
async def test_compressed_answers(encoding: str, size: int) -> None:
    text = b"hello, world " * 50
    packed = zlib.compress(text) if encoding == "deflate" else gzip.compress(text)
    pieces = [packed[start : start + size] for start in range(0, len(packed), size)]
    head = f"HTTP/1.1 200 OK\r\nContent-Encoding: {encoding}\r\nContent-Length: {len(packed)}\r\n\r\n".encode()
    async with serving(saying(head, *pieces)) as served, client() as http:
        assert await lone(http, served) == (200, text)


@pytest.mark.parametrize(
    "packed",
    [b"this is no gzip at all", gzip.compress(b"hello" * 999, mtime=0)[:-9], gzip.compress(b"a" * 99, mtime=0)[:12]],
)
async def test_broken_compression(packed: bytes) -> None:
    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.send(reply(packed, "Content-Encoding: gzip\r\n"))
        await peer.gone()

    async with serving(script) as served, client() as http:
        response = await http.open(asking(served.origin))
        with pytest.raises(NetworkError, match="not the compression"):
            await response.read_all(100_000)
        await http.aclose()
        await served.all_ended()  # the connection is not left behind


async def test_broken_compression_in_a_stream_hangs_up_at_once() -> None:
    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nnope\r\n")
        await peer.gone()

    async with serving(script) as served, client() as http:
        response = await http.open(asking(served.origin))
        with pytest.raises(NetworkError, match="not the compression"):
            await response.read()
        await served.all_ended()


@pytest.mark.parametrize("method", ["HEAD", "GET"])
async def test_a_compressed_answer_of_nothing(method: str) -> None:
    sent = reply(b"", "Content-Encoding: gzip\r\n")
    async with serving(saying(sent)) as served, client() as http:
        assert await lone(http, served, method) == (200, b"")


async def test_compression_expands_only_so_far(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "MAX_EXPANDED_BYTES", 100_000)

    async def script(peer: Peer) -> None:
        await peer.answer(gzip.compress(bytes(10_000_000)), "Content-Encoding: gzip\r\n")
        await peer.gone()

    async with serving(script) as served, client() as http:
        response = await http.open(asking(served.origin))
        with pytest.raises(NetworkError, match="not the compression"):
            await response.read_all(100_000_000)
        await served.all_ended()


async def test_many_chunks_in_one_read_expand_only_so_far_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection_module, "MAX_EXPANDED_BYTES", 1_000_000)
    packed = gzip.compress(bytes(10_000_000))
    step = 500  # expands to about half of what is allowed
    chunks = [packed[start : start + step] for start in range(0, len(packed), step)]
    body = b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks) + b"0\r\n\r\n"
    expanded = 0
    async with (
        serving(saying(CHUNKED.replace(b"\r\n\r\n", b"\r\nContent-Encoding: gzip\r\n\r\n") + body)) as served,
        client() as http,
    ):
        with pytest.raises(NetworkError, match="not the compression"):
            response = await http.open(asking(served.origin))
            while chunk := await response.read():
                expanded += len(chunk)
    assert 400_000 < expanded <= 1_000_000


# Sending.


async def read_chunked(peer: Peer) -> list[bytes]:
    chunks: list[bytes] = []
    while size := int(await peer.reader.readuntil(b"\r\n"), 16):
        chunks.append(await peer.reader.readexactly(size))
        assert await peer.reader.readexactly(2) == b"\r\n"
    assert await peer.reader.readexactly(2) == b"\r\n"
    return chunks


BIG = bytes(range(256)) * 4096 * 5 + b"end"


def mapped(data: bytes) -> mmap.mmap:
    with tempfile.TemporaryFile() as file:
        file.write(data)
        file.flush()
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


def segmented(data: bytes) -> Segments:
    """As a request with media in it is made: short, long, short."""
    view = memoryview(data)
    return (data[:7], view[7:-3], b"", data[-3:]) if len(data) > 10 else (data, view[:0])


@pytest.mark.parametrize("size", [0, 1, 256 * 1024, 256 * 1024 + 1, len(BIG)])
@pytest.mark.parametrize("kind", ["bytes", "mmap", "segments", "stream"])
async def test_bodies_of_known_length(kind: str, size: int) -> None:
    if kind == "mmap" and not size:
        pytest.skip("nothing cannot be mapped")
    data = BIG[:size]
    heads: list[bytes] = []

    async def script(peer: Peer) -> None:
        for _ in range(2):
            heads.append(await peer.head())
            assert await peer.reader.readexactly(size) == data
            await peer.send(reply())

    async def stream() -> AsyncIterator[bytes]:
        for start in range(0, size, 100_000):
            yield data[start : start + 100_000]

    async with serving(script) as served, client() as http:
        for _ in range(2):
            made = {
                "bytes": lambda: data,
                "mmap": lambda: mapped(data),
                "segments": lambda: segmented(data),
                "stream": stream,
            }
            body = made[kind]()
            length = size if kind == "stream" else None
            assert await fetched(http, asking(served.origin, "POST", body=body, length_bytes=length)) == (200, b"ok")
        assert served.connections == 1
    assert all(head.endswith(b"content-length: %d\r\n\r\n" % size) for head in heads)


async def test_bodies_of_unknown_length_are_chunked() -> None:
    seen: list[list[bytes]] = []

    async def script(peer: Peer) -> None:
        for _ in range(2):
            head = await peer.head()
            assert b"transfer-encoding: chunked\r\n" in head and b"content-length" not in head
            seen.append(await read_chunked(peer))
            await peer.send(reply())

    async def stream() -> AsyncIterator[bytes]:
        yield b"a"
        yield b""  # must not end the body
        yield b"\r\n0\r\n\r\n"
        yield BIG

    async def nothing() -> AsyncIterator[bytes]:
        return
        yield b""

    async with serving(script) as served, client() as http:
        await fetched(http, asking(served.origin, "POST", body=stream()))
        await fetched(http, asking(served.origin, "POST", body=nothing()))
        assert served.connections == 1
    assert seen == [[b"a", b"\r\n0\r\n\r\n", BIG], []]


@pytest.mark.parametrize("kind", ["bytes", "mmap", "segments", "stream", "chunked"])
@pytest.mark.parametrize("reads", [False, True])
@pytest.mark.parametrize("at_once", [False, True])
async def test_an_answer_before_the_body_is_sent(kind: str, reads: bool, at_once: bool) -> None:
    """The answer is read, the rest of the body is not sent, and the connection is not used again."""
    size = 40_000_000
    received = 0
    head = b"HTTP/1.1 413 Too Large\r\nContent-Length: 5\r\n\r\n"

    async def early(peer: Peer) -> None:
        nonlocal received
        await peer.head()
        await peer.reader.readexactly(100_000)
        if at_once:
            await peer.send(head + b"large")
        else:
            await peer.send(head)
            await opened.wait()
            await peer.send(b"large")
        if reads:
            received = len(await peer.gone())

    async def stream() -> AsyncIterator[bytes]:
        for _ in range(size // 100_000):
            yield bytes(100_000)

    opened = asyncio.Event()
    async with serving(early, saying(reply(b"fresh"))) as served, client() as http:
        made = {
            "bytes": lambda: bytes(size),
            "mmap": lambda: mapped(bytes(size)),
            "segments": lambda: segmented(bytes(size)),
            "stream": stream,
            "chunked": stream,
        }
        body = made[kind]()
        length = size if kind == "stream" else None
        response = await http.open(asking(served.origin, "POST", body=body, length_bytes=length))
        opened.set()
        assert response.status == 413
        assert await response.read_all(100) == b"large"
        assert await lone(http, served) == (200, b"fresh")
        assert served.connections == 2
    assert received < size - 1_000_000


@pytest.mark.parametrize("known", [False, True])
async def test_the_connection_breaks_while_a_stream_is_sent(known: bool) -> None:
    async def script(peer: Peer) -> None:
        await peer.head()

    async def stream() -> AsyncIterator[bytes]:
        yield b"begin"
        await served.all_ended()
        for _ in range(3):
            await asyncio.sleep(0.01)  # until the end is seen
        if not last:
            yield b"more"

    for last in (False, True):  # noqa: B007 - the stream looks
        async with serving(script) as served, client() as http:
            with pytest.raises(NetworkError, match=BROKEN):
                await http.open(asking(served.origin, "POST", body=stream(), length_bytes=10 if known else None))


async def test_a_body_that_fails_takes_its_connection_down() -> None:
    async def script(peer: Peer) -> None:
        await peer.head()
        assert await peer.gone() == b"5\r\nbegin\r\n"

    async def stream() -> AsyncIterator[bytes]:
        yield b"begin"
        raise RuntimeError("the client has left")

    async with serving(script) as served, client() as http:
        with pytest.raises(RuntimeError, match="has left"):
            await http.open(asking(served.origin, "POST", body=stream()))
        await served.all_ended()


async def test_a_request_that_is_cancelled_hangs_up() -> None:
    asked = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.head()
        asked.set()
        await peer.gone()

    async with serving(script) as served, client() as http:
        task = asyncio.create_task(http.open(asking(served.origin)))
        await asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await served.all_ended()


@pytest.mark.parametrize("kind", ["bytes", "mmap", "segments"])
async def test_a_request_cancelled_while_the_socket_is_full_hangs_up(kind: str) -> None:
    """And looks no longer at a body that is a mapped file, which could not be closed."""
    asked, left = asyncio.Event(), asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.head()
        asked.set()
        await left.wait()
        assert len(await peer.gone()) < 40_000_000

    file = mapped(bytes(40_000_000))
    body = file if kind == "mmap" else file[:] if kind == "bytes" else (b"begin", file[:], b"end")
    async with serving(script) as served, client() as http:
        task = asyncio.create_task(http.open(asking(served.origin, "POST", body=body)))
        await asked.wait()
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        file.close()
        left.set()
        await served.all_ended()


# Closing and back-pressure.


async def test_closing_in_the_middle_is_seen_at_once() -> None:
    loop = asyncio.get_running_loop()
    times: list[float] = []

    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.send(CHUNKED + b"5\r\nhello\r\n")
        await peer.gone()
        times.append(loop.time())

    async with serving(script) as served, client() as http:
        response = await http.open(asking(served.origin))
        assert await response.read() == b"hello"
        left = loop.time()
        await response.aclose()
        await response.aclose()
        await served.all_ended()
        assert times[0] - left < 0.1
        with pytest.raises(NetworkError, match=BROKEN):
            await response.read()


async def test_closing_what_is_complete_keeps_the_connection() -> None:
    async with serving(saying(reply(), keep=True)) as served, client() as http:
        for _ in range(2):
            response = await http.open(asking(served.origin))
            await response.read()
            await response.aclose()
        assert served.connections == 1


async def test_a_reader_that_stops_stops_the_server() -> None:
    total, block = 60_000_000, bytes(50_000)
    sent = 0
    full = asyncio.Event()

    async def script(peer: Peer) -> None:
        nonlocal sent
        await peer.head()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % total)
        while sent < total:
            try:
                async with asyncio.timeout(0.3):
                    await peer.send(block)
            except TimeoutError:
                full.set()
                await peer.writer.drain()
            sent += len(block)

    async with serving(script) as served, client() as http:
        response = await http.open(asking(served.origin))
        await full.wait()
        assert sent < total // 2  # what the two sockets hold, and no more
        read = longest = 0
        while chunk := await response.read():
            read += len(chunk)
            longest = max(longest, len(chunk))
        assert read == total
        assert longest < 2_000_000  # memory stays flat


async def test_a_paused_connection_reads_again_for_the_next_request() -> None:
    big = bytes(1_000_000)
    async with serving(saying(reply(big), keep=True)) as served, client() as http:
        for _ in range(3):
            response = await http.open(asking(served.origin))
            await asyncio.sleep(0.02)
            assert len(await response.read_all(2_000_000)) == len(big)
        assert served.connections == 1


# Deadlines.

QUICK = Deadlines(connect_seconds=5, first_byte_seconds=0.15, silence_seconds=0.15)


async def test_no_first_byte() -> None:
    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.gone()

    async with serving(script) as served, client(QUICK) as http:
        with pytest.raises(DeadlineError, match="took too long to answer"):
            await lone(http, served)
        await served.all_ended()
        assert served.connections == 1


async def test_a_deadline_on_a_kept_connection_is_no_reason_to_ask_again() -> None:
    async def script(peer: Peer) -> None:
        await peer.answer()
        await peer.head()
        await peer.gone()

    async with serving(script) as served, client(QUICK) as http:
        await lone(http, served)
        with pytest.raises(DeadlineError):
            await lone(http, served)
        assert served.connections == 1


async def test_silence_in_the_middle_counts_from_the_last_byte() -> None:
    """However long the first byte may take."""

    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.send(CHUNKED + b"5\r\nhello\r\n")
        await peer.gone()

    loop = asyncio.get_running_loop()
    deadlines = Deadlines(first_byte_seconds=60, silence_seconds=0.2)
    async with serving(script) as served, client(deadlines) as http:
        began = loop.time()
        response = await http.open(asking(served.origin))
        assert await response.read() == b"hello"
        with pytest.raises(DeadlineError, match="went silent"):
            await response.read()
        assert 0.19 < loop.time() - began < 5
        await served.all_ended()


async def test_a_server_that_does_not_take_the_body() -> None:
    async def script(peer: Peer) -> None:
        await peer.head()
        await hung_up.wait()

    hung_up = asyncio.Event()
    async with serving(script) as served, client(QUICK) as http:
        try:
            with pytest.raises(DeadlineError, match="took too long"):
                await fetched(http, asking(served.origin, "POST", body=bytes(60_000_000)))
        finally:
            hung_up.set()


async def test_a_slow_client_body_is_not_the_servers_fault() -> None:
    async def script(peer: Peer) -> None:
        await peer.head()
        assert await read_chunked(peer) == [b"a", b"b"]
        await peer.send(reply())

    async def stream() -> AsyncIterator[bytes]:
        yield b"a"
        await asyncio.sleep(0.5)
        yield b"b"

    async with serving(script) as served, client(QUICK) as http:
        assert await fetched(http, asking(served.origin, "POST", body=stream())) == (200, b"ok")


async def test_a_slow_reader_is_not_the_servers_fault() -> None:
    size = 3_000_000

    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.send(reply(bytes(size)))

    async with serving(script) as served, client(QUICK) as http:
        response = await http.open(asking(served.origin))
        await asyncio.sleep(0.5)
        read = 0
        while chunk := await response.read():
            read += len(chunk)
            if read < 1_000_000:
                await asyncio.sleep(0.2)
        assert read == size
