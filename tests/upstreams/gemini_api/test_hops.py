"""Long decode: a reply of several requests is one reply."""

from collections.abc import AsyncIterator
from datetime import date
from itertools import count
from typing import Any

import pytest
from tests.bed.upstream import Answer, FakeUpstream, error, error_document, garbage, json_reply, part_chunk, sse

from gemgate.catalog.catalog import Catalog
from gemgate.errors import Timeout, UpstreamError
from gemgate.hub.call import Generate, Sampling
from gemgate.hub.events import BlockDelta, BlockEnd, BlockStart, Event, Failure, Finish, ResponseStart, Usage
from gemgate.hub.fold import fold
from gemgate.hub.parts import Message, Text, ToolCall
from gemgate.keys.pool import lease
from gemgate.net.connection import Deadlines
from gemgate.net.http import HttpClient
from gemgate.net.proxy import Proxies
from gemgate.upstreams.gemini_api.api import GeminiApi
from gemgate.upstreams.gemini_api.hops import MAX_HOPS
from gemgate.upstreams.gemini_api.reply import GeminiReply

KEY = lease("AIza" + "K" * 35)
TARGET = Catalog.load().route("some-model", date(2026, 11, 1))
Json = dict[str, Any]


@pytest.fixture
async def up() -> AsyncIterator[FakeUpstream]:
    async with FakeUpstream() as fake:
        yield fake


@pytest.fixture
async def api(up: FakeUpstream) -> AsyncIterator[GeminiApi]:
    client = HttpClient(Deadlines(first_byte_seconds=0.3, silence_seconds=0.3), Proxies({}))
    numbers = count(1)
    yield GeminiApi(client, up.base_url, "v1beta", lambda: f"{next(numbers):024x}")
    await client.aclose()


async def begin(api: GeminiApi, *, stream: bool, max_output_tokens: int | None = None) -> GeminiReply:
    asked = Generate(
        model="some-model",
        messages=(Message("user", (Text("hi"),)),),
        sampling=Sampling(max_output_tokens=max_output_tokens),
        stream=stream,
    )
    return await api.generate(api.prepare(asked, TARGET), TARGET, KEY)


async def events(api: GeminiApi, *, stream: bool = True, max_output_tokens: int | None = None) -> list[Event]:
    reply = await begin(api, stream=stream, max_output_tokens=max_output_tokens)
    batches = [batch async for batch in reply]
    assert all(batches)
    return [event for batch in batches for event in batch]


def piece(text: str, *, finish: str | None = None, token: str = "", tokens: int = 1) -> Json:
    """One reply or chunk, which may end a hop or carry a checkpoint."""
    counts = {"promptTokenCount": 5, "candidatesTokenCount": tokens, "thoughtsTokenCount": 1}
    counts["totalTokenCount"] = sum(counts.values())
    made = part_chunk(*([{"text": text}] if text else []), finish=finish, usageMetadata=counts)
    if token:
        made["candidates"][0]["continuationToken"] = token
    return made


def hop(*texts: str, finish: str = "STOP", token: str = "", stream: bool, tokens: int = 1) -> Answer:
    if not stream:
        return json_reply(piece("".join(texts), finish=finish, token=token, tokens=tokens))
    return sse([*(piece(text, tokens=tokens) for text in texts), piece("", finish=finish, token=token, tokens=tokens)])


def said(found: list[Event]) -> str:
    """The text so far, be it complete or not."""
    starts = [event.part for event in found if isinstance(event, BlockStart)]
    assert len(starts) == 1 and isinstance(starts[0], Text)
    return starts[0].text + "".join(event.text for event in found if isinstance(event, BlockDelta))


@pytest.mark.parametrize("stream", [False, True])
async def test_it_is_followed_as_one_reply(up: FakeUpstream, api: GeminiApi, stream: bool) -> None:
    up.answer(
        hop("one ", "two ", finish="CONTINUATION", token='a"1', stream=stream, tokens=7),
        hop("three ", finish="CONTINUATION", token="b2", stream=stream, tokens=8),
        hop("four", stream=stream, tokens=9),
    )
    found = await events(api, stream=stream)
    kinds = [type(event) for event in found]
    assert [kinds.count(kind) for kind in (ResponseStart, BlockStart, BlockEnd, Usage, Finish)] == [1] * 5
    assert said(found) == "one two three four"
    usage, finish = found[-2:]
    assert isinstance(usage, Usage) and isinstance(finish, Finish)
    assert (usage.input_tokens, usage.output_tokens, usage.total_tokens) == (15, 24, 42)
    assert (finish.reason, finish.detail, finish.vendor) == ("stop", "STOP", None)

    first, *others = [request.json for request in up.requests]
    assert "continuationToken" not in first
    assert others == [{**first, "continuationToken": token} for token in ('a"1', "b2")]
    assert len({(request.target, request.header("x-goog-api-key")) for request in up.requests}) == 1


@pytest.mark.parametrize("stream", [False, True])
async def test_calls_of_all_hops_have_their_own_ids(up: FakeUpstream, api: GeminiApi, stream: bool) -> None:
    call = {"functionCall": {"id": "same", "name": "f", "args": {}}}
    first = part_chunk(call, finish="CONTINUATION")
    first["candidates"][0]["continuationToken"] = "t"
    answers = (first, part_chunk(call, {"functionCall": {"name": "g"}}, finish="STOP"))
    up.answer(*(sse([answer]) if stream else json_reply(answer) for answer in answers))
    (choice,) = fold(await events(api, stream=stream)).choices
    assert [part.id for part in choice.parts if isinstance(part, ToolCall)] == [
        "same",
        "call_" + "1".zfill(24),
        "call_" + "2".zfill(24),
    ]
    assert choice.finish.reason == "tool_calls"


@pytest.mark.parametrize("stream", [False, True])
async def test_it_ends_where_the_caller_wants(up: FakeUpstream, api: GeminiApi, stream: bool) -> None:
    up.answer(*(hop("x", finish="CONTINUATION", token=token, stream=stream, tokens=5) for token in "abc"))
    *_, usage, finish = await events(api, stream=stream, max_output_tokens=12)
    assert len(up.requests) == 2
    assert isinstance(usage, Usage) and (usage.output_tokens, usage.thought_tokens) == (10, 2)
    assert isinstance(finish, Finish) and finish.reason == "length"


async def test_it_ends_after_many_hops(up: FakeUpstream, api: GeminiApi) -> None:
    tokens = count()
    up.script = lambda _: hop("x", finish="CONTINUATION", token=f"t{next(tokens)}", stream=True)
    found = await events(api)
    assert len(up.requests) == MAX_HOPS and said(found) == "x" * MAX_HOPS
    assert isinstance(found[-1], Finish) and found[-1].reason == "length"


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(("finish", "token"), [("CONTINUATION", ""), ("MAX_TOKENS", "t"), ("STOP", "t")])
async def test_what_is_not_followed(up: FakeUpstream, api: GeminiApi, stream: bool, finish: str, token: str) -> None:
    up.answer(hop("x", finish=finish, token=token, stream=stream))
    *_, last = await events(api, stream=stream)
    assert isinstance(last, Finish) and last.reason == ("stop" if finish == "STOP" else "length")
    assert len(up.requests) == 1


@pytest.mark.parametrize("stream", [False, True])
async def test_several_candidates_are_not_followed(up: FakeUpstream, api: GeminiApi, stream: bool) -> None:
    answer = piece("x", finish="CONTINUATION", token="t")
    answer["candidates"].append({**answer["candidates"][0], "index": 1})
    up.answer(sse([answer]) if stream else json_reply(answer))
    assert {choice.finish.reason for choice in fold(await events(api, stream=stream)).choices} == {"length"}
    assert len(up.requests) == 1


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("refused", [error(429), error(403, "Bad API key"), garbage()])
async def test_a_hop_that_is_refused_leaves_what_was_said(
    up: FakeUpstream, api: GeminiApi, stream: bool, refused: Answer
) -> None:
    up.answer(hop("x", finish="CONTINUATION", token="t", stream=stream, tokens=6), refused)
    found = await events(api, stream=stream)
    usage, last = found[-2:]
    assert isinstance(last, Finish) and last.reason == "length"
    assert isinstance(usage, Usage) and usage.output_tokens == 6 and said(found) == "x"
    assert len(up.requests) == 2


def broken(*payloads: Json, how: str) -> Answer:
    match how:
        case "cut":
            return sse([*payloads, piece("never")], cut_after=len(payloads))
        case "stall":
            return sse([*payloads, piece("never")], stall_after=len(payloads))
        case _:
            return sse(payloads)


@pytest.mark.parametrize("how", ["cut", "stall", "end"])
async def test_a_stream_that_breaks_off_at_a_checkpoint_is_taken_up(up: FakeUpstream, api: GeminiApi, how: str) -> None:
    up.answer(
        broken(piece("one "), piece("two ", token="t"), piece(""), how=how),
        broken(piece(""), how=how),
        hop("three", stream=True),
    )
    found = await events(api)
    assert said(found) == "one two three" and isinstance(found[-1], Finish)
    assert [request.json.get("continuationToken") for request in up.requests] == [None, "t", "t"]
    usage = found[-2]
    assert isinstance(usage, Usage) and usage.output_tokens == 3


@pytest.mark.parametrize(("how", "kind"), [("cut", UpstreamError), ("stall", Timeout), ("end", UpstreamError)])
@pytest.mark.parametrize("token", ["", "t"])
async def test_a_stream_that_breaks_off_elsewhere_has_failed(
    up: FakeUpstream, api: GeminiApi, how: str, kind: type[Exception], token: str
) -> None:
    """What came after the checkpoint would come again."""
    up.answer(broken(piece("one ", token=token), piece("two"), how=how))
    found = await events(api)
    assert isinstance(found[-1], Failure) and type(found[-1].error) is kind
    assert said(found) == "one two" and len(up.requests) == 1


async def test_half_a_call_after_the_checkpoint_is_not_taken_up(up: FakeUpstream, api: GeminiApi) -> None:
    half = {"functionCall": {"name": "f", "willContinue": True}}
    up.answer(broken(piece("one", token="t"), part_chunk(half), how="cut"))
    assert isinstance((await events(api))[-1], Failure) and len(up.requests) == 1


async def test_an_error_after_the_checkpoint_is_told(up: FakeUpstream, api: GeminiApi) -> None:
    up.answer(sse([piece("one", token="t"), error_document(503, "Overloaded.")]))
    last = (await events(api))[-1]
    assert isinstance(last, Failure) and last.error.message == "Overloaded." and len(up.requests) == 1


async def test_a_token_that_leads_nowhere_is_tried_four_times(up: FakeUpstream, api: GeminiApi) -> None:
    up.answer(broken(piece("one", token="t"), how="cut"))
    up.always = sse([piece("")], cut_after=0)
    found = await events(api)
    assert isinstance(found[-1], Failure) and said(found) == "one" and len(up.requests) == 5


async def test_progress_makes_up_for_idle_hops(up: FakeUpstream, api: GeminiApi) -> None:
    idle = sse([piece("")], cut_after=0)
    step = broken(piece("x", token="u"), how="cut")
    up.answer(broken(piece("x", token="t"), how="cut"), idle, idle, idle, step, idle, idle, idle)
    up.answer(hop("x", stream=True))
    found = await events(api)
    assert said(found) == "xxx" and isinstance(found[-1], Finish) and len(up.requests) == 9


async def test_leaving_in_a_later_hop_hangs_up(up: FakeUpstream, api: GeminiApi) -> None:
    up.answer(
        hop("one", finish="CONTINUATION", token="t", stream=True), sse([piece("two"), piece("never")], stall_after=1)
    )
    reply = await begin(api, stream=True)
    async for batch in reply:
        if len(up.requests) == 2 and batch:
            break
    await reply.aclose()
    await up.last.gone.wait(2)
