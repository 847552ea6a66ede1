"""One connection to an upstream: HTTP/1.1, one exchange at a time.

What one read of the socket holds is handed on in one piece. A reader that does not come stops the socket's reading, so
that memory stays flat; a deadline counts only while somebody waits.
"""

import asyncio
import zlib
from collections.abc import Callable, Sequence
from mmap import mmap
from typing import Protocol, cast

import httptools
from msgspec import Struct

from gemgate.net.body import SLICE_BYTES, Body, length, slices

HIGH_WATER_BYTES = 256 * 1024
UNDONE = frozenset({b"gzip", b"x-gzip", b"deflate"})
"""Compressions that are undone here, though nobody asked for them."""
MAX_EXPANDED_BYTES = 64 * 1024 * 1024
"""What may wait for a reader once it is expanded: one read of the socket can hold a thousand times its size."""
MAX_HEADER_BYTES = 64 * 1024

BROKEN_OFF = "The connection to the upstream broke off."
NOT_COMPRESSED = "The upstream's answer is not the compression it claims to be."

Headers = list[tuple[bytes, bytes]]


class NetworkError(Exception):
    """The upstream could not be reached, or the connection broke; the message is safe to show."""


class ConnectError(NetworkError):
    """No connection could be made: nothing has been sent."""


class DeadlineError(NetworkError):
    """The upstream was silent for too long."""


class HeadTooLarge(ValueError):
    """The head of an answer exceeds `MAX_HEADER_BYTES`."""


class Deadlines(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How long to wait, in seconds: for a connection, for the first byte of an answer, between bytes."""

    connect_seconds: float = 10.0
    first_byte_seconds: float = 300.0
    silence_seconds: float = 120.0


class _Decompressor(Protocol):
    """As zlib makes it."""

    @property
    def eof(self) -> bool: ...

    @property
    def unconsumed_tail(self) -> bytes: ...

    def decompress(self, data: bytes, max_length: int, /) -> bytes: ...


class Response:
    """An answer under way. Read it to its end, or close it."""

    __slots__ = (
        "_buffered",
        "_chunks",
        "_connection",
        "_cut",
        "_decompressor",
        "_error",
        "_waiter",
        "complete",
        "headers",
        "started",
        "status",
    )

    def __init__(self, connection: "Connection") -> None:
        self._connection: Connection | None = connection
        self._chunks: list[bytes] = []
        self._buffered = 0
        self._waiter: asyncio.Future[None] | None = None
        self._error: NetworkError | None = None
        self._decompressor: _Decompressor | None = None
        self._cut = False
        self.status = 0
        self.headers: Headers = []
        self.started = False
        self.complete = False

    def header(self, name: bytes) -> bytes:
        """Give a header by its lower-case name, empty if absent."""
        for key, value in self.headers:
            if key == name:
                return value
        return b""

    async def read(self) -> bytes:
        """Give what has come since the last call, waiting if nothing has; empty at the end.

        Raises `NetworkError` when the connection breaks off or falls silent.
        """
        while not self._chunks:
            if self._error is not None:
                raise self._error
            if self.complete:
                return b""
            await self.wait()
        chunks, self._chunks = self._chunks, []
        if self._buffered >= HIGH_WATER_BYTES and self._connection is not None:
            self._connection.resume_reading()
        self._buffered = 0
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    async def read_all(self, limit_bytes: int) -> bytes:
        """Give the rest of the answer; raises `NetworkError` if it is longer than the limit. Closes it if it fails."""
        chunks: list[bytes] = []
        size = 0
        try:
            while chunk := await self.read():
                size += len(chunk)
                if size > limit_bytes:
                    raise NetworkError(f"The upstream's answer is longer than {limit_bytes} bytes.")
                chunks.append(chunk)
        except BaseException:
            await self.aclose()
            raise
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    async def aclose(self) -> None:
        """Let go of the answer; one that is not complete takes its connection down, so that the upstream stops."""
        connection, self._connection = self._connection, None
        if connection is not None and not self.complete:
            connection.abort()

    async def wait(self) -> None:
        """Wait for the connection to report something."""
        if self._error is not None:
            raise self._error
        if self.started and self._connection is not None:
            self._connection.await_more()
        self._waiter = asyncio.get_running_loop().create_future()
        try:
            await self._waiter
        finally:
            self._waiter = None

    @property
    def exhausted(self) -> bool:
        """Whether everything there will ever be has been read."""
        return self.complete and not self._chunks and self._error is None

    @property
    def waited_for(self) -> bool:
        """Whether somebody waits for bytes right now."""
        return self._waiter is not None

    def decompress(self, encoding: bytes) -> None:
        """Undo a compression that was not asked for."""
        if encoding and encoding.lower() in UNDONE:
            self._decompressor = zlib.decompressobj(wbits=47)

    def add(self, data: bytes) -> None:
        """Take a piece of the body; raises `zlib.error`, the answer failed."""
        if self._decompressor is not None:
            try:
                # Never 0, which would mean all of it.
                data = self._decompressor.decompress(data, max(MAX_EXPANDED_BYTES - self._buffered, 1))
                if self._decompressor.unconsumed_tail:
                    raise zlib.error("expands beyond measure")
            except zlib.error:
                self.fail(NetworkError(NOT_COMPRESSED))
                raise
            self._cut = not self._decompressor.eof
        if data:
            self._chunks.append(data)
            self._buffered += len(data)

    @property
    def is_crowded(self) -> bool:
        """Whether more has come than a reader should have waiting."""
        return self._buffered >= HIGH_WATER_BYTES

    def fail(self, error: NetworkError) -> None:
        """End the answer with an error, after what has already come."""
        if not self.complete and self._error is None:
            self._error = error
        self.wake()

    def finish(self) -> None:
        """Mark the answer complete; its connection is no longer its own."""
        if self._cut:
            self.fail(NetworkError(NOT_COMPRESSED))
        self.complete = True
        self._connection = None

    def wake(self) -> None:
        """Let the waiting reader go on."""
        waiter = self._waiter
        if waiter is not None and not waiter.done():
            waiter.set_result(None)


class Connection(asyncio.Protocol):
    """The protocol object of one socket."""

    def __init__(self, release: Callable[["Connection"], None], deadlines: Deadlines) -> None:
        self._release = release
        self._deadlines = deadlines
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._parser: httptools.HttpResponseParser | None = None
        self._response: Response | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._deadline = 0.0
        self._writable: asyncio.Future[None] | None = None
        self._head_bytes = 0
        self._unanswered_bytes = 0
        self._head_only = False
        self._until_close = True
        self._paused = False
        self._sending = False
        self.answered = False
        """Whether any byte of an answer to the last request has come."""
        self.idle_since = 0.0

    @property
    def alive(self) -> bool:
        """Whether another exchange can begin."""
        return self._transport is not None and not self._transport.is_closing()

    async def exchange(self, head: bytes, body: Body, *, head_only: bool = False, chunked: bool = False) -> Response:
        """Send a request and wait for the head of its answer.

        `head` ends with its empty line; `head_only` for an answer without a body whatever its headers say; `chunked`
        frames a body of unknown length. Raises `NetworkError`.
        """
        if self._transport is None:
            raise NetworkError(BROKEN_OFF)
        response = self._response = Response(self)
        self._parser = httptools.HttpResponseParser(self)
        self._head_only = head_only
        self._until_close = True
        self._head_bytes = 0
        self._unanswered_bytes = 0
        self.answered = False
        now = self._loop.time()
        self._deadline = now + self._deadlines.first_byte_seconds
        self._start_timer(now)
        try:
            self._sending = True
            # A body that was cut short leaves the connection unfit for another request.
            self._sending = not await self._send(head, body, response, chunked=chunked)
            while not response.started:
                await response.wait()
        except BaseException:
            self.abort()
            raise
        return response

    async def _send(self, head: bytes, body: Body, response: Response, *, chunked: bool) -> bool:
        """Send a request; gives whether all of it is on its way: after an early answer the rest is of no use."""
        assert self._transport is not None
        if isinstance(body, bytes):
            if len(body) <= SLICE_BYTES:
                self._transport.write(head + body)
                return True
            return await self._send_slices((head, body), response)
        if isinstance(body, mmap):
            return await self._send_slices((head, body), response)
        if isinstance(body, tuple):
            if length(body) <= SLICE_BYTES:
                self._transport.write(b"".join((head, *body)))
                return True
            return await self._send_slices((head, *body), response)
        self._transport.write(head)
        async for chunk in body:
            if response.started or not self.alive:
                return False
            if chunk:  # an empty one would end a chunked body
                self._transport.write(b"%x\r\n%b\r\n" % (len(chunk), chunk) if chunked else chunk)
                await self._drained()
        if response.started or not self.alive:
            return False
        if chunked:
            self._transport.write(b"0\r\n\r\n")
        return True

    async def _send_slices(self, segments: Sequence[bytes | mmap | memoryview], response: Response) -> bool:
        for piece in slices(segments):
            if response.started or not self.alive:
                return False
            assert self._transport is not None
            self._transport.write(piece)
            await self._drained()
        return True

    async def _drained(self) -> None:
        """Wait for room; the upstream has its full time again for each piece, and for the answer after the last."""
        if self._writable is not None:
            await self._writable
        self._deadline = self._loop.time() + self._deadlines.first_byte_seconds

    def abort(self) -> None:
        """Take the connection down at once."""
        self._stop_timer()
        if self._transport is not None:
            self._transport.abort()

    def await_more(self) -> None:
        """A reader begins to wait: silence counts from now on."""
        self._deadline = self._loop.time() + self._deadlines.silence_seconds

    def resume_reading(self) -> None:
        """The reader has caught up."""
        if self._paused and self._transport is not None and not self._transport.is_closing():
            self._paused = False
            self._deadline = self._loop.time() + self._deadlines.silence_seconds
            self._transport.resume_reading()

    # What asyncio calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Parse what came, then let the reader have all of it at once."""
        response = self._response
        if response is None or self._parser is None:
            self.abort()  # an answer to no question
            return
        self.answered = True
        self._deadline = self._loop.time() + self._deadlines.silence_seconds
        try:
            self._parser.feed_data(data)
            if not response.started:
                self._count_unanswered(len(data))
        except (httptools.HttpParserError, httptools.HttpParserUpgrade, HeadTooLarge):
            response.fail(NetworkError("The upstream answered with something that is not HTTP."))
            self.abort()
            return
        if response.is_crowded and not self._paused and self._response is response and self._transport is not None:
            self._paused = True
            self._transport.pause_reading()
        response.wake()

    def _count_unanswered(self, size: int) -> None:
        """Bound what comes instead of an answer: a header that never ends, or interim answers that never do."""
        self._unanswered_bytes += size
        if self._unanswered_bytes > MAX_HEADER_BYTES:
            raise HeadTooLarge

    def eof_received(self) -> bool:
        """The upstream closes; so do we."""
        return False

    def connection_lost(self, exc: Exception | None) -> None:
        """End what is under way: where no length was told, the end of the connection is the end of the answer."""
        self._transport = None
        self._stop_timer()
        self._wake_sender()
        response, self._response = self._response, None
        if response is None or response.complete:
            return
        if response.started and self._until_close and exc is None:
            response.finish()
            response.wake()
        else:
            response.fail(NetworkError(BROKEN_OFF))

    def pause_writing(self) -> None:
        """The socket is full."""
        self._writable = self._loop.create_future()

    def resume_writing(self) -> None:
        """There is room again."""
        self._wake_sender()

    def _wake_sender(self) -> None:
        writable, self._writable = self._writable, None
        if writable is not None and not writable.done():
            writable.set_result(None)

    # What the parser calls.

    def on_message_begin(self) -> None:
        """Refuse what follows an answer: nobody has asked for it."""
        if self._response is None:
            raise ValueError("more than one answer")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Collect a header."""
        assert self._response is not None
        self._head_bytes += len(name) + len(value)
        if self._head_bytes > MAX_HEADER_BYTES:
            raise HeadTooLarge
        name = name.lower()
        if name in (b"content-length", b"transfer-encoding"):
            self._until_close = False
        self._response.headers.append((name, value))

    def on_headers_complete(self) -> None:
        """The answer begins, unless it is an interim one."""
        assert self._response is not None and self._parser is not None
        status = self._parser.get_status_code()
        if status < 200:
            self._response.headers = []
            self._deadline = self._loop.time() + self._deadlines.first_byte_seconds
            return
        self._response.status = status
        self._response.started = True
        if self._sending:
            self._wake_sender()
        if status in (204, 304):
            self._until_close = False
        self._response.decompress(self._response.header(b"content-encoding"))
        if self._head_only:
            self._complete(reusable=False)

    def on_body(self, body: bytes) -> None:
        """Hand a piece on."""
        if self._response is not None:
            self._response.add(body)

    def on_message_complete(self) -> None:
        """The answer is whole: the connection is free for the next."""
        if self._response is not None and self._response.started:
            assert self._parser is not None
            # A body still being written would run into the next request.
            self._complete(reusable=self._parser.should_keep_alive() and not self._sending)

    def _complete(self, *, reusable: bool) -> None:
        response, self._response = self._response, None
        self._stop_timer()
        if response is not None:
            response.finish()
            response.wake()
        if reusable and self.alive:
            self.resume_reading()
            self.idle_since = self._loop.time()
            self._release(self)
        elif self._sending:
            self.abort()  # closing would wait for an upstream that may never read the rest
        elif self._transport is not None:
            self._transport.close()

    def _check_deadline(self) -> None:
        response = self._response
        if response is None:
            return
        now = self._loop.time()
        if now < self._deadline:
            self._start_timer(now)
        elif not response.waited_for and not (self._sending and self._writable is not None):
            # Nobody is waiting: the client is slow, not the upstream.
            self._deadline = now + self._deadlines.silence_seconds
            self._start_timer(now)
        else:
            what = "went silent in the middle of its answer" if response.started else "took too long to answer"
            response.fail(DeadlineError(f"The upstream {what}."))
            self.abort()

    def _start_timer(self, now: float) -> None:
        # The deadline moves with every byte: look again no later than the shortest silence that may end.
        when = min(self._deadline, now + self._deadlines.silence_seconds)
        self._timer = self._loop.call_at(when, self._check_deadline)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
