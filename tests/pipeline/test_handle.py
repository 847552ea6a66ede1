"""A translated request from its parsing to the last byte, with an upstream that does as it is told."""

import asyncio
import gc
from pathlib import Path
from time import time
from typing import Any

import pytest
from msgspec.structs import replace

from gemgate.catalog.catalog import Target
from gemgate.errors import BrokenAnswer, GemgateError, InvalidRequest, RateLimited, Unavailable, UpstreamError
from gemgate.hub.call import Generate
from gemgate.hub.codec import Dropped
from gemgate.hub.events import BlockDelta, BlockEnd, BlockStart, Event, Failure, Finish, ResponseStart, Usage
from gemgate.hub.parts import Inline, Media, Message, Opaque, Part, Signature, Text, ToolCall, Vendor
from gemgate.keys.pool import Lease
from gemgate.media.fetch import MediaFetcher
from gemgate.pipeline.contracts import Filled
from gemgate.pipeline.exchange import Exchange
from gemgate.pipeline.recall.recall import Recall
from gemgate.upstreams.refusal import UpstreamRefusal
from tests.net.server import Peer, serving
from tests.pipeline.client import Client
from tests.pipeline.recall.recalling import opened
from tests.pipeline.told import (
    Fake,
    House,
    Memory,
    Prepared,
    Reply,
    Step,
    Web,
    answered,
    broken,
    ended,
    refused,
    said,
)

SAID: list[Event] = [ResponseStart("", ""), BlockStart(0, Text("hel")), BlockDelta(0, "lo")]
END: list[Event] = [BlockEnd(0), Usage(total_tokens=3), Finish(0, "stop", "STOP")]
SEED = Dropped("sampling.seed", "no seed here")
AN_IMAGE: Any = [{"type": "text", "text": "what?"}, {"type": "image_url", "image_url": {"url": "https://x.test/a.png"}}]
CALLED: Any = [
    {"role": "user", "content": "hi"},
    {
        "role": "assistant",
        "tool_calls": [
            {
                "id": "1",
                "type": "function",
                "function": {"name": "f", "arguments": "{}"},
                "extra_content": {"google": {"thought_signature": "YQ=="}},
            }
        ],
    },
    {"role": "tool", "tool_call_id": "1", "content": "x"},
]


async def served(
    fake: Fake, *, keys: int | None = 3, strict: bool = False, **fields: Any
) -> tuple[Client, Exchange, GemgateError | None]:
    """Serve one chat request; give what was sent, and the error if nothing was."""
    house = House(fake, keys)
    house.exchange.strict = strict
    error = await house.serve(**fields)
    return house.client, house.exchange, error


def signed(call: Generate) -> list[bool]:
    parts = [part for message in call.messages for part in message.parts]
    return [part.signature is not None for part in parts if isinstance(part, ToolCall)]


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


# ── an answer that breaks off with nothing said ──


@pytest.mark.parametrize("one_batch", [True, False])
async def test_it_is_asked_for_once_more(one_batch: bool) -> None:
    """The thoughts of the first attempt were told already; the rest of the same stream is the second's."""
    first = broken("hmm", tokens=5)
    second: list[list[Event]] = [[ResponseStart("the-second", "m"), *said(Text("hello"), start=False)], ended(3)]
    house = House(Fake([first[0] + first[1]] if one_batch else first, second), memory=Memory())
    assert await house.serve(stream_options={"include_usage": True}) is None
    assert (house.told("reasoning_content"), house.told(), house.finishes) == ("hmm", "hello", [(0, "stop")])
    assert house.client.body.count(b'"role":"assistant"') == 1 and house.client.body.endswith(b"[DONE]\n\n")
    assert len({chunk["id"] for chunk in house.chunks}) == 1
    assert house.chunks[-1]["usage"]["total_tokens"] == 8 and house.exchange.usage is not None
    assert house.exchange.usage.total_tokens == 8 and house.exchange.attempts == 2
    assert house.memory is not None and [watch.kept for watch in house.memory.watches] == [True, True]


async def test_the_first_is_hung_up_before_the_second_is_asked_for() -> None:
    """Its batch with the bad end may not be its last."""
    closed: list[bool] = []

    class Watching(Fake):
        async def generate(self, prepared: Prepared, target: Target, lease: Lease | None) -> Reply:
            closed.extend(reply.closed for reply in self.replies)
            return await super().generate(prepared, target, lease)

    never = asyncio.Event()
    assert (await served(Watching([*broken(), never], answered("hello"))))[2] is None
    assert closed == [True]


async def test_a_whole_answer_is_asked_for_once_more() -> None:
    second = [[ResponseStart("the-second", "m"), *said(Text("hello"), start=False)], ended(3)]
    house = House(Fake(broken("hmm", tokens=5), second))
    assert await house.serve(stream=False) is None
    choice = house.document["choices"][0]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("hello", "stop")
    assert "reasoning_content" not in choice["message"]
    assert house.document["id"] == "chatcmpl-the-second" and house.document["usage"]["total_tokens"] == 8


@pytest.mark.parametrize("stream", [True, False])
async def test_twice_is_an_error(stream: bool) -> None:
    fake = Fake(broken("hmm"), broken("hm hm"), answered("never"))
    house = House(fake)
    error = await house.serve(stream=stream)
    assert len(fake.asked) == 2 and house.exchange.usage is not None and house.exchange.usage.total_tokens == 10
    if stream:
        assert error is None and house.told("reasoning_content") == "hmmhm hm" and house.finishes == []
        assert house.chunks[-1]["error"]["code"] == "broken_answer" and b"[DONE]" not in house.client.body
        assert house.client.sent[-1]["more_body"] is False
    else:
        assert isinstance(error, BrokenAnswer) and error.status == 502 and not house.exchange.started


async def test_what_has_said_something_is_not_asked_for_again() -> None:
    fake = Fake([said(Text("half a")), ended(3, "malformed")], answered("never"))
    house = House(fake)
    assert await house.serve() is None
    assert (len(fake.asked), house.told(), len(house.finishes)) == (1, "half a", 1)


@pytest.mark.parametrize("stream", [True, False])
async def test_an_empty_stop_stays_one(stream: bool) -> None:
    fake = Fake([said() + ended(1)], answered("never"))
    house = House(fake)
    assert await house.serve(stream=stream) is None and len(fake.asked) == 1
    if stream:
        assert (house.told(), house.finishes) == ("", [(0, "stop")])
    else:
        assert house.document["choices"][0]["message"]["content"] == ""


async def test_a_failure_before_anything_has_its_status() -> None:
    _, exchange, error = await served(Fake(Unavailable("Overloaded.")))
    assert isinstance(error, Unavailable) and not exchange.started


async def test_refusals_go_on_to_other_keys() -> None:
    fake = Fake(refused("quota"), refused("key"), [SAID, END])
    client, exchange, _ = await served(fake)
    assert len(set(fake.keys)) == 3 == exchange.attempts
    assert client.headers[b"x-gemgate-attempts"] == b"3"


async def test_the_last_refusal_is_shown() -> None:
    fake = Fake(*(UpstreamRefusal("quota", RateLimited("Enough."), retry_after_seconds=9.0) for _ in range(3)))
    _, exchange, error = await served(fake)
    assert isinstance(error, RateLimited) and error.message == "Enough." and exchange.attempts == 3


async def test_a_refused_signature_is_asked_once_more_without() -> None:
    fake = Fake(refused("client", signature=True), [SAID, END])
    _, exchange, error = await served(fake, messages=CALLED)
    assert error is None and exchange.attempts == 2
    assert [signed(call) for call in fake.calls] == [[True], [False]]
    fake = Fake(refused("client", signature=True), refused("client", signature=True))
    _, exchange, error = await served(fake, messages=CALLED)
    assert isinstance(error, UpstreamError) and exchange.attempts == 2


@pytest.mark.parametrize("signature_first", [True, False])
async def test_a_signature_and_a_parameter_are_left_out_each_once(signature_first: bool) -> None:
    trouble = [refused("client", signature=True), refused("client", unsupported="sampling.seed")]
    fake = Fake(*(trouble if signature_first else trouble[::-1]), [SAID, END])
    client, exchange, error = await served(fake, messages=CALLED, seed=5)
    assert error is None and exchange.attempts == 3
    assert signed(fake.calls[0]) == [True] and fake.calls[0].sampling.seed == 5
    assert signed(fake.calls[2]) == [False] and fake.calls[2].sampling.seed is None
    assert client.headers[b"x-gemgate-dropped"] == b"seed"


@pytest.mark.parametrize("taught", [{"signature": True}, {"unsupported": "sampling.seed"}, {"unsupported": "output"}])
async def test_what_is_not_there_cannot_be_left_out(taught: dict[str, Any]) -> None:
    """The same request is not sent again."""
    fake = Fake(refused("client", **taught), answered("never"))
    _, exchange, error = await served(fake, temperature=0.5)
    assert isinstance(error, UpstreamError) and exchange.attempts == 1


async def test_another_key_is_tried_where_leaving_out_changes_nothing() -> None:
    fake = Fake(refused("quota", unsupported="sampling.seed"), answered("hello"))
    _, exchange, error = await served(fake)
    assert error is None and exchange.attempts == 2 == len(set(fake.keys))


class SigningMemory(Memory):
    """A memory that has the signature of every call."""

    async def filled(self, call: Generate, caller_id: str, family: str, *, everything: bool) -> Filled:
        messages = tuple(Message(message.role, tuple(map(_signed, message.parts))) for message in call.messages)
        return Filled(replace(call, messages=messages), (b"a name",))


def _signed(part: Part) -> Part:
    return replace(part, signature=Signature("gemini", "cmVjYWxsZWQ=")) if isinstance(part, ToolCall) else part


@pytest.mark.parametrize("stream", [True, False])
async def test_what_was_put_back_and_refused_is_forgotten(stream: bool) -> None:
    stripped = [
        CALLED[0],
        CALLED[1] | {"tool_calls": [CALLED[1]["tool_calls"][0] | {"extra_content": {}}]},
        *CALLED[2:],
    ]
    for messages, forgotten in ((stripped, [[b"a name"]]), (CALLED, [])):  # the client's own may be the refused one
        house = House(Fake(refused("client", signature=True), broken(), answered("hello")), memory=SigningMemory())
        assert await house.serve(messages=messages, stream=stream) is None
        assert house.memory is not None and house.memory.forgotten == forgotten
    house = House(Fake(refused("quota"), answered("hello")), memory=Memory())
    assert await house.serve(messages=CALLED, stream=stream) is None
    assert house.memory is not None and house.memory.forgotten == []


async def test_a_conversation_with_a_refused_signature_recovers(tmp_path: Path) -> None:
    """A step of a tool that the upstream ran and one of the client's, from a model whose signatures it then refuses."""
    trace = Opaque(Vendor("gemini", '{"toolCall":{"id":"t"},"thoughtSignature":"dA=="}'))
    step = [trace, ToolCall("1", "f", "{}", Signature("gemini", "YQ=="))]
    asked: list[Generate] = []

    def opaque(call: Generate) -> list[Part]:
        return [part for message in call.messages for part in message.parts if isinstance(part, Opaque)]

    async with opened(tmp_path / "store.sqlite3", time) as store:
        recall = Recall(store, time)
        for turn, outcomes in enumerate(
            [
                [[said(*step), ended(reason="tool_calls")]],
                [refused("client", signature=True), answered("once")],
                [answered("twice")],
            ]
        ):
            unsigned = [CALLED[0], {**CALLED[1], "tool_calls": [CALLED[1]["tool_calls"][0] | {"extra_content": {}}]}]
            more = [*unsigned, CALLED[2], {"role": "assistant", "content": "once"}, CALLED[0]]
            house = House(Fake(*outcomes), recall=recall)
            messages = more[: (1, 3, 5)[turn]]
            tools = [{"type": "function", "function": {"name": "f"}}, {"google_search": {}}]
            assert await house.serve(model="gemini-3-flash", messages=messages, tools=tools) is None
            asked += house.fake.calls
    assert [len(opaque(call)) for call in asked] == [0, 1, 0, 0]
    assert [signed(call) for call in asked] == [[], [True], [False], [False]]


async def test_a_second_parameter_is_an_error() -> None:
    fake = Fake(refused("client", unsupported="sampling.seed"), refused("client", unsupported="sampling.stop"))
    _, exchange, error = await served(fake, seed=5, stop="x")
    assert isinstance(error, UpstreamError) and exchange.attempts == 2


async def test_strict_mode_does_not_leave_a_refused_parameter_out() -> None:
    fake = Fake(refused("client", unsupported="sampling.seed"), [SAID, END])
    _, exchange, error = await served(fake, strict=True, seed=5)
    assert isinstance(error, InvalidRequest) and (error.param, error.code) == ("seed", "would_be_dropped")
    assert exchange.attempts == 1


# ── what is brought in ──


async def test_media_and_memory_are_brought_in_once() -> None:
    """However often it is asked: a bad key, a signature, an answer that breaks off."""
    fake = Fake(refused("key"), refused("client", signature=True), broken("hmm"), answered("hello"))
    house = House(fake, web=Web(), memory=Memory())
    assert await house.serve(messages=[{"role": "user", "content": AN_IMAGE}, *CALLED]) is None
    assert house.told() == "hello" and len(fake.asked) == 4
    assert house.web is not None and house.web.asked == ["https://x.test/a.png"]
    assert house.memory is not None and len(house.memory.filled_with) == 1
    for call in fake.calls:
        assert call.system == (Text("remembered"),)
        media = call.messages[0].parts[1]
        assert isinstance(media, Media) and isinstance(media.source, Inline) and media.mime_type == "image/png"


async def test_a_reply_is_remembered_before_the_client_has_its_end() -> None:
    """The client may come back with it at once."""
    house = House(Fake(answered("hello")), memory=Memory())
    house.client.patience = asyncio.Event()
    serving = asyncio.create_task(house.serve())
    await house.client.got(b"hello")
    assert house.memory is not None and not house.memory.watches[0].kept
    house.client.patience.set()
    house.client.patience = asyncio.Event()
    await house.client.got(b'"finish_reason":"stop"')
    (watch,) = house.memory.watches
    assert watch.kept and [*watch.events] == [event for batch in answered("hello") for event in batch]
    house.client.patience.set()
    assert await serving is None


@pytest.mark.parametrize(
    ("outcome", "stream", "had"),
    [
        (lambda: answered("hello"), True, b'"content":"hello"'),
        (lambda: answered("hello"), False, b""),
        (lambda: [said(Text("a")), [Failure(Unavailable("No."))]], True, b'"content":"a"'),
    ],
)
async def test_an_answer_is_settled_before_the_client_has_its_end(outcome: Any, stream: bool, had: bytes) -> None:
    house = House(Fake(outcome()))
    assert await house.serve(stream=stream) is None
    (settled,) = house.settled
    assert had in settled and settled != house.client.body
    assert b"finish_reason" not in settled.replace(b'"finish_reason":null', b"")


@pytest.mark.parametrize("stream", [True, False])
async def test_what_is_refused_is_not_settled(stream: bool) -> None:
    house = House(Fake(refused("client")))
    assert await house.serve(stream=stream) is not None
    assert house.settled == []


@pytest.mark.parametrize(
    "outcome",
    [
        lambda: answered("hello"),
        lambda: [said(Text("a")), [Failure(Unavailable("No."))]],
        lambda: refused("client"),
        lambda: InvalidRequest("No.", param="sampling.seed"),
    ],
)
@pytest.mark.parametrize("stream", [True, False])
async def test_media_are_let_go_with_their_request(stream: bool, outcome: Any) -> None:
    """There is room for one, and nobody collects garbage."""
    picture = b"\x89PNG\r\n\x1a\n" + bytes(1000)

    async def script(peer: Peer) -> None:
        await peer.answer(picture)

    fetcher = MediaFetcher(allow=["127.0.0.1"], max_bytes=1200, max_total_bytes=1600, total_seconds=1)
    gc.disable()
    try:
        async with serving(script) as served:
            part = {"type": "image_url", "image_url": {"url": f"http://127.0.0.1:{served.port}/a.png"}}
            for _ in range(3):
                fake = Fake(outcome())
                await House(fake, fetcher=fetcher).serve(messages=[{"role": "user", "content": [part]}], stream=stream)
                assert len(fake.asked) == 1, "it was fetched"
                fake.asked.clear()
    finally:
        gc.enable()
        await fetcher.aclose()


async def test_the_fault_of_an_address_is_named_in_the_requests_words() -> None:
    house = House(Fake(), web=Web(error=InvalidRequest("Nothing there.")))
    error = await house.serve(messages=[{"role": "system", "content": "s"}, {"role": "user", "content": AN_IMAGE}])
    assert isinstance(error, InvalidRequest) and error.param == "messages.1.content.1"
    assert house.exchange.attempts == 0


async def test_a_stream_beats_while_media_are_fetched() -> None:
    gate = asyncio.Event()
    house = House(Fake(answered("hello")), web=Web(gate), keepalive_seconds=0.01)
    serving = asyncio.create_task(house.serve(messages=[{"role": "user", "content": AN_IMAGE}]))
    await house.client.got(b": keep-alive\n\n: keep-alive\n\n")
    assert house.exchange.status == 200 and house.fake.asked == []
    gate.set()
    assert await serving is None and house.told() == "hello"


@pytest.mark.parametrize("stream", [True, False])
async def test_a_fault_after_a_sign_of_life_is_named_in_the_requests_words(stream: bool) -> None:
    gate = asyncio.Event()
    web = Web(gate, InvalidRequest("Nothing there."))
    house = House(Fake(), web=web, keepalive_seconds=0.01, whole_keepalive=True)
    messages = [{"role": "system", "content": "s"}, {"role": "user", "content": AN_IMAGE}]
    serving = asyncio.create_task(house.serve(messages=messages, stream=stream))
    await house.client.got(b": keep-alive" if stream else b" ")
    gate.set()
    assert await serving is None
    told = house.chunks[-1] if stream else house.document
    assert told["error"]["param"] == "messages.1.content.1"


async def test_the_key_that_owns_what_is_referred_to_is_not_left() -> None:
    fake = Fake(
        refused("client", signature=True), broken(), refused("service"), answered("hello"), references=("files/a",)
    )
    house = House(fake)
    owner = house.own_by_one_key()
    assert await house.serve(messages=CALLED) is None
    assert fake.keys == [owner] * 4 and house.told() == "hello"
    assert set(house.looked_up) == {("me", "files/a")}


async def test_without_quota_that_key_is_the_end() -> None:
    house = House(Fake(refused("quota"), answered("never"), references=("files/a",)))
    owner = house.own_by_one_key()
    assert isinstance(await house.serve(), UpstreamError) and house.fake.keys == [owner]


async def test_nothing_is_looked_up_for_a_request_that_refers_to_nothing() -> None:
    house = House(Fake(answered("hello")))
    assert await house.serve() is None and house.looked_up == []


# ── white space before a whole answer ──


async def test_white_space_comes_before_a_late_answer() -> None:
    gate = asyncio.Event()
    house = House(Fake([gate, *answered("hello")]), keepalive_seconds=0.01, whole_keepalive=True)
    serving = asyncio.create_task(house.serve(stream=False))
    await house.client.got(b"  ")
    assert house.client.headers[b"content-type"] == b"application/json" and house.exchange.status == 200
    assert b"content-length" not in house.client.headers
    gate.set()
    assert await serving is None
    assert house.document["choices"][0]["message"]["content"] == "hello"
    assert house.client.sent[-1]["more_body"] is False


async def test_an_error_after_white_space_is_a_document_of_its_own() -> None:
    gate = asyncio.Event()
    late: list[Step] = [gate, [*said(Text("half")), Failure(Unavailable("Overloaded."))]]
    house = House(Fake(late), keepalive_seconds=0.01, whole_keepalive=True)
    serving = asyncio.create_task(house.serve(stream=False))
    await house.client.got(b" ")
    gate.set()
    assert await serving is None and house.exchange.status == 200
    assert house.document["error"]["message"] == "Overloaded." and house.exchange.ended


@pytest.mark.parametrize("trouble", [False, True])
async def test_an_answer_in_time_has_its_length_and_status(trouble: bool) -> None:
    house = House(Fake(Unavailable("Overloaded.") if trouble else answered("hello")), whole_keepalive=True)
    error = await house.serve(stream=False)
    if trouble:
        assert isinstance(error, Unavailable) and not house.exchange.started
    else:
        assert house.client.headers[b"content-length"] == b"%d" % len(house.client.body)


async def test_without_the_setting_nothing_comes_before_a_whole_answer() -> None:
    gate = asyncio.Event()
    house = House(Fake([gate, *answered("hello")]), keepalive_seconds=0.001)
    serving = asyncio.create_task(house.serve(stream=False))
    for _ in range(5):
        await asyncio.sleep(0.002)  # nothing is awaited: the point is that nothing comes
    assert house.client.sent == []
    gate.set()
    assert await serving is None and house.client.body.startswith(b"{")


# ── the client leaves ──


async def test_leaving_in_the_middle_stops_the_upstream() -> None:
    never = asyncio.Event()
    house = House(Fake([said(Text("one")), never]), memory=Memory())
    serving = asyncio.create_task(house.serve())
    await house.client.got(b"one")
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
    assert house.fake.replies[0].closed and house.memory is not None and house.memory.watches[0].kept


async def test_leaving_while_the_client_is_slow_stops_the_upstream_at_once() -> None:
    """The handler waits for the client then, not for the upstream."""
    house = House(Fake([said(Text("one")), *answered("two")]), memory=Memory())
    house.client.patience = asyncio.Event()
    serving = asyncio.create_task(house.serve())
    await house.client.got(b"one")
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
    assert house.fake.replies[0].closed and house.memory is not None and house.memory.watches[0].kept


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
