"""uvicorn's protocol, with what the hot path and a public address want.

The head of an answer and what follows it go out in one write: a write to a socket is the dearest thing that happens to
a small request. A lost connection is told at once, without a task for each request that waits for it. And the head of a
request has a limit of size and time, which uvicorn does not set.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gemgate.pipeline.exchange import Leaving

MAX_HEAD_BYTES = 64 * 1024
HEAD_SECONDS = 30.0

LEAVING = "gemgate.leaving"
"""Where a scope holds the connection's `Leaving`."""


class HeadJoiner:
    """A transport that holds the head of an answer back until the first piece of its body, or the end."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._write = transport.write
        self._head = b""
        self._in_body = False
        self.is_closing = transport.is_closing
        self.get_extra_info = transport.get_extra_info
        self.pause_reading = transport.pause_reading
        self.resume_reading = transport.resume_reading

    def write(self, data: bytes) -> None:
        """Write on, or hold the data if they are a head."""
        if self._head:
            data, self._head = self._head + data, b""
            self._write(data)
        elif not self._in_body and data.startswith(b"HTTP/1.1 ") and not data.startswith(b"HTTP/1.1 100"):
            self._head = data
            self._in_body = True
        else:
            self._write(data)

    def end(self) -> None:
        """The answer is over: write what is held, and expect another head."""
        self._in_body = False
        if self._head:
            head, self._head = self._head, b""
            self._write(head)

    def close(self) -> None:
        """Close after everything has been written."""
        self.end()
        self._transport.close()


class JoinedHttpProtocol(HttpToolsProtocol):
    """Serves one connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Stand between uvicorn and the socket."""
        self._joiner = HeadJoiner(transport)
        self._leaving = Leaving()
        joiner: Any = self._joiner
        super().connection_made(joiner)
        self._in_head = True
        self._head_bytes = 0
        self._head_timer: asyncio.TimerHandle | None = self.loop.call_later(HEAD_SECONDS, self._too_slow)

    def data_received(self, data: bytes) -> None:
        """Parse what came; a head that is not complete with it has limits."""
        super().data_received(data)
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > MAX_HEAD_BYTES:
                self._refuse(b"431 Request Header Fields Too Large")
            elif self._head_timer is None:
                self._head_timer = self.loop.call_later(HEAD_SECONDS, self._too_slow)
        elif self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def on_headers_complete(self) -> None:
        """The head is whole: the rest has limits of its own."""
        self._in_head = False
        super().on_headers_complete()

    def _too_slow(self) -> None:
        self._refuse(b"408 Request Timeout")

    def _refuse(self, status: bytes) -> None:
        self._in_head = False
        if not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 " + status + b"\r\nconnection: close\r\ncontent-length: 0\r\n\r\n")
            self.transport.close()

    def on_message_begin(self) -> None:
        """Let the request's handler know of the connection."""
        super().on_message_begin()
        self._in_head = True
        self._head_bytes = 0
        scope: Any = self.scope
        scope[LEAVING] = self._leaving

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever is answering."""
        if self._head_timer is not None:
            self._head_timer.cancel()
        super().connection_lost(exc)
        if self._leaving.callback is not None:
            self._leaving.callback()

    def on_response_complete(self) -> None:
        """Let an answer without a body go."""
        self._joiner.end()
        super().on_response_complete()
