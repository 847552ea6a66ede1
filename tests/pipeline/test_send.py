"""Batches of events → writes to the client."""

from typing import Any

import pytest

from gemgate.errors import BrokenAnswer, Unavailable
from gemgate.hub.codec import Identity
from gemgate.hub.events import BlockDelta, BlockEnd, BlockStart, Event, Failure, Finish, ResponseStart, Usage
from gemgate.hub.parts import Text, Thought
from gemgate.pipeline.send import remember_usage, send_batch, send_blank
from gemgate.protocols.openai_chat.writer import ChatWriter
from tests.pipeline.client import Client
from tests.pipeline.told import ended, said

USAGE = Usage(total_tokens=3)


def writer() -> ChatWriter:
    return ChatWriter(Identity("id", 0, "m", lambda: "new"))


def bodies(client: Client) -> list[Any]:
    return [message["body"] for message in client.sent if message["type"] == "http.response.body"]


async def test_one_write_a_batch_and_the_end_goes_with_the_last() -> None:
    client, made = Client(), writer()
    exchange = client.exchange()
    await send_batch(exchange, made, [ResponseStart("", ""), BlockStart(0, Text("a"))])
    assert client.headers[b"content-type"] == b"text/event-stream; charset=utf-8"
    assert client.headers[b"cache-control"] == b"no-cache" and client.headers[b"x-accel-buffering"] == b"no"
    await send_batch(exchange, made, [BlockDelta(0, "b"), BlockEnd(0), *ended()])
    assert len(bodies(client)) == 2 and bodies(client)[1].endswith(b"[DONE]\n\n") and exchange.ended
    assert exchange.usage is not None and exchange.usage.total_tokens == 3


async def test_what_shows_nothing_begins_the_stream_and_writes_nothing() -> None:
    client, made = Client(), writer()
    exchange = client.exchange()
    await send_batch(exchange, made, [Usage()])
    assert exchange.started and bodies(client) == []


@pytest.mark.parametrize(
    ("end", "error"),
    [
        ([USAGE, Failure(Unavailable("Overloaded."))], Unavailable),
        ([USAGE, Finish(0, "malformed", "MALFORMED_FUNCTION_CALL")], BrokenAnswer),
    ],
)
async def test_what_came_before_a_bad_end_is_sent_and_the_cost_kept(end: list[Event], error: Any) -> None:
    client, made = Client(), writer()
    exchange = client.exchange()
    with pytest.raises(error):
        await send_batch(exchange, made, said(Thought("hmm")) + end)
    assert b"hmm" in client.body and not exchange.ended and exchange.usage == USAGE


async def test_a_failure_alone_leaves_the_stream_unbegun() -> None:
    client = Client()
    exchange = client.exchange()
    with pytest.raises(Unavailable):
        await send_batch(exchange, writer(), [Failure(Unavailable("Overloaded."))])
    assert not exchange.started


async def test_all_finishes_of_a_batch_go_out() -> None:
    client = Client()
    exchange = client.exchange()
    batch: list[Event] = [ResponseStart("", ""), BlockStart(0, Text("a")), BlockEnd(0), BlockStart(1, Text("b"))]
    await send_batch(exchange, writer(), [*batch, BlockEnd(1), USAGE, Finish(0, "stop"), Finish(1, "length")])
    assert client.body.count(b'"finish_reason":"stop"') == client.body.count(b'"finish_reason":"length"') == 1


async def test_white_space_begins_a_json_answer_once() -> None:
    client = Client()
    exchange = client.exchange()
    await send_blank(exchange)
    await send_blank(exchange)
    assert [message["type"] for message in client.sent] == ["http.response.start", *["http.response.body"] * 2]
    assert client.body == b"  " and client.headers[b"content-type"] == b"application/json"


def test_the_last_usage_counts() -> None:
    exchange = Client().exchange()
    remember_usage(exchange, [Usage(total_tokens=1), USAGE, Finish(0, "stop")])
    assert exchange.usage == USAGE
    remember_usage(exchange, [Finish(0, "stop")])
    assert exchange.usage == USAGE
