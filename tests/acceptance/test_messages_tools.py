"""Tools, results and the order of turns through Messages."""

import json
from typing import Any

import pytest

from tests.acceptance.messages_playing import (
    DONE,
    TOOL,
    assistant,
    results,
    step_on,
)
from tests.acceptance.test_tools import BAD, MALFORMED, OLD, schema
from tests.bed.sent import check_sent
from tests.bed.strict_gemini import StrictGemini, text
from tests.bed.upstream import part_chunk
from tests.e2e.bed import FLASH, Bed
from tests.e2e.messages_reading import (
    HELLO,
    NEW,
    Json,
    answering,
    ask,
    each_form,
    failure,
    of_kind,
    read,
    said,
    text_of,
)

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
