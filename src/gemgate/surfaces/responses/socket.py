"""`/v1/responses` as a WebSocket: many turns in one connection, each a `response.create`, each event one frame."""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Protocol, TypeVar

from msgspec import DecodeError, Raw, Struct, ValidationError, json

from gemgate.errors import GemgateError, InvalidRequest, TooLarge
from gemgate.observe.log import LOGGER
from gemgate.pipeline.exchange import ClientGone, Exchange, Headers, Message, RenderError, Send
from gemgate.protocols.openai_responses.errors import render_frame
from gemgate.protocols.shared.raw_json import decode_members
from gemgate.surfaces.responses.session import Session, SessionMemory

T = TypeVar("T")

KEY_PROTOCOL = "openai-insecure-api-key."
"""Begins the subprotocol by which pages in browsers tell their key."""

MAX_STREAMS = 16
MAX_STREAM_ID = 128
MAX_WAITING = 64
TURN_BYTES = 500
"""What a turn takes while it waits, besides its body."""

ENVELOPE = ("type", "event_id", "stream_id", "response", "generate", "stream", "background")
"""Members of a frame that are no members of the request in it, or go without saying."""

TRUE = Raw(b"true")

HEADERS = {
    b"x-request-id": "request_id",
    b"x-gemgate-upstream": "upstream",
    b"x-gemgate-attempts": "attempts",
    b"x-gemgate-model": "model",
    b"x-gemgate-dropped": "dropped",
}
"""What the headers of an answer tell, by the names that it has in the first event of a turn."""


class Turns(Protocol):
    """What answers the turns; both write events in lines, and raise a `GemgateError` while nothing has been sent."""

    async def create(self, exchange: Exchange, body: bytes, session: Session | None = None) -> None:
        """Answer a request, and remember the answer in the session."""
        ...

    async def warm_up(self, exchange: Exchange, body: bytes, session: Session) -> None:
        """Remember the input of a request, for others to go on from, and answer with an empty response."""
        ...


class Connection(Protocol):
    """The open socket."""

    async def say(self, text: str) -> None:
        """Send a frame; raises `ClientGone`."""
        ...

    async def turn(self, render: RenderError, send: Send, answer: Callable[[Exchange], Awaitable[None]]) -> None:
        """Answer something in an exchange of its own."""
        ...

    def rested(self) -> None:
        """Nothing is being answered any more."""
        ...


class _Event(Struct):
    type: str = ""
    stream_id: str | None = None
    previous_response_id: str | None = None
    input: Raw = Raw(b"null")


class _Turn(Struct):
    body: bytes
    warms_up: bool

    @property
    def size(self) -> int:
        return len(self.body) + TURN_BYTES


class _Stream:
    """Turns that are answered one after the other."""

    def __init__(self) -> None:
        self.waiting: deque[_Turn] = deque()
        self.task: asyncio.Task[None] | None = None
        """Answers the present turn."""
        self.answering = False
        self.cancelled = False
        """Whether the client wants no more of the present turn."""


_decode_event = json.Decoder(_Event, strict=False).decode
_decode_bool = json.Decoder(bool | None, strict=False).decode


class ResponsesSocket:
    """Answers what is said in one connection.

    Turns of one `stream_id`, or of none, are answered in their order; those of several at the same time. What waits
    may have `max_waiting_bytes` in all. `memory` bounds what all connections remember and have waiting.
    """

    def __init__(self, turns: Turns, connection: Connection, memory: SessionMemory, max_waiting_bytes: int) -> None:
        self._turns = turns
        self._connection = connection
        self._memory = memory
        self._max_waiting_bytes = max_waiting_bytes
        self._waiting = 0
        self._waiting_bytes = 0
        self._session = Session(memory)
        self._streams: dict[str, _Stream] = {}
        self._heads: dict[str, bytes] = {}
        """What the first event of a turn still has to tell."""
        self._gone = False

    @property
    def busy(self) -> bool:
        """Whether a turn is under way."""
        return bool(self._streams)

    async def hear(self, frame: str | bytes) -> None:
        """Take in a frame; its faults are told in one, and end nothing else."""
        try:
            event = _read(_decode_event, _text(frame))
            if len(event.stream_id or "") > MAX_STREAM_ID:
                raise InvalidRequest(f"A stream_id has at most {MAX_STREAM_ID} characters.", param="stream_id")
        except GemgateError as error:
            await self._say(render_frame(error)[1], "")
            return
        stream_id = event.stream_id or ""
        try:
            await self._follow(event, frame, stream_id)
        except GemgateError as error:
            await self._say(render_frame(error)[1], stream_id)
        except ClientGone:
            raise
        except Exception:
            LOGGER.exception("an event of a WebSocket was not understood")
            await self._say(render_frame(_unforeseen())[1], stream_id)

    async def _follow(self, event: _Event, frame: str | bytes, stream_id: str) -> None:
        match event.type:
            case "response.create":
                self._take(_turn(frame), stream_id)
            case "response.cancel":
                self._cancel(stream_id)
            case "response.steer":
                await self._say(_not_steered(event), stream_id)
            case _:
                raise InvalidRequest(
                    f"Unknown event type {event.type[:80]!r}. This server takes response.create and response.cancel.",
                    param="type",
                    code="unknown_event_type" if event.type else "missing_required_parameter",
                )

    async def aclose(self) -> None:
        """End the turns under way, and forget everything: the client has gone."""
        self._gone = True
        tasks = [stream.task for stream in self._streams.values() if stream.task is not None]
        for task in tasks:
            task.cancel()
        for stream in self._streams.values():
            while stream.waiting:
                self._next(stream)
        self._session.close()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _take(self, turn: _Turn, stream_id: str) -> None:
        stream = self._streams.get(stream_id)
        if stream is not None:
            self._wait(turn, stream)
            return
        if len(self._streams) >= MAX_STREAMS:
            raise InvalidRequest(
                f"A connection has at most {MAX_STREAMS} streams at a time.", param="stream_id", code="too_many_streams"
            )
        stream = self._streams[stream_id] = _Stream()
        self._begin(turn, stream, stream_id)

    def _wait(self, turn: _Turn, stream: _Stream) -> None:
        if self._waiting >= MAX_WAITING or self._waiting_bytes + turn.size > self._max_waiting_bytes:
            raise TooLarge("More waits in this connection than this server keeps. Wait for what is being answered.")
        self._memory.wait(turn.size)
        self._waiting += 1
        self._waiting_bytes += turn.size
        stream.waiting.append(turn)

    def _next(self, stream: _Stream) -> _Turn:
        """Take the turn that has waited longest."""
        turn = stream.waiting.popleft()
        self._memory.waited(turn.size)
        self._waiting -= 1
        self._waiting_bytes -= turn.size
        return turn

    def _begin(self, turn: _Turn, stream: _Stream, stream_id: str) -> None:
        stream.cancelled = False
        answer = partial(self._answer, turn, stream, stream_id)
        stream.task = asyncio.create_task(self._connection.turn(render_frame, partial(self._send, stream_id), answer))
        stream.task.add_done_callback(lambda _: self._go_on(stream, stream_id))

    def _go_on(self, stream: _Stream, stream_id: str) -> None:
        if stream.waiting and not self._gone:
            self._begin(self._next(stream), stream, stream_id)
            return
        del self._streams[stream_id]
        if not self._streams:
            self._connection.rested()

    def _cancel(self, stream_id: str) -> None:
        stream = self._streams.get(stream_id)
        if stream is None or stream.task is None:
            raise InvalidRequest("There is no response under way to cancel.", code="response_cancel_not_active")
        stream.cancelled = True
        if stream.answering:
            stream.task.cancel()

    async def _answer(self, turn: _Turn, stream: _Stream, stream_id: str, exchange: Exchange) -> None:
        answer = self._turns.warm_up if turn.warms_up else self._turns.create
        if stream.cancelled:
            raise _cancelled()
        stream.answering = True
        try:
            await answer(exchange, turn.body, self._session)
        except asyncio.CancelledError:
            if not (self._gone or stream.cancelled):
                raise
            assert stream.task is not None
            stream.task.uncancel()
            if self._gone:
                raise ClientGone from None
            await self._tell_cancelled(exchange, stream_id)
        finally:
            stream.answering = False

    async def _tell_cancelled(self, exchange: Exchange, stream_id: str) -> None:
        error = _cancelled()
        if not exchange.started:
            raise error
        exchange.broke_off = error.message
        await self._say(render_frame(error)[1], stream_id)

    async def _send(self, stream_id: str, message: Message) -> None:
        if message["type"] == "http.response.start":
            self._heads[stream_id] = _head(message["headers"])
            return
        body: bytes = message["body"]
        for line in body.split(b"\n"):
            if line:
                await self._say(line, stream_id)

    async def _say(self, event: bytes, stream_id: str) -> None:
        if head := self._heads.pop(stream_id, None):
            event = event[:-1] + b',"gemgate":' + head + b"}"
        if stream_id:
            event = event[:-1] + b',"stream_id":' + json.encode(stream_id) + b"}"
        await self._connection.say(event.decode())


def _turn(frame: str | bytes) -> _Turn:
    """Take the request out of its frame; it may be the frame's `response` too."""
    members = _read(decode_members, frame)
    if (nested := members.get("response")) is not None:
        members |= _read(decode_members, nested)
    warms_up = _read(_decode_bool, members.get("generate", TRUE)) is False
    request = {name: value for name, value in members.items() if name not in ENVELOPE}
    return _Turn(json.encode({**request, "stream": TRUE}), warms_up)


def _head(headers: Headers) -> bytes:
    """Give what headers would tell of an answer, which has none here."""
    told = dict(headers)
    return json.encode({told_as: told[name].decode() for name, told_as in HEADERS.items() if name in told})


def _text(frame: str | bytes) -> str | bytes:
    """Look whether a frame is UTF-8 throughout: parts of it are passed over unread, and go out again."""
    if isinstance(frame, bytes):
        try:
            frame.decode()
        except UnicodeError as error:
            raise InvalidRequest(f"The event is not valid UTF-8: {error}", code="invalid_json") from error
    return frame


def _read(decode: Callable[[str | bytes | Raw], T], frame: str | bytes | Raw) -> T:
    try:
        return decode(frame)
    except ValidationError as error:
        raise InvalidRequest(f"The event is not understood: {error}") from error
    except RecursionError as error:
        raise InvalidRequest("The event is nested too deeply.", code="nested_too_deeply") from error
    except (DecodeError, UnicodeError) as error:
        raise InvalidRequest(f"The event is not valid JSON: {error}", code="invalid_json") from error


def _unforeseen() -> GemgateError:
    return GemgateError("Something went wrong inside this server; its log says what.")


def _cancelled() -> GemgateError:
    return InvalidRequest("The response was cancelled.", code="response_cancelled")


def _not_steered(event: _Event) -> bytes:
    """Give back what a client has said into the answer under way: it has to be said in the next turn."""
    error = {
        "type": "invalid_request_error",
        "code": "steering_not_supported",
        "message": "A response under way cannot be steered here. Send the input in the next response.create.",
    }
    steer = {"input": event.input, "previous_response_id": event.previous_response_id or ""}
    return json.encode({"type": "response.steer.failed", "sequence_number": 0, "error": error, "steer": steer})
