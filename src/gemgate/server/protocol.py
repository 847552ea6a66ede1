"""uvicorn's protocol, with what the hot path and a public address want.

The head of an answer and what follows it go out in one write: a write to a socket is the dearest thing that happens to
a small request. A lost connection is told at once, without a task for each request that waits for it. And requests that
are not complete have limits of size and time, which uvicorn does not set.
"""

import asyncio
from functools import partial
from typing import Any, cast

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from gemgate.pipeline.exchange import Headers, Leaving

MAX_HEAD_BYTES = 64 * 1024
HEAD_SECONDS = 30.0
BODY_SILENCE_SECONDS = 60.0

LEAVING = "gemgate.leaving"
"""Where a scope holds the connection's `Leaving`."""
AT_ONCE = "gemgate.at_once"
"""Where a scope holds what writes a whole answer."""


class HeadJoiner:
    """A transport that holds the head of an answer back until the first piece of its body, or the end."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self.transport = transport
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

    def write_through(self, data: bytes) -> None:
        """Write a whole answer."""
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
        self.transport.close()


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
        self._heard = 0.0
        self._head_timer: asyncio.TimerHandle | None = self.loop.call_later(HEAD_SECONDS, self._head_is_late)
        self._body_timer: asyncio.TimerHandle | None = None

    def data_received(self, data: bytes) -> None:
        """Parse what came; a request that is not complete with it has limits."""
        was_in_head = self._in_head
        super().data_received(data)
        if self._in_head:
            self._head_bytes += len(data) if was_in_head else 0
            if self._head_bytes > MAX_HEAD_BYTES:
                self._refuse(b"431 Request Header Fields Too Large")
            elif self._head_timer is None:
                self._head_timer = self.loop.call_later(HEAD_SECONDS, self._head_is_late)
        elif self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
        if self._awaits_body:
            self._heard = self.loop.time()
            if self._body_timer is None:
                self._body_timer = self.loop.call_later(BODY_SILENCE_SECONDS, self._body_is_late)

    def on_headers_complete(self) -> None:
        """The head is whole: what follows has limits of its own, and the answer may be written at once."""
        self._in_head = False
        parser: Any = self.parser
        self._method: bytes = parser.get_method()
        super().on_headers_complete()
        scope: Any = self.scope
        scope[AT_ONCE] = partial(self._write_at_once, self.cycle)

    def _should_upgrade(self) -> bool:
        """Tell whether a request opens a WebSocket; one with a body is answered as it would be without."""
        return self._method == b"GET" and super()._should_upgrade()

    def handle_websocket_upgrade(self) -> None:
        """Hand the socket itself over."""
        if self._answering:
            self._refuse(b"400 Bad Request")
            return
        self.transport = self._joiner.transport
        super().handle_websocket_upgrade()

    def _write_at_once(self, cycle: RequestResponseCycle, status: int, headers: Headers, body: bytes) -> bool:
        """Do what two ASGI messages would: our own headers need no looking over, and one write is enough."""
        if cycle.disconnected or cycle.response_started or self.flow.write_paused:
            return False
        lines = [STATUS_LINE[status]]
        for name, value in cycle.default_headers:
            lines += (name, b": ", value, b"\r\n")
        for name, value in headers:
            lines += (name, b": ", value, b"\r\n")
        lines += (b"\r\n" if cycle.keep_alive else b"connection: close\r\n\r\n", body)
        self._joiner.write_through(b"".join(lines))
        cycle.waiting_for_100_continue = False
        cycle.response_started = cycle.response_complete = True
        cycle.message_event.set()
        if not cycle.keep_alive:
            self.transport.close()
        cycle.on_response()
        return True

    @property
    def _awaits_body(self) -> bool:
        cycle = cast("RequestResponseCycle | None", self.cycle)  # before the first request there is none
        return cycle is not None and cycle.more_body and not cycle.response_complete

    def _body_is_late(self) -> None:
        """Hang up on a client that stops in the middle of its body, unless it is we who do not read."""
        self._body_timer = None
        if not self._awaits_body:
            return
        if self.flow.read_paused or self.loop.time() - self._heard < BODY_SILENCE_SECONDS:
            self._body_timer = self.loop.call_later(BODY_SILENCE_SECONDS, self._body_is_late)
        else:
            self.transport.close()

    def _head_is_late(self) -> None:
        self._head_timer = None
        if self._answering:
            self._head_timer = self.loop.call_later(HEAD_SECONDS, self._head_is_late)
        else:
            self._refuse(b"408 Request Timeout")

    @property
    def _answering(self) -> bool:
        """Whether an answer is under way, which no refusal of the next request may break into."""
        cycle = cast("RequestResponseCycle | None", self.cycle)  # before the first request there is none
        return cycle is not None and not cycle.response_complete

    def _refuse(self, status: bytes) -> None:
        self._in_head = False
        if not self.transport.is_closing():
            if not self._answering:
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
        for timer in (self._head_timer, self._body_timer):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)
        if self._leaving.callback is not None:
            self._leaving.callback()

    def on_response_complete(self) -> None:
        """Let an answer without a body go."""
        self._joiner.end()
        super().on_response_complete()


def websocket_protocol(**settings: Any) -> asyncio.Protocol:
    """Make what serves a connection from its upgrade on; what that takes is imported when it is first needed."""
    from gemgate.server.websocket_protocol import BoundedWebSocketProtocol

    return BoundedWebSocketProtocol(**settings)
