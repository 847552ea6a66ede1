"""Everything that can go wrong on the way: the upstream's faults, slow clients, clients that leave."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest

from tests.bed.gateway import free_port
from tests.bed.upstream import (
    Answer,
    Gate,
    cut,
    error,
    garbage,
    garbage_body,
    json_reply,
    large_sse,
    part_chunk,
    raw,
    raw_stream,
    reply,
    sse,
    stall,
    text_chunks,
)
from tests.bed.wire import Connection, render
from tests.e2e.bed import (
    CALLER,
    CHAT,
    FLASH,
    NATIVE,
    ON_LINUX,
    Bed,
    generate_path,
    measured,
    peak_mb,
    reset_peak,
    running_bed,
)

QUICK = """
[gemini]
max_attempts = 2
[gemini.deadlines]
first_byte_seconds = 0.5
silence_seconds = 0.5
"""
STREAM = generate_path(FLASH, "streamGenerateContent") + "?alt=sse"
ARRAY = generate_path(FLASH, "streamGenerateContent")
WAYS: dict[str, tuple[str, Any]] = {
    "chat": ("/v1/chat/completions", CHAT),
    "chat-stream": ("/v1/chat/completions", CHAT | {"stream": True}),
    "native": (generate_path(), NATIVE),
    "native-stream": (STREAM, NATIVE),
    "native-array": (ARRAY, NATIVE),
}
STREAMS = ["chat-stream", "native-stream"]


@pytest.fixture(scope="module")
def module_bed() -> Iterator[Bed]:
    with running_bed(toml=QUICK) as bed:
        yield bed


def _is_format(way: str, document: Any, code: int, status: str) -> None:
    found = document["error"]
    if way.startswith("chat"):
        assert found["type"] == "server_error" and found["message"] and "param" in found
    else:
        assert (found["code"], found["status"]) == (code, status)


# ── before the first byte ──


@pytest.mark.parametrize("way", WAYS)
async def test_a_stall_before_the_first_byte(bed: Bed, way: str) -> None:
    bed.up.always = stall()
    path, body = WAYS[way]
    began = time.monotonic()
    answer = await bed.ask("POST", path, body)
    assert 0.4 < time.monotonic() - began < 5
    assert answer.status == 504
    _is_format(way, answer.json, 504, "DEADLINE_EXCEEDED")
    assert len(bed.up.requests) == 1, "it may be at work: asking again would pay twice"
    assert await bed.up.last.gone.wait(5)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    "fault",
    [cut(), cut(reset=True), garbage(), raw(b"HTTP/1.1 200 OK\r\nContent-Le")],
    ids=["cut", "reset", "garbage", "half"],
)
async def test_no_answer_worth_the_name(bed: Bed, way: str, fault: Answer) -> None:
    bed.up.always = fault
    path, body = WAYS[way]
    answer = await bed.ask("POST", path, body)
    assert (answer.status, answer.header("x-gemgate-attempts")) == (502, "2")
    _is_format(way, answer.json, 502, "UNAVAILABLE")
    bed.up.always = None
    assert (await bed.ask("POST", path, body)).status == 200


@pytest.mark.parametrize("way", WAYS)
async def test_a_broken_connection_is_tried_again(bed: Bed, way: str) -> None:
    bed.up.answer(cut())
    path, body = WAYS[way]
    answer = await bed.ask("POST", path, body)
    assert answer.status == 200 and len(bed.up.requests) == 2


async def test_nobody_is_there() -> None:
    with running_bed(toml=QUICK, upstream=f"http://127.0.0.1:{free_port()}") as bed:
        for way, (path, body) in WAYS.items():
            answer = await bed.ask("POST", path, body)
            assert answer.status == 502, way
            _is_format(way, answer.json, 502, "UNAVAILABLE")
        assert (await bed.chat()).error["code"] == "upstream_unreachable"
        assert (await bed.ask("GET", "/v1/models")).status == 200, "the catalogue's own list"
        for method, path, sent in (("GET", "/v1beta/models", None), ("POST", "/v1beta/cachedContents", {})):
            answer = await bed.ask(method, path, sent)
            assert (answer.status, answer.error["status"]) == (502, "UNAVAILABLE")


@pytest.mark.parametrize("way", ["chat", "chat-stream"])
async def test_a_body_that_is_no_answer(bed: Bed, way: str) -> None:
    bed.up.always = garbage_body("text/event-stream" if way == "chat-stream" else "application/json")
    path, body = WAYS[way]
    answer = await bed.ask("POST", path, body)
    assert answer.status == 502
    _is_format(way, answer.json, 502, "")


@pytest.mark.parametrize("way", ["chat", "chat-stream"])
async def test_an_answer_with_nothing_in_it(bed: Bed, way: str) -> None:
    bed.up.always = json_reply({}) if way == "chat" else sse([])
    path, body = WAYS[way]
    answer = await bed.ask("POST", path, body)
    assert answer.status == 502, answer.body


# ── in the middle ──


@pytest.mark.parametrize("way", STREAMS)
@pytest.mark.parametrize("fault", ["stall_after", "cut_after", "reset"])
async def test_a_stream_that_breaks_ends_with_an_error(bed: Bed, way: str, fault: str) -> None:
    how: dict[str, Any] = {"cut_after": 2, "reset": True} if fault == "reset" else {fault: 2}
    bed.up.answer(sse(text_chunks("one ", "two ", "three"), **how))
    path, body = WAYS[way]
    async with bed.open("POST", path, body) as (_, answer):
        events = [data async for name, data in answer.events() if name != ":"]
    assert answer.status == 200
    said = [data for data in events if "one" in data or "two" in data]
    assert len(said) == 2 or fault == "reset"  # a reset may overtake what was sent
    last = json.loads([data for data in events if data != "[DONE]"][-1])
    code, status = (504, "DEADLINE_EXCEEDED") if fault == "stall_after" else (502, "UNAVAILABLE")
    _is_format(way, last, code, status)
    assert "[DONE]" not in events, "a broken stream must not look complete"
    assert '"finish_reason":"stop"' not in "".join(events)
    assert len(bed.up.requests) == 1


@pytest.mark.parametrize("fault", ["stall_after", "cut_after"])
async def test_an_array_that_breaks_is_cut(bed: Bed, fault: str) -> None:
    frames = [b"[" + json.dumps(one).encode() + b",\r\n" for one in text_chunks("one", "two")]
    how: Any = {fault: 1}
    bed.up.answer(raw_stream(frames, content_type="application/json", **how))
    async with bed.open("POST", ARRAY, NATIVE) as (_, answer):
        with pytest.raises(asyncio.IncompleteReadError):
            await answer.body()


@pytest.mark.parametrize("way", ["chat", "native"])
async def test_a_body_shorter_than_said(bed: Bed, way: str) -> None:
    whole = json.dumps(part_chunk({"text": "hi"}, finish="STOP")).encode()
    bed.up.always = reply(whole, length=len(whole) + 50)
    path, body = WAYS[way]
    if way == "chat":
        answer = await bed.ask("POST", path, body)
        assert answer.status == 502
        _is_format(way, answer.json, 502, "UNAVAILABLE")
    else:
        async with bed.open("POST", path, body) as (_, answer):
            assert answer.header("content-length") == str(len(whole) + 50)
            with pytest.raises(asyncio.IncompleteReadError):
                await answer.body()


async def test_a_stall_in_the_middle_of_a_whole_answer(bed: Bed) -> None:
    gate = Gate(1)
    bed.up.always = reply(json.dumps(part_chunk({"text": "hi"}, finish="STOP")).encode(), gate=gate)
    answer = await bed.chat()
    assert answer.status == 504


async def test_a_stream_without_an_end_is_no_answer(bed: Bed) -> None:
    bed.up.answer(sse([part_chunk({"text": "one"})]))
    # All of it may have come in one piece: then there is a status left to tell it with.
    answer = await bed.chat(stream=True)
    assert answer.status in (200, 502) and b'"error"' in answer.body
    assert b"[DONE]" not in answer.body and b'"finish_reason":"' not in answer.body
    gate = Gate(1)
    bed.up.answer(sse([part_chunk({"text": "one"}), {}], gate=gate))
    async with bed.open("POST", "/v1/chat/completions", CHAT | {"stream": True}) as (_, streamed):
        events = streamed.events()
        while "one" not in (await anext(events))[1]:
            pass
        gate.open()
        assert [json.loads(data)["error"]["code"] async for _, data in events] == ["upstream_error"]


async def test_odd_framing_is_understood(bed: Bed) -> None:
    events = text_chunks("one ", "zwei ü ", "三 🌍")
    hows: Any = ({"split": 1}, {"split": 7}, {"separator": "\n\n"}, {"separator": "\r\r"}, {"gzip": True})
    for how in hows:
        bed.up.answer(sse(events, **how))
        async with bed.open("POST", "/v1/chat/completions", CHAT | {"stream": True}) as (_, answer):
            chunks = [json.loads(data) async for _, data in answer.events() if data != "[DONE]"]
        text = "".join(chunk["choices"][0]["delta"].get("content") or "" for chunk in chunks)
        assert text == "one zwei ü 三 🌍", how
        assert chunks[-1]["choices"][0]["finish_reason"] == "stop"
    bed.up.answer(reply(json.dumps(part_chunk({"text": "hi"}, finish="STOP")).encode(), gzip=True))
    assert (await bed.chat()).json["choices"][0]["message"]["content"] == "hi"


# ── signs of life ──


@pytest.fixture(scope="module")
def beating_bed() -> Iterator[Bed]:
    toml = "[server]\nkeepalive_after_seconds = 0.2\n[gemini]\nmax_attempts = 1\n"
    with running_bed(toml=toml) as bed:
        yield bed


async def _first_comments(events: Any, count: int = 2) -> None:
    for _ in range(count):
        name, _ = await anext(events)
        assert name == ":"


async def test_comments_while_the_upstream_is_silent(beating_bed: Bed) -> None:
    bed, gate = beating_bed, Gate()
    bed.up.reset()
    bed.up.answer(stall(gate, sse(text_chunks("one ", "two"))))
    async with bed.open("POST", "/v1/chat/completions", CHAT | {"stream": True}) as (_, answer):
        assert (answer.status, answer.header("x-accel-buffering"), answer.header("cache-control")) == (
            200,
            "no",
            "no-cache",
        )
        events = answer.events()
        await _first_comments(events)
        gate.open()
        rest = [data async for name, data in events if name != ":"]
    assert "one" in "".join(rest) and rest[-1] == "[DONE]"


async def test_comments_between_events(beating_bed: Bed) -> None:
    bed, gate = beating_bed, Gate(1)
    bed.up.reset()
    bed.up.answer(sse(text_chunks("one ", "two"), gate=gate))
    async with bed.open("POST", "/v1/chat/completions", CHAT | {"stream": True}) as (_, answer):
        events = answer.events()
        while "one" not in (await anext(events))[1]:
            pass
        await _first_comments(events)
        gate.open()
        assert [data async for name, data in events if name != ":"][-1] == "[DONE]"


@pytest.mark.parametrize("trouble", [json_reply({"error": {"code": 503, "message": "m"}}, 503), cut(), garbage()])
async def test_comments_and_then_a_failure(beating_bed: Bed, trouble: Answer) -> None:
    bed, gate = beating_bed, Gate()
    bed.up.reset()
    bed.up.always = stall(gate, trouble)
    async with bed.open("POST", "/v1/chat/completions", CHAT | {"stream": True}) as (_, answer):
        events = answer.events()
        await _first_comments(events)
        gate.open()
        rest = [data async for name, data in events if name != ":"]
    assert answer.status == 200 and len(rest) == 1
    _is_format("chat", json.loads(rest[0]), 0, "")


async def test_a_failure_before_the_first_comment_has_its_status(beating_bed: Bed) -> None:
    beating_bed.up.reset()
    beating_bed.up.answer(json_reply({"error": {"code": 400, "message": "m", "status": "X"}}, 400))
    assert (await beating_bed.chat(stream=True)).status == 400


async def test_an_unstreamed_answer_has_no_comments(beating_bed: Bed) -> None:
    bed, gate = beating_bed, Gate()
    bed.up.reset()
    bed.up.answer(stall(gate, json_reply(part_chunk({"text": "hi"}, finish="STOP"))))
    asked = asyncio.create_task(bed.chat())
    await gate.arrived.wait()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(asked), 0.5)
    gate.open()
    assert (await asked).body.startswith(b"{")


# ── slow clients ──


@pytest.mark.skipif(not ON_LINUX, reason="memory is read from /proc")
@pytest.mark.parametrize("way", [*STREAMS, "native-array"])
async def test_a_slow_client_slows_the_upstream(way: str) -> None:
    event, count = part_chunk({"text": "x" * 50_000}), 1_500
    with running_bed(send_buffer_bytes=65536) as bed:
        await bed.chat(stream=True)
        before = reset_peak(bed.gateway.process.pid)
        bed.up.answer(large_sse(event, count))
        path, body = WAYS[way]
        async with bed.open("POST", path, body, receive_buffer_bytes=16384, timeout=30) as (connection, answer):
            assert answer.status == 200
            sent = await _settled(lambda: bed.up.last.sent_bytes)
            grown = peak_mb(bed.gateway.process.pid) - before
            measured(
                f"slow client, {way}: the upstream sent {sent / 1e6:.1f} of 75 MB, the gateway grew by {grown:.1f} MB"
            )
            assert sent < 20_000_000 and grown < 25
            connection.leave()
        assert await bed.up.client_gone.wait(5)


async def _settled(look: Callable[[], int]) -> int:
    """Wait until a number has not changed for half a second."""
    last, since = look(), time.monotonic()
    while time.monotonic() - since < 0.5:
        await asyncio.sleep(0.02)
        if (now := look()) != last:
            last, since = now, time.monotonic()
    return last


@pytest.mark.skipif(not ON_LINUX, reason="memory is read from /proc")
async def test_a_slow_upstream_slows_an_upload() -> None:
    with running_bed() as bed:
        headers = {"X-Goog-Upload-Protocol": "resumable", "X-Goog-Upload-Command": "start"}
        begun = await bed.ask("POST", "/upload/v1beta/files", {}, headers)
        target = (begun.header("x-goog-upload-url") or "").removeprefix(bed.url)
        before = reset_peak(bed.gateway.process.pid)
        bed.up.hold_bodies = gate = Gate()
        size, block, sent = 60_000_000, b"x" * 100_000, 0
        told = {"Content-Length": str(size), "X-Goog-Upload-Command": "upload, finalize", "X-Goog-Upload-Offset": "0"}
        async with await Connection.open(bed.url, 2) as connection:
            await connection.send(render("POST", target, "x", told))
            with pytest.raises(TimeoutError):
                while sent < size:
                    await connection.send(block)
                    sent += len(block)
            grown = peak_mb(bed.gateway.process.pid) - before
            measured(
                f"slow upstream: it took {sent / 1e6:.1f} of 60 MB from the client, the gateway grew by {grown:.1f} MB"
            )
            assert sent < 30_000_000 and grown < 15
            connection.leave()
        gate.open()


# ── clients that leave ──


async def _leave(bed: Bed, way: str, ready: Callable[[Any, Any], Awaitable[None]], *, reset: bool) -> float:
    """Ask, wait until `ready`, leave; give the milliseconds until the upstream saw it."""
    path, body = WAYS[way]
    connection = await Connection.open(bed.url)
    await connection.send(render("POST", path, "x", {"x-api-key": CALLER}, body))
    await bed.up.received(1)
    await ready(connection, bed.up.last)
    left = time.monotonic()
    connection.leave(reset=reset)
    gone = await bed.up.last.gone.wait(5)
    return (gone - left) * 1000


@pytest.fixture(scope="module")
def patient_bed() -> Iterator[Bed]:
    with running_bed() as bed:
        yield bed


SLACK_MILLISECONDS = 250


@pytest.mark.parametrize("reset", [True, False], ids=["reset", "closed"])
@pytest.mark.parametrize("way", WAYS)
async def test_a_client_leaves_before_the_first_byte(patient_bed: Bed, way: str, reset: bool) -> None:
    async def ready(_: Any, __: Any) -> None:
        return

    bed = patient_bed
    bed.up.reset()
    bed.up.always = stall()
    took = await _leave(bed, way, ready, reset=reset)
    measured(f"client gone before the first byte, {way}: {took:.1f} ms")
    assert took < SLACK_MILLISECONDS and len(bed.up.requests) == 1


@pytest.mark.parametrize("reset", [True, False], ids=["reset", "closed"])
@pytest.mark.parametrize("way", ["chat-stream", "native-stream", "native-array"])
async def test_a_client_leaves_in_the_middle(patient_bed: Bed, way: str, reset: bool) -> None:
    async def ready(connection: Connection, _: Any) -> None:
        answer = await connection.reply("POST")
        async for piece in answer.pieces():
            if b"one" in piece:
                return

    bed = patient_bed
    bed.up.reset()
    bed.up.always = sse(text_chunks("one", "two", "three"), stall_after=1)
    took = await _leave(bed, way, ready, reset=reset)
    measured(f"client gone in mid-stream, {way}: {took:.1f} ms")
    assert took < SLACK_MILLISECONDS


@pytest.mark.parametrize("way", ["chat", "native"])
async def test_a_client_leaves_while_the_answer_is_read(patient_bed: Bed, way: str) -> None:
    gate = Gate(1)

    async def ready(connection: Connection, _: Any) -> None:
        await gate.arrived.wait()

    bed = patient_bed
    bed.up.reset()
    bed.up.always = reply(b"{}", gate=gate)
    took = await _leave(bed, way, ready, reset=True)
    measured(f"client gone while a whole answer is read, {way}: {took:.1f} ms")
    assert took < SLACK_MILLISECONDS


async def test_a_client_leaves_while_we_wait_between_attempts(patient_bed: Bed) -> None:
    bed = patient_bed
    bed.up.reset()
    bed.up.answer(*[error(503)] * 2, to=":generateContent")
    bed.up.always = stall()
    connection = await Connection.open(bed.url)
    await connection.send(
        render("POST", *("/v1/chat/completions", "x"), {"x-api-key": CALLER}, CHAT | {"model": "gemini-left"})
    )
    await bed.up.received(2)
    connection.leave()
    for _ in range(20):
        assert (await bed.ask("GET", "/health")).status == 200
        await asyncio.sleep(0.02)
    assert len(bed.up.requests) == 2


async def test_a_hundred_clients_leave(patient_bed: Bed) -> None:
    bed = patient_bed
    bed.up.reset()
    bed.up.always = stall()
    path, body = WAYS["chat-stream"]
    connections = [await Connection.open(bed.url) for _ in range(100)]
    for connection in connections:
        await connection.send(render("POST", path, "x", {"x-api-key": CALLER}, body))
    await bed.up.received(100)
    left = time.monotonic()
    for connection in connections:
        connection.leave()
    last = max([await request.gone.wait(5) for request in list(bed.up.requests)])
    measured(f"100 clients gone: {(last - left) * 1000:.1f} ms")
    assert last - left < 2
    bed.up.reset()
    assert (await bed.chat()).status == 200


async def test_a_half_sent_body_costs_nothing_upstream(patient_bed: Bed) -> None:
    bed = patient_bed
    bed.up.reset()
    connection = await Connection.open(bed.url)
    await connection.send(b"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nx-api-key: " + CALLER.encode())
    await connection.send(b"\r\nContent-Length: 1000\r\n\r\n{")
    connection.leave()
    assert (await bed.ask("GET", "/health")).status == 200
    assert bed.up.requests == []
