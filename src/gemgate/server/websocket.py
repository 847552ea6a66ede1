"""WebSockets: the handshake, and what holds for a connection whatever is said in it."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Any, Protocol

from uvicorn.protocols.utils import ClientDisconnected

from gemgate.errors import PermissionDenied, Unauthenticated, Unavailable
from gemgate.pipeline.exchange import ClientGone, Exchange, Message, Receive, RenderError, Send
from gemgate.server.reception import UNAUTHENTICATED, Reception
from gemgate.server.routes import find_socket, normal

IDLE_SECONDS = 30 * 60.0
"""How long a connection may stay open in which nothing happens."""
SWITCHING_PROTOCOLS = 101
GOING_AWAY = 1001


class Talk(Protocol):
    """What is said in one connection."""

    @property
    def busy(self) -> bool:
        """Whether anything is being answered."""
        ...

    async def hear(self, frame: str | bytes) -> None:
        """Take in what the client says; does not wait for its answer."""
        ...

    async def aclose(self) -> None:
        """End what is being answered: the client has gone."""
        ...


class Connection:
    """An open WebSocket, as those see it who answer in it."""

    def __init__(self, reception: Reception, scope: dict[str, Any], opening: Exchange, send: Send) -> None:
        self._reception = reception
        self._scope = scope
        self._opening = opening
        self._send = send
        self._loop = asyncio.get_running_loop()
        self._rested_at = self._loop.time()
        self._closes_at_rest = False
        self._closing: asyncio.Task[None] | None = None
        self.closed = False

    async def say(self, text: str) -> None:
        """Send a frame, waiting until the client takes it; raises `ClientGone`."""
        if self.closed:
            raise ClientGone
        try:
            await self._send({"type": "websocket.send", "text": text})
        except (OSError, RuntimeError) as error:  # lost, or closed from the other side in this moment
            raise ClientGone from error

    async def turn(self, render: RenderError, send: Send, answer: Callable[[Exchange], Awaitable[None]]) -> None:
        """Answer something that was said in an exchange of its own, counted and logged as a request is."""
        exchange = self._reception.exchange(self._scope, self._opening.path, render, _nothing, send, method="WS")
        exchange.caller = self._opening.caller

        async def admitted() -> None:
            self._reception.check_room()
            await answer(exchange)

        await self._reception.see_through(exchange, admitted)

    def rested(self) -> None:
        """Nothing is being answered any more."""
        self._rested_at = self._loop.time()
        if self._closes_at_rest:
            self._closing = asyncio.ensure_future(self._close("This server is stopping."))

    def close_at_rest(self, talk: Talk) -> None:
        """Close when nothing is being answered, perhaps now."""
        self._closes_at_rest = True
        if not talk.busy:
            self.rested()

    async def close_when_idle(self, talk: Talk, seconds: float) -> None:
        """Wait until nothing has happened for so long, and close."""
        left = seconds
        while left > 0:
            await asyncio.sleep(left)
            left = seconds if talk.busy else self._rested_at + seconds - self._loop.time()
        await self._close("Nothing has happened here for long. Open another connection.")

    async def _close(self, reason: str) -> None:
        if not self.closed:
            self.closed = True
            with suppress(OSError, RuntimeError):
                await self._send({"type": "websocket.close", "code": GOING_AWAY, "reason": reason})


class WebSockets:
    """Answers WebSockets, all of one kind.

    `render` writes what refuses a handshake. Browsers cannot send headers: `key_protocol` begins the subprotocol by
    which they tell their key.
    """

    def __init__(
        self,
        reception: Reception,
        begin: Callable[[Connection], Talk],
        render: RenderError,
        key_protocol: str,
        *,
        idle_seconds: float = IDLE_SECONDS,
    ) -> None:
        self._reception = reception
        self._begin = begin
        self._render = render
        self._key_protocol = key_protocol
        self._idle_seconds = idle_seconds
        self._open: dict[Connection, Talk] = {}
        self._draining = False

    def drain(self) -> None:
        """Let no more in, and close each connection when all is answered that was said in it."""
        self._draining = True
        for connection, talk in self._open.items():
            connection.close_at_rest(talk)

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Serve one connection from its handshake to its end; raises `ClientDisconnected` if it was not let in."""
        await receive()
        refuse = partial(_refuse, send)
        opening = self._reception.exchange(scope, normal(scope["path"]), self._render, _nothing, refuse, method="GET")
        await self._reception.see_through(opening, partial(self._let_in, opening, scope, send))
        if opening.status != SWITCHING_PROTOCOLS:
            # To uvicorn a handshake that nobody took is a defect, but not one whose client has gone: it logs nothing.
            raise ClientDisconnected
        await self._serve(Connection(self._reception, scope, opening, send), receive)

    async def _let_in(self, opening: Exchange, scope: dict[str, Any], send: Send) -> None:
        find_socket(opening.path)
        if self._draining or len(self._open) >= self._reception.limits.max_requests:
            raise Unavailable("This server takes no more connections right now. Try again.", retry_after_seconds=1)
        if not self._may_come_from(opening.header(b"origin"), opening.header(b"host")):
            raise PermissionDenied("Pages of this origin may not connect (GEMGATE_CORS_ORIGINS).")
        offered: list[str] = scope["subprotocols"]
        told = [name for name in offered if name.startswith(self._key_protocol)]
        keys = [name.removeprefix(self._key_protocol).encode() for name in told]
        opening.caller = self._reception.caller(opening, keys)
        if opening.caller is None:
            raise Unauthenticated(UNAUTHENTICATED)
        # A browser hangs up if it offers protocols and none is taken.
        chosen = next((name for name in offered if name not in told), told[0] if told else None)
        headers = [(b"x-request-id", opening.request_id.encode())]
        try:
            await send({"type": "websocket.accept", "subprotocol": chosen, "headers": headers})
        except OSError as error:
            raise ClientGone from error
        opening.status = SWITCHING_PROTOCOLS

    def _may_come_from(self, origin: bytes, host: bytes) -> bool:
        """Tell whether a page may connect; some clients that are no pages name our own host."""
        allowed = self._reception.cors.origins
        return not origin or b"*" in allowed or origin in allowed or origin.partition(b"://")[2] == host

    async def _serve(self, connection: Connection, receive: Receive) -> None:
        talk = self._begin(connection)
        self._open[connection] = talk
        idle = asyncio.create_task(connection.close_when_idle(talk, self._idle_seconds))
        try:
            while await _hear(connection, talk, receive):
                pass
        except ClientGone:
            pass
        finally:
            del self._open[connection]
            idle.cancel()
            connection.closed = True
            await talk.aclose()


async def _hear(connection: Connection, talk: Talk, receive: Receive) -> bool:
    """Hand on what the client says next, and hold none of it any longer; tells whether there was anything."""
    message = await receive()
    if message["type"] != "websocket.receive":
        return False
    if not connection.closed:
        await talk.hear(message.get("text") or message.get("bytes") or b"")
    return True


async def _nothing() -> Message:
    """Receive what comes with a request that is whole already: nothing, ever."""
    return await asyncio.get_running_loop().create_future()


async def _refuse(send: Send, message: Message) -> None:
    """Answer a handshake by plain HTTP."""
    with suppress(OSError):
        await send({**message, "type": message["type"].replace("http.", "websocket.http.", 1)})
