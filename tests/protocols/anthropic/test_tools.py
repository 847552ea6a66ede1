"""Tools in all their forms, and the choice among them."""

import json
from collections.abc import Sequence
from typing import Any

import pytest

from gemgate.hub.call import BuiltIn, Function, Generate, ToolChoice
from gemgate.hub.parts import Text
from tests.protocols.anthropic.asking import HI, Json, call_of, lost, parse, refusal, text
from tests.protocols.shaping import MODELS, checked

WEATHER: Json = {"name": "weather", "description": "w", "input_schema": {"type": "object", "properties": {}}}
SCHEMA = '{"type": "object", "properties": {}}'
SEARCH: Json = {"type": "web_search_20250305", "name": "web_search"}


def functions(*tools: Json) -> dict[str, Function]:
    return {tool.name: tool for tool in call_of(tools=list(tools)).tools if isinstance(tool, Function)}


def test_functions_of_the_client() -> None:
    wanted = (Function(name="weather", description="w", parameters=SCHEMA),)
    for tool in (WEATHER, WEATHER | {"type": "custom"}, WEATHER | {"type": None}):
        assert call_of(tools=[tool]).tools == wanted
    assert functions(WEATHER | {"strict": True})["weather"].strict
    assert call_of(tools=[{"name": "f"}]).tools == (Function(name="f"),)


def test_what_asks_for_nothing_is_not_recorded() -> None:
    tool = WEATHER | {
        "cache_control": {"type": "ephemeral"},
        "eager_input_streaming": True,
        "allowed_callers": ["direct"],
        "max_uses": None,
    }
    assert parse(tools=[tool]).call == parse(tools=[WEATHER]).call and not parse(tools=[tool]).dropped
    assert lost(tools=[WEATHER | {"zebra": 1}, SEARCH | {"max_uses": 2}]) == ["tools.0.zebra", "tools.1.max_uses"]


def test_deferred_tools_are_offered_once_they_are_named() -> None:
    """Clients that find tools themselves declare those not yet found, too, and a placeholder that nobody may call."""
    later = WEATHER | {"name": "later", "defer_loading": True}
    tools = [WEATHER, later]
    found = [{"type": "tool_result", "tool_use_id": "1", "content": [{"type": "tool_reference", "tool_name": "later"}]}]
    called = [{"type": "tool_use", "id": "1", "name": "later", "input": {}}]
    added = [{"type": "tool_addition", "tool": {"type": "tool_reference", "name": "later"}}]

    def offered(*messages: Json, more: Sequence[Json] = ()) -> list[str]:
        call = call_of(tools=[*tools, *more], messages=[HI, *messages])
        return [tool.name for tool in call.tools if isinstance(tool, Function)]

    assert offered() == ["weather"] and not lost(tools=tools)
    assert offered({"role": "user", "content": found}) == ["weather", "later"]
    assert offered({"role": "assistant", "content": called}) == ["weather", "later"]
    assert offered({"role": "system", "content": added}) == ["weather", "later"]
    forced = call_of(tools=tools, tool_choice={"type": "tool", "name": "later"})
    assert [tool.name for tool in forced.tools if isinstance(tool, Function)] == ["weather", "later"]
    search = {"type": "tool_search_tool_bm25_20251119", "name": "tool_search_tool_bm25"}
    assert offered(more=[search]) == ["weather", "later"]


def test_examples_are_put_into_words() -> None:
    found = functions(WEATHER | {"input_examples": [{"city": "Rome"}]})["weather"]
    assert found.description.startswith("w\n") and '{"city": "Rome"}' in found.description
    long = WEATHER | {"input_examples": [{"city": "x" * 10_000}]}
    assert functions(long)["weather"].description == "w" and lost(tools=[long]) == ["tools.0.input_examples"]


@pytest.mark.parametrize(
    ("tool", "kind"),
    [
        ({"type": "web_search_20250305", "name": "web_search"}, "web_search"),
        ({"type": "web_search_20260318", "name": "web_search"}, "web_search"),
        ({"type": "web_fetch_20250910", "name": "web_fetch", "citations": {"enabled": True}}, "url_context"),
        ({"type": "code_execution_20250522", "name": "code_execution"}, "code_execution"),
        ({"type": "code_execution_20260521", "name": "code_execution"}, "code_execution"),
    ],
)
def test_tools_of_the_upstream(tool: Json, kind: Any) -> None:
    assert call_of(tools=[tool]).tools == (BuiltIn(kind),) and not lost(tools=[tool])


def test_only_who_has_asked_for_such_a_tool_is_shown_its_blocks() -> None:
    def shown(*tools: Json) -> bool:
        return parse(tools=list(tools)).write.keywords["style"].server_tools  # type: ignore[attr-defined]

    assert shown(WEATHER, SEARCH) and not shown(WEATHER) and not shown()


def test_settings_of_tools_of_the_upstream_are_recorded() -> None:
    given: Json = {"allowed_domains": ["a.de"], "blocked_domains": [], "max_uses": 3, "user_location": {"city": "Rome"}}
    assert lost(tools=[SEARCH | given]) == ["tools.0.allowed_domains", "tools.0.max_uses", "tools.0.user_location"]
    fetch = {"type": "web_fetch_20250910", "name": "web_fetch", "max_content_tokens": 500}
    assert lost(tools=[fetch]) == ["tools.0.max_content_tokens"]


@pytest.mark.parametrize(
    ("tool", "name", "properties"),
    [
        ({"type": "bash_20250124", "name": "bash"}, "bash", ["command", "restart"]),
        (
            {"type": "text_editor_20250728", "name": "str_replace_based_edit_tool", "max_characters": 100},
            "str_replace_based_edit_tool",
            ["command", "path", "insert_text"],
        ),
        ({"type": "text_editor_20250124"}, "str_replace_editor", ["command", "new_str"]),
        ({"type": "memory_20250818", "name": "memory"}, "memory", ["command", "old_path"]),
        ({"type": "computer_20250124", "name": "computer"}, "computer", ["action", "coordinate"]),
        ({"type": "computer_20251124", "name": "computer", "enable_zoom": True}, "computer", ["region"]),
    ],
)
def test_tools_that_everybody_knows(tool: Json, name: str, properties: list[str]) -> None:
    call = call_of(tools=[tool])
    (function,) = call.tools
    assert isinstance(function, Function) and function.name == name and function.description
    schema = json.loads(function.parameters or "")
    assert set(properties) <= schema["properties"].keys() and set(schema["required"]) <= schema["properties"].keys()
    assert not lost(tools=[tool])
    for model in MODELS:
        assert checked(call, model)["tools"][0]["functionDeclarations"][0]["name"] == name


def test_the_size_of_a_display_is_told() -> None:
    tool = {"type": "computer_20250124", "name": "computer", "display_width_px": 1024, "display_height_px": 768}
    description = functions(tool)["computer"].description
    assert "1024" in description and "768" in description


@pytest.mark.parametrize(
    "tool",
    [
        {"type": "tool_search_tool_bm25_20251119", "name": "tool_search_tool_bm25"},
        {"type": "advisor_20260301", "name": "advisor", "model": "x"},
        {"type": "mcp_toolset", "mcp_server_name": "x"},
        {"type": "computer_toolset_20260801"},
        {"type": "hologram_2030", "name": "h"},
    ],
)
def test_tools_that_cannot_be_had_are_recorded(tool: Json) -> None:
    parsed = parse(tools=[tool, WEATHER])
    assert isinstance(parsed.call, Generate)
    assert [found.path for found in parsed.dropped] == ["tools.0"] and len(parsed.call.tools) == 1
    assert parsed.paths["tools.0"] == "tools.1"


def test_of_two_tools_with_one_name_the_last_is_offered() -> None:
    body = checked(call_of(tools=[WEATHER, WEATHER | {"description": "later"}]))
    assert [found["description"] for found in body["tools"][0]["functionDeclarations"]] == ["later"]


# ── choice ──


@pytest.mark.parametrize(
    ("choice", "wanted"),
    [
        (None, None),
        ({}, None),
        ({"type": "auto"}, ToolChoice("auto")),
        ("auto", ToolChoice("auto")),
        ({"type": "any"}, ToolChoice("required")),
        ({"type": "none"}, ToolChoice("none")),
        ({"type": "tool", "name": "weather"}, ToolChoice("required", ("weather",))),
    ],
)
def test_choices(choice: Any, wanted: ToolChoice | None) -> None:
    call = call_of(tools=[SEARCH, WEATHER], tool_choice=choice)
    assert call.tool_choice == wanted and len(call.tools) == 2 and call.parallel_calls


def test_one_call_at_a_time() -> None:
    for kind in ("auto", "any"):
        choice = {"type": kind, "disable_parallel_tool_use": True}
        assert not call_of(tools=[WEATHER], tool_choice=choice).parallel_calls


def test_a_tool_of_the_upstream_is_forced_by_leaving_no_other() -> None:
    parsed = parse(tools=[WEATHER, SEARCH], tool_choice={"type": "tool", "name": "web_search"})
    assert isinstance(parsed.call, Generate)
    assert (parsed.call.tools, parsed.call.tool_choice) == ((BuiltIn("web_search"),), ToolChoice("auto"))
    assert parsed.paths["tools.0"] == "tools.1"


@pytest.mark.parametrize(
    ("tools", "choice", "param", "code"),
    [
        ([WEATHER], {"type": "tool", "name": "other"}, "tool_choice.name", "unsupported_tool"),
        ([], {"type": "tool", "name": "other"}, "tool_choice.name", "unsupported_tool"),
        ([{"type": "advisor_1", "name": "a"}], {"type": "tool", "name": "a"}, "tool_choice.name", "unsupported_tool"),
        ([{"type": "advisor_1", "name": "a"}], {"type": "any"}, "tool_choice", "unsupported_tool"),
        ([WEATHER], {"type": "tool"}, "tool_choice.name", "invalid_value"),
        ([WEATHER], {"type": "maybe"}, "tool_choice.type", "invalid_value"),
    ],
)
def test_choices_that_cannot_be_met(tools: list[Json], choice: Json, param: str, code: str) -> None:
    found = refusal(tools=tools, tool_choice=choice)
    assert (found.param, found.code) == (param, code)


def test_a_choice_among_no_tools() -> None:
    assert lost(tool_choice={"type": "any"}) == lost(tools=[], tool_choice={"type": "any"}) == ["tool_choice"]
    assert not lost(tools=[], tool_choice={"type": "auto"}) and not lost(tool_choice={"type": "none"})


# ── tools in mid-conversation ──


def change(kind: str, **tool: Any) -> Json:
    return {"role": "system", "content": [{"type": kind, "tool": tool}]}


def named(*changes: Json) -> list[str]:
    call = call_of(tools=[WEATHER, WEATHER | {"name": "other"}], messages=[HI, *changes])
    return [tool.name for tool in call.tools if isinstance(tool, Function)]


def test_the_last_word_about_a_tool_counts() -> None:
    added = change("tool_addition", type="tool_reference", name="weather")
    removed = change("tool_removal", type="tool_reference", name="weather")
    assert named(added) == ["weather", "other"]
    assert named(removed) == ["other"]
    assert named(removed, added) == ["weather", "other"]
    assert named(added, removed) == ["other"]
    assert not lost(tools=[WEATHER], messages=[HI, added, removed])


def test_tools_defined_among_the_messages() -> None:
    added = change("tool_addition", type="tool_definition", definition=WEATHER)
    parsed = parse(messages=[HI, added])
    assert isinstance(parsed.call, Generate) and parsed.call.messages == (parsed.call.messages[0],)
    assert parsed.call.tools == (Function(name="weather", description="w", parameters=SCHEMA),)
    assert parsed.paths["tools.0"] == "messages.1.content.0.tool.definition"
    again = call_of(messages=[HI, change("tool_removal", type="tool_reference", name="weather"), added])
    assert again.tools == parsed.call.tools


def test_words_beside_a_change_of_tools_stay() -> None:
    message = {"role": "system", "content": [text("Now."), {"type": "tool_addition", "tool": {"name": "weather"}}]}
    call = call_of(tools=[WEATHER], messages=[HI, message])
    assert call.messages[1].parts == (Text("Now."),)


@pytest.mark.parametrize(
    ("tools", "param"),
    [
        ({}, "tools"),
        ([5], "tools.0"),
        ([None], "tools.0"),
        ([{}], "tools.0.name"),
        ([{"description": "x"}], "tools.0.name"),
        ([WEATHER | {"name": 5}], "tools.0.name"),
        ([WEATHER | {"input_schema": "nope{"}], "tools.0.input_schema"),
        ([WEATHER, WEATHER | {"strict": "maybe"}], "tools.1.strict"),
    ],
)
def test_faults_name_the_field(tools: Any, param: str) -> None:
    assert refusal(tools=tools).param == param
