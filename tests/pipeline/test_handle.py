"""A translated request from its parsing to the last byte, with an upstream that does as it is told."""

import json
from collections.abc import AsyncIterator
from datetime import date
from time import monotonic
from typing import Any

import pytest
from msgspec import Struct

from gemgate.catalog.catalog import Catalog, Target
from gemgate.errors import GemgateError, InvalidRequest, RateLimited, Unavailable, UpstreamError
from gemgate.hub.call import Generate
from gemgate.hub.codec import Dropped
from gemgate.hub.events import BlockDelta, BlockEnd, BlockStart, Event, Failure, Finish, ResponseStart, Usage
from gemgate.hub.parts import Text, Thought, ToolCall
from gemgate.keys.pool import KeyPool, Lease
from gemgate.pipeline.exchange import Exchange
from gemgate.pipeline.handle import Clock, Handler
from gemgate.protocols.openai_chat.inbound import inbound
from gemgate.upstreams.refusal import UpstreamRefusal
from tests.pipeline.client import Client

SAID: list[Event] = [ResponseStart("", ""), BlockStart(0, Text("hel")), BlockDelta(0, "lo")]
END: list[Event] = [BlockEnd(0), Usage(total_tokens=3), Finish(0, "stop", "STOP")]
SEED = Dropped("sampling.seed", "no seed here")
Outcome = list[list[Event]] | Exception


class Prepared(Struct, frozen=True):
    call: Generate
    dropped: tuple[Dropped, ...] = ()


class Reply:
    def __init__(self, batches: list[list[Event]]) -> None:
        self._batches = batches
        self.closed = False

    async def __aiter__(self) -> AsyncIterator[list[Event]]:
        for batch in self._batches:
            yield [*batch]

    async def aclose(self) -> None:
        self.closed = True


class Fake:
    """An upstream whose attempts come out as told, one after the other."""

    name = "fake"
    model_name: str | None = None

    def __init__(self, *outcomes: Outcome, dropped: tuple[Dropped, ...] = ()) -> None:
        self.outcomes = list(outcomes)
        self.dropped = dropped
        self.asked: list[tuple[Prepared, Target, Lease | None]] = []
        self.replies: list[Reply] = []

    def prepare(self, call: Generate, target: Target) -> Prepared:
        return Prepared(call, self.dropped)

    async def generate(self, prepared: Prepared, target: Target, lease: Lease | None) -> Reply:
        self.asked.append((prepared, target, lease))
        outcome = self.outcomes.pop(0)
        if isinstance(outcome, Exception):
            raise outcome
        self.replies.append(Reply(outcome))
        return self.replies[-1]

    async def count_tokens(self, prepared: Prepared, target: Target, lease: Lease | None) -> int:
        raise NotImplementedError


async def served(
    fake: Fake, *, keys: int | None = 3, strict: bool = False, **fields: Any
) -> tuple[Client, Exchange, GemgateError | None]:
    """Serve one chat request; give what was sent, and the error if nothing was."""
    client = Client()
    exchange = client.exchange()
    exchange.strict = strict
    pool = None if keys is None else KeyPool([f"key-{number}" for number in range(keys)], monotonic)
    clock = Clock(lambda: 0.0, lambda: date(2026, 11, 1), lambda: "id")
    handler = Handler(fake, pool, Catalog.load(), clock, max_attempts=4, keepalive_seconds=60.0)
    request = {"model": "m", "stream": True, "messages": [{"role": "user", "content": "hi"}]} | fields
    try:
        await handler.generate(exchange, inbound(json.dumps(request).encode()))
    except GemgateError as error:
        return client, exchange, error
    assert all(reply.closed for reply in fake.replies)
    return client, exchange, None


def refused(kind: Any, **how: Any) -> UpstreamRefusal:
    return UpstreamRefusal(kind, UpstreamError("no"), **how)


@pytest.mark.parametrize("keys", [None, 3])
@pytest.mark.parametrize("stream", [True, False])
async def test_an_answer(keys: int | None, stream: bool) -> None:
    fake = Fake([SAID, END])
    client, exchange, _ = await served(fake, keys=keys, stream=stream)
    assert b"lo" in client.body and client.sent[-1]["more_body"] is False
    assert client.headers[b"x-gemgate-upstream"] == b"fake" and client.headers[b"x-gemgate-attempts"] == b"1"
    assert exchange.usage is not None and exchange.usage.total_tokens == 3
    assert (fake.asked[0][2] is None) is (keys is None)


@pytest.mark.parametrize(
    "last",
    [
        [BlockDelta(0, " there"), Failure(Unavailable("Overloaded."))],
        [BlockDelta(0, " there"), Usage(total_tokens=3), Failure(Unavailable("Overloaded."))],
    ],
)
@pytest.mark.parametrize("whole_batch", [True, False])
async def test_what_came_before_a_failure_is_sent_first(last: list[Event], whole_batch: bool) -> None:
    client, exchange, error = await served(Fake([SAID + last] if whole_batch else [SAID, last]))
    assert error is None and exchange.status == 200
    assert client.body.index(b"hel") < client.body.index(b" there") < client.body.index(b"Overloaded.")
    assert client.sent[-1]["more_body"] is False


async def test_an_end_that_is_none_comes_after_what_was_said() -> None:
    """Only thoughts, and then a call that could not be read: an error, but the thoughts were paid for."""
    thought: list[Event] = [ResponseStart("", ""), BlockStart(0, Thought("hmm")), BlockEnd(0)]
    end: list[Event] = [Usage(), Finish(0, "malformed", "MALFORMED_FUNCTION_CALL")]
    client, _, error = await served(Fake([thought + end]))
    assert error is None
    assert client.body.index(b"hmm") < client.body.index(b"MALFORMED_FUNCTION_CALL")
    assert b"[DONE]" not in client.body.partition(b"hmm")[0]


async def test_a_failure_before_anything_has_its_status() -> None:
    _, exchange, error = await served(Fake(Unavailable("Overloaded.")))
    assert isinstance(error, Unavailable) and not exchange.started


async def test_refusals_go_on_to_other_keys() -> None:
    fake = Fake(refused("quota"), refused("key"), [SAID, END])
    client, exchange, _ = await served(fake)
    leases = [lease for _, _, lease in fake.asked if lease]
    assert len({lease.id for lease in leases}) == 3 == exchange.attempts
    assert client.headers[b"x-gemgate-attempts"] == b"3"


async def test_the_last_refusal_is_shown() -> None:
    fake = Fake(*(UpstreamRefusal("quota", RateLimited("Enough."), retry_after_seconds=9.0) for _ in range(3)))
    _, exchange, error = await served(fake)
    assert isinstance(error, RateLimited) and error.message == "Enough." and exchange.attempts == 3


async def test_a_refused_signature_is_asked_once_more_without() -> None:
    called = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    called["extra_content"] = {"google": {"thought_signature": "YQ=="}}
    messages = [
        {"role": "user", "content": "hi"},
        {"role": "assistant", "tool_calls": [called]},
        {"role": "tool", "tool_call_id": "1", "content": "x"},
    ]
    fake = Fake(refused("client", signature=True), [SAID, END])
    _, exchange, error = await served(fake, messages=messages)
    assert error is None and exchange.attempts == 2
    signed = [
        part.signature is not None
        for prepared, _, _ in fake.asked
        for message in prepared.call.messages
        for part in message.parts
        if isinstance(part, ToolCall)
    ]
    assert signed == [True, False]
    fake = Fake(refused("client", signature=True), refused("client", signature=True))
    _, exchange, error = await served(fake, messages=messages)
    assert isinstance(error, UpstreamError) and exchange.attempts == 2


async def test_what_is_dropped_is_told_in_the_requests_words_and_order() -> None:
    fake = Fake(refused("quota"), [SAID, END], dropped=(SEED,))
    client, _, _ = await served(fake, zebra=1, seed=5, apple=2)
    assert client.headers[b"x-gemgate-dropped"] == b"zebra, apple, seed"


@pytest.mark.parametrize("keys", [None, 3])
async def test_strict_mode_refuses_before_anybody_is_asked(keys: int | None) -> None:
    fake = Fake(dropped=(SEED,))
    _, exchange, error = await served(fake, keys=keys, strict=True, seed=5)
    assert isinstance(error, InvalidRequest) and error.param == "seed"
    assert fake.asked == [] and exchange.attempts == 0
