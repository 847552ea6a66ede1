"""Rows 8 to 16: tools and the shape of turns."""

import json
from typing import Any

import pytest

from tests.acceptance.playing import NEW, Json, answering, each_form, failure, form, message, read
from tests.bed.sent import check_sent
from tests.bed.strict_gemini import StrictGemini, step, text
from tests.bed.upstream import json_reply, part_chunk
from tests.e2e.bed import FLASH, Bed
from tests.protocols.gemini.schemas.checking import check_full, check_light

OLD = "gemini-1.5-tuned"
"""No such model is known: its family takes no JSON Schema."""
USER: Json = {"role": "user", "content": "go"}


def tool(name: str = "find", parameters: Any = None) -> Json:
    given = {"type": "object", "properties": {"q": {"type": "string"}}} if parameters is None else parameters
    return {"type": "function", "function": {"name": name, "parameters": given}}


def called(*ids: str, name: str = "find", **member: Any) -> Json:
    """A message with calls; their argument `n` counts them."""
    calls: list[Json] = []
    for number, one in enumerate(ids):
        function = {"name": name, "arguments": json.dumps({"n": number})}
        calls.append({"id": one, "type": "function", "function": function})
    return {"role": "assistant", "content": None, "tool_calls": calls} | member


def result(call_id: str, content: Any = "fine") -> Json:
    return {"role": "tool", "tool_call_id": call_id, "content": content}


async def sent_for(bed: Bed, **body: Any) -> Json:
    """What goes upstream for a request, checked against Google's contract and its rules of turns."""
    bed.up.requests.clear()
    answered = await bed.chat(**body)
    assert answered.status == 200, answered.body
    assert check_sent(bed.up.requests, canonical=True) == 1
    return bed.up.last.json


# ── 8, 9: schemas and names ──

BAD: dict[str, Json] = {
    "integer-enum": {"type": "integer", "enum": [1, 2, 3], "description": "How many"},
    "comment": {"type": "string", "$comment": "internal", "enumDescriptions": ["a"], "markdownDescription": "x"},
    "type-array": {"type": ["string", "null"], "minLength": 2},
    "all-of": {"allOf": [{"type": "object", "properties": {"a": {"type": "string"}}}, {"required": ["a"]}]},
    "exclusive": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 10, "multipleOf": 0.5},
    "const": {"const": "only"},
    "one-of": {"oneOf": [{"type": "string"}, {"type": "array"}]},
    "not": {"type": "string", "not": {"enum": ["x"]}, "if": {}, "then": {}, "contentEncoding": "base64"},
    "array": {"type": "array", "uniqueItems": True, "contains": {"type": "string"}},
    "ref": {"$ref": "#/$defs/node"},
    "required": {"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a", "gone"]},
    "pattern-properties": {"type": "object", "patternProperties": {"^x": {"type": "string"}}, "propertyNames": {}},
    "format": {"type": "string", "format": "uri", "default": None, "examples": ["x"], "deprecated": True},
    "true": {"type": "object", "additionalProperties": True, "dependentRequired": {"a": ["b"]}},
}


def schema(bad: Json) -> Json:
    node = {"type": "object", "properties": {"next": {"$ref": "#/$defs/node"}, "word": {"type": "string"}}}
    drafts = {"$schema": "http://json-schema.org/draft-07/schema#", "$id": "x", "$defs": {"node": node}}
    return {"type": "object", "properties": {"v": bad}, "required": ["v"], "additionalProperties": False} | drafts


@pytest.mark.acceptance(8)
@pytest.mark.parametrize("model", [FLASH, NEW, OLD])
@pytest.mark.parametrize("bad", BAD)
async def test_schemas_that_clients_send(bed: Bed, bad: str, model: str) -> None:
    sent = await sent_for(bed, model=model, messages=[USER], tools=[tool("find", schema(BAD[bad]))])
    (declaration,) = sent["tools"][0]["functionDeclarations"]
    if model == OLD:
        assert "parametersJsonSchema" not in declaration
        check_full(declaration["parameters"], parameters=True)
        assert "v" in declaration["parameters"]["properties"]
    else:
        assert "parameters" not in declaration
        check_light(declaration["parametersJsonSchema"], parameters=True)
        assert "v" in declaration["parametersJsonSchema"]["properties"]


@pytest.mark.acceptance(8)
@pytest.mark.parametrize("model", [FLASH, OLD])
async def test_lost_meaning_is_told_in_words(bed: Bed, model: str) -> None:
    """What the service has no word for is not lost on the model."""
    given = {"type": "string", "description": "A code", "not": {"const": "bad"}, "contentMediaType": "text/x-odd"}
    sent = await sent_for(bed, model=model, messages=[USER], tools=[tool("find", schema(given))])
    (declaration,) = sent["tools"][0]["functionDeclarations"]
    made = (declaration.get("parametersJsonSchema") or declaration["parameters"])["properties"]["v"]
    assert made["description"].startswith("A code") and "text/x-odd" in made["description"]
    assert "bad" in made["description"]


@pytest.mark.acceptance(9)
@pytest.mark.parametrize("model", [FLASH, NEW, OLD])
@pytest.mark.parametrize("bad", ["all-of", "exclusive", "const", "one-of", "ref", "required"])
async def test_one_cleaner_for_every_way_in(bed: Bed, model: str, bad: str) -> None:
    given = schema(BAD[bad])
    modern = await sent_for(bed, model=model, messages=[USER], tools=[tool("find", given)])
    legacy = await sent_for(bed, model=model, messages=[USER], functions=[{"name": "find", "parameters": given}])
    assert modern["tools"] == legacy["tools"]
    (declaration,) = modern["tools"][0]["functionDeclarations"]
    wanted = {"type": "json_schema", "json_schema": {"name": "x", "schema": given}}
    config = (await sent_for(bed, model=model, messages=[USER], response_format=wanted))["generationConfig"]
    if model == OLD:
        check_full(config["responseSchema"], parameters=False)
        assert config["responseSchema"] == declaration["parameters"]
    else:
        check_light(config["responseJsonSchema"], parameters=False)
        assert config["responseJsonSchema"] == declaration["parametersJsonSchema"]


@pytest.mark.acceptance(9)
@each_form
async def test_names_are_mended_and_given_back(bed: Bed, stream: bool) -> None:
    names = ["1st tool!", "1st_tool?", "поиск", "x" * 200]
    tools = [tool(name) for name in names]
    sent = await sent_for(bed, model=NEW, messages=[USER], tools=tools)
    wire = [one["name"] for one in sent["tools"][0]["functionDeclarations"]]
    assert len(set(wire)) == len(names)
    parts: list[Json] = [{"functionCall": {"name": name, "args": {}}} for name in wire]
    made = await message(bed, part_chunk(*parts, finish="STOP"), stream=stream, model=NEW, tools=tools)
    assert [one["function"]["name"] for one in made["tool_calls"]] == names
    back = [USER, called("a", name=names[2]), result("a")]
    choice = {"type": "function", "function": {"name": names[2]}}
    sent = await sent_for(bed, model=NEW, messages=back, tools=tools, tool_choice=choice)
    assert sent["contents"][1]["parts"][0]["functionCall"]["name"] == wire[2]
    assert sent["contents"][2]["parts"][0]["functionResponse"]["name"] == wire[2]
    assert sent["toolConfig"]["functionCallingConfig"]["allowedFunctionNames"] == [wire[2]]


# ── 10 to 13: results and turns ──


@pytest.mark.acceptance(10)
@pytest.mark.parametrize(
    "content", ['{"$ref":"#/$defs/a","rows":[{"$ref":"b"}]}', '[{"$ref":"x"}]', '"plain $ref"', "no JSON: $ref {"]
)
@each_form
async def test_references_in_results(bed: Bed, content: str, stream: bool) -> None:
    strict = StrictGemini(bed.up)
    strict.will_say(step(text("fine")))
    body: Any = {"model": NEW, "messages": [USER, called("a"), result("a", content)]}
    assert read(await bed.chat(**form(stream=stream), **body), stream=stream)
    assert strict.refusals == []
    sent = json.dumps(bed.up.last.json["contents"][2])
    assert "ref" in sent and all(word in sent for word in ("rows", "$defs") if word in content)


def responses(sent: Json, at: int = 2) -> list[Any]:
    return [part["functionResponse"]["response"] for part in sent["contents"][at]["parts"]]


@pytest.mark.acceptance(11)
async def test_parallel_results_are_paired_by_id(bed: Bed) -> None:
    results = [result(one, json.dumps({"of": one})) for one in "cab"]
    sent = await sent_for(bed, model=NEW, messages=[USER, called("a", "b", "c"), *results])
    assert responses(sent) == [{"of": "a"}, {"of": "b"}, {"of": "c"}]
    assert [part["functionCall"]["args"]["n"] for part in sent["contents"][1]["parts"]] == [0, 1, 2]
    assert len(sent["contents"]) == 3


@pytest.mark.acceptance(11)
async def test_results_without_id_are_paired_by_order(bed: Bed) -> None:
    """Two calls of one function: nobody's data may be swapped."""
    calls = called("", "")
    results = [{"role": "tool", "name": "find", "content": json.dumps({"of": n})} for n in range(2)]
    sent = await sent_for(bed, model=NEW, messages=[USER, calls, *results])
    assert responses(sent) == [{"of": 0}, {"of": 1}]


@pytest.mark.acceptance(11)
async def test_orphans_are_filled(bed: Bed) -> None:
    sent = await sent_for(bed, model=NEW, messages=[USER, called("a", "b"), result("b", '{"of":"b"}')])
    assert len(responses(sent)) == 2 and responses(sent)[1] == {"of": "b"} and "error" in responses(sent)[0]
    sent = await sent_for(bed, model=NEW, messages=[USER, called("a"), {"role": "user", "content": "stop"}])
    assert "error" in sent["contents"][2]["parts"][0]["functionResponse"]["response"]
    sent = await sent_for(bed, model=NEW, messages=[USER, result("nobody", "lost and found")])
    assert "lost and found" in json.dumps(sent) and "functionResponse" not in json.dumps(sent)


TRIMMED: dict[str, list[Json]] = {
    "begins with calls": [called("a"), result("a"), USER],
    "begins with a result": [result("a"), USER],
    "begins with the model": [{"role": "assistant", "content": "hi"}, USER],
    "calls after the model": [USER, {"role": "assistant", "content": "wait"}, called("a"), result("a")],
    "ends with calls": [USER, called("a", "b")],
    "interleaved": [USER, called("a"), result("a"), called("b"), result("b"), called("c"), result("c")],
    "user before results": [USER, called("a"), {"role": "user", "content": "hurry"}, result("a")],
    "results apart": [USER, called("a", "b"), result("a"), {"role": "user", "content": "?"}, result("b")],
    "system between": [USER, called("a"), {"role": "system", "content": "be brief"}, result("a")],
    "twice answered": [USER, called("a"), result("a"), result("a", "again")],
    "calls twice": [USER, called("a"), called("b"), result("a"), result("b")],
    "result before call": [USER, result("a"), called("a"), USER],
    "only a result": [result("a")],
    "ends with the model": [USER, {"role": "assistant", "content": "Well,"}],
}


@pytest.mark.acceptance(12)
@pytest.mark.parametrize("model", [FLASH, NEW, "gemini-3.6-flash"])
@pytest.mark.parametrize("history", TRIMMED)
async def test_turns_of_trimmed_histories(bed: Bed, history: str, model: str) -> None:
    sent = await sent_for(bed, model=model, messages=TRIMMED[history])
    roles = [content["role"] for content in sent["contents"]]
    assert roles[0] == "user" and (model != "gemini-3.6-flash" or roles[-1] == "user")


@pytest.mark.acceptance(13)
@pytest.mark.parametrize("empty", ["", None, [], [{"type": "text", "text": ""}]])
async def test_empty_contents_are_dropped(bed: Bed, empty: Any) -> None:
    nothing = {"role": "assistant", "content": empty}
    history = [{"role": "system", "content": empty or ""}, USER, nothing, {"role": "user", "content": "again"}]
    sent = await sent_for(bed, model=NEW, messages=history)
    parts = [part for content in sent["contents"] for part in content["parts"]]
    assert parts == [{"text": "go"}, {"text": "again"}] and "systemInstruction" not in sent
    assert all(content["role"] == "user" for content in sent["contents"])
    sent = await sent_for(bed, model=NEW, messages=[USER, called("a", content=empty), result("a", empty or "")])
    assert [content["role"] for content in sent["contents"]] == ["user", "model", "user"]
    assert [set(part) & {"text"} for part in sent["contents"][1]["parts"]] == [set()]


# ── 14, 15: JSON mode and built-in tools ──

JSON: Json = {
    "type": "json_schema",
    "json_schema": {"name": "x", "schema": {"type": "object", "properties": {"a": {}}}},
}


@pytest.mark.acceptance(14)
@pytest.mark.parametrize("wanted", [JSON, {"type": "json_object"}])
@pytest.mark.parametrize("model", [FLASH, NEW, f"{FLASH}-thinking", OLD])
async def test_nothing_is_added_to_structured_output(bed: Bed, model: str, wanted: Json) -> None:
    sent = await sent_for(bed, model=model, messages=[USER], response_format=wanted)
    assert sent["generationConfig"]["responseMimeType"] == "application/json"
    assert not {"tools", "toolConfig"} & set(sent)


@pytest.mark.acceptance(14)
async def test_structured_output_beside_tools(bed: Bed) -> None:
    """A 400 up to 2.5: there it is asked for in words, and said so."""
    sent = await sent_for(bed, model=FLASH, messages=[USER], tools=[tool()], response_format=JSON)
    assert "responseMimeType" not in (sent.get("generationConfig") or {}) and len(sent["tools"]) == 1
    assert "JSON" in sent["systemInstruction"]["parts"][-1]["text"]
    answered = await bed.chat(model=FLASH, messages=[USER], tools=[tool()], response_format=JSON)
    assert "response_format" in (answered.header("x-gemgate-dropped") or "")
    sent = await sent_for(bed, model=NEW, messages=[USER], tools=[tool()], response_format=JSON)
    assert sent["generationConfig"]["responseMimeType"] == "application/json" and "systemInstruction" not in sent


@pytest.mark.acceptance(15)
@pytest.mark.parametrize("built_in", [{"type": "web_search"}, {"google_search": {}}, tool("googleSearch", {})])
async def test_built_in_tools_beside_functions(bed: Bed, built_in: Json) -> None:
    tools = [tool(), built_in]
    sent = await sent_for(bed, model=FLASH, messages=[USER], tools=tools)
    assert [set(one) for one in sent["tools"]] == [{"functionDeclarations"}]
    answered = await bed.chat(model=FLASH, messages=[USER], tools=tools)
    assert "tools" in (answered.header("x-gemgate-dropped") or "")
    sent = await sent_for(bed, model=NEW, messages=[USER], tools=tools)
    assert [set(one) for one in sent["tools"]] == [{"functionDeclarations"}, {"googleSearch"}]
    assert sent["toolConfig"]["includeServerSideToolInvocations"] is True
    assert sent["toolConfig"]["functionCallingConfig"]["mode"] == "VALIDATED"
    answered = await bed.chat(model=NEW, messages=[USER], tools=tools)
    assert answered.header("x-gemgate-dropped") is None


# ── 16: calls that went wrong ──

MALFORMED: Json = {"candidates": [{"finishReason": "MALFORMED_FUNCTION_CALL", "finishMessage": "print(x)", "index": 0}]}
CALLS = part_chunk({"functionCall": {"name": "find", "args": {"q": "x"}}}, finish="STOP")


@pytest.mark.acceptance(16)
@each_form
async def test_a_malformed_call_is_tried_once_more(bed: Bed, stream: bool) -> None:
    bed.up.answer(answering([MALFORMED], stream=stream), answering([CALLS], stream=stream))
    made = read(await bed.chat(**form(stream=stream), tools=[tool()]), stream=stream)
    (choice,) = made["choices"]
    assert choice["finish_reason"] == "tool_calls" and len(choice["message"]["tool_calls"]) == 1
    assert len(bed.up.requests) == 2


@pytest.mark.acceptance(16)
@each_form
async def test_a_malformed_call_is_an_error_in_the_end(bed: Bed, stream: bool) -> None:
    bed.up.always = answering([MALFORMED], stream=stream)
    answered = await bed.chat(**form(stream=stream), tools=[tool()])
    told = failure(answered, stream=stream)
    assert told is not None and told["message"] and len(bed.up.requests) == 2
    assert b'"finish_reason":"stop"' not in answered.body


@pytest.mark.acceptance(16)
@each_form
async def test_an_empty_stop_stays_one(bed: Bed, stream: bool) -> None:
    bed.up.always = answering([part_chunk({"text": ""}, finish="STOP")], stream=stream)
    made = read(await bed.chat(**form(stream=stream)), stream=stream)
    assert made["choices"][0]["finish_reason"] == "stop" and len(bed.up.requests) == 1


@pytest.mark.acceptance(16)
async def test_the_relay_repeats_what_it_was_told(bed: Bed) -> None:
    bed.up.answer(json_reply(MALFORMED))
    assert (await bed.native()).json == MALFORMED
