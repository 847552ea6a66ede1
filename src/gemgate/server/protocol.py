"""uvicorn's protocol, with two things that the hot path wants.

The head of an answer and what follows it go out in one write: a write to a socket is the dearest thing that happens to
a small request. And a lost connection is told at once, without a task for each request that waits for it.
"""

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gemgate.pipeline.exchange import Leaving

LEAVING = "gemgate.leaving"
"""Where a scope holds the connection's `Leaving`."""


class HeadJoiner:
    """A transport that holds the head of an answer back until the first piece of its body, or the end."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._write = transport.write
        self._head = b""
        self.is_closing = transport.is_closing
        self.get_extra_info = transport.get_extra_info
        self.pause_reading = transport.pause_reading
        self.resume_reading = transport.resume_reading

    def write(self, data: bytes) -> None:
        """Write on, or hold the data if they are a head."""
        if self._head:
            data, self._head = self._head + data, b""
            self._write(data)
        elif data.startswith(b"HTTP/1.1 ") and not data.startswith(b"HTTP/1.1 100"):
            self._head = data
        else:
            self._write(data)

    def flush(self) -> None:
        """Write what is held."""
        if self._head:
            head, self._head = self._head, b""
            self._write(head)

    def close(self) -> None:
        """Close after everything has been written."""
        self.flush()
        self._transport.close()


class JoinedHttpProtocol(HttpToolsProtocol):
    """Serves one connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Stand between uvicorn and the socket."""
        self._joiner = HeadJoiner(transport)
        self._leaving = Leaving()
        joiner: Any = self._joiner
        super().connection_made(joiner)

    def on_message_begin(self) -> None:
        """Let the request's handler know of the connection."""
        super().on_message_begin()
        scope: Any = self.scope
        scope[LEAVING] = self._leaving

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever is answering."""
        super().connection_lost(exc)
        if self._leaving.callback is not None:
            self._leaving.callback()

    def on_response_complete(self) -> None:
        """Let an answer without a body go."""
        self._joiner.flush()
        super().on_response_complete()
