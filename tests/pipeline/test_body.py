"""Reading what a client sends."""

import asyncio
import mmap

import pytest

from gemgate.errors import InvalidRequest, TooLarge
from gemgate.pipeline import body as module
from gemgate.pipeline.body import SPOOL_BYTES, CompressedBody, body_chunks, read_body, stated_length
from gemgate.pipeline.exchange import ClientGone
from tests.pipeline.client import Client

LIMIT = 10 * SPOOL_BYTES


def sending(*pieces: bytes) -> Client:
    client = Client()
    for index, piece in enumerate(pieces):
        client.says(piece, more=index < len(pieces) - 1)
    return client


@pytest.mark.parametrize("pieces", [(b"",), (b"abc",), (b"a", b"b", b"c"), (b"", b"", b"abc", b"")])
async def test_small_bodies_are_bytes(pieces: tuple[bytes, ...]) -> None:
    found = await read_body(sending(*pieces).exchange(), LIMIT)
    assert isinstance(found, bytes) and found == b"".join(pieces)


@pytest.mark.parametrize("size", [SPOOL_BYTES - 1, SPOOL_BYTES, SPOOL_BYTES + 1, 5 * SPOOL_BYTES + 7])
async def test_big_bodies_are_mapped(size: int) -> None:
    data = bytes(range(251)) * (size // 251 + 1)
    pieces = [data[start : min(start + 65_536, size)] for start in range(0, size, 65_536)]
    async with asyncio.timeout(2):
        found = await read_body(sending(*pieces).exchange(), LIMIT)
    assert isinstance(found, mmap.mmap) is (size > SPOOL_BYTES)
    assert bytes(found) == data[:size]
    if isinstance(found, mmap.mmap):
        with pytest.raises(TypeError):
            found[0] = 0
        found.close()


async def test_a_stated_length_above_the_limit_is_refused_unread() -> None:
    client = Client()
    with pytest.raises(TooLarge, match="10 MB"):
        await read_body(client.exchange((b"content-length", b"%d" % (LIMIT + 1))), LIMIT)


@pytest.mark.parametrize("limit", [1000, 2 * SPOOL_BYTES])
async def test_a_body_of_unknown_length_is_read_up_to_the_limit(limit: int) -> None:
    client = Client()
    for _ in range(limit // 500 + 1):
        client.says(bytes(500), more=True)
    client.says(b"never read", more=True)
    with pytest.raises(TooLarge):
        await read_body(client.exchange(), limit)
    assert client.inbox.qsize() >= 1


@pytest.mark.parametrize("before", [0, 1, 30])
async def test_a_client_that_leaves(before: int) -> None:
    client = Client()
    for _ in range(before):
        client.says(bytes(SPOOL_BYTES // 10), more=True)
    client.leaves()
    with pytest.raises(ClientGone):
        await read_body(client.exchange(), LIMIT)


async def test_a_client_that_dawdles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BODY_SECONDS", 0.05)
    client = Client()
    client.says(b"some", more=True)
    with pytest.raises(InvalidRequest, match="took longer"):
        await asyncio.wait_for(read_body(client.exchange(), LIMIT), 5)


@pytest.mark.parametrize("encoding", [b"gzip", b"br", b"x" * 500])
async def test_compressed_bodies_are_refused(encoding: bytes) -> None:
    with pytest.raises(CompressedBody) as caught:
        await read_body(sending(b"x").exchange((b"content-encoding", encoding)), LIMIT)
    assert caught.value.status == 415 and len(caught.value.message) < 200
    assert await read_body(sending(b"x").exchange((b"content-encoding", b"Identity")), LIMIT) == b"x"


async def test_chunks_come_as_they_are_sent() -> None:
    client = sending(b"a", b"", b"b")
    assert [chunk async for chunk in body_chunks(client.exchange())] == [b"a", b"b"]
    client = Client()
    client.says(b"a", more=True)
    client.leaves()
    chunks = body_chunks(client.exchange())
    assert await anext(chunks) == b"a"
    with pytest.raises(ClientGone):
        await anext(chunks)


@pytest.mark.parametrize(("stated", "length"), [(b"5", 5), (b"", None), (b"-1", None), (b"x", None), (b"0", 0)])
def test_stated_lengths(stated: bytes, length: int | None) -> None:
    exchange = Client().exchange(*([(b"content-length", stated)] if stated else []))
    assert stated_length(exchange) == length


async def test_a_body_whose_last_piece_crosses_the_spool_ends() -> None:
    """It waited for another piece, which never came."""
    async with asyncio.timeout(2):
        found = await read_body(sending(bytes(SPOOL_BYTES - 1), b"xx").exchange(), LIMIT)
        assert isinstance(found, mmap.mmap) and len(found) == SPOOL_BYTES + 1
        found.close()


async def test_a_client_that_falls_silent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SILENCE_SECONDS", 0.05)
    client = Client()
    client.says(b"some", more=True)
    chunks = body_chunks(client.exchange())
    assert await anext(chunks) == b"some"
    with pytest.raises(InvalidRequest, match="Nothing came"):
        await asyncio.wait_for(anext(chunks), 5)


async def test_chunks_have_a_limit() -> None:
    chunks = body_chunks(sending(b"abc", b"de", b"f").exchange(), 5)
    assert [await anext(chunks), await anext(chunks)] == [b"abc", b"de"]
    with pytest.raises(TooLarge):
        await anext(chunks)
    assert [chunk async for chunk in body_chunks(sending(b"abc", b"de").exchange(), 5)] == [b"abc", b"de"]
