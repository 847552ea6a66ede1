"""What a client says in Gemini's own words comes last, in whatever spelling."""

from typing import Any

import pytest
from msgspec import json

from gemgate.errors import InvalidRequest
from gemgate.hub.call import Function, Output, Reasoning, Sampling
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
    assert body["safetySettings"] == []


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


def test_turns_and_system_text_stay_unless_replaced_whole() -> None:
    body = merged({"toolConfig": {"retrievalConfig": {"languageCode": "de"}}}, system=(Text("s"),))
    assert body["systemInstruction"] == {"parts": [{"text": "s"}]}
    assert body["contents"] == checked(ask())["contents"]
    body = merged({"system_instruction": {"parts": [{"text": "t"}]}}, system=(Text("s"),))
    assert body["systemInstruction"] == {"parts": [{"text": "t"}]}


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
