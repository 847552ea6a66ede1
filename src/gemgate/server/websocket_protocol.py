"""uvicorn's WebSocket protocol, with bounds for what a client can make it hold.

A message that is not complete has limits of time, as the body of a request has, and all of them together one of size.
A client that does not read is owed one answer to its pings and no more. What is no UTF-8 is told by whoever hears it,
not by the end of the connection.
"""

import asyncio
from typing import Any

from uvicorn.protocols.websockets.websockets_sansio_impl import WebSocketsSansIOProtocol
from websockets.frames import CloseCode, Frame

MESSAGE_SILENCE_SECONDS = 60.0
MAX_UNFINISHED_BYTES = 512 * 1024 * 1024
FRAGMENT_BYTES = 64
"""What a piece of a message takes, besides what it says."""


class Unfinished:
    """Counts the bytes of messages that are not complete; over the bound the largest of them ends its connection."""

    def __init__(self) -> None:
        self._held: dict[BoundedWebSocketProtocol, int] = {}
        self.bytes = 0

    def count(self, connection: "BoundedWebSocketProtocol", held: int) -> None:
        """A connection holds so many bytes now."""
        self.bytes += held - self._held.pop(connection, 0)
        if held:
            self._held[connection] = held
        if self.bytes > MAX_UNFINISHED_BYTES:
            largest = max(self._held, key=self._held.__getitem__)
            largest.end(CloseCode.TRY_AGAIN_LATER, "This server has too many large messages coming in. Try again.")


UNFINISHED = Unfinished()
"""Of this process."""


class BoundedWebSocketProtocol(WebSocketsSansIOProtocol):
    """Serves one connection from its upgrade on."""

    def __init__(self, *args: Any, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self.conn.debug = False  # it would log what is said, and the keys in the head
        self._pong = b""
        self._held = 0
        self._heard = 0.0
        self._silence_timer: asyncio.TimerHandle | None = None
        self._abort_timer: asyncio.TimerHandle | None = None

    def data_received(self, data: bytes) -> None:
        """Take in what came; a message that is not complete with it has limits."""
        super().data_received(data)
        held = self._unfinished
        if held == self._held:
            return
        if held > self._held:
            self._heard = self.loop.time()
        self._held = held
        if self._silence_timer is None:
            self._silence_timer = self.loop.call_later(MESSAGE_SILENCE_SECONDS, self._look_for_silence)
        UNFINISHED.count(self, held)

    async def receive(self) -> Any:
        """Give what came next; only from then on may there be silence, for nothing may have been read before."""
        message = await super().receive()
        self._heard = self.loop.time()
        return message

    @property
    def _unfinished(self) -> int:
        """How many bytes of messages that are not complete are held."""
        if self.conn.parser_exc is not None:
            return 0
        held = len(self.conn.reader.buffer)
        if self.conn.current_size is not None:
            held += self.conn.current_size + FRAGMENT_BYTES * len(self.frames)
        return held

    def _look_for_silence(self) -> None:
        """Hang up on a client that stops in the middle of a message, unless it is we who do not read."""
        self._silence_timer = None
        if not self._held:
            return
        if self.read_paused or self.loop.time() - self._heard < MESSAGE_SILENCE_SECONDS:
            self._silence_timer = self.loop.call_later(MESSAGE_SILENCE_SECONDS, self._look_for_silence)
        else:
            self.end(CloseCode.POLICY_VIOLATION, "A message was begun and not ended.")

    def end(self, code: int, reason: str) -> None:
        """Close, and let go of what has come of a message."""
        self._let_go()
        if self.close_sent or self.transport.is_closing():
            return
        self.queue.put_nowait({"type": "websocket.disconnect", "code": code, "reason": reason})
        self.conn.fail(code, reason)
        self.transport.write(b"".join(self.conn.data_to_send()))
        self.close_sent = True
        self.transport.close()
        self._abort_soon()

    def handle_parser_exception(self) -> None:
        """Close, as what came is no message, or too large."""
        super().handle_parser_exception()
        self._let_go()
        self._abort_soon()

    def keepalive_timeout(self) -> None:
        """Hang up on a client that does not answer."""
        super().keepalive_timeout()
        self._abort_soon()

    def _let_go(self) -> None:
        self.frames = []
        self._held = 0
        UNFINISHED.count(self, 0)

    def _abort_soon(self) -> None:
        """A client that does not read never takes what is still to be written."""
        if self._abort_timer is None:
            self._abort_timer = self.loop.call_later(self.close_timeout, self.transport.abort)

    def handle_text(self, event: Frame) -> None:
        """Take a text for bytes, whatever they are."""
        self.handle_bytes(event)

    def handle_bytes(self, event: Frame) -> None:
        """Take in a message, or its beginning."""
        super().handle_bytes(event)
        event.data = b""  # the parser holds the last frame until the next

    def handle_cont(self, event: Frame) -> None:
        """Take in more of a message."""
        super().handle_cont(event)
        event.data = b""

    def handle_ping(self) -> None:
        """Answer, or remember the answer while the client does not read."""
        if self.writable.is_set():
            super().handle_ping()
        elif answers := self.conn.data_to_send():
            self._pong = answers[-1]

    def resume_writing(self) -> None:
        """Go on; the last ping of those that came meanwhile stands for them all."""
        super().resume_writing()
        pong, self._pong = self._pong, b""
        if pong and not self.transport.is_closing():
            self.transport.write(pong)

    def connection_lost(self, exc: Exception | None) -> None:
        """Hold nothing any longer."""
        for timer in (self._silence_timer, self._abort_timer):
            if timer is not None:
                timer.cancel()
        self._let_go()
        super().connection_lost(exc)
