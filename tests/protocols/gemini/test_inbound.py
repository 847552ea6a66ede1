"""Gemini requests for upstreams that do not speak Gemini: both spellings, all shorthands, no other error."""

import json
from typing import Any

import pytest
from hypothesis import given, settings

from gemgate.errors import InvalidRequest
from gemgate.hub.call import BuiltIn, CountTokens, Generate, OpaqueTool, Output, Reasoning, Sampling, ToolChoice
from gemgate.hub.parts import Inline, Media, Message, Text, ToolCall, ToolResult
from gemgate.protocols.gemini.inbound import inbound_count, inbound_generate
from gemgate.protocols.gemini.outbound import outbound
from tests.bed.recordings import load_calls, load_clients, needs_shared
from tests.protocols.fuzzing import BROKEN, documents, mutated
from tests.protocols.shaping import MODELS

Json = dict[str, Any]


def call_of(**fields: Any) -> Generate:
    call = inbound_generate(json.dumps({"contents": "hi"} | fields).encode(), model="m", stream=False).call
    assert isinstance(call, Generate)
    return call


FULL: Json = {
    "systemInstruction": {"role": "user", "parts": [{"text": "s"}]},
    "contents": [
        {
            "role": "user",
            "parts": [
                {"text": "a"},
                {"inlineData": {"mimeType": "image/png", "data": "YQ=="}, "videoMetadata": {"fps": 1}},
            ],
        },
        {
            "role": "model",
            "parts": [
                {
                    "functionCall": {"id": "1", "name": "f", "args": {"mime_type": 1, "inline_data": {}}},
                    "thoughtSignature": "YQ==",
                }
            ],
        },
        {
            "role": "user",
            "parts": [
                {"functionResponse": {"id": "1", "name": "f", "response": {"file_uri": 2, "thought_signature": "x"}}}
            ],
        },
    ],
    "generationConfig": {
        "temperature": 0.5,
        "topP": 0.9,
        "topK": 4,
        "candidateCount": 1,
        "maxOutputTokens": 9,
        "stopSequences": ["x"],
        "responseMimeType": "application/json",
        "responseJsonSchema": {"type": "object", "properties": {"mime_type": {"type": "string"}}},
        "thinkingConfig": {"includeThoughts": True, "thinkingLevel": "low"},
    },
    "tools": [
        {
            "functionDeclarations": [
                {
                    "name": "f",
                    "parametersJsonSchema": {"type": "object", "properties": {"file_data": {"type": "string"}}},
                }
            ]
        },
        {"googleSearch": {}},
    ],
    "toolConfig": {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f"]}},
    "safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_NONE"}],
}
USER_DATA = {"args", "response", "responseJsonSchema", "parametersJsonSchema"}


def snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def respelled(value: Any, every: int = 1) -> Any:
    """The same in snake_case: every key, or every second one, and no user data."""
    if isinstance(value, list):
        return [respelled(item, every) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        (snake(key) if number % every == 0 else key): item if key in USER_DATA else respelled(item, every)
        for number, (key, item) in enumerate(value.items())
    }


@pytest.mark.parametrize("every", [1, 2, 3])
def test_both_spellings_and_any_mixture(every: int) -> None:
    """Notes §2.3: Google's own SDK mixes them in one body."""
    body = respelled(FULL, every)
    assert body != FULL
    assert call_of(**body) == call_of(**FULL)


def test_everything_is_understood() -> None:
    call = call_of(**FULL)
    assert call.system == (Text("s"),)
    image = call.messages[0].parts[1]
    assert isinstance(image, Media) and image.source == Inline("YQ==") and image.vendor
    made, result = call.messages[1].parts[0], call.messages[2].parts[0]
    assert isinstance(made, ToolCall) and json.loads(made.arguments) == {"mime_type": 1, "inline_data": {}}
    assert made.signature and made.signature.value == "YQ=="
    assert isinstance(result, ToolResult) and json.loads(result.response) == {"file_uri": 2, "thought_signature": "x"}
    assert call.sampling == Sampling(temperature=0.5, top_p=0.9, top_k=4, max_output_tokens=9, stop=("x",))
    assert call.reasoning == Reasoning(effort="low", include_thoughts=True)
    assert json.loads(call.output.schema or "")["properties"] == {"mime_type": {"type": "string"}}
    assert call.tool_choice == ToolChoice("required", ("f",))
    assert isinstance(call.tools[1], BuiltIn) and call.vendor


@pytest.mark.parametrize(
    "contents",
    [
        "hi",
        ["hi"],
        {"parts": "hi"},
        {"parts": ["hi"]},
        {"parts": {"text": "hi"}},
        [{"role": "user", "parts": [{"text": "hi"}]}],
    ],
)
def test_shorthands_of_contents(contents: Any) -> None:
    assert call_of(contents=contents).messages == (Message("user", (Text("hi"),)),)
    assert call_of(systemInstruction=contents if isinstance(contents, (str, dict)) else "hi").system == (Text("hi"),)


def test_upper_case_schemas_become_json_schema() -> None:
    """Notes §7.1: only schema positions are touched."""
    own = {
        "type": "OBJECT",
        "properties": {
            "type": {"type": "STRING", "nullable": True},
            "any_of": {"type": "ARRAY", "items": {"type": "NUMBER"}},
        },
        "propertyOrdering": ["type"],
    }
    translated = {
        "type": "object",
        "properties": {
            "type": {"anyOf": [{"type": "string"}, {"type": "null"}]},
            "any_of": {"type": "array", "items": {"type": "number"}},
        },
    }
    tools = [{"function_declarations": [{"name": "f", "parameters": own}]}]
    call = call_of(tools=tools, generation_config={"response_schema": own, "response_mime_type": "application/json"})
    assert json.loads(call.tools[0].parameters or "") == translated  # type: ignore[union-attr]
    assert json.loads(call.output.schema or "") == translated


@pytest.mark.parametrize(
    "config",
    [
        {
            "maxOutputTokens": 0,
            "presencePenalty": 0,
            "frequencyPenalty": 0.0,
            "stopSequences": [""],
            "candidateCount": 0,
        },
        {"temperature": None, "thinkingConfig": None, "responseSchema": None, "responseModalities": []},
        {"responseModalities": ["TEXT"], "thinkingConfig": {}},
        {"responseMimeType": "text/plain", "responseLogprobs": False},
    ],
)
def test_nulls_zeros_and_empties_mean_not_given(config: Json) -> None:
    assert call_of(generationConfig=config) == call_of()
    empties = {"tools": [], "safetySettings": [], "toolConfig": {}, "cachedContent": "", "systemInstruction": None}
    assert call_of(**empties) == call_of()


def test_unknown_tools_are_kept_whole() -> None:
    (tool,) = call_of(tools=[{"hologram": {"some_depth": 3}}]).tools
    assert isinstance(tool, OpaqueTool) and json.loads(tool.vendor.raw) == {"hologram": {"some_depth": 3}}


def test_settings_that_only_gemini_has_are_recorded() -> None:
    body = json.dumps({"contents": "a", "generationConfig": {"speechConfig": {}, "image_config": {}}}).encode()
    dropped = inbound_generate(body, model="m", stream=False).dropped
    assert [drop.path for drop in dropped] == ["generationConfig.speechConfig", "generationConfig.imageConfig"]


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"contents": 5}, "contents.0"),
        ({"contents": [{"parts": [5]}]}, "contents.0.parts.0"),
        ({"contents": [{"parts": [{"text": 5}]}]}, "contents.0.parts.0.text"),
        ({"generationConfig": {"temperature": "warm"}}, "generationConfig.temperature"),
        ({"generationConfig": 5}, "generationConfig"),
        (
            {"generationConfig": {"thinkingConfig": {"thinkingBudget": 1, "thinkingLevel": "LOW"}}},
            "generationConfig.thinkingConfig",
        ),
        ({"cachedContent": "cachedContents/a"}, "cachedContent"),
        ({"tools": [5]}, "tools.0"),
        ({"toolConfig": {"functionCallingConfig": {"mode": 5}}}, "toolConfig.functionCallingConfig.mode"),
        ({"generationConfig": {"topK": "inf"}}, "generationConfig.topK"),
        ({"generationConfig": {"temperature": "nan"}}, "generationConfig.temperature"),
    ],
)
def test_faults_name_the_field(fields: Json, param: str) -> None:
    with pytest.raises(InvalidRequest) as error:
        call_of(**fields)
    assert error.value.param == param


@pytest.mark.parametrize("body", BROKEN)
def test_broken_bodies(body: bytes) -> None:
    for data in (body, memoryview(body)):
        with pytest.raises(InvalidRequest):
            inbound_generate(data, model="m", stream=False)
        with pytest.raises(InvalidRequest):
            inbound_count(data, model="m")


@pytest.mark.parametrize("key", ["generateContentRequest", "generate_content_request"])
def test_counting_in_both_forms(key: str) -> None:
    plain = inbound_count(b'{"contents":"hi"}', model="m").call
    inner = inbound_count(json.dumps({key: {"model": "models/m", "contents": "hi"}}).encode(), model="m").call
    assert isinstance(plain, CountTokens) and plain == inner
    assert inbound_count(json.dumps({key: FULL}).encode(), model="m").call == CountTokens(call_of(**FULL))


@needs_shared
def test_requests_of_real_clients() -> None:
    rows = [
        row for row in load_clients() if row.path.endswith((":generateContent", ":streamGenerateContent")) and row.body
    ]
    calls = [row for row in load_calls() if row.path.endswith("enerateContent")]
    assert len(rows) > 15 and calls
    for body in [row.body for row in rows] + [row.body for row in calls]:
        try:
            call = inbound_generate(json.dumps(body).encode(), model="m", stream=False).call
        except InvalidRequest as error:
            assert error.param == "cachedContent" and ("cachedContent" in body or "cached_content" in body)
            continue
        assert isinstance(call, Generate) and call.messages
    counts = [row for row in load_clients() if row.path.endswith("countTokens")]
    assert all(isinstance(inbound_count(json.dumps(row.body).encode(), model="m").call, CountTokens) for row in counts)


KEYS = ["contents", "role", "parts", "text", "functionCall", "function_call", "args", "name", "inlineData", "mime_type"]
KEYS += ["generationConfig", "topK", "temperature", "thinking_config", "thinkingBudget", "responseSchema", "properties"]
KEYS += ["tools", "functionDeclarations", "parameters", "toolConfig", "mode", "type", "items", "anyOf", "nullable"]


def never_crashes(document: object) -> None:
    body = json.dumps(document).encode()
    for parse in (inbound_count, inbound_generate):
        more: Json = {} if parse is inbound_count else {"stream": True}
        try:
            call = parse(body, model="m", **more).call
            generate = call.generate if isinstance(call, CountTokens) else call
            for abilities in MODELS.values():
                outbound(generate, abilities)
        except InvalidRequest as error:
            assert error.message


@settings(deadline=None, max_examples=150)
@given(documents(KEYS))
def test_no_json_document_crashes(document: object) -> None:
    never_crashes(document)


@settings(deadline=None, max_examples=150)
@given(mutated([FULL, respelled(FULL), {"contents": "hi", "generationConfig": {"topK": 3, "seed": 4}}], KEYS))
def test_no_mutation_of_a_valid_request_crashes(document: object) -> None:
    never_crashes(document)


def test_output_without_a_schema() -> None:
    assert call_of(generationConfig={"responseMimeType": "application/json"}).output == Output(json=True)
