"""Turns in one connection: their order, their frames, their ends."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from gemgate.errors import InvalidRequest, RateLimited
from gemgate.hub.codec import Dropped
from gemgate.pipeline.exchange import ClientGone, Exchange, RenderError, Send
from gemgate.surfaces.responses import socket as module
from gemgate.surfaces.responses.session import Session, SessionMemory
from gemgate.surfaces.responses.socket import ResponsesSocket

PATIENCE_SECONDS = 5.0


class Turns:
    """Answers by what the requests' `input` says."""

    def __init__(self) -> None:
        self.bodies: list[dict[str, Any]] = []
        self.warmed: list[dict[str, Any]] = []
        self.sessions: set[int] = set()
        self.under_way = 0
        self.cancelled = 0
        self.begun = asyncio.Event()
        self.go_on = asyncio.Event()

    async def create(self, exchange: Exchange, body: bytes, session: Session | None = None) -> None:
        request = json.loads(body)
        self.bodies.append(request)
        self.sessions.add(id(session))
        said = request.get("input")
        if said == "refuse":
            raise RateLimited("Too many.", retry_after_seconds=1.2)
        if said == "fail":
            raise ZeroDivisionError
        if said == "drop":
            exchange.dropped = [Dropped("tools.0", "there is no such tool")]
        if said != "wait unsaid":
            await exchange.start(200, b"application/json")
            await exchange.send(b'{"type":"response.created"}\n')
        self.under_way += 1
        try:
            if str(said).startswith("wait"):
                self.begun.set()
                await self.go_on.wait()
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.under_way -= 1
        await exchange.send(b"\n")
        await exchange.send(
            b'{"type":"delta","said":%s}\n{"type":"response.completed"}\n' % json.dumps(said).encode(), more=False
        )

    async def warm_up(self, exchange: Exchange, body: bytes, session: Session) -> None:
        self.warmed.append(json.loads(body))
        self.sessions.add(id(session))
        await exchange.start(200, b"application/json")
        await exchange.send(b'{"type":"response.completed"}\n', more=False)


class Wire:
    """A connection that keeps its frames; it sees exchanges through as the server does."""

    def __init__(self) -> None:
        self.frames: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self.rests = asyncio.Queue[None]()
        self.exchanges: list[Exchange] = []
        self.gone = 0

    async def say(self, text: str) -> None:
        assert "\n" not in text
        self.frames.put_nowait(json.loads(text))

    async def turn(self, render: RenderError, send: Send, answer: Callable[[Exchange], Awaitable[None]]) -> None:
        async def receive() -> Any:
            raise AssertionError

        exchange = Exchange(
            method="WS", path="/", query=b"", headers=[], receive=receive, send=send, request_id="req_1"
        )
        exchange.render_error = render
        self.exchanges.append(exchange)
        try:
            await answer(exchange)
        except (InvalidRequest, RateLimited) as error:
            await exchange.fail(error)
        except ClientGone:
            self.gone += 1

    def rested(self) -> None:
        self.rests.put_nowait(None)

    async def frame(self) -> dict[str, Any]:
        async with asyncio.timeout(PATIENCE_SECONDS):
            return await self.frames.get()

    async def rest(self) -> list[dict[str, Any]]:
        """Wait until nothing is answered any more; give what was said."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            await self.rests.get()
        return [self.frames.get_nowait() for _ in range(self.frames.qsize())]


@pytest.fixture
def turns() -> Turns:
    return Turns()


@pytest.fixture
def wire() -> Wire:
    return Wire()


@pytest.fixture
async def socket(turns: Turns, wire: Wire) -> AsyncIterator[ResponsesSocket]:
    memory = SessionMemory()
    made = ResponsesSocket(turns, wire, memory, max_waiting_bytes=2000)
    yield made
    await made.aclose()
    assert not made.busy and memory.bytes == 0


def create(said: object = "hello", **more: object) -> str:
    return json.dumps({"type": "response.create", "model": "m", "input": said, **more})


def types(frames: list[dict[str, Any]]) -> list[str]:
    return [frame["type"] for frame in frames]


WHOLE = ["response.created", "delta", "response.completed"]


async def test_a_turn_is_one_frame_an_event(socket: ResponsesSocket, turns: Turns, wire: Wire) -> None:
    await socket.hear(create(store=False))
    assert socket.busy
    frames = await wire.rest()
    assert types(frames) == WHOLE
    assert turns.bodies == [{"model": "m", "input": "hello", "store": False, "stream": True}]
    assert not socket.busy


async def test_the_first_event_tells_what_headers_would(socket: ResponsesSocket, wire: Wire) -> None:
    for said in ("hello", "refuse"):
        await socket.hear(create(said, stream_id="s"))
        first, *rest = await wire.rest()
        assert first["gemgate"] == {"request_id": "req_1", "upstream": "none", "attempts": "0"}
        assert first["stream_id"] == "s" and not any("gemgate" in frame for frame in rest)


async def test_what_was_dropped_is_told_by_the_first_event(socket: ResponsesSocket, wire: Wire) -> None:
    await socket.hear(create("drop"))
    assert (await wire.frame())["gemgate"]["dropped"] == "tools.0"


async def test_what_is_of_the_frame_is_no_part_of_the_request(
    socket: ResponsesSocket, turns: Turns, wire: Wire
) -> None:
    envelope = {"event_id": "e", "stream": False, "background": True, "stream_id": None, "generate": None}
    await socket.hear(create(**envelope).encode())
    await wire.rest()
    await socket.hear(json.dumps({"type": "response.create", "response": {"model": "m", "input": "nested"}}))
    await wire.rest()
    assert turns.bodies == [
        {"model": "m", "input": "hello", "stream": True},
        {"model": "m", "input": "nested", "stream": True},
    ]


async def test_turns_have_one_session(socket: ResponsesSocket, turns: Turns, wire: Wire) -> None:
    await socket.hear(create(generate=False))
    assert types(await wire.rest()) == ["response.completed"]
    await socket.hear(create(previous_response_id="resp_1"))
    await wire.rest()
    assert turns.warmed == [{"model": "m", "input": "hello", "stream": True}]
    assert turns.bodies[0]["previous_response_id"] == "resp_1" and len(turns.sessions) == 1


async def test_a_second_turn_waits_for_the_first(socket: ResponsesSocket, turns: Turns, wire: Wire) -> None:
    for said in ("wait", "second", "third"):
        await socket.hear(create(said))
    await turns.begun.wait()
    assert len(turns.bodies) == 1
    turns.go_on.set()
    frames = await wire.rest()
    assert types(frames) == WHOLE * 3
    assert [frame["said"] for frame in frames if "said" in frame] == ["wait", "second", "third"]


async def test_streams_are_answered_at_the_same_time(socket: ResponsesSocket, turns: Turns, wire: Wire) -> None:
    await socket.hear(create("wait", stream_id="one"))
    await turns.begun.wait()
    await socket.hear(create("quick", stream_id='t"wo'))
    frames = [await wire.frame() for _ in range(4)]
    assert types(frames) == ["response.created", *WHOLE]
    assert [frame.get("stream_id") for frame in frames] == ["one", 't"wo', 't"wo', 't"wo']
    turns.go_on.set()
    last = await wire.rest()
    assert types(last) == WHOLE[1:] and last[-1]["stream_id"] == "one" and len(turns.sessions) == 1


async def test_streams_and_what_waits_are_bounded(
    socket: ResponsesSocket, turns: Turns, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_STREAMS", 2)
    await socket.hear(create("wait", stream_id="a"))
    await socket.hear(create("wait", stream_id="b"))
    await socket.hear(create("wait", stream_id="c"))
    assert (await _error(wire))["error"]["code"] == "too_many_streams"
    await socket.hear(create("x" * 900, stream_id="a"))
    await socket.hear(create("y" * 900, stream_id="b"))
    refused = await _error(wire)
    assert refused["status"] == 413 and refused["stream_id"] == "b"
    turns.go_on.set()
    await wire.rest()
    await socket.hear(create("wait", stream_id="b"))
    await socket.hear(create("y" * 900, stream_id="b"))
    await wire.rest()
    assert [len(body["input"]) for body in turns.bodies].count(900) == 2


async def test_small_turns_that_wait_are_bounded_too(turns: Turns, wire: Wire, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_WAITING", 3)
    memory = SessionMemory(max_bytes=3000)
    socket = ResponsesSocket(turns, wire, memory, max_waiting_bytes=10_000)
    await socket.hear(create("wait", stream_id="a"))
    await socket.hear(create("wait", stream_id="b"))
    for stream_id in ("a", "b", "a", "b"):
        await socket.hear(json.dumps({"type": "response.create", "stream_id": stream_id}))
    refused = await _error(wire)
    assert refused["status"] == 413 and refused["stream_id"] == "b"
    assert memory.bytes > 3 * module.TURN_BYTES
    turns.go_on.set()
    await wire.rest()
    assert memory.bytes == 0 and len(turns.bodies) == 5
    turns.go_on.clear()
    for said in ("wait", "wait", "x" * 2000):
        await socket.hear(create(said))
    assert (await _error(wire))["status"] == 503
    await socket.aclose()
    assert memory.bytes == 0


async def _error(wire: Wire) -> dict[str, Any]:
    while (frame := await wire.frame())["type"] != "error":
        pass
    return frame


async def test_a_refused_turn_is_a_frame_and_the_next_goes_on(socket: ResponsesSocket, wire: Wire) -> None:
    await socket.hear(create("refuse"))
    await socket.hear(create("next"))
    refused, *frames = await wire.rest()
    assert refused["type"] == "error" and refused["status"] == 429
    assert refused["error"]["code"] == "rate_limit_exceeded" and refused["headers"] == {"retry-after": "2"}
    assert types(frames) == WHOLE


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        (b'{"type":"response.steer","input":"\xff"}', "invalid_json"),
        (b'{"type":"response.create","input":"\xff"}', "invalid_json"),
        (b'{"type":"response.create","model":"m","stream_id":"\xed\xa0\x80"}', "invalid_json"),
        (rb'{"type":"response.create","stream_id":"\ud800"}', "invalid_json"),
        ("", "invalid_json"),
        ("{", "invalid_json"),
        (b"\xff\xfe", "invalid_json"),
        ("[]", "invalid_value"),
        ("null", "invalid_value"),
        ("{}", "missing_required_parameter"),
        ('{"type":null}', "invalid_value"),
        ('{"type":"session.update"}', "unknown_event_type"),
        ('{"type":"response.create","response":3}', "invalid_value"),
        ('{"type":"response.create","generate":[]}', "invalid_value"),
        ('{"type":"response.create","stream_id":{}}', "invalid_value"),
        ('{"type":"response.create","stream_id":"%s"}' % ("x" * 129), "invalid_value"),
        ('{"type":"response.cancel"}', "response_cancel_not_active"),
    ],
)
async def test_what_is_not_understood_is_told(
    socket: ResponsesSocket, turns: Turns, wire: Wire, frame: str | bytes, code: str
) -> None:
    await socket.hear(frame)
    told = await wire.frame()
    assert told["type"] == "error" and told["status"] == 400 and told["error"]["code"] == code
    assert not turns.bodies and not socket.busy
    await socket.hear(create())
    assert types(await wire.rest()) == WHOLE


async def test_deep_nesting_is_no_trouble(socket: ResponsesSocket, turns: Turns, wire: Wire) -> None:
    deep = "[" * 100_000 + "]" * 100_000
    await socket.hear('{"type":"response.create","input":' + deep + "}")
    assert (await wire.frame())["error"]["code"] == "nested_too_deeply" and not turns.bodies


@pytest.mark.parametrize("said", ["wait", "wait unsaid"])
async def test_a_turn_can_be_cancelled_and_the_next_goes_on(
    socket: ResponsesSocket, turns: Turns, wire: Wire, said: str
) -> None:
    await socket.hear(create(said))
    await socket.hear(create("next"))
    await turns.begun.wait()
    await socket.hear('{"type":"response.cancel"}')
    frames = await wire.rest()
    told = frames[types(frames).index("error")]
    assert told["error"]["code"] == "response_cancelled" and turns.cancelled == 1
    assert types(frames)[-3:] == WHOLE
    assert wire.exchanges[0].broke_off or wire.exchanges[0].error


async def test_a_turn_can_be_cancelled_before_it_has_begun(socket: ResponsesSocket, turns: Turns, wire: Wire) -> None:
    await socket.hear(create("never", stream_id="s"))
    await socket.hear('{"type":"response.cancel","stream_id":"s"}')
    frames = await wire.rest()
    assert types(frames) == ["error"] and frames[0]["stream_id"] == "s" and not turns.bodies


async def test_the_clients_leaving_ends_every_turn(socket: ResponsesSocket, turns: Turns, wire: Wire) -> None:
    await socket.hear(create("wait", stream_id="a"))
    await socket.hear(create("wait", stream_id="b"))
    await socket.hear(create("after", stream_id="a"))
    await turns.begun.wait()
    await asyncio.sleep(0)
    await socket.aclose()
    assert turns.under_way == 0 and turns.cancelled == 2 and wire.gone == 2
    assert len(turns.bodies) == 2 and not socket.busy


async def test_input_for_a_response_under_way_is_given_back(socket: ResponsesSocket, wire: Wire) -> None:
    steer = {"type": "response.steer", "previous_response_id": "resp_1", "input": [{"role": "user", "content": "no"}]}
    await socket.hear(json.dumps(steer))
    told = await wire.frame()
    assert told["type"] == "response.steer.failed" and told["error"]["code"] == "steering_not_supported"
    assert told["steer"] == {"input": steer["input"], "previous_response_id": "resp_1"}


async def test_a_fault_of_our_own_is_told_and_ends_nothing(
    socket: ResponsesSocket, turns: Turns, wire: Wire, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    await socket.hear(create("wait"))
    await turns.begun.wait()
    with monkeypatch.context() as patch:
        patch.setattr(module, "_not_steered", lambda _: 1 / 0)
        await socket.hear('{"type":"response.steer","stream_id":"s"}')
    told = await _error(wire)
    assert told["status"] == 500 and told["stream_id"] == "s" and "division" not in told["error"]["message"]
    (logged,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert logged.exc_info is not None and logged.exc_info[0] is ZeroDivisionError
    turns.go_on.set()
    assert types(await wire.rest()) == WHOLE[1:]


async def test_a_client_that_has_gone_is_no_fault(
    socket: ResponsesSocket, wire: Wire, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def gone(text: str) -> None:
        raise ClientGone

    monkeypatch.setattr(wire, "say", gone)
    with pytest.raises(ClientGone):
        await socket.hear('{"type":"response.steer"}')
    assert not caplog.records
