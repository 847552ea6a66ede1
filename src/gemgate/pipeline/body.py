"""Reading a request's body: whole and bounded, or piece by piece as it comes."""

import asyncio
import mmap
import tempfile
from collections.abc import AsyncIterator

from gemgate.errors import GemgateError, InvalidRequest, TooLarge
from gemgate.pipeline.exchange import ClientGone, Exchange

SPOOL_BYTES = 1024 * 1024
SILENCE_SECONDS = 60.0
BODY_SECONDS = 300.0
"""How long a client may take to send a body that is read whole."""


def stated_length(exchange: Exchange) -> int | None:
    """Give the Content-Length of a request, if it states one."""
    stated = exchange.header(b"content-length")
    return int(stated) if stated.isdigit() else None


def readable(body: bytes | mmap.mmap) -> bytes | memoryview:
    """Give a body as codecs read it, without a copy."""
    return body if isinstance(body, bytes) else memoryview(body)


async def read_body(exchange: Exchange, limit_bytes: int) -> bytes | mmap.mmap:
    """Read a body whole; one of more than a megabyte lies in a temporary file, mapped.

    Raises `TooLarge` before reading if the length is stated, `ClientGone` if the client leaves.
    """
    if (stated_length(exchange) or 0) > limit_bytes:
        raise _too_large(limit_bytes)
    _refuse_compression(exchange)
    # How long a client may be silent is watched by the connection (`server/protocol.py`); most bodies are here already.
    message = await exchange.receive()
    if message["type"] == "http.disconnect":
        raise ClientGone
    if not message.get("more_body"):
        return message.get("body", b"")
    try:
        async with asyncio.timeout(BODY_SECONDS):
            return await _gathered(exchange, message.get("body", b""), limit_bytes)
    except TimeoutError as error:
        raise InvalidRequest(f"The request body took longer than {BODY_SECONDS:g} seconds.") from error


async def _gathered(exchange: Exchange, first: bytes, limit_bytes: int) -> bytes | mmap.mmap:
    source = body_chunks(exchange)
    chunks, size = [first], len(first)
    async for chunk in source:
        size += len(chunk)
        if size > limit_bytes:
            raise _too_large(limit_bytes)
        chunks.append(chunk)
        if size > SPOOL_BYTES:
            return await _spooled(source, chunks, size, limit_bytes)
    return b"".join(chunks)


async def _spooled(source: AsyncIterator[bytes], chunks: list[bytes], size: int, limit_bytes: int) -> mmap.mmap:
    with tempfile.TemporaryFile() as file:
        file.writelines(chunks)
        chunks.clear()
        async for chunk in source:
            size += len(chunk)
            if size > limit_bytes:
                raise _too_large(limit_bytes)
            file.write(chunk)
        file.flush()
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


async def body_chunks(exchange: Exchange, limit_bytes: int | None = None) -> AsyncIterator[bytes]:
    """Give the rest of a body as it comes.

    Raises `ClientGone` if the client leaves, `TooLarge` beyond the limit, `InvalidRequest` if nothing comes for long.
    """
    more, size = True, 0
    while more:
        try:
            async with asyncio.timeout(SILENCE_SECONDS):
                message = await exchange.receive()
        except TimeoutError as error:
            raise InvalidRequest(f"Nothing came of the request body for {SILENCE_SECONDS:g} seconds.") from error
        if message["type"] == "http.disconnect":
            raise ClientGone
        more = message.get("more_body", False)
        if chunk := message.get("body", b""):
            size += len(chunk)
            if limit_bytes is not None and size > limit_bytes:
                raise _too_large(limit_bytes)
            yield chunk


def _refuse_compression(exchange: Exchange) -> None:
    encoding = exchange.header(b"content-encoding")
    if encoding and encoding.lower() != b"identity":
        raise CompressedBody(
            f"A body compressed with {encoding.decode('latin-1')[:40]} is not accepted. Send it plain."
        )


class CompressedBody(GemgateError):
    """The body is compressed; nobody asked for that."""

    status = 415
    code = "unsupported_content_encoding"


def _too_large(limit_bytes: int) -> TooLarge:
    return TooLarge(
        f"The request body is larger than this server takes ({limit_bytes // (1024 * 1024)} MB). "
        "Upload large media as a file and refer to it."
    )
