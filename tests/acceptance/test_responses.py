"""Streams, sources, refusals, signs of life and counts of Responses."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openai import OpenAI

from tests.acceptance.responses_grammar import check, events_of, response_of
from tests.acceptance.test_media import IMAGES
from tests.acceptance.test_signatures import MIXED
from tests.acceptance.test_streams import ARGUMENTS, BLOCKED, grounded
from tests.acceptance.test_tools import MALFORMED
from tests.bed.strict_gemini import PIXEL
from tests.bed.upstream import Gate, error, json_reply, part_chunk, sse, stall, text_chunks
from tests.e2e.bed import CALLER, Bed, running_bed
from tests.e2e.responses_reading import (
    NEW,
    PATH,
    RESPONSES,
    SEARCHES,
    THINKS,
    TOOL,
    Json,
    answering,
    ask,
    checked,
    contents,
    each_form,
    failure,
    of_kind,
    read,
    said,
    summary_of,
    text_of,
)

DONE = part_chunk({"text": ""}, finish="STOP")
CALL: Json = {"functionCall": {"id": "a1", "name": "find", "args": {"q": "é"}}}


def comparable(value: Any) -> Any:
    """Without what a request has for itself: ids, times, and proofs, which the bed may move to the other form."""
    if isinstance(value, list):
        return [comparable(one) for one in value]
    if not isinstance(value, dict):
        return value
    own = {"id", "created_at", "completed_at", "encrypted_content", "call_id", "container_id"}
    kept = {name: comparable(one) for name, one in value.items() if name not in own}
    return kept | ({"arguments": json.loads(kept["arguments"])} if "arguments" in kept else {})


def comparable_output(made: Json) -> list[Any]:
    """Likewise, without reasoning that holds nothing but a proof."""
    return [comparable(item) for item in made["output"] if item["type"] != "reasoning" or item["summary"]]


# ── 6: thoughts and text ──


@pytest.mark.acceptance(6)
@each_form
async def test_text_stays_text_and_thought_stays_thought(bed: Bed, stream: bool) -> None:
    chunks = [*(part_chunk(part) for part in MIXED[:-1]), part_chunk(MIXED[-1], finish="STOP")]
    made = await said(bed, *chunks, stream=stream, model=NEW, **THINKS)
    assert text_of(made) == "I say. I say more."
    assert summary_of(made).replace("\n", "") == "I think.I think again."


# ── 16 to 18: ends ──


@pytest.mark.acceptance(16)
@each_form
async def test_a_malformed_call_is_tried_once_more(bed: Bed, stream: bool) -> None:
    bed.up.answer(answering([MALFORMED], stream=stream), answering([part_chunk(CALL, finish="STOP")], stream=stream))
    made = read(await ask(bed, stream=stream, tools=[TOOL]), stream=stream)
    assert made["status"] == "completed" and len(of_kind(made, "function_call")) == 1
    assert len(bed.up.requests) == 2


@pytest.mark.acceptance(16)
@each_form
async def test_a_malformed_call_is_an_error_in_the_end(bed: Bed, stream: bool) -> None:
    bed.up.always = answering([MALFORMED], stream=stream)
    answered = await ask(bed, stream=stream, tools=[TOOL])
    told = failure(answered, stream=stream)
    assert told is not None and told["message"] and len(bed.up.requests) == 2
    assert b"completed" not in answered.body.replace(b"completed_at", b"")


@pytest.mark.acceptance(16)
@each_form
async def test_an_empty_stop_stays_one(bed: Bed, stream: bool) -> None:
    made = await said(bed, DONE, stream=stream)
    assert made["status"] == "completed" and not text_of(made) and len(bed.up.requests) == 1


@pytest.mark.acceptance(17)
@each_form
async def test_a_reason_on_every_chunk_cuts_nothing(bed: Bed, stream: bool) -> None:
    chunks = [part_chunk({"text": word}, finish="STOP") for word in ("one ", "two ", "three")]
    made = await said(bed, *chunks, part_chunk({"text": ""}, finish="MAX_TOKENS"), stream=stream)
    assert (text_of(made), made["status"]) == ("one two three", "incomplete")
    assert made["incomplete_details"] == {"reason": "max_output_tokens"} and len(made["output"]) == 1


@pytest.mark.acceptance(18)
@pytest.mark.parametrize(
    "chunks",
    [
        [part_chunk(CALL, finish="STOP")],
        [part_chunk(CALL), DONE],
        [part_chunk(CALL), part_chunk({"text": "later"}), {"candidates": [{"finishReason": "STOP"}]}],
        [part_chunk({"text": "first"}), part_chunk(CALL, finish="STOP"), part_chunk({"text": "."}, finish="STOP")],
    ],
)
@each_form
async def test_calls_end_complete(bed: Bed, stream: bool, chunks: list[Json]) -> None:
    made = await said(bed, *chunks, stream=stream)
    (called,) = of_kind(made, "function_call")
    assert (made["status"], called["status"], called["call_id"]) == ("completed", "completed", "a1")


# ── 19 to 21: streams say what whole answers say, in the right grammar, as the SDK has it ──

STEPS = st.lists(st.tuples(st.sampled_from(["find", "measure"]), ARGUMENTS, st.booleans()), min_size=1, max_size=3)


@pytest.mark.acceptance(19)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(calls=STEPS, apart=st.booleans(), split=st.integers(1, 200))
def test_any_arguments_arrive_in_both_forms(package_bed: Bed, calls: Any, apart: bool, split: int) -> None:
    """Alone and in parallel, with thoughts between, signed and not, cut anywhere."""
    parts: list[Json] = []
    for name, arguments, signed in calls:
        if signed:
            parts.append({"text": f"about {name}", "thought": True})
        signature = {"thoughtSignature": "c2lnbmVk"} if signed else {}
        parts.append({"functionCall": {"name": name, "args": arguments}} | signature)
    chunks = [*(part_chunk(*group) for group in ([[part] for part in parts] if apart else [parts])), DONE]
    package_bed.up.answer(sse(chunks, split=split), answering(chunks, stream=False))
    made = [
        read(asyncio.run(ask(package_bed, stream=stream, model=NEW, **THINKS)), stream=stream)
        for stream in (True, False)
    ]
    assert comparable_output(made[0]) == comparable_output(made[1])
    for one in made:
        found = [(item["name"], json.loads(item["arguments"])) for item in of_kind(one, "function_call")]
        assert found == [each[:2] for each in calls] and one["status"] == "completed"


EVERYTHING = [
    part_chunk({"text": "hm", "thought": True}),
    part_chunk({"text": "a"}, {"text": "b", "thought": True}, {"text": "c"}),
    part_chunk({"executableCode": {"language": "PYTHON", "code": "1"}, "thoughtSignature": "QUFB"}),
    part_chunk({"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1"}}),
    part_chunk({"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgoA"}}),
    part_chunk(CALL, {"text": "between"}, {"functionCall": {"name": "find", "args": {}}}),
    part_chunk({"text": "", "thoughtSignature": "QUFB"}, finish="STOP"),
]


@pytest.mark.acceptance(20)
@pytest.mark.parametrize("thinks", [True, False], ids=["thinks", "silent"])
async def test_the_grammar_of_a_stream_of_everything(bed: Bed, thinks: bool) -> None:
    asked: Json = {"model": NEW, "tools": [*SEARCHES["tools"], {"type": "code_interpreter", "container": "auto"}]}
    chunks = [json.loads(json.dumps(chunk)) for chunk in EVERYTHING]
    chunks[-1]["candidates"][0]["groundingMetadata"] = grounded(1, said="a")
    made = [await said(bed, *chunks, stream=one, **asked, **(THINKS if thinks else {})) for one in (True, False)]
    assert comparable_output(made[0]) == comparable_output(made[1])
    kinds = {item["type"] for item in made[0]["output"]}
    assert kinds >= {"message", "function_call", "code_interpreter_call", "web_search_call"}


@pytest.mark.acceptance(21)
@pytest.mark.parametrize(
    "chunks",
    [[part_chunk({"text": "fine"}, finish="STOP")], EVERYTHING, [DONE], [part_chunk({"text": "a"}, finish="STOP")]],
    ids=["text", "everything", "nothing", "no counts"],
)
def test_the_sdk_has_the_final_response(package_bed: Bed, chunks: list[Json]) -> None:
    """It is there, its output a list, its counts whole."""
    package_bed.up.reset()
    package_bed.up.answer(sse(chunks))
    with (
        OpenAI(base_url=package_bed.url + "/v1", api_key=CALLER, max_retries=0) as client,
        client.responses.stream(model=NEW, input="hi") as events,
    ):
        made = events.get_final_response()
    assert made.status == "completed" and isinstance(made.output, list)
    assert made.usage is not None and made.usage.output_tokens_details.reasoning_tokens >= 0
    assert made.usage.input_tokens_details.cached_tokens >= 0


# ── 22: sources ──


def _sources(made: Json) -> list[Json]:
    return [one for part in contents(made) for one in part["annotations"]]


@pytest.mark.acceptance(22)
@pytest.mark.parametrize("where", [{0}, {1}, {2}, {0, 2}, {0, 1, 2}])
@pytest.mark.parametrize("body", [{}, SEARCHES], ids=["plain", "searches"])
@each_form
async def test_sources_of_every_chunk(bed: Bed, stream: bool, where: set[int], body: Json) -> None:
    texts = ["Été à ", "Rome 🌞.", ""]
    chunks = [part_chunk({"text": text}, finish="STOP" if n == 2 else None) for n, text in enumerate(texts)]
    for number in where:
        chunks[number]["candidates"][0]["groundingMetadata"] = grounded(number, said="Été")
    made = await said(bed, *chunks, stream=stream, **body)
    wanted = {f"https://example.com/{number}" for number in (where if stream else {max(where)})}
    assert {one["url"] for one in _sources(made)} == wanted and text_of(made) == "Été à Rome 🌞."
    assert {text_of(made)[one["start_index"] : one["end_index"]] for one in _sources(made)} == {"Été"}
    assert not body or of_kind(made, "web_search_call")


@pytest.mark.acceptance(22)
@each_form
async def test_sources_on_a_chunk_without_content(bed: Bed, stream: bool) -> None:
    last: Json = {"candidates": [{"finishReason": "STOP", "groundingMetadata": grounded(7, said="Rome")}]}
    made = await said(bed, part_chunk({"text": "Rome"}), last, stream=stream)
    assert [one["url"] for one in _sources(made)] == ["https://example.com/7"]


# ── 24: refusals ──


@pytest.mark.acceptance(24)
@pytest.mark.parametrize("why", BLOCKED)
@each_form
async def test_a_block_is_told_as_one(bed: Bed, stream: bool, why: str) -> None:
    made = await said(bed, BLOCKED[why], stream=stream)
    assert made["status"] == "incomplete" and made["incomplete_details"] == {"reason": "content_filter"}
    assert not text_of(made)


@pytest.mark.acceptance(24)
@each_form
async def test_a_block_in_the_middle(bed: Bed, stream: bool) -> None:
    made = await said(bed, part_chunk({"text": "It is "}), {"candidates": [{"finishReason": "SAFETY"}]}, stream=stream)
    assert (made["incomplete_details"], text_of(made)) == ({"reason": "content_filter"}, "It is ")


@pytest.mark.acceptance(24)
@each_form
async def test_thinking_that_ate_the_answer(bed: Bed, stream: bool) -> None:
    made = await said(bed, {"candidates": [{"finishReason": "MAX_TOKENS", "index": 0}]}, stream=stream)
    assert (made["incomplete_details"], made["output"]) == ({"reason": "max_output_tokens"}, [])


# ── 25: signs of life ──

ALIVE = b"event: response.in_progress\n"
"""Comments and pings reset no timer of a client; this event does."""


@pytest.fixture(scope="module")
def beating_bed() -> Iterator[Bed]:
    with running_bed(toml="[server]\nkeepalive_after_seconds = 0.1\n") as made:
        yield made


@pytest.fixture
def beating(beating_bed: Bed) -> Bed:
    beating_bed.up.reset()
    return beating_bed


async def _up_to(pieces: AsyncIterator[bytes], mark: bytes, count: int = 1) -> bytes:
    seen = b""
    while seen.count(mark) < count:
        seen += await anext(pieces)
    return seen


STREAMED = RESPONSES | {"stream": True}


@pytest.mark.acceptance(25)
async def test_signs_of_life_before_the_upstream_says_anything(beating: Bed) -> None:
    gate = Gate()
    beating.up.answer(stall(gate, sse(text_chunks("at last"))))
    async with beating.open("POST", PATH, STREAMED) as (_, reply):
        assert reply.status == 200 and (reply.header("content-type") or "").startswith("text/event-stream")
        pieces = reply.pieces()
        stream = await _up_to(pieces, ALIVE, 2)
        gate.open()
        stream += b"".join([piece async for piece in pieces])
    assert text_of(response_of(checked(stream))) == "at last"


@pytest.mark.acceptance(25)
async def test_signs_of_life_between_events(beating: Bed) -> None:
    gate = Gate(1)
    beating.up.answer(sse(text_chunks("one ", "two"), gate=gate))
    async with beating.open("POST", PATH, STREAMED) as (_, reply):
        pieces = reply.pieces()
        stream = await _up_to(pieces, b"one ")
        stream += await _up_to(pieces, ALIVE, 2)
        gate.open()
        stream += b"".join([piece async for piece in pieces])
    assert text_of(response_of(checked(stream))) == "one two"


@pytest.mark.acceptance(25)
@pytest.mark.parametrize("code", [400, 404, 403])
async def test_a_failure_after_signs_of_life(beating: Bed, code: int) -> None:
    gate = Gate()
    beating.up.answer(stall(gate, error(code, "You may not.")))
    async with beating.open("POST", PATH, STREAMED) as (_, reply):
        pieces = reply.pieces()
        stream = await _up_to(pieces, ALIVE)
        gate.open()
        stream += b"".join([piece async for piece in pieces])
    events = events_of(stream)
    assert check(events) == [] and reply.status == 200
    made = response_of(events)
    assert made["status"] == "failed" and "You may not." in made["error"]["message"]


@pytest.mark.acceptance(25)
async def test_failures_before_signs_of_life_keep_their_status(beating: Bed) -> None:
    beating.up.answer(error(400, "You may not."))
    answered = await ask(beating, stream=True)
    assert answered.status == 400 and "You may not." in answered.error["message"]


# ── 26: images ──


@pytest.mark.acceptance(26)
@pytest.mark.parametrize("size", [0, 4_000_000])
@each_form
async def test_an_image_is_not_empty(bed: Bed, stream: bool, size: int) -> None:
    data = PIXEL if not size else "iVBORw0KGgoA" + "QUJD" * (size // 4)
    part = {"inlineData": {"mimeType": "image/png", "data": data}}
    made = await said(bed, part_chunk(part), DONE, stream=stream, model=IMAGES, tools=[{"type": "image_generation"}])
    (drawn,) = of_kind(made, "image_generation_call")
    assert drawn["result"] == data and drawn["status"] == "completed"


# ── 30: what is counted ──


USAGE: Json = {
    "promptTokenCount": 1000,
    "cachedContentTokenCount": 900,
    "candidatesTokenCount": 20,
    "thoughtsTokenCount": 300,
    "toolUsePromptTokenCount": 50,
    "totalTokenCount": 1370,
}


@pytest.mark.acceptance(30)
@pytest.mark.parametrize("early", [{"promptTokenCount": 1000}, {"promptTokenCount": 7}, {"promptTokenCount": 2000}, {}])
@each_form
async def test_cached_thought_and_tool_tokens(bed: Bed, stream: bool, early: Json) -> None:
    """What came from a cache is part of the input, thoughts are part of the output."""
    chunks = [
        part_chunk({"text": "a"}, usageMetadata=early),
        part_chunk({"text": "b"}, usageMetadata=early | {"candidatesTokenCount": 5}),
        part_chunk({"text": "c"}, finish="STOP", usageMetadata=USAGE),
    ]
    usage = (await said(bed, *chunks, stream=stream))["usage"]
    assert (usage["input_tokens"], usage["output_tokens"], usage["total_tokens"]) == (1050, 320, 1370)
    assert usage["input_tokens_details"]["cached_tokens"] == 900
    assert usage["output_tokens_details"]["reasoning_tokens"] == 300


@pytest.mark.acceptance(30)
async def test_counts_are_never_below_nothing(bed: Bed) -> None:
    odd = {"promptTokenCount": 10, "cachedContentTokenCount": 900, "candidatesTokenCount": 1}
    bed.up.answer(json_reply(part_chunk({"text": "a"}, finish="STOP", usageMetadata=odd)))
    usage = (await ask(bed)).json["usage"]
    assert 0 <= usage["input_tokens_details"]["cached_tokens"] <= 900 and usage["input_tokens"] == 10
