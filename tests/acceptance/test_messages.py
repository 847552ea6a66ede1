"""Streams, sources, refusals, signs of life and counts of Messages."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.acceptance.messages_grammar import events_of, message_of
from tests.acceptance.messages_playing import (
    DONE,
    TOOL,
    citations,
    comparable,
    counts,
    wanted_counts,
)
from tests.acceptance.test_streams import ARGUMENTS, BLOCKED, REASONS, grounded
from tests.bed.upstream import Gate, error, json_reply, part_chunk, sse, stall, text_chunks
from tests.e2e.bed import Bed, running_bed
from tests.e2e.messages_reading import (
    MESSAGES,
    NEW,
    PATH,
    SEARCHES,
    THINKS,
    VERSION,
    Json,
    answering,
    ask,
    checked,
    each_form,
    of_kind,
    read,
    said,
    text_of,
)


@pytest.mark.acceptance(17)
@each_form
async def test_a_reason_on_every_chunk_cuts_nothing(bed: Bed, stream: bool) -> None:
    chunks = [part_chunk({"text": word}, finish="STOP") for word in ("one ", "two ", "three")]
    made = await said(bed, *chunks, part_chunk({"text": ""}, finish="MAX_TOKENS"), stream=stream)
    assert (text_of(made), made["stop_reason"]) == ("one two three", "max_tokens")
    assert len(made["content"]) == 1


CALL: Json = {"functionCall": {"id": "a1", "name": "find", "args": {"q": "é"}}}


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
async def test_calls_end_as_calls(bed: Bed, stream: bool, chunks: list[Json]) -> None:
    assert (await said(bed, *chunks, stream=stream))["stop_reason"] == "tool_use"


# ── 19, 20: streams say what whole answers say, in the right grammar ──

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
    up = package_bed.up
    up.answer(sse(chunks, split=split), answering(chunks, stream=False))
    made = [
        read(asyncio.run(ask(package_bed, stream=stream, model=NEW, **THINKS)), stream=stream)
        for stream in (True, False)
    ]
    assert comparable(made[0]) == comparable(made[1])
    for one in made:
        assert [(block["name"], block["input"]) for block in of_kind(one, "tool_use")] == [each[:2] for each in calls]
        assert one["stop_reason"] == "tool_use"


@pytest.mark.acceptance(19)
@pytest.mark.parametrize("split", [None, 5])
async def test_arguments_that_come_in_pieces(bed: Bed, split: int | None) -> None:
    """As the upstream streams them where it is asked to: each piece with the place where it belongs."""
    pieces: list[Json] = [
        {"jsonPath": "$.q", "stringValue": "Ro", "willContinue": True},
        {"jsonPath": "$.q", "stringValue": "me 🌞"},
        {"jsonPath": "$.near[0].km", "numberValue": 3},
    ]
    calls: list[Json] = [{"name": "find", "willContinue": True}]
    calls += [{"partialArgs": [piece], "willContinue": True} for piece in pieces]
    chunks = [part_chunk({"functionCall": one}) for one in [*calls, {}, *calls, {}]]
    bed.up.answer(sse([*chunks, DONE], split=split))
    made = read(await ask(bed, stream=True, model=NEW, tools=[TOOL]), stream=True)
    inputs = [block["input"] for block in of_kind(made, "tool_use")]
    assert inputs == [{"q": "Rome 🌞", "near": [{"km": 3}]}] * 2 and made["stop_reason"] == "tool_use"


EVERYTHING = [
    part_chunk({"text": "hm", "thought": True}),
    part_chunk({"text": "a"}, {"text": "b", "thought": True}, {"text": "c"}),
    part_chunk({"executableCode": {"language": "PYTHON", "code": "1"}, "thoughtSignature": "QUFB"}),
    part_chunk({"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1"}}),
    part_chunk({"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgoA"}}),
    part_chunk(CALL, {"text": "between"}, {"functionCall": {"name": "find", "args": {}}}),
    part_chunk({"text": "", "thoughtSignature": "QUFB"}, finish="STOP"),
]
TOOLS: Json = {"tools": [*SEARCHES["tools"], {"type": "code_execution_20250825", "name": "code_execution"}]}


@pytest.mark.acceptance(20)
@pytest.mark.parametrize("thinking", ["adaptive", "disabled"])
async def test_the_grammar_of_a_stream_of_everything(bed: Bed, thinking: str) -> None:
    asked: Json = TOOLS | {"model": NEW, "thinking": {"type": thinking}}
    chunks = [json.loads(json.dumps(chunk)) for chunk in EVERYTHING]
    chunks[-1]["candidates"][0]["groundingMetadata"] = grounded(1, said="a")
    made = [await said(bed, *chunks, stream=stream, **asked) for stream in (True, False)]
    assert comparable(made[0]) == comparable(made[1])
    kinds = {block["type"] for block in made[0]["content"]}
    served = {"server_tool_use", "web_search_tool_result", "code_execution_tool_result"}
    assert kinds == {"text", "tool_use"} | served | ({"thinking"} if thinking == "adaptive" else set())


# ── 22: sources ──


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
    assert {one["url"] for one in citations(made)} == wanted
    assert {one["cited_text"] for one in citations(made)} == {"Été"} and text_of(made) == "Été à Rome 🌞."
    found = [one["url"] for block in of_kind(made, "web_search_tool_result") for one in block["content"]]
    assert set(found) == (wanted if body else set())
    assert made["usage"]["server_tool_use"]["web_search_requests"] == 1


@pytest.mark.acceptance(22)
@each_form
async def test_sources_on_a_chunk_without_content(bed: Bed, stream: bool) -> None:
    last: Json = {"candidates": [{"finishReason": "STOP", "groundingMetadata": grounded(7, said="Rome")}]}
    made = await said(bed, part_chunk({"text": "Rome"}), last, stream=stream)
    assert [one["url"] for one in citations(made)] == ["https://example.com/7"]


# ── 24: refusals ──


@pytest.mark.acceptance(24)
@pytest.mark.parametrize("why", BLOCKED)
@each_form
async def test_a_block_is_told_with_its_reason(bed: Bed, stream: bool, why: str) -> None:
    made = await said(bed, BLOCKED[why], stream=stream)
    assert made["stop_reason"] == "refusal" and not text_of(made)
    assert made["stop_details"]["type"] == "refusal" and REASONS[why] in made["stop_details"]["explanation"]


@pytest.mark.acceptance(24)
@each_form
async def test_a_block_in_the_middle(bed: Bed, stream: bool) -> None:
    made = await said(bed, part_chunk({"text": "It is "}), {"candidates": [{"finishReason": "SAFETY"}]}, stream=stream)
    assert (made["stop_reason"], text_of(made)) == ("refusal", "It is ")
    assert "SAFETY" in made["stop_details"]["explanation"]


@pytest.mark.acceptance(24)
@each_form
async def test_thinking_that_ate_the_answer(bed: Bed, stream: bool) -> None:
    made = await said(bed, {"candidates": [{"finishReason": "MAX_TOKENS", "index": 0}]}, stream=stream)
    assert (made["stop_reason"], made["content"], made["stop_details"]) == ("max_tokens", [], None)


# ── 25: signs of life ──


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


STREAMED = MESSAGES | {"stream": True}


@pytest.mark.acceptance(25)
async def test_pings_before_the_upstream_says_anything(beating: Bed) -> None:
    gate = Gate()
    beating.up.answer(stall(gate, sse(text_chunks("at last"))))
    async with beating.open("POST", PATH, STREAMED, VERSION) as (_, reply):
        assert reply.status == 200 and (reply.header("content-type") or "").startswith("text/event-stream")
        pieces = reply.pieces()
        stream = await _up_to(pieces, b"event: ping\n", 2)
        assert [name for name, _ in events_of(stream)] == ["ping"] * stream.count(b"event: ping\n")
        gate.open()
        stream += b"".join([piece async for piece in pieces])
    assert text_of(message_of(checked(stream))) == "at last"


@pytest.mark.acceptance(25)
async def test_pings_between_events(beating: Bed) -> None:
    gate = Gate(1)
    beating.up.answer(sse(text_chunks("one ", "two"), gate=gate))
    async with beating.open("POST", PATH, STREAMED, VERSION) as (_, reply):
        pieces = reply.pieces()
        stream = await _up_to(pieces, b"one ")
        stream += await _up_to(pieces, b"event: ping\n", 2)
        gate.open()
        stream += b"".join([piece async for piece in pieces])
    assert text_of(message_of(checked(stream))) == "one two"


@pytest.mark.acceptance(25)
@pytest.mark.parametrize(
    ("code", "kind"), [(400, "invalid_request_error"), (404, "not_found_error"), (403, "permission_error")]
)
async def test_a_failure_after_signs_of_life(beating: Bed, code: int, kind: str) -> None:
    gate = Gate()
    beating.up.answer(stall(gate, error(code, "You may not.")))
    async with beating.open("POST", PATH, STREAMED, VERSION) as (_, reply):
        pieces = reply.pieces()
        stream = await _up_to(pieces, b"event: ping\n")
        gate.open()
        stream += b"".join([piece async for piece in pieces])
    *before, (name, last) = events_of(stream)
    assert {one for one, _ in before} == {"ping"} and (reply.status, name, last["type"]) == (200, "error", "error")
    assert last["error"]["type"] == kind and "You may not." in last["error"]["message"]


@pytest.mark.acceptance(25)
async def test_failures_before_signs_of_life_keep_their_status(beating: Bed) -> None:
    beating.up.answer(error(400, "You may not."))
    answered = await ask(beating, stream=True)
    assert answered.status == 400 and "You may not." in answered.error["message"]


@pytest.mark.acceptance(25)
async def test_no_sign_before_a_whole_answer(beating: Bed) -> None:
    """Its real status is worth more, unless a setting says otherwise."""
    gate = Gate()
    beating.up.answer(stall(gate, error(400, "You may not.")))
    asked = asyncio.create_task(ask(beating))
    await gate.arrived.wait()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(asked), 0.3)
    gate.open()
    assert (await asked).status == 400


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
    """A prompt's count may change in mid-stream, and what came from a cache be known at the end alone."""
    chunks = [
        part_chunk({"text": "a"}, usageMetadata=early),
        part_chunk({"text": "b"}, usageMetadata=early | {"candidatesTokenCount": 5}),
        part_chunk({"text": "c"}, finish="STOP", usageMetadata=USAGE),
    ]
    made = await said(bed, *chunks, stream=stream)
    assert counts(made["usage"]) == wanted_counts(USAGE)
    assert made["usage"]["input_tokens"] == 150 and made["usage"]["output_tokens"] == 320


@pytest.mark.acceptance(30)
async def test_the_end_repeats_the_counts_of_the_beginning(bed: Bed) -> None:
    start = {"promptTokenCount": 1000, "cachedContentTokenCount": 800}
    chunks = [part_chunk({"text": "a"}, usageMetadata=start), part_chunk(finish="STOP", usageMetadata=USAGE)]
    bed.up.answer(sse(chunks))
    events = checked((await ask(bed, stream=True)).body)
    first = next(data["message"]["usage"] for name, data in events if name == "message_start")
    last = next(data["usage"] for name, data in events if name == "message_delta")
    assert (first["input_tokens"], first["cache_read_input_tokens"]) == (200, 800)
    assert (last["input_tokens"], last["cache_read_input_tokens"]) == (150, 900)


@pytest.mark.acceptance(30)
async def test_counts_are_never_below_nothing(bed: Bed) -> None:
    odd = {"promptTokenCount": 10, "cachedContentTokenCount": 900, "candidatesTokenCount": 1}
    bed.up.answer(json_reply(part_chunk({"text": "a"}, finish="STOP", usageMetadata=odd)))
    assert (await ask(bed)).json["usage"]["input_tokens"] == 0
