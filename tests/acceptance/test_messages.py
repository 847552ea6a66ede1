"""The rows that Messages have for themselves, and those that hold for every surface, held here too."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from anthropic.types import Message, RawMessageStreamEvent
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from tests.acceptance.messages_grammar import check, events_of, message_of
from tests.acceptance.test_signatures import MANGLED, MIXED, SIGNED
from tests.acceptance.test_streams import ARGUMENTS, BLOCKED, REASONS, grounded
from tests.acceptance.test_tools import BAD, MALFORMED, OLD, schema
from tests.bed.recordings import Recording, conversations, needs_recordings
from tests.bed.replay import recorded
from tests.bed.sent import check_sent
from tests.bed.strict_gemini import LARGE, StrictGemini, call, image, step, text, thought
from tests.bed.upstream import Gate, error, json_reply, part_chunk, sse, stall, text_chunks
from tests.bed.wire import Connection
from tests.e2e.bed import CALLER, FLASH, OTHER, Answered, Bed, running_bed
from tests.e2e.messages_reading import (
    HELLO,
    MESSAGES,
    NEW,
    PATH,
    SEARCHES,
    THINKS,
    VERSION,
    Event,
    Json,
    answering,
    ask,
    checked,
    each_form,
    failure,
    of_kind,
    read,
    said,
    text_of,
)

IMAGES = "gemini-3-pro-image"
TOOL: Json = {"name": "find", "input_schema": {"type": "object", "properties": {"q": {"type": "string"}}}}
DONE = part_chunk({"text": ""}, finish="STOP")


# ── every recording of Gemini, as a Messages client saw it ──


@dataclass(frozen=True)
class Played:
    """A recording in both forms; `None` where the client was told of an error."""

    row: Recording
    events: list[Event] | None
    whole: Json | None

    @property
    def messages(self) -> list[Json]:
        made = [message_of(self.events)] if self.events is not None else []
        return made + ([self.whole] if self.whole is not None else [])


@pytest.fixture(scope="module")
def played() -> tuple[Played, ...]:
    with running_bed() as bed:
        return asyncio.run(_play_all(bed))


async def _play_all(bed: Bed) -> tuple[Played, ...]:
    made: list[Played] = []
    async with await Connection.open(bed.url, 15) as connection:
        for row in conversations():
            bed.up.always = recorded(row, pieces=3)
            streamed = await _asked(connection, bed, stream=True)
            whole = await _asked(connection, bed, stream=False)
            bed.up.requests.clear()
            events = events_of(streamed.body) if streamed.status == 200 else None
            broken = events is not None and events[-1][0] == "error"
            made.append(Played(row, None if broken else events, whole.json if whole.status == 200 else None))
    return tuple(made)


async def _asked(connection: Connection, bed: Bed, *, stream: bool) -> Answered:
    body = MESSAGES | THINKS | SEARCHES | {"stream": stream}
    reply = await connection.request("POST", PATH, bed.headers(VERSION), body)
    return Answered(reply, await reply.body())


@pytest.mark.acceptance(20)
@needs_recordings
def test_the_grammar_of_all_recordings(played: tuple[Played, ...]) -> None:
    good = [each for each in played if each.events is not None]
    assert {each.row.id: faults for each in good if (faults := check(each.events or []))} == {}
    assert len(good) > 1_000 and len(good) > 0.99 * len(played)


@pytest.mark.acceptance(20, 21)
@needs_recordings
def test_the_official_models_take_all_recordings(played: tuple[Played, ...]) -> None:
    """In strict mode: what they do not know is allowed, wrong types and missing members are not."""
    events: TypeAdapter[Any] = TypeAdapter(RawMessageStreamEvent)
    for each in played:
        try:
            for name, data in each.events or ():
                if name != "ping":
                    events.validate_json(json.dumps(data), strict=True)
            for made in each.messages:
                Message.model_validate_json(json.dumps(made), strict=True)
        except ValueError as wrong:
            wrong.add_note(f"recording {each.row.id}")
            raise


def comparable(made: Json) -> Json:
    """Without what a request has for itself, and where signatures stand: the bed may move them to the other form."""
    blocks: list[Json] = []
    for block in made["content"]:
        kept = {name: value for name, value in block.items() if name not in ("signature", "id", "tool_use_id")}
        if kept != {"type": "thinking", "thinking": ""}:
            blocks.append(kept)
    return made | {"id": "", "content": blocks}


@pytest.mark.acceptance(19)
@needs_recordings
def test_both_forms_of_all_recordings(played: tuple[Played, ...]) -> None:
    seen = 0
    for each in played:
        if each.events is None or each.whole is None:
            continue
        streamed, whole = each.messages
        assert comparable(streamed) == comparable(whole), each.row.id
        inputs = [block["input"] for block in of_kind(whole, "tool_use")]
        if not any("partialArgs" in one for one in each.row.expected.calls):
            assert inputs == [one.get("args") or {} for one in each.row.expected.calls], each.row.id
        seen += len(inputs)
    assert seen > 200


@pytest.mark.acceptance(6)
@needs_recordings
def test_text_and_thoughts_of_all_recordings(played: tuple[Played, ...]) -> None:
    seen = 0
    for each in played:
        says = each.row.expected
        for made in each.messages:
            thinking = of_kind(made, "thinking")
            assert all(block["signature"] for block in thinking), each.row.id
            assert "".join(block["thinking"] for block in thinking) == says.thoughts, each.row.id
            seen += bool(says.thoughts)
            if not says.media:
                assert text_of(made) == says.text, each.row.id
    assert seen > 50


@pytest.mark.acceptance(17, 18)
@needs_recordings
def test_the_reasons_of_all_recordings(played: tuple[Played, ...]) -> None:
    seen: set[str] = set()
    for each in played:
        for made in each.messages:
            if each.row.finish_reason in ("STOP", "MAX_TOKENS", "SAFETY"):
                usual = {"STOP": "end_turn", "MAX_TOKENS": "max_tokens", "SAFETY": "refusal"}[each.row.finish_reason]
                called = bool(each.row.expected.calls) and usual == "end_turn"
                assert made["stop_reason"] == ("tool_use" if called else usual), each.row.id
                seen.add(made["stop_reason"])
    assert seen >= {"end_turn", "tool_use", "max_tokens"}


@pytest.mark.acceptance(22)
@needs_recordings
def test_sources_of_all_recordings(played: tuple[Played, ...]) -> None:
    seen = 0
    for each in played:
        named: set[str] = set()
        for payload in each.row.payloads():
            for candidate in json.loads(payload).get("candidates") or ():
                chunks = (candidate.get("groundingMetadata") or {}).get("groundingChunks") or ()
                named |= {chunk["web"]["uri"] for chunk in chunks if chunk.get("web")}
        for made in each.messages if named else ():
            assert {one["url"] for one in citations(made)} >= named, each.row.id
            seen += 1
    assert seen > 20


@pytest.mark.acceptance(30)
@needs_recordings
def test_usage_of_all_recordings(played: tuple[Played, ...]) -> None:
    seen = {"cachedContentTokenCount": 0, "thoughtsTokenCount": 0, "toolUsePromptTokenCount": 0}
    for each in played:
        counted = each.row.usage
        for made in each.messages if counted else ():
            assert counts(made["usage"]) == wanted_counts(counted), f"{each.row.id}: {counted}"
        seen = {name: count + bool(counted.get(name)) for name, count in seen.items()}
    assert all(seen.values()), seen


# ── 1, 2, 4: signatures ──


def kept(message: Json) -> list[Json]:
    return message["content"]


def stripped(message: Json) -> list[Json]:
    """What clients send that know no thinking."""
    return [block for block in message["content"] if block["type"] not in ("thinking", "redacted_thinking")]


each_keep = pytest.mark.parametrize("keep", [kept, stripped])


def other(keep: Any) -> str:
    """Who asks next: a client that keeps all needs nothing that the gateway remembers of it."""
    return OTHER if keep is kept else CALLER


def results(blocks: list[Json]) -> Json:
    ids = [block["id"] for block in blocks if block["type"] == "tool_use"]
    return {"role": "user", "content": [{"type": "tool_result", "tool_use_id": one, "content": "fine"} for one in ids]}


def assistant(*blocks: Json) -> Json:
    return {"role": "assistant", "content": list(blocks)}


async def step_on(
    bed: Bed, strict: StrictGemini, *parts: Json, stream: bool, length: int = 120, key: str = CALLER, **body: Any
) -> Json:
    strict.will_say(step(*parts, signature_length=length))
    answered = await ask(bed, headers={"x-api-key": key}, stream=stream, **({"model": NEW} | THINKS | body))
    return read(answered, stream=stream)


@pytest.fixture
def strict(bed: Bed) -> StrictGemini:
    return StrictGemini(bed.up)


@pytest.mark.acceptance(1)
@each_keep
@pytest.mark.parametrize("length", [120, LARGE])
@pytest.mark.parametrize("thinks", [True, False], ids=["thinks", "silent"])
@each_form
async def test_a_signature_makes_the_round(
    bed: Bed, strict: StrictGemini, stream: bool, length: int, thinks: bool, keep: Any
) -> None:
    parts = [*([thought("I need **data**.")] if thinks else []), call("find", q=1), call("find", q=2)]
    made = await step_on(bed, strict, *parts, stream=stream, length=length, tools=[TOOL])
    assert [block["type"] for block in made["content"]] == ["thinking", "tool_use", "tool_use"]
    assert made["content"][0]["thinking"] == ("I need **data**." if thinks else "")
    blocks = keep(made)
    history = [HELLO, assistant(*blocks), results(blocks)]
    await step_on(bed, strict, text("fine"), stream=stream, key=other(keep), messages=history, tools=[TOOL])
    assert (strict.refusals, strict.dummies, strict.lost) == ([], 0, [])
    sent = bed.up.last.json["contents"][1]["parts"]
    assert ["thoughtSignature" in part for part in sent] == [True, False]


@pytest.mark.acceptance(1)
@each_form
async def test_a_client_that_wants_no_thinking_loses_nothing(bed: Bed, strict: StrictGemini, stream: bool) -> None:
    off: Any = {"thinking": {"type": "disabled"}}
    made = await step_on(bed, strict, call("find", q=1), stream=stream, tools=[TOOL], **off)
    assert [block["type"] for block in made["content"]] == ["tool_use"]
    history = [HELLO, assistant(*made["content"]), results(made["content"])]
    await step_on(bed, strict, text("fine"), stream=stream, messages=history, tools=[TOOL], **off)
    assert (strict.refusals, strict.dummies, strict.lost) == ([], 0, [])


@pytest.mark.acceptance(2)
@each_keep
@pytest.mark.parametrize("how", MANGLED)
@each_form
async def test_a_mangled_id_never_ends_a_conversation(
    bed: Bed, strict: StrictGemini, stream: bool, how: str, keep: Any
) -> None:
    made = await step_on(bed, strict, call("find", q=1), call("find", q=2), stream=stream, tools=[TOOL])
    blocks = keep(made)
    for number, block in enumerate(blocks):
        if block["type"] == "tool_use":
            block["id"] = MANGLED[how](block["id"]) + ("" if how == "lower" else f"_{number}")
    history = [HELLO, assistant(*blocks), results(blocks)]
    again = await step_on(bed, strict, text("fine"), stream=stream, messages=history, tools=[TOOL])
    assert text_of(again) == "fine" and strict.refusals == [] and strict.dummies == 1


@pytest.mark.acceptance(2)
@each_form
async def test_a_corrupted_signature_costs_one_retry(bed: Bed, strict: StrictGemini, stream: bool) -> None:
    made = await step_on(bed, strict, call("find", q=1), stream=stream, tools=[TOOL])
    blocks = kept(made)
    (value,) = strict.signatures
    assert blocks[0]["signature"].endswith(value)
    blocks[0]["signature"] = blocks[0]["signature"].removesuffix(value) + "Y29ycnVwdA=="
    history = [HELLO, assistant(*blocks), results(blocks)]
    again = await step_on(bed, strict, text("fine"), stream=stream, messages=history, tools=[TOOL])
    assert text_of(again) == "fine" and len(strict.refusals) == 1 and strict.dummies == 1


@pytest.mark.acceptance(2)
@each_form
async def test_thinking_of_others_is_no_trouble(bed: Bed, strict: StrictGemini, stream: bool) -> None:
    """A conversation that began elsewhere: what another service signed, or nobody, goes no further."""
    foreign = [
        {"type": "thinking", "thinking": "as another thought", "signature": "EqoBCkgIAhABGAIiQA=="},
        {"type": "redacted_thinking", "data": "EqoBCkgIAhABGAIiQB=="},
        {"type": "thinking", "thinking": "unsigned", "signature": ""},
        {"type": "tool_use", "id": "toolu_01", "name": "find", "input": {"q": 1}},
    ]
    history = [HELLO, assistant(*foreign), results(foreign)]
    made = await step_on(bed, strict, text("fine"), stream=stream, messages=history, tools=[TOOL])
    assert text_of(made) == "fine" and strict.refusals == [] and strict.dummies == 1
    assert b"EqoB" not in bed.up.last.body and b'thought"' not in bed.up.last.body


@pytest.mark.acceptance(4)
@each_keep
@each_form
async def test_texts_and_images_keep_their_own(bed: Bed, strict: StrictGemini, stream: bool, keep: Any) -> None:
    """The second edit works: each text and each of two images goes back with what it came with."""
    history: list[Json] = [{"role": "user", "content": "draw"}]
    for wish in ("dark", "bright40", "more"):
        parts = [
            thought("hm"),
            text("Look: "),
            image("iVBORw0KGgoA" + wish),
            image("iVBORw0KGgoB" * 60 + wish),
            text("Good?"),
        ]
        made = await step_on(bed, strict, *parts, stream=stream, model=IMAGES, messages=history)
        history += [assistant(*keep(made)), {"role": "user", "content": wish}]
    await step_on(bed, strict, text("bye"), stream=stream, model=IMAGES, messages=history)
    assert (strict.refusals, strict.dummies, strict.lost) == ([], 0, [])
    signed = [part for content in bed.up.last.json["contents"] for part in content["parts"] if len(part) > 1]
    assert len(signed) == 9 and {part["thoughtSignature"] for part in signed} <= strict.signatures


@pytest.mark.acceptance(4)
@each_keep
@each_form
async def test_a_signed_text_comes_back_signed(bed: Bed, strict: StrictGemini, stream: bool, keep: Any) -> None:
    made = await step_on(bed, strict, thought("hm"), text("The sky is blue."), stream=stream)
    assert [block["type"] for block in made["content"]] == ["thinking", "text"], "the text is the last block"
    history = [HELLO, assistant(*keep(made)), {"role": "user", "content": "and at night?"}]
    await step_on(bed, strict, text("black"), stream=stream, messages=history)
    assert (strict.refusals, strict.dummies, strict.lost) == ([], 0, [])


# ── 6: thoughts and text ──


@pytest.mark.acceptance(6)
@each_form
async def test_text_stays_text_and_thought_stays_thought(bed: Bed, stream: bool) -> None:
    chunks = [*(part_chunk(part) for part in MIXED[:-1]), part_chunk(MIXED[-1], finish="STOP")]
    made = await said(bed, *chunks, stream=stream, model=NEW, **THINKS)
    assert text_of(made) == "I say. I say more."
    thinking = of_kind(made, "thinking")
    assert "".join(block["thinking"] for block in thinking) == "I think.I think again."
    assert all(block["signature"] for block in thinking)


@pytest.mark.acceptance(6)
async def test_the_signature_comes_before_the_end_of_its_block(bed: Bed) -> None:
    """And nothing of the block after it: some clients close their books there."""
    chunks = [part_chunk({"text": "one ", "thought": True}), part_chunk({"text": "two", "thought": True})]
    bed.up.answer(sse([*chunks, part_chunk(SIGNED), DONE]))
    events = checked((await ask(bed, stream=True, model=NEW, **THINKS)).body)
    of_first = [data for name, data in events if name.startswith("content_block") and data["index"] == 0]
    kinds = [data.get("delta", {}).get("type") or data["type"] for data in of_first]
    deltas = ["thinking_delta", "thinking_delta", "signature_delta"]
    assert kinds == ["content_block_start", *deltas, "content_block_stop"]
    assert of_first[-2]["delta"]["signature"].endswith(str(SIGNED["thoughtSignature"]))


# ── 8, 9: one cleaner ──


async def sent_for(bed: Bed, **body: Any) -> Json:
    """What goes upstream for a request, checked against Google's contract and its rules of turns."""
    bed.up.requests.clear()
    answered = await ask(bed, **body)
    assert answered.status == 200, answered.body
    assert check_sent(bed.up.requests, canonical=True) == 1
    return bed.up.last.json


@pytest.mark.acceptance(8, 9)
@pytest.mark.parametrize("model", [FLASH, NEW, OLD])
@pytest.mark.parametrize("bad", BAD)
async def test_one_cleaner_for_every_way_in(bed: Bed, bad: str, model: str) -> None:
    given_schema = schema(BAD[bad])
    tool = {"name": "find", "input_schema": given_schema}
    wanted = {"format": {"type": "json_schema", "schema": given_schema}}
    sent = await sent_for(bed, model=model, tools=[tool])
    config = (await sent_for(bed, model=model, output_config=wanted))["generationConfig"]
    function = {"type": "function", "function": {"name": "find", "parameters": given_schema}}
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": given_schema}}
    assert (await bed.chat(model=model, tools=[function])).status == 200
    assert sent["tools"] == bed.up.last.json["tools"]
    assert (await bed.chat(model=model, response_format=form)).status == 200
    there = bed.up.last.json["generationConfig"]
    for name in ("responseMimeType", "responseSchema", "responseJsonSchema"):
        assert config.get(name) == there.get(name)


@pytest.mark.acceptance(9)
@each_form
async def test_names_are_mended_and_given_back(bed: Bed, stream: bool) -> None:
    names = ["1st tool!", "1st_tool?", "поиск", "x" * 200]
    tools = [{"name": name, "input_schema": {"type": "object"}} for name in names]
    sent = await sent_for(bed, model=NEW, tools=tools)
    wire = [one["name"] for one in sent["tools"][0]["functionDeclarations"]]
    assert len(set(wire)) == len(names)
    parts: list[Json] = [{"functionCall": {"name": name, "args": {}}} for name in wire]
    made = await said(bed, part_chunk(*parts, finish="STOP"), stream=stream, model=NEW, tools=tools)
    assert [block["name"] for block in of_kind(made, "tool_use")] == names
    back = [HELLO, called("a", name=names[2]), results(called("a")["content"])]
    choice = {"type": "tool", "name": names[2]}
    sent = await sent_for(bed, model=NEW, messages=back, tools=tools, tool_choice=choice)
    assert sent["contents"][1]["parts"][0]["functionCall"]["name"] == wire[2]
    assert sent["contents"][2]["parts"][0]["functionResponse"]["name"] == wire[2]
    assert sent["toolConfig"]["functionCallingConfig"]["allowedFunctionNames"] == [wire[2]]


# ── 10 to 13: results and turns ──


def called(*ids: str, name: str = "find") -> Json:
    """A message with calls; their input `n` counts them."""
    blocks = [{"type": "tool_use", "id": one, "name": name, "input": {"n": number}} for number, one in enumerate(ids)]
    return assistant(*blocks)


def result(*ids: str, content: Any = None) -> Json:
    blocks = [
        {"type": "tool_result", "tool_use_id": one, "content": json.dumps({"of": one}) if content is None else content}
        for one in ids
    ]
    return {"role": "user", "content": blocks}


def responses(sent: Json, at: int = 2) -> list[Any]:
    return [part["functionResponse"]["response"] for part in sent["contents"][at]["parts"]]


@pytest.mark.acceptance(10)
@pytest.mark.parametrize("content", ['{"$ref":"#/$defs/a","rows":[{"$ref":"b"}]}', '[{"$ref":"x"}]', "no JSON: $ref {"])
@pytest.mark.parametrize("blocks", [False, True])
async def test_references_in_results(bed: Bed, strict: StrictGemini, content: str, blocks: bool) -> None:
    given_content = [{"type": "text", "text": content}] if blocks else content
    history = [HELLO, called("a"), result("a", content=given_content)]
    made = await step_on(bed, strict, text("fine"), stream=False, messages=history)
    assert text_of(made) == "fine" and strict.refusals == []
    assert "ref" in json.dumps(bed.up.last.json["contents"][2])


@pytest.mark.acceptance(11)
@pytest.mark.parametrize("apart", [False, True])
async def test_parallel_results_are_paired_by_id(bed: Bed, apart: bool) -> None:
    back = [result(one) for one in "cab"] if apart else [result(*"cab")]
    sent = await sent_for(bed, model=NEW, messages=[HELLO, called("a", "b", "c"), *back])
    assert responses(sent) == [{"of": "a"}, {"of": "b"}, {"of": "c"}]
    assert [part["functionCall"]["args"]["n"] for part in sent["contents"][1]["parts"]] == [0, 1, 2]
    assert len(sent["contents"]) == 3


@pytest.mark.acceptance(11)
async def test_orphans_are_filled(bed: Bed) -> None:
    sent = await sent_for(bed, model=NEW, messages=[HELLO, called("a", "b"), result("b")])
    assert len(responses(sent)) == 2 and responses(sent)[1] == {"of": "b"} and "error" in responses(sent)[0]
    sent = await sent_for(bed, model=NEW, messages=[HELLO, called("a"), HELLO])
    assert "error" in sent["contents"][2]["parts"][0]["functionResponse"]["response"]
    sent = await sent_for(bed, model=NEW, messages=[HELLO, result("nobody", content="lost and found")])
    assert "lost and found" in json.dumps(sent) and "functionResponse" not in json.dumps(sent)


@pytest.mark.acceptance(11)
async def test_failed_results_say_so(bed: Bed) -> None:
    back = result("a", content="no such file")
    back["content"][0]["is_error"] = True
    sent = await sent_for(bed, model=NEW, messages=[HELLO, called("a"), back])
    assert responses(sent) == [{"error": "no such file"}]


WORDS: Json = {"type": "text", "text": "hurry"}
TRIMMED: dict[str, list[Json]] = {
    "begins with calls": [called("a"), result("a"), HELLO],
    "begins with a result": [result("a"), HELLO],
    "begins with the model": [assistant(WORDS), HELLO],
    "calls after the model": [HELLO, assistant(WORDS), called("a"), result("a")],
    "ends with calls": [HELLO, called("a", "b")],
    "interleaved": [HELLO, called("a"), result("a"), called("b"), result("b"), called("c"), result("c")],
    "user before results": [HELLO, called("a"), {"role": "user", "content": "hurry"}, result("a")],
    "words before results": [HELLO, called("a"), {"role": "user", "content": [WORDS, *result("a")["content"]]}],
    "words after results": [HELLO, called("a"), {"role": "user", "content": [*result("a")["content"], WORDS]}],
    "results apart": [HELLO, called("a", "b"), result("a"), {"role": "user", "content": "?"}, result("b")],
    "system between": [HELLO, called("a"), {"role": "system", "content": "be brief"}, result("a")],
    "system first": [{"role": "system", "content": [WORDS]}, HELLO],
    "twice answered": [HELLO, called("a"), result("a"), result("a", content="again")],
    "calls twice": [HELLO, called("a"), called("b"), result("a", "b")],
    "result before call": [HELLO, result("a"), called("a"), HELLO],
    "only a result": [result("a")],
    "ends with the model": [HELLO, assistant(WORDS)],
    "thinking alone": [HELLO, assistant({"type": "thinking", "thinking": "x", "signature": "eA=="}), HELLO],
}


@pytest.mark.acceptance(12)
@pytest.mark.parametrize("model", [FLASH, NEW, "gemini-3.6-flash"])
@pytest.mark.parametrize("history", TRIMMED)
async def test_turns_of_trimmed_histories(bed: Bed, history: str, model: str) -> None:
    sent = await sent_for(bed, model=model, messages=TRIMMED[history])
    roles = [content["role"] for content in sent["contents"]]
    assert roles[0] == "user" and (model != "gemini-3.6-flash" or roles[-1] == "user")


@pytest.mark.acceptance(13)
@pytest.mark.parametrize("empty", ["", [], [{"type": "text", "text": ""}]])
async def test_empty_contents_are_dropped(bed: Bed, empty: Any) -> None:
    history = [HELLO, {"role": "assistant", "content": empty}, {"role": "user", "content": "again"}]
    sent = await sent_for(bed, model=NEW, messages=history, system=empty)
    parts = [part for content in sent["contents"] for part in content["parts"]]
    assert parts == [{"text": "hi"}, {"text": "again"}] and "systemInstruction" not in sent
    assert all(content["role"] == "user" for content in sent["contents"])
    sent = await sent_for(bed, model=NEW, messages=[HELLO, called("a"), result("a", content=empty)])
    assert [content["role"] for content in sent["contents"]] == ["user", "model", "user"]


# ── 16 to 18: calls that went wrong, and ends ──


@pytest.mark.acceptance(16)
@each_form
async def test_a_malformed_call_is_tried_once_more(bed: Bed, stream: bool) -> None:
    calls = part_chunk({"functionCall": {"name": "find", "args": {"q": "x"}}}, finish="STOP")
    bed.up.answer(answering([MALFORMED], stream=stream), answering([calls], stream=stream))
    made = read(await ask(bed, stream=stream, tools=[TOOL]), stream=stream)
    assert made["stop_reason"] == "tool_use" and len(of_kind(made, "tool_use")) == 1
    assert len(bed.up.requests) == 2


@pytest.mark.acceptance(16)
@each_form
async def test_a_malformed_call_is_an_error_in_the_end(bed: Bed, stream: bool) -> None:
    bed.up.always = answering([MALFORMED], stream=stream)
    answered = await ask(bed, stream=stream, tools=[TOOL])
    told = failure(answered, stream=stream)
    assert told is not None and told["message"] and told["type"] == "api_error" and len(bed.up.requests) == 2
    assert b"end_turn" not in answered.body


@pytest.mark.acceptance(16)
@each_form
async def test_an_empty_stop_stays_one(bed: Bed, stream: bool) -> None:
    bed.up.always = answering([DONE], stream=stream)
    made = read(await ask(bed, stream=stream), stream=stream)
    assert (made["stop_reason"], made["content"]) == ("end_turn", []) and len(bed.up.requests) == 1


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


def citations(made: Json) -> list[Json]:
    return [one for block in made["content"] for one in block.get("citations") or ()]


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


def counts(usage: Json) -> Json:
    thoughts = usage["output_tokens_details"]["thinking_tokens"]
    names = ("input_tokens", "cache_read_input_tokens", "cache_creation_input_tokens", "output_tokens")
    return {name: usage[name] for name in names} | {"thinking_tokens": thoughts}


def wanted_counts(counted: Json) -> Json:
    """What was read from a cache is told beside the input, not in it."""
    cached, thoughts = counted.get("cachedContentTokenCount", 0), counted.get("thoughtsTokenCount", 0)
    prompt = counted.get("promptTokenCount", 0) - cached + counted.get("toolUsePromptTokenCount", 0)
    return {
        "input_tokens": prompt,
        "cache_read_input_tokens": cached,
        "cache_creation_input_tokens": 0,
        "output_tokens": counted.get("candidatesTokenCount", 0) + thoughts,
        "thinking_tokens": thoughts,
    }


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
