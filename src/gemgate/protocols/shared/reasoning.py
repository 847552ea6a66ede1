"""Effort ↔ level ↔ budget: one wish about thinking, in the words that a model understands."""

from typing import assert_never

from msgspec import Struct

from gemgate.hub.abilities import Level, Thinking
from gemgate.hub.call import Effort, Reasoning

# Google's own table for `reasoning_effort` on budget models (ai.google.dev, "OpenAI compatibility").
LOW_TOKENS = 1_024
MEDIUM_TOKENS = 8_192
HIGH_TOKENS = 24_576

# No table of theirs exists for the other way: below 2k is low (minimal below 1k, where offered), beyond 12k high.
MINIMAL_BELOW_TOKENS = 1_000
LOW_BELOW_TOKENS = 2_000
HIGH_ABOVE_TOKENS = 12_000

SMALL_LIMIT_TOKENS = 1_024
"""Thoughts count against the limit of the answer: below what a low effort may spend, nothing would be left of it."""

LEAST_SHOWN_TOKENS = 128
"""What the model that thinks most takes at least."""

_RANK: dict[Level, int] = {"minimal": 0, "low": 1, "medium": 2, "high": 3}


class ThinkingSettings(Struct, frozen=True, kw_only=True):
    """What is sent: never both `budget` (tokens) and `level`; `None` is left to the model."""

    budget: int | None = None
    level: Level | None = None
    include_thoughts: bool | None = None


def thinking_settings(
    reasoning: Reasoning, thinking: Thinking, limit_tokens: int | None = None
) -> tuple[ThinkingSettings, tuple[str, ...]]:
    """Put a wish about thinking into the terms of a model; total, never raises.

    Returns the settings and the hub paths of what cannot be honoured. Where thinking cannot be switched off, "off"
    becomes the least there is, hidden. A wish that is merely fitted to the model's range is not a loss. Without a wish,
    thinking is set to its least where the answer may have few tokens (`limit_tokens`), so that it is not eaten up.
    """
    small = limit_tokens is not None and limit_tokens < SMALL_LIMIT_TOKENS
    if small and reasoning.effort is None and reasoning.budget_tokens is None and thinking.control != "none":
        return _least(thinking, shown=reasoning.include_thoughts), ()
    match thinking.control:
        case "none":
            # Who wants no thoughts has what they want.
            return ThinkingSettings(), () if _unwanted(reasoning) else _given(reasoning)
        case "budget":
            budget, level = _budget(reasoning, thinking), None
        case "level":
            budget, level = None, _level(reasoning, thinking)
        case _:
            assert_never(thinking.control)
    off = _unwanted(reasoning)
    settings = ThinkingSettings(
        budget=budget, level=level, include_thoughts=False if off else reasoning.include_thoughts
    )
    return settings, (off,) if off and not thinking.can_disable else ()


def _least(thinking: Thinking, *, shown: bool | None) -> ThinkingSettings:
    if thinking.control == "level":
        return ThinkingSettings(level=thinking.levels[0] if thinking.levels else None, include_thoughts=shown)
    # To show thoughts while there are none is refused.
    least = max(thinking.min_tokens, LEAST_SHOWN_TOKENS) if shown else thinking.min_tokens
    budget = 0 if thinking.can_disable and not shown else least
    return ThinkingSettings(budget=budget, include_thoughts=shown)


def _given(reasoning: Reasoning) -> tuple[str, ...]:
    wishes = {
        "reasoning.effort": reasoning.effort,
        "reasoning.budget_tokens": reasoning.budget_tokens,
        "reasoning.include_thoughts": reasoning.include_thoughts,
    }
    return tuple(path for path, wish in wishes.items() if wish is not None)


def _unwanted(reasoning: Reasoning) -> str | None:
    """Name the field that asks for no thinking at all."""
    if reasoning.effort == "none":
        return "reasoning.effort"
    if reasoning.effort is None and reasoning.budget_tokens == 0:
        return "reasoning.budget_tokens"
    return None


def _budget(reasoning: Reasoning, thinking: Thinking) -> int | None:
    tokens = reasoning.budget_tokens if reasoning.effort is None else _tokens(reasoning.effort, thinking)
    if tokens is None:
        # To show thoughts while there are none is refused: a model that does not think by itself is told to.
        return -1 if reasoning.include_thoughts and thinking.default == 0 else None
    if tokens < 0:
        return -1
    if tokens == 0 and thinking.can_disable:
        return 0
    return max(thinking.min_tokens, min(tokens, thinking.max_tokens))


def _tokens(effort: Effort, thinking: Thinking) -> int:
    match effort:
        case "none":
            return 0
        case "minimal" | "low":
            return LOW_TOKENS
        case "medium":
            return MEDIUM_TOKENS
        case "high":
            return HIGH_TOKENS
        case "max":
            return thinking.max_tokens
        case _:
            assert_never(effort)


def _level(reasoning: Reasoning, thinking: Thinking) -> Level | None:
    wanted = _bucket(reasoning.budget_tokens) if reasoning.effort is None else _named(reasoning.effort)
    if wanted is None or not thinking.levels:
        return None
    # A tie goes up: of low and high, medium is high, as in Google's first table for Gemini 3.
    return min(thinking.levels, key=lambda offered: (abs(_RANK[offered] - _RANK[wanted]), -_RANK[offered]))


def _named(effort: Effort) -> Level:
    match effort:
        case "none":
            return "minimal"
        case "max":
            return "high"
        case "minimal" | "low" | "medium" | "high":
            return effort
        case _:
            assert_never(effort)


def _bucket(tokens: int | None) -> Level | None:
    if tokens is None or tokens < 0:
        return None
    if tokens < MINIMAL_BELOW_TOKENS:
        return "minimal"
    if tokens < LOW_BELOW_TOKENS:
        return "low"
    if tokens <= HIGH_ABOVE_TOKENS:
        return "medium"
    return "high"
