from typing import get_args

import pytest

from gemgate.catalog.data import read
from gemgate.hub.abilities import Thinking
from gemgate.hub.call import Effort, Reasoning
from gemgate.protocols.shared.reasoning import ThinkingSettings, thinking_settings

PRO = Thinking(control="budget", min_tokens=128, max_tokens=32768, default=-1)
FLASH = Thinking(control="budget", min_tokens=0, max_tokens=24576, default=-1, can_disable=True)
LITE = Thinking(control="budget", min_tokens=512, max_tokens=24576, default=0, can_disable=True)
ALL_LEVELS = Thinking(control="level", levels=("minimal", "low", "medium", "high"))
NO_MINIMAL = Thinking(control="level", levels=("low", "medium", "high"))
LOW_HIGH = Thinking(control="level", levels=("low", "high"))
MINIMAL_HIGH = Thinking(control="level", levels=("minimal", "high"))
EVERY = [Thinking(), PRO, FLASH, LITE, ALL_LEVELS, NO_MINIMAL, LOW_HIGH, MINIMAL_HIGH]


def settings(reasoning: Reasoning, thinking: Thinking) -> ThinkingSettings:
    return thinking_settings(reasoning, thinking)[0]


@pytest.mark.parametrize("thinking", EVERY)
def test_no_wish_sets_nothing(thinking: Thinking) -> None:
    assert thinking_settings(Reasoning(), thinking) == (ThinkingSettings(), ())


@pytest.mark.parametrize(
    ("effort", "pro", "flash", "lite"),
    [
        ("none", 128, 0, 0),
        ("minimal", 1024, 1024, 1024),
        ("low", 1024, 1024, 1024),
        ("medium", 8192, 8192, 8192),
        ("high", 24576, 24576, 24576),
        ("max", 32768, 24576, 24576),
    ],
)
def test_effort_becomes_a_budget(effort: Effort, pro: int, flash: int, lite: int) -> None:
    reasoning = Reasoning(effort=effort)
    assert [settings(reasoning, thinking).budget for thinking in (PRO, FLASH, LITE)] == [pro, flash, lite]
    assert settings(reasoning, PRO).level is None


@pytest.mark.parametrize(
    ("effort", "all_levels", "no_minimal", "low_high", "minimal_high"),
    [
        ("none", "minimal", "low", "low", "minimal"),
        ("minimal", "minimal", "low", "low", "minimal"),
        ("low", "low", "low", "low", "minimal"),
        ("medium", "medium", "medium", "high", "high"),
        ("high", "high", "high", "high", "high"),
        ("max", "high", "high", "high", "high"),
    ],
)
def test_effort_becomes_a_level(
    effort: Effort, all_levels: str, no_minimal: str, low_high: str, minimal_high: str
) -> None:
    reasoning = Reasoning(effort=effort)
    found = [settings(reasoning, thinking).level for thinking in (ALL_LEVELS, NO_MINIMAL, LOW_HIGH, MINIMAL_HIGH)]
    assert found == [all_levels, no_minimal, low_high, minimal_high]
    assert settings(reasoning, ALL_LEVELS).budget is None


@pytest.mark.parametrize(
    ("tokens", "pro", "flash", "lite"),
    [
        (-1, -1, -1, -1),
        (0, 128, 0, 0),
        (1, 128, 1, 512),
        (4096, 4096, 4096, 4096),
        (1_000_000, 32768, 24576, 24576),
    ],
)
def test_a_budget_is_fitted_into_the_range(tokens: int, pro: int, flash: int, lite: int) -> None:
    reasoning = Reasoning(budget_tokens=tokens)
    assert [settings(reasoning, thinking).budget for thinking in (PRO, FLASH, LITE)] == [pro, flash, lite]


@pytest.mark.parametrize(
    ("tokens", "all_levels", "no_minimal"),
    [
        (-1, None, None),
        (0, "minimal", "low"),
        (999, "minimal", "low"),
        (1_024, "low", "low"),
        (2_000, "medium", "medium"),
        (12_000, "medium", "medium"),
        (12_001, "high", "high"),
        (64_000, "high", "high"),
    ],
)
def test_a_budget_becomes_a_level(tokens: int, all_levels: str | None, no_minimal: str | None) -> None:
    reasoning = Reasoning(budget_tokens=tokens)
    assert settings(reasoning, ALL_LEVELS) == ThinkingSettings(
        level=all_levels,  # type: ignore[arg-type]
        include_thoughts=False if tokens == 0 else None,
    )
    assert settings(reasoning, NO_MINIMAL).level == no_minimal


@pytest.mark.parametrize("shown", [True, False])
@pytest.mark.parametrize("thinking", [PRO, FLASH, ALL_LEVELS])
def test_showing_thoughts_is_independent_of_their_amount(thinking: Thinking, shown: bool) -> None:
    found, dropped = thinking_settings(Reasoning(include_thoughts=shown), thinking)
    assert found == ThinkingSettings(include_thoughts=shown)
    assert dropped == ()
    assert settings(Reasoning(effort="low", include_thoughts=shown), thinking).include_thoughts is shown


@pytest.mark.parametrize("thinking", [PRO, ALL_LEVELS, NO_MINIMAL])
@pytest.mark.parametrize(
    ("reasoning", "path"),
    [
        (Reasoning(effort="none", include_thoughts=True), "reasoning.effort"),
        (Reasoning(budget_tokens=0, include_thoughts=True), "reasoning.budget_tokens"),
    ],
)
def test_off_where_there_is_no_off_is_the_least_hidden_and_reported(
    thinking: Thinking, reasoning: Reasoning, path: str
) -> None:
    found, dropped = thinking_settings(reasoning, thinking)
    assert found.include_thoughts is False
    assert found.budget in (None, 128)
    assert found.level in (None, "minimal", "low")
    assert dropped == (path,)


@pytest.mark.parametrize("reasoning", [Reasoning(effort="none"), Reasoning(budget_tokens=0, include_thoughts=True)])
def test_off_where_it_can_be_is_no_loss(reasoning: Reasoning) -> None:
    assert thinking_settings(reasoning, FLASH) == (ThinkingSettings(budget=0, include_thoughts=False), ())


def test_a_model_without_thinking_is_sent_nothing_and_all_wishes_are_reported() -> None:
    assert thinking_settings(Reasoning(effort="high", include_thoughts=True), Thinking()) == (
        ThinkingSettings(),
        ("reasoning.effort", "reasoning.include_thoughts"),
    )
    assert thinking_settings(Reasoning(budget_tokens=0), Thinking())[1] == (), (
        "who wants no thoughts has what they want"
    )


@pytest.mark.parametrize("thinking", EVERY)
@pytest.mark.parametrize("effort", ["none", "minimal", "low", "medium", "high", "max"])
def test_budget_and_level_never_go_together(thinking: Thinking, effort: Effort) -> None:
    found = settings(Reasoning(effort=effort), thinking)
    assert found.budget is None or found.level is None


# ── small limits ──


@pytest.mark.parametrize(
    ("thinking", "budget", "level"),
    [
        (PRO, 128, None),
        (FLASH, 0, None),
        (LITE, 0, None),
        (ALL_LEVELS, None, "minimal"),
        (NO_MINIMAL, None, "low"),
        (LOW_HIGH, None, "low"),
        (Thinking(), None, None),
    ],
)
@pytest.mark.parametrize("limit", [1, 1_023])
def test_a_small_limit_leaves_the_least_to_thinking(
    thinking: Thinking, budget: int | None, level: str | None, limit: int
) -> None:
    """Acceptance 31: otherwise the answer is empty, and billed."""
    assert thinking_settings(Reasoning(), thinking, limit) == (ThinkingSettings(budget=budget, level=level), ())  # type: ignore[arg-type]


@pytest.mark.parametrize("thinking", EVERY)
def test_a_limit_that_leaves_room_changes_nothing(thinking: Thinking) -> None:
    assert thinking_settings(Reasoning(), thinking, 1_024) == (ThinkingSettings(), ())


@pytest.mark.parametrize("thinking", EVERY)
@pytest.mark.parametrize("reasoning", [Reasoning(effort="high"), Reasoning(budget_tokens=5_000)])
def test_a_wish_about_thinking_outweighs_a_small_limit(thinking: Thinking, reasoning: Reasoning) -> None:
    assert thinking_settings(reasoning, thinking, 10) == thinking_settings(reasoning, thinking)


def test_to_show_thoughts_switches_thinking_on_where_it_starts_off() -> None:
    """The API refuses to show thoughts of a model that does not think."""
    shown = Reasoning(include_thoughts=True)
    assert settings(shown, LITE) == ThinkingSettings(budget=-1, include_thoughts=True)
    assert settings(shown, FLASH) == ThinkingSettings(include_thoughts=True)
    for other in (Reasoning(include_thoughts=False), Reasoning()):
        assert settings(other, LITE).budget is None
    assert settings(Reasoning(include_thoughts=True, budget_tokens=600), LITE).budget == 600


def test_thoughts_that_shall_be_shown_must_exist() -> None:
    shown = Reasoning(include_thoughts=True)
    found = [thinking_settings(shown, thinking, 10)[0] for thinking in (PRO, FLASH, LITE, NO_MINIMAL)]
    assert [(each.budget, each.level) for each in found] == [(128, None), (128, None), (512, None), (None, "low")]
    assert all(each.include_thoughts for each in found)
    hidden = thinking_settings(Reasoning(include_thoughts=False), FLASH, 10)[0]
    assert hidden == ThinkingSettings(budget=0, include_thoughts=False)
    assert thinking_settings(shown, Thinking(), 10)[1] == ("reasoning.include_thoughts",)


# ── every family of the catalogue ──

FAMILIES = {name: abilities.thinking for name, abilities in read().families.items()}
WISHES = [
    Reasoning(),
    *(Reasoning(effort=effort) for effort in get_args(Effort)),
    *(Reasoning(budget_tokens=tokens) for tokens in (-1, 0, 1, 127, 511, 1_024, 8_192, 32_768, 10**6)),
]


@pytest.mark.parametrize("family", FAMILIES)
def test_every_wish_is_legal_for_every_family(family: str) -> None:
    """Acceptance 31: never both, in range, a level that exists, nothing for who takes nothing."""
    thinking = FAMILIES[family]
    for wish in WISHES:
        for shown in (None, True, False):
            for limit in (None, 1, 1_024):
                reasoning = Reasoning(effort=wish.effort, budget_tokens=wish.budget_tokens, include_thoughts=shown)
                check_legal(thinking_settings(reasoning, thinking, limit)[0], thinking)


def check_legal(found: ThinkingSettings, thinking: Thinking) -> None:
    if thinking.control == "none":
        assert found == ThinkingSettings()
    if thinking.control != "level":
        assert found.level is None
    if thinking.control != "budget":
        assert found.budget is None
    assert found.level is None or found.level in thinking.levels
    if found.budget == 0:
        assert thinking.can_disable and not found.include_thoughts
    elif found.budget not in (None, -1):
        assert thinking.min_tokens <= (found.budget or 0) <= thinking.max_tokens


def test_the_families_hold_every_way_of_control() -> None:
    assert {thinking.control for thinking in FAMILIES.values()} == {"none", "budget", "level"}
