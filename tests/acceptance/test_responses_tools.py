"""Tools, results and the order of turns through Responses."""

import json
from typing import Any

import pytest

from tests.acceptance.test_tools import BAD, OLD, schema
from tests.bed.sent import check_sent
from tests.bed.strict_gemini import StrictGemini, step, text
from tests.bed.upstream import part_chunk
from tests.e2e.bed import FLASH, Bed
from tests.e2e.responses_reading import HELLO, NEW, TOOL, Json, ask, each_form, of_kind, read, said, text_of

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
    tool = {"type": "function", "name": "find", "parameters": given_schema}
    wanted = {"format": {"type": "json_schema", "name": "x", "schema": given_schema}}
    sent = await sent_for(bed, model=model, tools=[tool])
    config = (await sent_for(bed, model=model, text=wanted))["generationConfig"]
    function = {"type": "function", "function": {"name": "find", "parameters": given_schema}}
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": given_schema}}
    assert (await bed.chat(model=model, tools=[function])).status == 200
    assert sent["tools"] == bed.up.last.json["tools"]
    assert (await bed.chat(model=model, response_format=form)).status == 200
    there = bed.up.last.json["generationConfig"]
    for name in ("responseMimeType", "responseSchema", "responseJsonSchema"):
        assert config.get(name) == there.get(name)


def function(name: str) -> Json:
    return {"type": "function", "name": name, "parameters": {"type": "object"}}


@pytest.mark.acceptance(9)
@each_form
async def test_names_are_mended_and_given_back(bed: Bed, stream: bool) -> None:
    names = ["1st tool!", "1st_tool?", "поиск", "x" * 200]
    tools = [function(name) for name in names]
    sent = await sent_for(bed, model=NEW, tools=tools)
    wire = [one["name"] for one in sent["tools"][0]["functionDeclarations"]]
    assert len(set(wire)) == len(names)
    parts: list[Json] = [{"functionCall": {"name": name, "args": {}}} for name in wire]
    made = await said(bed, part_chunk(*parts, finish="STOP"), stream=stream, model=NEW, tools=tools)
    assert [item["name"] for item in of_kind(made, "function_call")] == names
    choice = {"type": "function", "name": names[2]}
    back = [HELLO, *called("a", name=names[2]), *result("a")]
    sent = await sent_for(bed, model=NEW, input=back, tools=tools, tool_choice=choice)
    assert sent["contents"][1]["parts"][0]["functionCall"]["name"] == wire[2]
    assert sent["contents"][2]["parts"][0]["functionResponse"]["name"] == wire[2]
    assert sent["toolConfig"]["functionCallingConfig"]["allowedFunctionNames"] == [wire[2]]


# ── 10 to 13: results and turns ──


def called(*ids: str, name: str = "find") -> list[Json]:
    """Calls; their input `n` counts them."""
    return [
        {"type": "function_call", "call_id": one, "name": name, "arguments": json.dumps({"n": number})}
        for number, one in enumerate(ids)
    ]


def result(*ids: str, output: Any = None) -> list[Json]:
    return [
        {
            "type": "function_call_output",
            "call_id": one,
            "output": json.dumps({"of": one}) if output is None else output,
        }
        for one in ids
    ]


def responses(sent: Json, at: int = 2) -> list[Any]:
    return [part["functionResponse"]["response"] for part in sent["contents"][at]["parts"]]


@pytest.mark.acceptance(10)
@pytest.mark.parametrize("output", ['{"$ref":"#/$defs/a","rows":[{"$ref":"b"}]}', '[{"$ref":"x"}]', "no JSON: $ref {"])
@pytest.mark.parametrize("in_parts", [False, True])
async def test_references_in_results(bed: Bed, strict: StrictGemini, output: str, in_parts: bool) -> None:
    given = [{"type": "input_text", "text": output}] if in_parts else output
    strict.will_say(step(text("fine")))
    answered = await ask(bed, model=NEW, input=[HELLO, *called("a"), *result("a", output=given)])
    assert text_of(read(answered, stream=False)) == "fine" and strict.refusals == []
    assert "ref" in json.dumps(bed.up.last.json["contents"][2])


@pytest.mark.acceptance(11)
async def test_parallel_results_are_paired_by_id(bed: Bed) -> None:
    sent = await sent_for(bed, model=NEW, input=[HELLO, *called("a", "b", "c"), *result(*"cab")])
    assert responses(sent) == [{"of": "a"}, {"of": "b"}, {"of": "c"}]
    assert [part["functionCall"]["args"]["n"] for part in sent["contents"][1]["parts"]] == [0, 1, 2]
    assert len(sent["contents"]) == 3


@pytest.mark.acceptance(11)
async def test_orphans_are_filled(bed: Bed) -> None:
    sent = await sent_for(bed, model=NEW, input=[HELLO, *called("a", "b"), *result("b")])
    assert len(responses(sent)) == 2 and responses(sent)[1] == {"of": "b"} and "error" in responses(sent)[0]
    sent = await sent_for(bed, model=NEW, input=[HELLO, *called("a"), HELLO])
    assert "error" in sent["contents"][2]["parts"][0]["functionResponse"]["response"]
    sent = await sent_for(bed, model=NEW, input=[HELLO, *result("nobody", output="lost and found")])
    assert "lost and found" in json.dumps(sent) and "functionResponse" not in json.dumps(sent)


def says(words: str) -> Json:
    return {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": words}]}


TRIMMED: dict[str, list[Json]] = {
    "begins with calls": [*called("a"), *result("a"), HELLO],
    "begins with a result": [*result("a"), HELLO],
    "begins with the model": [says("hm"), HELLO],
    "calls after the model": [HELLO, says("hm"), *called("a"), *result("a")],
    "ends with calls": [HELLO, *called("a", "b")],
    "interleaved": [HELLO, *called("a"), *result("a"), *called("b"), *result("b"), *called("c"), *result("c")],
    "user before results": [HELLO, *called("a"), {"role": "user", "content": "hurry"}, *result("a")],
    "system between": [HELLO, *called("a"), {"role": "developer", "content": "be brief"}, *result("a")],
    "system first": [{"role": "system", "content": "be brief"}, HELLO],
    "twice answered": [HELLO, *called("a"), *result("a"), *result("a", output="again")],
    "calls twice": [HELLO, *called("a"), says("and"), *called("b"), *result("a", "b")],
    "result before call": [HELLO, *result("a"), *called("a"), HELLO],
    "only a result": result("a"),
    "ends with the model": [HELLO, says("hm")],
    "reasoning alone": [HELLO, {"type": "reasoning", "summary": [], "encrypted_content": "eA=="}, HELLO],
}


@pytest.mark.acceptance(12)
@pytest.mark.parametrize("model", [FLASH, NEW, "gemini-3.6-flash"])
@pytest.mark.parametrize("history", TRIMMED)
async def test_turns_of_trimmed_histories(bed: Bed, history: str, model: str) -> None:
    sent = await sent_for(bed, model=model, input=TRIMMED[history])
    roles = [content["role"] for content in sent["contents"]]
    assert roles[0] == "user" and (model != "gemini-3.6-flash" or roles[-1] == "user")


@pytest.mark.acceptance(13)
@pytest.mark.parametrize("empty", ["", [], [{"type": "input_text", "text": ""}]])
async def test_empty_contents_are_dropped(bed: Bed, empty: Any) -> None:
    history = [HELLO, {"role": "assistant", "content": empty}, {"role": "user", "content": "again"}]
    sent = await sent_for(bed, model=NEW, input=history, instructions="")
    parts = [part for content in sent["contents"] for part in content["parts"]]
    assert parts == [{"text": "hi"}, {"text": "again"}] and "systemInstruction" not in sent
    assert all(content["role"] == "user" for content in sent["contents"])
    sent = await sent_for(bed, model=NEW, input=[HELLO, *called("a"), *result("a", output=empty)])
    assert [content["role"] for content in sent["contents"]] == ["user", "model", "user"]


# ── 14, 15: what goes together ──

FORM: Json = {"format": {"type": "json_schema", "name": "x", "schema": {"type": "object"}}}


@pytest.mark.acceptance(14)
@pytest.mark.parametrize("wanted", [FORM, {"format": {"type": "json_object"}}])
@pytest.mark.parametrize("model", [FLASH, NEW, OLD])
async def test_nothing_is_added_to_structured_output(bed: Bed, model: str, wanted: Json) -> None:
    sent = await sent_for(bed, model=model, text=wanted)
    assert sent["generationConfig"]["responseMimeType"] == "application/json"
    assert not {"tools", "toolConfig"} & set(sent)


@pytest.mark.acceptance(14)
async def test_structured_output_beside_tools(bed: Bed) -> None:
    """A 400 up to 2.5: there it is asked for in words, and said so."""
    answered = await ask(bed, model=FLASH, tools=[TOOL], text=FORM)
    sent = bed.up.last.json
    assert "responseMimeType" not in (sent.get("generationConfig") or {}) and len(sent["tools"]) == 1
    assert "JSON" in sent["systemInstruction"]["parts"][-1]["text"]
    assert "text.format" in (answered.header("x-gemgate-dropped") or "")
    sent = await sent_for(bed, model=NEW, tools=[TOOL], text=FORM)
    assert sent["generationConfig"]["responseMimeType"] == "application/json" and "systemInstruction" not in sent


@pytest.mark.acceptance(15)
@pytest.mark.parametrize("built_in", [{"type": "web_search"}, {"type": "web_search_preview"}])
async def test_built_in_tools_beside_functions(bed: Bed, built_in: Json) -> None:
    answered = await ask(bed, model=FLASH, tools=[TOOL, built_in])
    assert [set(one) for one in bed.up.last.json["tools"]] == [{"functionDeclarations"}]
    assert "tools.1" in (answered.header("x-gemgate-dropped") or "")
    sent = await sent_for(bed, model=NEW, tools=[TOOL, built_in])
    assert [set(one) for one in sent["tools"]] == [{"functionDeclarations"}, {"googleSearch"}]
    assert sent["toolConfig"]["includeServerSideToolInvocations"] is True
