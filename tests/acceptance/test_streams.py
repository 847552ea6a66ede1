"""Rows 17 to 25: streams, and that the whole answer says the same."""

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import pytest
from google.genai import models as genai_models
from google.genai.types import GenerateContentResponse
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from gemgate.net.sse import SseParser
from tests.acceptance.grammar import chunks_of, completion, payloads
from tests.acceptance.playing import NEW, PATH, Json, Played, answering, each_form, failure, form, message, read, said
from tests.bed.recordings import needs_recordings
from tests.bed.strict_gemini import LARGE
from tests.bed.upstream import Answer, Gate, Received, Wire, error, json_reply, part_chunk, sse, stall, text_chunks
from tests.bed.upstream.answers import SSE_TYPE
from tests.bed.upstream.connection import chunk as http_chunk
from tests.bed.upstream.connection import render_head
from tests.bed.wire import Connection
from tests.e2e.bed import CHAT, NATIVE, Bed, generate_path, running_bed

# ── 17, 18: the end of a stream ──


@pytest.mark.acceptance(17)
@each_form
async def test_a_reason_on_every_chunk_cuts_nothing(bed: Bed, stream: bool) -> None:
    chunks = [part_chunk({"text": word}, finish="STOP") for word in ("one ", "two ", "three")]
    made = await said(bed, *chunks, part_chunk({"text": ""}, finish="MAX_TOKENS"), stream=stream)
    (choice,) = made["choices"]
    assert (choice["message"]["content"], choice["finish_reason"]) == ("one two three", "length")


@pytest.mark.acceptance(17)
async def test_a_reason_as_a_number(bed: Bed) -> None:
    chunks = text_chunks("one ", "two")
    chunks[-1]["candidates"][0]["finishReason"] = 1
    made = await said(bed, *chunks, stream=True)
    assert made["choices"][0]["finish_reason"] == "stop"


@pytest.mark.acceptance(17)
@needs_recordings
def test_one_terminal_chunk_in_all_recordings(played: tuple[Played, ...]) -> None:
    seen = 0
    for each in played:
        ends = [c for chunk in each.chunks or [] for c in chunk["choices"] if c["finish_reason"]]
        indices = {c["index"] for chunk in each.chunks or [] for c in chunk["choices"]}
        assert sorted(end["index"] for end in ends) == sorted(indices), each.row.id
        assert all(end["delta"] == {} for end in ends), each.row.id
        seen += len(ends)
    assert seen > 1_000


CALL: Json = {"functionCall": {"id": "a1", "name": "find", "args": {"q": "é"}}}


@pytest.mark.acceptance(18)
@pytest.mark.parametrize(
    "chunks",
    [
        [part_chunk(CALL, finish="STOP")],
        [part_chunk(CALL), part_chunk({"text": ""}, finish="STOP")],
        [part_chunk(CALL), part_chunk(finish="STOP")],
        [part_chunk(CALL), part_chunk({"text": "later"}), {"candidates": [{"finishReason": "STOP"}]}],
        [part_chunk({"text": "first"}), part_chunk(CALL, finish="STOP"), part_chunk({"text": "."}, finish="STOP")],
    ],
)
@each_form
async def test_calls_end_as_calls(bed: Bed, stream: bool, chunks: list[Json]) -> None:
    made = await said(bed, *chunks, stream=stream)
    assert made["choices"][0]["finish_reason"] == "tool_calls"


@pytest.mark.acceptance(18)
@needs_recordings
def test_calls_of_all_recordings_end_as_calls(played: tuple[Played, ...]) -> None:
    seen = 0
    for each in played:
        if each.row.finish_reason != "STOP":
            continue
        for made in each.completions:
            choice = made["choices"][0]
            called = bool(each.row.expected.calls)
            assert choice["finish_reason"] == ("tool_calls" if called else "stop"), each.row.id
            seen += called
    assert seen > 200


# ── 19 to 21: streams say what whole answers say, in the right grammar and shape ──

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)
ARGUMENTS = st.dictionaries(st.text(), VALUES, max_size=4)
STEPS = st.lists(st.tuples(st.sampled_from(["find", "measure"]), ARGUMENTS), min_size=1, max_size=3)


@pytest.mark.acceptance(19)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(calls=STEPS, apart=st.booleans(), split=st.integers(1, 200))
def test_any_arguments_arrive_in_both_forms(package_bed: Bed, calls: Any, apart: bool, split: int) -> None:
    parts: list[Json] = [{"functionCall": {"name": name, "args": arguments}} for name, arguments in calls]
    groups = [[part] for part in parts] if apart else [parts]
    chunks = [*(part_chunk(*group) for group in groups), part_chunk({"text": ""}, finish="STOP")]
    up = package_bed.up
    up.answer(sse(chunks, split=split), answering(chunks, stream=False))
    for stream in (True, False):
        made = read(asyncio.run(package_bed.chat(**form(stream=stream))), stream=stream)
        functions = [call["function"] for call in made["choices"][0]["message"]["tool_calls"]]
        assert [(one["name"], json.loads(one["arguments"])) for one in functions] == calls


@pytest.mark.acceptance(19)
@needs_recordings
def test_both_forms_of_all_recordings(played: tuple[Played, ...]) -> None:
    seen = 0
    for each in played:
        if each.streamed is None or each.whole is None:
            continue
        left, right = comparable(each.streamed), comparable(each.whole)
        assert left == right, each.row.id
        given = [arguments for _, arguments, _ in left["choices"][0]["message"].get("tool_calls") or []]
        if not any("partialArgs" in one for one in each.row.expected.calls):
            assert given == [one.get("args") or {} for one in each.row.expected.calls], each.row.id
        seen += len(given)
    assert seen > 200


def comparable(made: Json) -> Json:
    """Without what a request has for itself, what streams have no slot for, and where signatures stand: the
    recordings were put into the other form by the bed, which may move them.
    """
    choices: list[Json] = []
    for choice in made["choices"]:
        kept = {name: value for name, value in choice["message"].items() if value and name != "extra_content"}
        if "tool_calls" in kept:
            calls = kept["tool_calls"]
            kept["tool_calls"] = [
                (call["function"]["name"], json.loads(call["function"]["arguments"]), call.get("extra_content"))
                for call in calls
            ]
        if "audio" in kept:
            kept["audio"] = {"data": kept["audio"]["data"]}
        choices.append({"message": kept, "finish_reason": choice["finish_reason"]})
    return {"choices": choices, "usage": made["usage"]}


@pytest.mark.acceptance(20)
@needs_recordings
def test_the_grammar_of_all_recordings(played: tuple[Played, ...]) -> None:
    """Each stream was checked when it was played; here that most of them were streams that ended well."""
    good = sum(each.chunks is not None for each in played)
    assert good > 1_000 and good > 0.99 * len(played)


@pytest.mark.acceptance(20)
async def test_the_grammar_of_a_stream_of_everything(bed: Bed) -> None:
    chunks = [
        part_chunk({"text": "hm", "thought": True}),
        part_chunk({"text": "a"}, {"text": "b", "thought": True}, {"text": "c"}),
        part_chunk({"executableCode": {"language": "PYTHON", "code": "1"}}),
        part_chunk({"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1"}}),
        part_chunk({"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgoA"}}),
        part_chunk(CALL, {"text": "between"}, {"functionCall": {"name": "find", "args": {}}}),
        part_chunk({"text": "", "thoughtSignature": "QUFB"}, finish="STOP"),
    ]
    assert await said(bed, *chunks, stream=True)
    bed.up.answer(sse(chunks))
    assert chunks_of((await bed.chat(stream=True)).body, usage=False)


@pytest.mark.acceptance(20)
async def test_the_grammar_of_several_choices(bed: Bed) -> None:
    bed.up.always = sse(text_chunks("one ", "two"))
    made = read(await bed.chat(n=3, **form(stream=True)), stream=True)
    assert [choice["message"]["content"] for choice in made["choices"]] == ["one two"] * 3


@pytest.mark.acceptance(20)
@pytest.mark.parametrize("split", [None, 7])
async def test_the_grammar_of_a_native_stream(bed: Bed, split: int | None) -> None:
    chunks = text_chunks("one ", "two\n\ndata: x", "three")
    bed.up.answer(sse(chunks, split=split))
    answered = await bed.ask("POST", generate_path(method="streamGenerateContent") + "?alt=sse", NATIVE)
    assert [json.loads(text) for text in payloads(answered.body.replace(b"\r\n", b"\n"))] == chunks


@pytest.mark.acceptance(21)
@needs_recordings
def test_official_models_take_all_recordings(played: tuple[Played, ...]) -> None:
    for each in played:
        for chunk in each.chunks or []:
            ChatCompletionChunk.model_validate_json(json.dumps(chunk), strict=True)
        for made in each.completions:
            counted = _validated(made).usage
            assert counted is not None and counted.completion_tokens_details is not None, each.row.id
            assert isinstance(counted.completion_tokens_details.reasoning_tokens, int), each.row.id


def _validated(made: Json) -> ChatCompletion:
    """In strict mode; fields that Chat itself does not know are allowed, wrong types are not."""
    for choice in made["choices"]:
        choice.setdefault("logprobs", None)
    return ChatCompletion.model_validate_json(json.dumps(made), strict=True)


@pytest.mark.acceptance(21)
@each_form
async def test_official_models_take_native_answers(bed: Bed, stream: bool) -> None:
    method = "streamGenerateContent?alt=sse" if stream else "generateContent"
    bed.up.answer(answering(text_chunks("one", "two"), stream=stream))
    answered = await bed.ask("POST", generate_path(method=method), NATIVE)
    texts = payloads(answered.body.replace(b"\r\n", b"\n")) if stream else [answered.body.decode()]
    translate: Any = genai_models._GenerateContentResponse_from_mldev
    made = [
        GenerateContentResponse._from_response(response=translate(json.loads(one), None, {}), kwargs={})
        for one in texts
    ]
    assert "".join(one.text or "" for one in made) == "onetwo"


# ── 22: sources ──


def grounded(*chunks: int, said: str = "") -> Json:
    """Grounding that names these sources, each for what is said."""
    sources = [{"web": {"uri": f"https://example.com/{n}", "title": f"t{n}"}} for n in chunks]
    segment = {"startIndex": 0, "endIndex": len(said.encode()), "text": said}
    supports = [{"segment": segment, "groundingChunkIndices": list(range(len(chunks)))}]
    return {"groundingChunks": sources, "groundingSupports": supports, "webSearchQueries": ["q"]}


@pytest.mark.acceptance(22)
@pytest.mark.parametrize("where", [{0}, {1}, {2}, {0, 2}, {0, 1, 2}])
@each_form
async def test_sources_of_every_chunk(bed: Bed, stream: bool, where: set[int]) -> None:
    texts = ["Été à ", "Rome 🌞.", ""]
    chunks = [part_chunk({"text": text}, finish="STOP" if n == 2 else None) for n, text in enumerate(texts)]
    for number in where:
        chunks[number]["candidates"][0]["groundingMetadata"] = grounded(number, said="Été")
    made = await message(bed, *chunks, stream=stream)
    cited = [one["url_citation"] for one in made["annotations"]]
    wanted = where if stream else {max(where)}
    assert {one["url"] for one in cited} == {f"https://example.com/{number}" for number in wanted}
    assert {made["content"][one["start_index"] : one["end_index"]] for one in cited} == {"Été"}


@pytest.mark.acceptance(22)
async def test_sources_on_a_chunk_without_content(bed: Bed) -> None:
    last: Json = {"candidates": [{"finishReason": "STOP", "groundingMetadata": grounded(7, said="Rome")}]}
    made = await message(bed, part_chunk({"text": "Rome"}), last, stream=True)
    assert [one["url_citation"]["url"] for one in made["annotations"]] == ["https://example.com/7"]


@pytest.mark.acceptance(22)
@needs_recordings
def test_sources_of_all_recordings(played: tuple[Played, ...]) -> None:
    seen = 0
    for each in played:
        named = {
            (chunk.get("web") or {}).get("uri")
            for payload in each.row.payloads()
            for candidate in json.loads(payload).get("candidates") or []
            for chunk in (candidate.get("groundingMetadata") or {}).get("groundingChunks") or []
        } - {None}
        for made in each.completions if named else ():
            notes = made["choices"][0]["message"].get("annotations") or []
            assert {note["url_citation"]["url"] for note in notes} >= named, each.row.id
            seen += 1
    assert seen > 20


# ── 23: bytes ──

SEPARATORS = [b"\n\n", b"\r\n\r\n"]

TEXTS = ("é🌞 ", '"\n\ndata:  x')


def stream_of(separator: bytes) -> bytes:
    chunks: list[Json] = [{"candidates": [{"content": {"parts": [{"text": text}]}}]} for text in TEXTS]
    chunks[-1]["candidates"][0]["finishReason"] = "STOP"
    return b"".join(b"data: " + json.dumps(one, ensure_ascii=False).encode() + separator for one in chunks)


def apart(*pieces: bytes) -> Answer:
    """Answer with these bytes, each piece in a read of its own."""

    async def answer(_: Received, wire: Wire) -> None:
        await wire.write(render_head(200, {"Content-Type": SSE_TYPE, "Transfer-Encoding": "chunked"}))
        for piece in pieces:
            await wire.write(http_chunk(piece))
            await asyncio.sleep(0.001)  # nothing tells when another process has read
        await wire.write(b"0\r\n\r\n")

    return answer


@pytest.mark.acceptance(23)
@pytest.mark.parametrize("separator", SEPARATORS)
def test_bytes_cut_at_every_offset(separator: bytes) -> None:
    body = stream_of(separator)
    wanted = [event.removeprefix(b"data: ") for event in body.split(separator)[:-1]]
    for offset in range(len(body) + 1):
        parser = SseParser()
        assert [*parser.feed(body[:offset]), *parser.feed(body[offset:]), *parser.end()] == wanted, f"cut at {offset}"
    parser = SseParser()
    found = [event for at in range(len(body)) for event in parser.feed(body[at : at + 1])]
    assert [*found, *parser.end()] == wanted


@pytest.mark.acceptance(23)
@pytest.mark.parametrize("separator", SEPARATORS)
async def test_a_stream_cut_at_every_offset(bed: Bed, separator: bytes) -> None:
    body = stream_of(separator)
    async with await Connection.open(bed.url) as connection:
        for offset in range(1, len(body)):
            bed.up.answer(apart(body[:offset], body[offset:]))
            reply = await connection.request("POST", PATH, bed.headers(), CHAT | {"stream": True})
            made = completion(chunks_of(await reply.body(), usage=False))
            assert made["choices"][0]["message"]["content"] == "".join(TEXTS), f"cut at {offset}"
        bed.up.answer(apart(*(body[at : at + 1] for at in range(len(body)))))
        reply = await connection.request("POST", PATH, bed.headers(), CHAT | {"stream": True})
        made = completion(chunks_of(await reply.body(), usage=False))
        assert made["choices"][0]["message"]["content"] == "".join(TEXTS)


@pytest.mark.acceptance(23)
@pytest.mark.parametrize("split", [1_000, 16_383, 65_537])
async def test_a_huge_signature_in_pieces(bed: Bed, split: int) -> None:
    signature = "QUJD" * (LARGE * 3)
    bed.up.answer(sse([part_chunk(CALL | {"thoughtSignature": signature}), part_chunk(finish="STOP")], split=split))
    made = read(await bed.chat(model=NEW, **form(stream=True)), stream=True)
    (call,) = made["choices"][0]["message"]["tool_calls"]
    assert call["extra_content"]["google"]["thought_signature"] == signature


# ── 24: refusals ──

BLOCKED: dict[str, Json] = {
    "prompt": {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}, "usageMetadata": {"promptTokenCount": 3}},
    "safety": {"candidates": [{"finishReason": "SAFETY", "index": 0}]},
    "no-parts": {"candidates": [{"content": {"role": "model"}, "finishReason": "RECITATION"}]},
    "empty-parts": {"candidates": [{"content": {"role": "model", "parts": []}, "finishReason": "SPII"}]},
    "message": {"candidates": [{"finishReason": "IMAGE_SAFETY", "finishMessage": "no such picture"}]},
}
REASONS = {
    "prompt": "PROHIBITED_CONTENT",
    "safety": "SAFETY",
    "no-parts": "RECITATION",
    "empty-parts": "SPII",
    "message": "no such picture",
}


@pytest.mark.acceptance(24)
@pytest.mark.parametrize("why", BLOCKED)
@each_form
async def test_a_block_is_told_with_its_reason(bed: Bed, stream: bool, why: str) -> None:
    made = await said(bed, BLOCKED[why], stream=stream)
    (choice,) = made["choices"]
    assert choice["finish_reason"] == "content_filter" and not choice["message"]["content"]
    assert REASONS[why] in choice["message"]["refusal"]
    bed.up.answer(json_reply(BLOCKED[why]))
    assert (await bed.native()).json == BLOCKED[why]


@pytest.mark.acceptance(24)
@each_form
async def test_a_block_in_the_middle(bed: Bed, stream: bool) -> None:
    chunks = [part_chunk({"text": "It is "}), {"candidates": [{"finishReason": "SAFETY"}]}]
    made = await said(bed, *chunks, stream=stream)
    (choice,) = made["choices"]
    assert (choice["finish_reason"], choice["message"]["content"]) == ("content_filter", "It is ")


@pytest.mark.acceptance(24)
@each_form
async def test_thinking_that_ate_the_answer(bed: Bed, stream: bool) -> None:
    """No content at all and MAX_TOKENS: an empty answer, cut short."""
    made = await said(bed, {"candidates": [{"finishReason": "MAX_TOKENS", "index": 0}]}, stream=stream)
    (choice,) = made["choices"]
    assert choice["finish_reason"] == "length" and not choice["message"]["content"]


# ── 25: signs of life ──

PATIENT = "[server]\nkeepalive_after_seconds = 0.1\nwhole_keepalive = true\n"


@pytest.fixture(scope="module")
def beating_bed() -> Iterator[Bed]:
    with running_bed(toml=PATIENT) as made:
        yield made


@pytest.fixture
def beating(beating_bed: Bed) -> Bed:
    beating_bed.up.reset()
    return beating_bed


@pytest.mark.acceptance(25)
async def test_comments_before_the_upstream_says_anything(beating: Bed) -> None:
    gate = Gate()
    beating.up.answer(stall(gate, sse(text_chunks("at last"))))
    async with beating.open("POST", PATH, CHAT | form(stream=True)) as (_, reply):
        assert reply.status == 200 and (reply.header("content-type") or "").startswith("text/event-stream")
        pieces = reply.pieces()
        stream = b""
        while stream.count(b"\n\n") < 2:
            stream += await anext(pieces)
        assert all(line.startswith(b":") for line in stream.split(b"\n\n") if line)
        gate.open()
        stream += b"".join([piece async for piece in pieces])
    assert completion(chunks_of(stream))["choices"][0]["message"]["content"] == "at last"


@pytest.mark.acceptance(25)
async def test_comments_between_events(beating: Bed) -> None:
    gate = Gate(1)
    beating.up.answer(sse(text_chunks("one ", "two"), gate=gate))
    async with beating.open("POST", PATH, CHAT | form(stream=True)) as (_, reply):
        pieces, stream = reply.pieces(), b""
        while b"\n\n:" not in stream:
            stream += await anext(pieces)
        gate.open()
        stream += b"".join([piece async for piece in pieces])
    assert completion(chunks_of(stream))["choices"][0]["message"]["content"] == "one two"


@pytest.mark.acceptance(25)
async def test_white_space_before_a_whole_answer(beating: Bed) -> None:
    gate = Gate()
    beating.up.answer(stall(gate, json_reply(part_chunk({"text": "at last"}, finish="STOP"))))
    async with beating.open("POST", PATH, CHAT) as (_, reply):
        pieces, body = reply.pieces(), b""
        while len(body) < 2:
            body += await anext(pieces)
        assert reply.status == 200 and not body.strip()
        gate.open()
        body += b"".join([piece async for piece in pieces])
    assert json.loads(body)["choices"][0]["message"]["content"] == "at last"


@pytest.mark.acceptance(25)
@each_form
async def test_a_failure_after_signs_of_life(beating: Bed, stream: bool) -> None:
    gate = Gate()
    beating.up.answer(stall(gate, error(400, "You may not.")))
    async with beating.open("POST", PATH, CHAT | form(stream=stream)) as (_, reply):
        pieces = reply.pieces()
        body = await anext(pieces)
        gate.open()
        body += b"".join([piece async for piece in pieces])
    last = payloads(body)[-1] if stream else body
    assert "You may not." in json.loads(last)["error"]["message"]


@pytest.mark.acceptance(25)
async def test_failures_before_signs_of_life_keep_their_status(beating: Bed) -> None:
    beating.up.answer(error(400, "You may not."))
    answered = await beating.chat(**form(stream=True))
    assert answered.status == 400 and failure(answered, stream=True)
