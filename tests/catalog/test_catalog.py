import re
import time
from datetime import date
from pathlib import Path
from typing import Any

import pytest

import gemgate
from gemgate.catalog.catalog import LONGEST_NAME, REMEMBERED_ROUTES, Catalog
from gemgate.errors import SettingsError
from gemgate.hub.call import Reasoning

TODAY = date(2026, 11, 21)
AFTER_THE_SWITCH = date(2026, 12, 1)


@pytest.fixture(scope="module")
def catalog() -> Catalog:
    return Catalog.load()


class TestData:
    def test_every_row_of_the_source_is_there(self, catalog: Catalog) -> None:
        assert len(catalog) == 115
        assert all(row.methods for row in catalog)

    def test_every_successor_is_a_row_and_no_chain_is_a_circle(self, catalog: Catalog) -> None:
        for row in catalog:
            seen = {row.name}
            while row.successor:
                successor = catalog.model(row.successor)
                assert successor is not None
                assert successor.name not in seen
                seen.add(successor.name)
                row = successor

    def test_a_successor_is_of_the_same_kind(self, catalog: Catalog) -> None:
        for row in catalog:
            if row.successor:
                successor = catalog.model(row.successor)
                assert successor is not None
                assert successor.kind == row.kind, row.name

    def test_no_chain_ends_at_a_model_of_another_platform(self, catalog: Catalog) -> None:
        for row in catalog:
            if row.successor:
                assert catalog.route(row.name, date(2030, 1, 1)).model
                end = catalog.model(catalog.route(row.name, date(2030, 1, 1)).model)
                assert end is not None
                assert end.platform is None

    def test_embeddings_have_no_successor(self, catalog: Catalog) -> None:
        assert all(row.successor is None for row in catalog if row.kind == "embedding")
        assert catalog.route("text-embedding-004", TODAY).model == "text-embedding-004"

    def test_every_current_chat_model_has_a_price(self, catalog: Catalog) -> None:
        for row in catalog.chat_models(TODAY):
            assert row.price is not None, row.name
            assert row.price.input_usd_per_mtok, row.name
            assert row.price.output_usd_per_mtok, row.name

    def test_no_model_name_stands_in_python(self) -> None:
        root = Path(gemgate.__file__).parent
        offenders = [file for file in root.rglob("*.py") if re.search(r"gemini-\d", file.read_text(encoding="utf-8"))]
        assert offenders == []

    def test_loading_is_quick(self) -> None:
        def load() -> float:
            start = time.process_time()
            Catalog.load()
            return time.process_time() - start

        # 8 to 10 ms on a quiet machine; the rest is for busy ones.
        assert min(load() for _ in range(5)) < 0.05

    def test_a_price_changes_on_its_day(self, catalog: Catalog) -> None:
        row = catalog.model("gemini-3.8-flash")
        assert row is not None
        before, after = row.price_on(date(2026, 12, 31)), row.price_on(date(2027, 1, 1))
        assert before is not None
        assert after is not None
        assert (before.input_usd_per_mtok, before.output_usd_per_mtok) == (0.75, 3.75)
        assert (after.input_usd_per_mtok, after.output_usd_per_mtok) == (1.5, 7.5)
        assert after.google_search_usd_per_query == before.google_search_usd_per_query

    def test_the_price_of_argon_doubles_in_december(self, catalog: Catalog) -> None:
        row = catalog.model("gemini-4-argon")
        assert row is not None
        price = row.price_on(AFTER_THE_SWITCH)
        assert price is not None
        assert (price.input_usd_per_mtok, price.output_usd_per_mtok) == (4, 20)


class TestListing:
    def test_lists_current_chat_models_by_name(self, catalog: Catalog) -> None:
        names = [row.name for row in catalog.chat_models(TODAY)]
        assert names == sorted(names)
        assert {"gemini-2.5-pro", "gemini-3.8-flash", "gemini-4-argon"} <= set(names)

    @pytest.mark.parametrize(
        "name",
        ["gemini-2.0-flash", "gemini-1.5-pro", "gemini-3.8-flash-tts", "gemini-2.5-flash-image", "gemini-3.8-live"],
    )
    def test_leaves_out_the_retired_and_other_kinds(self, catalog: Catalog, name: str) -> None:
        assert name not in {row.name for row in catalog.chat_models(TODAY)}

    def test_leaves_out_what_only_another_platform_offers(self, catalog: Catalog) -> None:
        assert "gemini-3.8-flash-cyber" not in {row.name for row in catalog.chat_models(TODAY)}

    def test_a_model_leaves_the_list_on_the_day_it_retires(self, catalog: Catalog) -> None:
        assert "gemini-2.5-pro" not in {row.name for row in catalog.chat_models(AFTER_THE_SWITCH)}

    def test_finds_a_row_by_its_exact_name_only(self, catalog: Catalog) -> None:
        row = catalog.model("models/gemini-2.5-pro")
        assert row is not None
        assert row.name == "gemini-2.5-pro"
        assert catalog.model("gemini-2.5-pro-thinking") is None


class TestNames:
    @pytest.mark.parametrize(
        "name", ["gemini-3.8-flash", "models/gemini-3.8-flash", "google/gemini-3.8-flash", "gemini/gemini-3.8-flash"]
    )
    def test_prefixes_are_taken_off(self, catalog: Catalog, name: str) -> None:
        target = catalog.route(name, TODAY)
        assert (target.asked, target.model) == ("gemini-3.8-flash", "gemini-3.8-flash")

    def test_unknown_names_go_upstream_unchanged(self, catalog: Catalog) -> None:
        target = catalog.route("llama-4-scout", TODAY)
        assert target.model == target.asked == "llama-4-scout"
        assert target.successor is None

    def test_an_unknown_name_has_the_abilities_of_its_family(self, catalog: Catalog) -> None:
        target = catalog.route("gemini-2.5-pro-2027", TODAY)
        assert target.abilities == catalog.abilities("gemini-2.5-pro")

    def test_a_name_of_no_family_has_the_abilities_of_the_newest(self, catalog: Catalog) -> None:
        assert catalog.route("llama-4-scout", TODAY).abilities == catalog.abilities("gemini-3.8-flash")

    def test_a_family_ends_where_a_segment_ends(self, catalog: Catalog) -> None:
        assert catalog.abilities("gemini-2.5-flashy") == catalog.abilities("gemini-2.5")
        assert catalog.abilities("gemini-2.5-flashy") != catalog.abilities("gemini-2.5-flash")

    @pytest.mark.parametrize(
        ("name", "output"),
        [
            ("gemini-3.9-flash-image", ("text", "image")),
            ("gemini-2.5-flash-preview-tts", ("audio",)),
            ("gemini-4-pro-tts", ("audio",)),
            ("gemini-3.8-live-extended-thinking", ("text", "audio")),
        ],
    )
    def test_what_a_name_makes_decides_before_its_generation(
        self, catalog: Catalog, name: str, output: tuple[str, ...]
    ) -> None:
        assert catalog.abilities(name).output == output

    @pytest.mark.parametrize("name", ["model-{}", "claude-opus-{}", "claude-gemini-3.8-flash-thinking-{}[1m]"])
    def test_remembered_routes_are_bounded(self, name: str) -> None:
        catalog = Catalog.load()
        for number in range(REMEMBERED_ROUTES + 100):
            catalog.route(name.format(number), TODAY)
        assert catalog._remembered.cache_info().currsize == REMEMBERED_ROUTES

    def test_an_overlong_name_is_not_looked_into(self) -> None:
        catalog = Catalog.load()
        name = "gemini-3.8-flash" + "-search" * LONGEST_NAME
        assert catalog.route(name, TODAY).model == name
        assert catalog._remembered.cache_info().currsize == 0


class TestTargets:
    @pytest.mark.parametrize(
        ("name", "family"),
        [
            ("gemini-2.5-flash", "gemini-2.5-flash"),
            ("gemini-2.5-flash-thinking-search", "gemini-2.5-flash"),
            ("models/gemini-2.5-flash", "gemini-2.5-flash"),
        ],
    )
    def test_the_family_is_that_of_the_model(self, catalog: Catalog, name: str, family: str) -> None:
        target = catalog.route(name, TODAY)
        assert target.family == family
        assert target.abilities == catalog.abilities(target.model)

    def test_every_row_has_the_abilities_of_its_family(self, catalog: Catalog) -> None:
        """What one has signed another of its family understands, so the name of the family must say the same."""
        families: dict[str, object] = {}
        for row in catalog:
            target = catalog.route(row.name, date(2020, 1, 1))
            assert target.family
            assert families.setdefault(target.family, target.abilities) == target.abilities, row.name

    def test_the_family_is_that_of_the_successor(self, catalog: Catalog) -> None:
        target = catalog.route("gemini-2.0-flash", TODAY)
        assert target.family == catalog.route(target.model, TODAY).family != "gemini-2.0-flash"

    @pytest.mark.parametrize("name", ["nobody-knows-me", "x" * (LONGEST_NAME + 1)])
    def test_a_name_of_no_family_is_of_the_newest(self, catalog: Catalog, name: str) -> None:
        newest = catalog.route(catalog.newest_chat_model(TODAY), TODAY)
        target = catalog.route(name, TODAY)
        assert (target.family, target.max_output_tokens) == (newest.family, None)

    def test_how_long_an_answer_may_be_is_what_the_models_row_says(self, catalog: Catalog) -> None:
        for row in catalog:
            assert catalog.route(row.name, date(2020, 1, 1)).max_output_tokens == row.max_output_tokens, row.name
        assert catalog.route("gemini-2.5-flash-nothinking", TODAY).max_output_tokens == 65536

    def test_an_operator_may_bound_it(self) -> None:
        catalog = Catalog.load({"models": {"gemini-2.5-flash": {"max_output_tokens": 100}}})
        assert catalog.route("gemini-2.5-flash", TODAY).max_output_tokens == 100


class TestAbilities:
    @pytest.mark.parametrize(
        ("name", "least", "most", "default", "can_disable"),
        [
            ("gemini-2.5-pro", 128, 32768, -1, False),
            ("gemini-2.5-flash", 0, 24576, -1, True),
            ("gemini-2.5-flash-lite", 512, 24576, 0, True),
        ],
    )
    def test_budget_models(
        self, catalog: Catalog, name: str, least: int, most: int, default: int, can_disable: bool
    ) -> None:
        thinking = catalog.abilities(name).thinking
        assert thinking.control == "budget"
        assert (thinking.min_tokens, thinking.max_tokens, thinking.default) == (least, most, default)
        assert thinking.can_disable == can_disable

    @pytest.mark.parametrize(
        ("name", "levels", "default"),
        [
            ("gemini-3-pro-preview", "low high", "high"),
            ("gemini-3-flash-preview", "minimal low medium high", "high"),
            ("gemini-3.1-pro-preview-customtools", "low medium high", "high"),
            ("gemini-3.1-flash-lite", "minimal low medium high", "minimal"),
            ("gemini-3.5-flash", "minimal low medium high", "medium"),
            ("gemini-3.5-flash-lite", "minimal low medium high", "minimal"),
            ("gemini-3.6-flash", "minimal low medium high", "medium"),
            ("gemini-3.7-flash", "low medium high", "medium"),
            ("gemini-3.8-flash", "low medium high", "medium"),
            ("gemini-4-argon", "low medium high", "medium"),
            ("gemini-4-argon-cyber-permissive", "low medium high", "high"),
            ("gemini-flash-latest", "low medium high", "medium"),
            ("gemini-3-pro-image", "low high", "high"),
            ("gemini-3.1-flash-image", "minimal high", "minimal"),
        ],
    )
    def test_level_models(self, catalog: Catalog, name: str, levels: str, default: str) -> None:
        thinking = catalog.abilities(name).thinking
        assert (thinking.control, thinking.levels, thinking.default) == ("level", tuple(levels.split()), default)
        assert not thinking.can_disable

    @pytest.mark.parametrize(
        "name",
        [
            "gemini-1.5-pro",
            "gemini-2.0-flash-001",
            "gemini-2.5-flash-image",
            "gemini-2.5-pro-preview-tts",
            "imagen-4.0-x",
        ],
    )
    def test_models_that_take_no_thinking_settings(self, catalog: Catalog, name: str) -> None:
        assert catalog.abilities(name).thinking.control == "none"

    @pytest.mark.parametrize(
        "name", ["gemini-3.5-flash-lite", "gemini-3.6-flash", "gemini-3.8-flash", "gemini-4-argon"]
    )
    def test_the_newest_ignore_sampling_and_refuse_prefill(self, catalog: Catalog, name: str) -> None:
        abilities = catalog.abilities(name)
        assert (abilities.sampling, abilities.prefill, abilities.penalties) == (False, False, False)
        assert abilities.signatures

    @pytest.mark.parametrize("name", ["gemini-2.5-flash", "gemini-3.5-flash", "gemini-3.1-pro-preview"])
    def test_the_others_honour_both(self, catalog: Catalog, name: str) -> None:
        assert catalog.abilities(name).sampling
        assert catalog.abilities(name).prefill

    @pytest.mark.parametrize(("name", "able"), [("gemini-2.5-pro", False), ("gemini-3-flash-preview", True)])
    def test_tools_of_the_third_generation(self, catalog: Catalog, name: str, able: bool) -> None:
        abilities = catalog.abilities(name)
        assert abilities.builtins_with_functions == able
        assert abilities.json_with_tools == able
        assert abilities.media_in_results == able
        assert abilities.signatures == able


class TestSuffixes:
    @pytest.mark.parametrize(
        ("suffix", "reasoning"),
        [
            ("-thinking", Reasoning(include_thoughts=True)),
            ("-thinking-8192", Reasoning(budget_tokens=8192, include_thoughts=True)),
            ("-thinking-minimal", Reasoning(effort="minimal", include_thoughts=True)),
            ("-thinking-low", Reasoning(effort="low", include_thoughts=True)),
            ("-thinking-medium", Reasoning(effort="medium", include_thoughts=True)),
            ("-thinking-high", Reasoning(effort="high", include_thoughts=True)),
            ("-maxthinking", Reasoning(effort="max", include_thoughts=True)),
            ("-nothinking", Reasoning(effort="none", include_thoughts=False)),
        ],
    )
    @pytest.mark.parametrize("base", ["gemini-2.5-pro", "gemini-3.5-flash-lite"])
    def test_thinking(self, catalog: Catalog, base: str, suffix: str, reasoning: Reasoning) -> None:
        target = catalog.route(base + suffix, TODAY)
        assert (target.asked, target.model, target.reasoning) == (base + suffix, base, reasoning)

    def test_thinking_switches_on_what_is_off_by_default(self, catalog: Catalog) -> None:
        target = catalog.route("gemini-2.5-flash-lite-thinking", TODAY)
        assert target.reasoning == Reasoning(budget_tokens=-1, include_thoughts=True)

    def test_search_and_file(self, catalog: Catalog) -> None:
        assert catalog.route("gemini-3.8-flash-search", TODAY).web_search
        assert catalog.route("gemini-3.8-flash-file", TODAY).by_url
        plain = catalog.route("gemini-3.8-flash", TODAY)
        assert (plain.web_search, plain.by_url, plain.reasoning) == (False, False, None)

    @pytest.mark.parametrize("suffixes", ["-thinking-low-search-file", "-file-search-thinking-low"])
    def test_in_any_order(self, catalog: Catalog, suffixes: str) -> None:
        target = catalog.route("gemini-3.8-flash" + suffixes, TODAY)
        assert target.model == "gemini-3.8-flash"
        assert target.web_search
        assert target.by_url
        assert target.reasoning == Reasoning(effort="low", include_thoughts=True)

    @pytest.mark.parametrize(
        "name",
        ["gemini-3.8-live-extended-thinking", "gemini-2.0-flash-thinking-exp-1219", "mystery-thinking", "-thinking"],
    )
    def test_nothing_is_cut_from_names_that_really_end_so(self, catalog: Catalog, name: str) -> None:
        target = catalog.route(name, TODAY)
        assert (target.model, target.reasoning) == (name, None)

    def test_a_known_name_that_ends_so_is_looked_up_whole(self, catalog: Catalog) -> None:
        assert (
            catalog.route("gemini-2.0-flash-thinking-exp", date(2026, 5, 31)).model == "gemini-2.0-flash-thinking-exp"
        )

    def test_a_suffix_is_read_in_the_terms_of_the_successor(self, catalog: Catalog) -> None:
        target = catalog.route("gemini-3-pro-preview-file", TODAY)
        assert (target.model, target.by_url) == ("gemini-3.1-pro-preview", True)


class TestRetirement:
    @pytest.mark.parametrize(
        ("name", "successor"),
        [
            ("gemini-2.0-flash", "gemini-3.5-flash-lite"),
            ("gemini-2.0-flash-001", "gemini-3.5-flash-lite"),
            ("gemini-2.0-flash-exp", "gemini-3.5-flash-lite"),
            ("gemini-2.0-flash-lite", "gemini-3.5-flash-lite"),
            ("gemini-2.0-flash-preview-image-generation", "gemini-2.5-flash-image"),
            ("gemini-2.0-flash-exp-image-generation", "gemini-2.5-flash-image"),
            ("gemini-2.5-flash-image-preview", "gemini-2.5-flash-image"),
            ("gemini-2.5-flash-preview-05-20", "gemini-2.5-flash"),
            ("gemini-2.5-flash-lite-preview-06-17", "gemini-2.5-flash-lite"),
            ("gemini-2.5-pro-exp-03-25", "gemini-2.5-pro"),
            ("gemini-3-pro-preview", "gemini-3.1-pro-preview"),
            ("gemini-3.1-flash-lite-preview", "gemini-3.1-flash-lite"),
            ("veo-3.0-generate-001", "veo-3.1-generate-001"),
            ("veo-3.0-fast-generate-001", "veo-3.1-fast-generate-001"),
        ],
    )
    def test_the_successor_takes_over(self, catalog: Catalog, name: str, successor: str) -> None:
        target = catalog.route(name, TODAY)
        assert (target.asked, target.model) == (name, successor)
        assert target.abilities == catalog.abilities(successor)

    @pytest.mark.parametrize(
        ("name", "last", "successor"),
        [
            ("gemini-2.0-flash", date(2026, 5, 31), "gemini-3.5-flash-lite"),
            ("gemini-2.5-pro", date(2026, 11, 30), "gemini-3.8-flash"),
            ("gemini-2.5-flash", date(2026, 11, 30), "gemini-3.5-flash-lite"),
            ("gemini-2.5-flash-preview-tts", date(2026, 12, 17), "gemini-3.8-flash-lite-tts"),
            ("gemini-2.5-pro-preview-tts", date(2026, 12, 17), "gemini-3.8-flash-tts"),
            ("gemini-3.1-flash-tts-preview", date(2026, 12, 17), "gemini-3.8-flash-lite-tts"),
        ],
    )
    def test_not_before_its_day(self, catalog: Catalog, name: str, last: date, successor: str) -> None:
        before = catalog.route(name, last)
        after = catalog.route(name, date.fromordinal(last.toordinal() + 1))
        assert (before.model, before.successor) == (name, successor)
        assert (after.model, after.successor) == (successor, None)

    def test_chains_are_followed(self, catalog: Catalog) -> None:
        early = catalog.route("gemini-2.5-flash-preview-05-20", TODAY)
        assert (early.model, early.successor) == ("gemini-2.5-flash", "gemini-3.5-flash-lite")
        late = catalog.route("gemini-2.5-flash-preview-05-20", AFTER_THE_SWITCH)
        assert (late.model, late.successor) == ("gemini-3.5-flash-lite", None)

    def test_a_successor_without_a_date_is_named_but_not_used(self, catalog: Catalog) -> None:
        target = catalog.route("gemini-3.1-flash-image", TODAY)
        assert (target.model, target.successor) == ("gemini-3.1-flash-image", "gemini-nano-banana-2.1")

    @pytest.mark.parametrize("name", ["gemini-omni-flash-preview", "imagen-4.0-generate-001"])
    def test_without_a_successor_the_name_goes_upstream_unchanged(self, catalog: Catalog, name: str) -> None:
        target = catalog.route(name, TODAY)
        assert (target.model, target.successor) == (name, None)


class TestOverrides:
    def test_an_alias_stands_for_a_whole_name(self) -> None:
        catalog = Catalog.load({"aliases": {"fast": "gemini-3.5-flash-lite"}})
        assert catalog.route("models/fast", TODAY).model == "gemini-3.5-flash-lite"
        assert catalog.route("fast-lane", TODAY).model == "fast-lane"

    def test_aliases_may_chain_and_carry_suffixes(self) -> None:
        aliases = {"a": "b-search", "b": "gemini-3.8-flash-thinking-high"}
        target = Catalog.load({"aliases": aliases}).route("a-file", TODAY)
        assert target.model == "gemini-3.8-flash"
        assert target.web_search
        assert target.by_url
        assert target.reasoning == Reasoning(effort="high", include_thoughts=True)

    def test_what_the_client_adds_wins_over_the_alias(self) -> None:
        catalog = Catalog.load({"aliases": {"smart": "gemini-3.8-flash-thinking-high"}})
        assert catalog.route("smart-nothinking", TODAY).reasoning == Reasoning(effort="none", include_thoughts=False)

    def test_an_alias_of_an_unknown_name_leads_there_and_takes_suffixes(self) -> None:
        catalog = Catalog.load({"aliases": {"mine": "gemini-9-ultra", "whole": "gemini-9-ultra-search"}})
        assert catalog.route("mine", TODAY).model == "gemini-9-ultra"
        target = catalog.route("mine-search", TODAY)
        assert (target.model, target.web_search) == ("gemini-9-ultra", True)
        assert catalog.route("whole", TODAY).model == "gemini-9-ultra-search"

    def test_an_alias_goes_before_a_row(self) -> None:
        catalog = Catalog.load({"aliases": {"gemini-2.5-pro": "gemini-4-argon"}})
        assert catalog.route("gemini-2.5-pro", TODAY).model == "gemini-4-argon"

    def test_an_alias_follows_retirement(self) -> None:
        catalog = Catalog.load({"aliases": {"old": "gemini-2.0-flash"}})
        assert catalog.route("old", TODAY).model == "gemini-3.5-flash-lite"

    def test_rows_are_merged_key_by_key(self) -> None:
        catalog = Catalog.load({"models": {"gemini-3.8-flash": {"price": {"input_usd_per_mtok": 9}}}})
        row = catalog.model("gemini-3.8-flash")
        assert row is not None
        assert row.price is not None
        assert (row.price.input_usd_per_mtok, row.price.output_usd_per_mtok) == (9, 3.75)

    def test_a_new_row_needs_nothing_but_a_name(self) -> None:
        catalog = Catalog.load({"models": {"gemini-9-ultra": {}}})
        assert catalog.route("gemini-9-ultra-search", TODAY).model == "gemini-9-ultra"
        assert "gemini-9-ultra" in {row.name for row in catalog.chat_models(TODAY)}

    def test_an_empty_successor_takes_the_built_in_one_away(self) -> None:
        catalog = Catalog.load({"models": {"gemini-2.0-flash": {"successor": ""}}})
        assert catalog.route("gemini-2.0-flash", TODAY).model == "gemini-2.0-flash"

    def test_families_are_merged_and_inherited(self) -> None:
        families = {
            "gemini-3.7": {"thinking": {"default": "low"}},
            "mine": {"like": "gemini-2.5-pro", "prefill": False},
        }
        catalog = Catalog.load({"families": families})
        assert catalog.abilities("gemini-3.8-flash").thinking.default == "low"
        assert catalog.abilities("gemini-3.8-flash").thinking.levels == ("low", "medium", "high")
        assert catalog.abilities("mine-1").thinking.max_tokens == 32768
        assert not catalog.abilities("mine-1").prefill

    @pytest.mark.parametrize(
        ("overrides", "key"),
        [
            ({"model": {}}, "model"),
            ({"models": 3}, "models"),
            ({"models": {"x": "y"}}, "models.x"),
            ({"models": {"x": {"colour": "red"}}}, "models.x.colour"),
            ({"models": {"x": {"kind": "poem"}}}, "models.x.kind"),
            ({"models": {"x": {"kind": ["chat"]}}}, "models.x.kind"),
            ({"models": {"x": {"max_input_tokens": "many"}}}, "models.x.max_input_tokens"),
            ({"models": {"x": {"price": {"input_usd_per_mtok": "free"}}}}, "models.x.price.input_usd_per_mtok"),
            ({"models": {"x": {"retires_on": "soon"}}}, "models.x.retires_on"),
            ({"models": {"x": {"successor": "nobody"}}}, "models.x.successor"),
            ({"models": {"x": {"successor": "x"}}}, "models.x.successor"),
            ({"families": {"x": {"thinking": {"control": "level"}}}}, "families.x.thinking.levels"),
            ({"families": {"x": {"thinking": {"control": "mind"}}}}, "families.x.thinking.control"),
            ({"families": {"x": {"like": "nobody"}}}, "families.x.like"),
            ({"families": {"x": {"like": "x"}}}, "families.x.like"),
            ({"families": {"x": {"wit": True}}}, "families.x.wit"),
            ({"aliases": {"x": 3}}, "aliases.x"),
            ({"aliases": {"x": "y", "y": "x"}}, "aliases.x"),
            ({"aliases": {"x": "x-search"}}, "aliases.x"),
            ({"aliases": {"x*": "y", "y": "y-search"}}, "aliases.y"),
            ({"aliases": {"x*": "a", "a": "b", "b": "a"}}, "aliases.a"),
            ({"aliases": {"x": "y*"}}, "aliases.x"),
            ({"aliases": {"claude-gemini-*": "y"}}, "aliases.claude-gemini-*"),
            ({"aliases": {"gemini-4-argon": "claude-gemini-4-argon"}}, "aliases.gemini-4-argon"),
            ({"newest": "nobody"}, "newest"),
        ],
    )
    def test_a_mistake_is_named_with_its_key(self, overrides: dict[str, Any], key: str) -> None:
        with pytest.raises(SettingsError) as caught:
            Catalog.load(overrides)
        assert caught.value.key == key
        assert str(caught.value).startswith(f"{key}: ")
