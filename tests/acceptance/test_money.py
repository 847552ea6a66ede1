"""Rows 30 and 31: what is counted, and what thinking costs."""

import json
import re
from datetime import date
from typing import Any

import pytest

from gemgate.catalog.catalog import Catalog
from tests.acceptance.playing import NEW, Json, Played, each_form, said
from tests.bed.recordings import needs_recordings
from tests.bed.upstream import part_chunk
from tests.e2e.bed import Bed

USAGE: Json = {
    "promptTokenCount": 1000,
    "cachedContentTokenCount": 900,
    "candidatesTokenCount": 20,
    "thoughtsTokenCount": 300,
    "toolUsePromptTokenCount": 50,
    "totalTokenCount": 1370,
    "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 700}, {"modality": "IMAGE", "tokenCount": 300}],
    "cacheTokensDetails": [{"modality": "TEXT", "tokenCount": 650}, {"modality": "IMAGE", "tokenCount": 250}],
}


def check_usage(usage: Json, said: Json) -> None:
    """Hold what a client is told to what the service counted."""
    prompt = said.get("promptTokenCount", 0) + said.get("toolUsePromptTokenCount", 0)
    thoughts = said.get("thoughtsTokenCount", 0)
    completion = said.get("candidatesTokenCount", 0) + thoughts
    assert (usage["prompt_tokens"], usage["completion_tokens"]) == (prompt, completion)
    assert usage["total_tokens"] == (said.get("totalTokenCount") or prompt + completion)
    assert usage["completion_tokens_details"]["reasoning_tokens"] == thoughts
    assert usage["prompt_tokens_details"]["cached_tokens"] == said.get("cachedContentTokenCount", 0)
    assert usage["prompt_tokens_details"]["cached_tokens"] <= usage["prompt_tokens"]
    counts = {one["modality"]: one.get("tokenCount", 0) for one in said.get("promptTokensDetails") or []}
    for modality in ("audio", "image"):
        told = usage["prompt_tokens_details"].get(f"{modality}_tokens", 0)
        assert told == counts.get(modality.upper(), 0), "cached ones are among them, not beside them"


@pytest.mark.acceptance(30)
@each_form
async def test_cached_thought_and_tool_tokens(bed: Bed, stream: bool) -> None:
    """A stream tells running totals: early ones without thoughts, each the last word on its field."""
    early = {"promptTokenCount": 1000, "totalTokenCount": 1000}
    middle = USAGE | {"candidatesTokenCount": 5, "totalTokenCount": 1355}
    chunks = [
        part_chunk({"text": "a"}, usageMetadata=early),
        part_chunk({"text": "b"}, usageMetadata=middle),
        part_chunk({"text": "c"}, finish="STOP", usageMetadata=USAGE),
    ]
    made = await said(bed, *chunks, stream=stream)
    check_usage(made["usage"], USAGE)
    assert made["usage"]["total_tokens"] == made["usage"]["prompt_tokens"] + made["usage"]["completion_tokens"] == 1370


@pytest.mark.acceptance(30)
@needs_recordings
def test_usage_of_all_recordings(played: tuple[Played, ...]) -> None:
    seen = {"cachedContentTokenCount": 0, "thoughtsTokenCount": 0, "toolUsePromptTokenCount": 0}
    for each in played:
        said_ = each.row.usage
        for made in each.completions if said_ else ():
            try:
                check_usage(made["usage"], said_)
            except AssertionError as wrong:
                wrong.add_note(f"recording {each.row.id}: {json.dumps(said_)}")
                raise
        seen = {name: count + bool(said_.get(name)) for name, count in seen.items()}
    assert all(seen.values()), seen


# ── 31: thinking ──

MODELS = {
    "gemini-2.5-pro": (128, 32768),
    "gemini-2.5-flash": (0, 24576),
    "gemini-2.5-flash-lite": (0, 24576),
    "gemini-3-flash-preview": ("MINIMAL", "LOW", "MEDIUM", "HIGH"),
    "gemini-3.1-pro-preview": ("LOW", "MEDIUM", "HIGH"),
    "gemini-3.1-flash-lite": ("MINIMAL", "LOW", "MEDIUM", "HIGH"),
    NEW: ("MINIMAL", "LOW", "MEDIUM", "HIGH"),
    "gemini-3.5-flash-lite": ("MINIMAL", "LOW", "MEDIUM", "HIGH"),
    "gemini-3.6-flash": ("MINIMAL", "LOW", "MEDIUM", "HIGH"),
    "gemini-3.7-flash": ("LOW", "MEDIUM", "HIGH"),
    "gemini-3.8-flash": ("LOW", "MEDIUM", "HIGH"),
    "gemini-4-argon": ("LOW", "MEDIUM", "HIGH"),
}
"""What each takes (notes §3.1): the least and the most of a budget, or the levels."""
EFFORTS = ("none", "minimal", "low", "medium", "high", "xhigh", "max")
BUDGETS = {"minimal": 1024, "low": 1024, "medium": 8192, "high": 24576, "xhigh": 10**6, "max": 10**6}
LEVELS = {"none": 0, "minimal": 0, "low": "LOW", "medium": "MEDIUM", "high": "HIGH", "xhigh": "HIGH", "max": "HIGH"}


async def thinking(bed: Bed, **body: Any) -> Json:
    """The thinking that is asked for upstream."""
    answered = await bed.chat(**body)
    assert answered.status == 200, answered.body
    return (bed.up.last.json.get("generationConfig") or {}).get("thinkingConfig") or {}


def wanted(model: str, effort: str) -> Json:
    takes: Any = MODELS[model]
    if isinstance(takes[0], int):
        return {"thinkingBudget": takes[0] if effort == "none" else min(BUDGETS[effort], takes[1])}
    level: Any = LEVELS[effort]
    return {"thinkingLevel": takes[level] if isinstance(level, int) else level}


@pytest.mark.acceptance(31)
@pytest.mark.parametrize("effort", EFFORTS)
@pytest.mark.parametrize("model", MODELS)
async def test_efforts_become_what_the_model_takes(bed: Bed, model: str, effort: str) -> None:
    made = await thinking(bed, model=model, reasoning_effort=effort)
    assert {name: value for name, value in made.items() if name != "includeThoughts"} == wanted(model, effort)
    assert bool(made.get("includeThoughts")) <= (effort != "none")


@pytest.mark.acceptance(31)
@pytest.mark.parametrize("budget", [0, 1, 100, 5_000, 100_000, -1])
@pytest.mark.parametrize("model", MODELS)
async def test_budgets_are_fitted(bed: Bed, model: str, budget: int) -> None:
    """Zero never reaches a model that cannot stop thinking, and budget and level never go together."""
    config = {"google": {"thinking_config": {"thinking_budget": budget}}}
    made = await thinking(bed, model=model, extra_body=config)
    assert not {"thinkingBudget", "thinkingLevel"} <= set(made)
    takes: Any = MODELS[model]
    if isinstance(takes[0], int):
        sent = made.get("thinkingBudget", -1)
        lowest = 512 if model.endswith("lite") else takes[0]
        assert sent == -1 or lowest <= sent <= takes[1] or (sent == 0 == takes[0])
        assert budget != 0 or sent == takes[0]
    else:
        assert made.get("thinkingLevel", "HIGH") in takes


@pytest.mark.acceptance(31)
@pytest.mark.parametrize("model", ["gemini-2.0-flash-x", "gemini-2.5-flash-image", "gemini-2.5-flash-preview-tts"])
async def test_models_that_do_not_think_are_not_told_to(bed: Bed, model: str) -> None:
    for effort in EFFORTS:
        assert await thinking(bed, model=model, reasoning_effort=effort) == {}


@pytest.mark.acceptance(31)
@pytest.mark.parametrize("model", MODELS)
async def test_small_answers_are_not_eaten_by_thoughts(bed: Bed, model: str) -> None:
    takes: Any = MODELS[model]
    made = await thinking(bed, model=model, max_tokens=100)
    assert made.get("thinkingBudget", made.get("thinkingLevel")) == takes[0]
    assert await thinking(bed, model=model, max_tokens=50_000) == {}
    assert await thinking(bed, model=model) == {}


@pytest.mark.acceptance(31)
def test_the_table_covers_the_models_of_today() -> None:
    """Each chat model that thinks has its family in the table above."""
    catalog, today = Catalog.load(), date(2026, 11, 21)
    families = {catalog.route(name, today).family for name in MODELS}
    live = [row.name for row in catalog.chat_models(today) if re.match(r"gemini-\d", row.name)]
    thinking_ones = [name for name in live if catalog.abilities(name).thinking.control != "none"]
    missing = {name for name in thinking_ones if catalog.route(name, today).family not in families}
    assert len(thinking_ones) > 10 and not {name for name in missing if "-cyber" not in name}
