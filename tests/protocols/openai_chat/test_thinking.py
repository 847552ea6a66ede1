"""Thinking in all the forms that clients ask for it, and Google's extensions of the format."""

import json
from typing import Any

import pytest

from gemgate.hub.call import Generate, Reasoning
from tests.protocols.openai_chat.asking import Json, call_of, parse, refusal

EFFORTS = {
    "none": "none",
    "minimal": "minimal",
    "low": "low",
    "medium": "medium",
    "high": "high",
    "xhigh": "max",
    "max": "max",
    "disable": "none",
    "auto": None,
    "default": None,
    "": None,
}


@pytest.mark.parametrize(("word", "effort"), EFFORTS.items())
def test_efforts(word: str, effort: Any) -> None:
    for given in (word, word.upper(), word.title()):
        assert call_of(reasoning_effort=given).reasoning == Reasoning(effort=effort)


@pytest.mark.parametrize(
    ("config", "wish"),
    [
        ({"include_thoughts": True}, Reasoning(include_thoughts=True)),
        ({"includeThoughts": True, "thinkingBudget": 512}, Reasoning(budget_tokens=512, include_thoughts=True)),
        ({"thinking_budget": "-1"}, Reasoning(budget_tokens=-1)),
        ({"thinking_budget": 0}, Reasoning(budget_tokens=0)),
        ({"thinkingLevel": "HIGH"}, Reasoning(effort="high")),
        ({"thinking_level": "minimal", "include_thoughts": False}, Reasoning(effort="minimal", include_thoughts=False)),
        ({"thinking_level": None, "thinking_budget": None}, Reasoning()),
        ({}, Reasoning()),
    ],
)
def test_googles_own_settings_wherever_they_stand(config: Json, wish: Reasoning) -> None:
    for name in ("thinking_config", "thinkingConfig"):
        for fields in (
            {"extra_body": {"google": {name: config}}},
            {"google": {name: config}},
            {"google": {"generation_config": {name: config}}},
            {"generation_config": {name: config}},
        ):
            assert call_of(**fields).reasoning == wish, fields
    assert call_of(thinking_config=config).reasoning == wish


def test_effort_and_thoughts_are_merged() -> None:
    """Notes §1.4."""
    thoughts = {"google": {"thinking_config": {"include_thoughts": True}}}
    wish = Reasoning(effort="high", include_thoughts=True)
    assert call_of(reasoning_effort="high", extra_body=thoughts).reasoning == wish
    assert call_of(reasoning_effort="high", **thoughts).reasoning == wish
    both = {"extra_body": thoughts, "google": {"thinking_config": {"thinking_budget": 9}, "labels": {"a": "b"}}}
    call = call_of(**both)
    assert call.reasoning == Reasoning(include_thoughts=True), "what stands literally comes first"
    assert call.vendor and json.loads(call.vendor.raw) == {"labels": {"a": "b"}}


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"reasoning_effort": "low", "google": {"thinking_config": {"thinking_budget": 5}}}, "reasoning_effort"),
        ({"reasoning_effort": "low", "google": {"thinkingConfig": {"thinkingLevel": "low"}}}, "reasoning_effort"),
        (
            {"google": {"thinking_config": {"thinking_level": "low", "thinking_budget": 5}}},
            "google.thinking_config.thinking_level",
        ),
        ({"google": {"thinking_config": {"thinking_level": "huge"}}}, "google.thinking_config.thinking_level"),
        ({"extra_body": {"google": {"thinking_config": {"x": 1}}}}, "extra_body.google.thinking_config.x"),
        ({"thinking_config": {"thinkingBudget": 2**70}}, "thinking_config.thinking_budget"),
        ({"thinking_config": {"thinking_budget": []}}, "thinking_config.thinking_budget"),
        ({"thinking_config": 5}, "thinking_config"),
        ({"reasoning_effort": "huge"}, "reasoning_effort"),
        ({"reasoning_effort": 5}, "reasoning_effort"),
        ({"reasoning": {"effort": "huge"}}, "reasoning.effort"),
    ],
)
def test_what_contradicts_itself_is_refused(fields: Json, param: str) -> None:
    assert refusal(**fields).param == param


def test_an_unknown_setting_is_named() -> None:
    assert "'depth'" in refusal(thinking_config={"depth": 5}).message


def test_the_outer_settings_win() -> None:
    inner = {"thinking_config": {"thinking_budget": 5, "include_thoughts": True}}
    parsed = parse(google={"generation_config": inner, "thinking_config": {"thinking_budget": 9}})
    assert isinstance(parsed.call, Generate)
    assert parsed.call.reasoning == Reasoning(budget_tokens=9, include_thoughts=True)
    assert parsed.paths["reasoning.budget_tokens"] == "google.thinking_config.thinking_budget"
    place = "google.generation_config.thinking_config.include_thoughts"
    assert parsed.paths["reasoning.include_thoughts"] == place


def test_a_wish_of_the_models_name_is_called_so() -> None:
    assert parse().paths["reasoning.effort"] == parse(tools=[]).paths["reasoning.effort"] == "model"


def test_an_effort_that_says_nothing_contradicts_nothing() -> None:
    assert call_of(reasoning_effort="auto", thinking_config={"thinking_budget": 5}).reasoning.budget_tokens == 5


@pytest.mark.parametrize(
    ("fields", "wish"),
    [
        ({"reasoning": {"effort": "high"}}, Reasoning(effort="high")),
        ({"reasoning": {"max_tokens": 2000}}, Reasoning(budget_tokens=2000)),
        ({"reasoning": {"enabled": False}}, Reasoning(effort="none")),
        ({"reasoning": {"effort": "low", "exclude": True}}, Reasoning(effort="low", include_thoughts=False)),
        ({"reasoning": {"exclude": False}}, Reasoning(include_thoughts=True)),
        ({"reasoning": {"effort": None, "summary": "auto"}}, Reasoning()),
        (
            {"thinking": {"type": "enabled", "budget_tokens": 4000}},
            Reasoning(budget_tokens=4000, include_thoughts=True),
        ),
        ({"thinking": {"type": "disabled"}}, Reasoning(effort="none")),
        ({"thinking": {"type": "adaptive"}}, Reasoning()),
        ({"enable_thinking": True}, Reasoning(include_thoughts=True)),
        ({"enable_thinking": False}, Reasoning(effort="none")),
        ({"enable_thinking": True, "thinking_budget": 100}, Reasoning(budget_tokens=100, include_thoughts=True)),
        ({"thinking_budget": 0}, Reasoning(budget_tokens=0)),
        ({"reasoning_effort": "low", "reasoning": {"effort": "high"}}, Reasoning(effort="low")),
    ],
)
def test_settings_of_others(fields: Json, wish: Reasoning) -> None:
    parsed = parse(**fields)
    assert call_of(**fields).reasoning == wish and not parsed.dropped


def test_where_each_wish_stood() -> None:
    assert parse(reasoning_effort="low").paths["reasoning.effort"] == "reasoning_effort"
    assert parse(thinking={"type": "disabled"}).paths["reasoning.effort"] == "thinking.type"
    config = {"thinking_config": {"thinking_level": "low"}}
    assert parse(google=config).paths["reasoning.effort"] == "google.thinking_config.thinking_level"
    assert (
        parse(extra_body={"google": config}).paths["reasoning.effort"]
        == "extra_body.google.thinking_config.thinking_level"
    )


@pytest.mark.parametrize(
    ("fields", "native"),
    [
        ({"google": {"cachedContent": "cachedContents/a"}}, {"cached_content": "cachedContents/a"}),
        ({"cached_content": "cachedContents/a"}, {"cached_content": "cachedContents/a"}),
        ({"safety_settings": [{"category": "A"}]}, {"safety_settings": [{"category": "A"}]}),
        ({"google": {"safetySettings": [{"category": "A"}]}}, {"safety_settings": [{"category": "A"}]}),
        (
            {"google": {"aspectRatio": "16:9", "image_size": "2K"}},
            {"generation_config": {"image_config": {"aspect_ratio": "16:9", "image_size": "2K"}}},
        ),
        (
            {"google": {"image_config": {"image_size": "1K"}, "aspect_ratio": "1:1"}},
            {"generation_config": {"image_config": {"image_size": "1K", "aspect_ratio": "1:1"}}},
        ),
        (
            {"generation_config": {"mediaResolution": "MEDIA_RESOLUTION_LOW"}},
            {"generation_config": {"media_resolution": "MEDIA_RESOLUTION_LOW"}},
        ),
        ({"google": {"something_new": {"keepThis": 1}}}, {"something_new": {"keepThis": 1}}),
        ({"service_tier": "flex"}, {"service_tier": "flex"}),
        ({"service_tier": "fast"}, {"service_tier": "priority"}),
        (
            {"modalities": ["audio"], "audio": {"voice": "alloy", "format": "wav"}},
            {
                "generation_config": {
                    "speech_config": {"voice_config": {"prebuilt_voice_config": {"voice_name": "Kore"}}}
                }
            },
        ),
        (
            {"modalities": ["audio"], "audio": {"voice": {"id": "Puck"}}},
            {
                "generation_config": {
                    "speech_config": {"voice_config": {"prebuilt_voice_config": {"voice_name": "Puck"}}}
                }
            },
        ),
        (
            {"audio": {"voice": "alloy"}, "google": {"speech_config": {"mine": 1}}},
            {"generation_config": {"speech_config": {"mine": 1}}},
        ),
        ({"google": {"labels": {}, "tools": [], "a": None}}, None),
    ],
)
def test_what_only_gemini_knows_is_handed_on(fields: Json, native: Json | None) -> None:
    vendor = call_of(**fields).vendor
    assert (json.loads(vendor.raw) if vendor else None) == native
    assert vendor is None or vendor.format == "gemini"
