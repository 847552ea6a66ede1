"""What a client says in Gemini's own words comes last, in whatever spelling."""

import time
from typing import Any

import pytest
from msgspec import json

from gemgate.errors import InvalidRequest
from gemgate.hub.call import BuiltIn, Function, OpaqueTool, Output, Reasoning, Sampling
from gemgate.hub.parts import Text, Vendor
from gemgate.protocols.gemini.outbound import outbound
from tests.protocols.shaping import OLD, ask, checked


def merged(own: dict[str, Any], **more: Any) -> dict[str, Any]:
    return checked(ask(vendor=Vendor("gemini", json.encode(own).decode()), **more))


def test_another_vendors_payload_is_left_alone() -> None:
    assert checked(ask(vendor=Vendor("other", '{"x":1}'))) == checked(ask())


@pytest.mark.parametrize("key", ["generationConfig", "generation_config"])
@pytest.mark.parametrize("inner", ["topP", "top_p"])
def test_both_spellings_meet(key: str, inner: str) -> None:
    config = merged({key: {inner: 0.5, "image_config": {"aspectRatio": "1:1"}}}, sampling=Sampling(top_p=0.1, seed=3))
    assert config["generationConfig"] == {"topP": 0.5, "seed": 3, "imageConfig": {"aspectRatio": "1:1"}}


def test_top_level_fields() -> None:
    body = merged({"service_tier": "FLEX", "cached_content": "cachedContents/a", "safety_settings": []})
    assert body["serviceTier"] == "FLEX" and body["cachedContent"] == "cachedContents/a"
    assert body["safetySettings"] == checked(ask())["safetySettings"]


def test_nulls_say_nothing() -> None:
    assert merged({"safetySettings": None, "generationConfig": None}) == checked(ask())


def test_fields_that_exclude_each_other() -> None:
    config = merged(
        {"generationConfig": {"thinking_config": {"thinkingLevel": "LOW"}}},
        reasoning=Reasoning(effort="high", include_thoughts=True),
    )["generationConfig"]
    assert config == {"thinkingConfig": {"includeThoughts": True, "thinkingLevel": "LOW"}}
    config = merged(
        {"generationConfig": {"responseSchema": {"type": "STRING"}}},
        output=Output(json=True, schema='{"type":"object","properties":{"a":{"type":"string"}}}'),
    )["generationConfig"]
    assert config == {"responseMimeType": "application/json", "responseSchema": {"type": "STRING"}}


def test_turns_stay_and_system_texts_are_joined() -> None:
    body = merged({"toolConfig": {"retrievalConfig": {"languageCode": "de"}}}, system=(Text("s"),))
    assert body["systemInstruction"] == {"parts": [{"text": "s"}]}
    assert body["contents"] == checked(ask())["contents"]
    body = merged({"system_instruction": {"parts": [{"text": "t"}]}}, system=(Text("s"),))
    assert body["systemInstruction"] == {"parts": [{"text": "s"}, {"text": "t"}]}
    assert merged({"system_instruction": "t"})["systemInstruction"] == {"parts": [{"text": "t"}]}


def test_tools_join_those_of_the_request() -> None:
    function, search = Function(name="f"), BuiltIn("web_search")
    body = merged({"tools": [{"google_search": {}}, {"url_context": {}}]}, tools=(function,))
    assert body["tools"] == [{"functionDeclarations": [{"name": "f"}]}, {"googleSearch": {}}, {"urlContext": {}}]
    assert merged({"tools": {"google_search": {}}}, tools=(search,))["tools"] == [{"googleSearch": {}}]
    assert merged({"tools": []}, tools=(search,))["tools"] == [{"googleSearch": {}}]


def harm(name: str, threshold: str = "OFF") -> dict[str, Any]:
    return {"category": f"HARM_CATEGORY_{name}", "threshold": threshold}


@pytest.mark.parametrize("key", ["safetySettings", "safety_settings"])
@pytest.mark.parametrize("category", ["HARM_CATEGORY_HATE_SPEECH", "harm_category_hate_speech", 8])
def test_safety_settings_are_merged_by_category(key: str, category: str | int) -> None:
    """Notes §1.4: what the caller does not set stays off; Gemini refuses a category that stands there twice."""
    own = [{"category": category, "threshold": "BLOCK_NONE"}, harm("CIVIC_INTEGRITY", "BLOCK_ONLY_HIGH")]
    assert merged({key: own})["safetySettings"] == [
        harm("HARASSMENT"),
        harm("HATE_SPEECH", "BLOCK_NONE"),
        harm("SEXUALLY_EXPLICIT"),
        harm("DANGEROUS_CONTENT"),
        harm("CIVIC_INTEGRITY", "BLOCK_ONLY_HIGH"),
    ]


@pytest.mark.parametrize("entry", [{}, {"category": None}, "HARASSMENT", 1])
def test_what_is_no_safety_setting_is_left_to_gemini(entry: object) -> None:
    vendor = Vendor("gemini", json.encode({"safetySettings": [entry]}).decode())
    body = json.decode(b"".join(outbound(ask(vendor=vendor), OLD).body))
    assert body["safetySettings"] == [*checked(ask())["safetySettings"], entry]


@pytest.mark.parametrize("own", ['{"generation_config":{"x":1e400}}', '{"labels":{"a":"\\ud800"}}'])
def test_what_cannot_be_read_is_refused(own: str) -> None:
    with pytest.raises(InvalidRequest) as error:
        outbound(ask(vendor=Vendor("gemini", own)), OLD)
    assert error.value.param == "vendor"


def test_thousands_of_tools_are_joined_in_linear_time() -> None:
    tools = tuple(OpaqueTool(Vendor("gemini", f'{{"fileSearch":{{"topK":{number}}}}}')) for number in range(5_000))
    own = json.encode({"tools": [{"fileSearch": {"topK": -number}} for number in range(5_000)]}).decode()
    begun = time.process_time()
    rendered = outbound(ask(tools=tools, vendor=Vendor("gemini", own)), OLD)
    assert time.process_time() - begun < 3
    assert len(json.decode(rendered.body[0])["tools"]) == 9_999


def test_objects_are_merged_key_by_key() -> None:
    body = merged(
        {"tool_config": {"retrieval_config": {"languageCode": "de"}, "functionCallingConfig": {"mode": "ANY"}}},
        tools=(Function(name="f", strict=True),),
    )
    assert body["toolConfig"] == {
        "retrievalConfig": {"languageCode": "de"},
        "functionCallingConfig": {"mode": "ANY"},
    }


def test_nesting_without_end_is_refused() -> None:
    deep = '{"labels":' + '{"a":' * 5000 + "1" + "}" * 5001
    with pytest.raises(InvalidRequest):
        outbound(ask(vendor=Vendor("gemini", deep)), OLD)
