"""Names that stand for others: by pattern, behind a prefix, and Claude's own."""

from datetime import date

import pytest

from gemgate.catalog.aliases import patterns, strongest
from gemgate.catalog.catalog import LONGEST_NAME, Catalog
from gemgate.hub.call import Reasoning

TODAY = date(2026, 11, 21)
PRO, FLASH, LITE = "gemini-3.1-pro-preview", "gemini-3.8-flash", "gemini-3.5-flash-lite"


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog.load()


def led(name: str, **aliases: str) -> str:
    return Catalog.load({"aliases": aliases}).route(name, TODAY).model


class TestPatterns:
    @pytest.mark.parametrize(
        ("text", "held", "others"),
        [
            ("a*", ["a", "ab", "a*", "a\nb"], ["", "ba"]),
            ("*a", ["a", "ba"], ["ab"]),
            ("a*a", ["aa", "aba"], ["a", "ab"]),
            ("*", ["", "a"], []),
            ("**", ["", "a"], []),
            ("a*b*c", ["abc", "axbxc", "abbc"], ["ac", "acb", "ab", "bc"]),
            ("a*bc*c", ["abcc", "abcbc"], ["abc"]),
            ("a.[b]?*", ["a.[b]?", "a.[b]?c"], ["axb", "axbyc"]),
        ],
    )
    def test_a_star_is_any_run_of_characters(self, text: str, held: list[str], others: list[str]) -> None:
        [pattern] = patterns({text: "m"}, ())
        assert [name for name in (*held, *others) if pattern.holds(name)] == held

    def test_the_strongest_first(self) -> None:
        found = patterns({"b*": "1", "a*": "2", "*bb*": "3", "own*": "4", "z*": "5", "whole": "6"}, {"z*", "own*"})
        assert [pattern.text for pattern in found] == ["own*", "z*", "*bb*", "a*", "b*"]
        assert [strongest(found, name, {"b*"}) for name in ("bb", "b", "owner")] == [found[2], None, found[0]]

    def test_many_stars_take_no_longer_than_the_name(self) -> None:
        """A pattern that goes back over its tracks would not come to an end here."""
        [pattern] = patterns({"*a" * 60 + "*b": "m"}, ())
        assert not pattern.holds("a" * LONGEST_NAME)


class TestOperators:
    def test_a_whole_name_wins_over_a_pattern(self) -> None:
        assert led("fast-1", **{"fast-*": PRO, "fast-1": LITE}) == LITE

    def test_the_most_literal_wins_whatever_the_order(self) -> None:
        assert led("fast-12", **{"*": PRO, "fast-1*": LITE, "fast-*": FLASH}) == LITE

    @pytest.mark.parametrize("model", [LITE, "gemini-9-ultra", "my-own", f"{LITE}-search", "my-own-search"])
    def test_a_pattern_for_the_rest_takes_nothing_else(self, model: str) -> None:
        aliases = {"*": PRO, "fast-*": model, "quick": model}
        catalog = Catalog.load({"aliases": aliases, "models": {"my-own": {}}})
        for name in ("fast-1", "quick", "quick-thinking"):
            target = catalog.route(name, TODAY)
            assert (target.model, target.web_search) == (model.removesuffix("-search"), model.endswith("-search"))
        assert catalog.route("anything", TODAY).model == catalog.route(FLASH, TODAY).model == PRO

    def test_theirs_win_over_built_in_ones(self) -> None:
        assert led("claude-opus-4-8", **{"claude-*": LITE}) == LITE

    def test_theirs_may_replace_a_built_in_one_or_take_it_away(self) -> None:
        assert led("claude-haiku-4-5", **{"*claude-*haiku*": PRO}) == PRO
        assert led("claude-haiku-4-5", **{"*claude-*haiku*": ""}) == FLASH

    def test_theirs_may_lead_to_built_in_ones(self) -> None:
        assert led("gpt-5", **{"gpt-*": "claude-haiku-4-5"}) == LITE
        assert led("claude-sonnet-5", **{"claude-*": "claude-haiku-4-5"}) == LITE
        assert led("quick", quick="claude-haiku-4-5") == LITE

    def test_a_pattern_goes_before_a_row(self) -> None:
        assert led("gemini-2.5-pro", **{"gemini-2.5-*": "gemini-4-argon"}) == "gemini-4-argon"

    def test_a_pattern_may_hold_what_it_leads_to(self) -> None:
        assert led("anything", **{"*": FLASH}) == led(FLASH, **{"*": FLASH}) == FLASH

    @pytest.mark.parametrize("name", ["a", "b", "a-search", "b" * LONGEST_NAME, "a" + "-search" * 28])
    def test_patterns_that_lead_to_each_other_come_to_an_end(self, name: str) -> None:
        catalog = Catalog.load({"aliases": {"a*": "b1-thinking", "b*": "a1-search", "*1*": "ab"}})
        assert catalog.route(name, TODAY).model

    def test_a_pattern_may_lead_to_an_unknown_name(self) -> None:
        target = Catalog.load({"aliases": {"claude-*": "gemini-9-ultra"}}).route("claude-opus-4-8-search", TODAY)
        assert (target.model, target.web_search) == ("gemini-9-ultra", True)

    def test_a_pattern_that_ends_with_a_suffix_has_it_for_itself(self) -> None:
        catalog = Catalog.load({"aliases": {"*-thinking": PRO, "x*": FLASH}})
        mine = catalog.route("gemini-2.5-flash-thinking", TODAY)
        assert (mine.model, mine.reasoning) == (PRO, None)
        other = catalog.route("x-search", TODAY)
        assert (other.model, other.web_search) == (FLASH, True)

    def test_a_row_that_ends_like_a_suffix_is_looked_up_whole(self) -> None:
        target = Catalog.load({"aliases": {"gemini-3.8-*": PRO}}).route("gemini-3.8-live-extended-thinking", TODAY)
        assert (target.model, target.reasoning) == (PRO, None)


class TestClaudesNames:
    @pytest.mark.parametrize(
        ("name", "model"),
        [
            ("claude-opus-4-8", PRO),
            ("claude-3-opus-20240229", PRO),
            ("claude-opus-4-8[1m]", PRO),
            ("claude-fable-5", PRO),
            ("claude-mythos-preview", PRO),
            ("claude-sonnet-5", FLASH),
            ("claude-sonnet-4-5@20250929", FLASH),
            ("us.anthropic.claude-sonnet-4-5-20250929-v1:0", FLASH),
            ("claude-instant-1.2", FLASH),
            ("claude-nobody-knows-me", FLASH),
            ("claude-haiku-4-5", LITE),
            ("claude-3-5-haiku-latest", LITE),
            ("anthropic/claude-haiku-4.5", LITE),
            ("openrouter/anthropic/claude-haiku-4.5", LITE),
        ],
    )
    def test_lead_somewhere(self, catalog: Catalog, name: str, model: str) -> None:
        target = catalog.route(name, TODAY)
        assert (target.asked, target.model) == (name.removeprefix("anthropic/"), model)
        assert target.abilities == catalog.abilities(model)

    def test_all_lead_to_models_that_are_there_to_stay(self, catalog: Catalog) -> None:
        current = {row.name: row for row in catalog.chat_models(TODAY)}
        assert catalog._data.patterns
        for pattern in catalog._data.patterns:
            assert current[pattern.model].retires_on is None

    @pytest.mark.parametrize("window", ["", "[1m]"])
    def test_suffixes_act(self, catalog: Catalog, window: str) -> None:
        target = catalog.route(f"claude-opus-4-8-thinking-high-search{window}", TODAY)
        assert (target.model, target.web_search) == (PRO, True)
        assert target.reasoning == Reasoning(effort="high", include_thoughts=True)
        assert catalog.route("claude-haiku-4-5-file", TODAY).by_url

    def test_an_alias_may_have_a_window_of_its_own(self) -> None:
        aliases = {"claude-opus-4-8[1m]": "gemini-4-argon"}
        assert led("claude-opus-4-8[1m]", **aliases) == "gemini-4-argon"
        assert led("claude-opus-4-8", **aliases) == PRO


class TestDisguise:
    @pytest.mark.parametrize("prefix", ["", "models/", "anthropic/"])
    @pytest.mark.parametrize("name", [FLASH, PRO, "nano-banana-pro-preview", "gemini-9-ultra", "gemma-3-27b-it"])
    def test_every_model_has_a_second_name(self, catalog: Catalog, name: str, prefix: str) -> None:
        target = catalog.route(prefix + catalog.disguised(name), TODAY)
        assert (target.asked, target.model) == (f"claude-{name}", name)
        assert target.family == catalog.route(name, TODAY).family

    def test_so_has_every_row(self, catalog: Catalog) -> None:
        for row in catalog:
            second = catalog.route(catalog.disguised(row.name), TODAY)
            assert second.model == catalog.route(row.name, TODAY).model

    def test_suffixes_act(self, catalog: Catalog) -> None:
        target = catalog.route(f"claude-{FLASH}-nothinking-search[1m]", TODAY)
        assert (target.model, target.web_search) == (FLASH, True)
        assert target.reasoning == Reasoning(effort="none", include_thoughts=False)

    def test_a_window_is_cut_from_unknown_names_too(self, catalog: Catalog) -> None:
        assert catalog.route("claude-gemini-9-ultra[1m]", TODAY).model == "gemini-9-ultra"
        assert catalog.route("[1m]", TODAY).model == "[1m]"

    def test_nothing_is_cut_from_a_row_that_ends_like_a_suffix(self, catalog: Catalog) -> None:
        target = catalog.route("claude-gemini-3.8-live-extended-thinking", TODAY)
        assert (target.model, target.reasoning) == ("gemini-3.8-live-extended-thinking", None)

    def test_operators_names_have_one_too(self) -> None:
        assert led("claude-fast", fast=PRO) == PRO
        mine = Catalog.load({"models": {"my-own": {}}}).route("claude-my-own-search", TODAY)
        assert (mine.model, mine.web_search) == ("my-own", True)

    def test_patterns_see_the_name_behind_it(self) -> None:
        aliases = {"claude-*": LITE, "gemini-2.5-*": PRO}
        assert led(f"claude-{FLASH}", **aliases) == FLASH
        assert led("claude-gemini-2.5-flash", **aliases) == PRO

    def test_a_whole_alias_goes_before_it(self) -> None:
        assert led(f"claude-{FLASH}", **{f"claude-{FLASH}": PRO}) == PRO


class TestTalking:
    @pytest.mark.parametrize(
        ("name", "talks"),
        [
            (FLASH, True),
            ("gemini-9-ultra", True),
            ("gemini-omni-1.1-flash", True),
            ("gemini-2.5-flash-preview-tts", False),
            ("gemini-9-flash-tts", False),
            ("gemini-2.5-flash-image", False),
            ("gemini-9-flash-image", False),
            ("gemini-3.5-transcribe", False),
            ("text-embedding-999", False),
            ("veo-9", False),
        ],
    )
    def test_who_is_there_to_talk_with(self, catalog: Catalog, name: str, talks: bool) -> None:
        assert catalog.chats(name) == talks
