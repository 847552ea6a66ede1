"""Tools in all their forms."""

import json
from typing import Any, get_args

import pytest

from gemgate.hub.call import BuiltIn, BuiltInKind, Function
from gemgate.hub.parts import Vendor
from gemgate.protocols.openai_responses.call_actions import ITEMS, action
from gemgate.protocols.openai_responses.style import Called, CallKind
from tests.protocols.openai_responses.asking import Json, call_of, lost, parse, refusal, style_of

SCHEMA: Json = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
F: Json = {"type": "function", "name": "f", "description": "d", "parameters": SCHEMA, "strict": True}
HUB_F = Function(name="f", description="d", parameters=json.dumps(SCHEMA), strict=True)
SEARCH: Json = {"type": "web_search"}
FINDER: Json = {"type": "tool_search", "execution": "client", "description": "Finds.", "parameters": SCHEMA}
CRM: Json = {
    "type": "namespace",
    "name": "crm",
    "description": "All about customers.",
    "tools": [F, {"type": "custom", "name": "sql", "description": "Asks."}],
}


def functions(*tools: Json, **more: Any) -> dict[str, Function]:
    return {tool.name: tool for tool in call_of(tools=list(tools), **more).tools if isinstance(tool, Function)}


# ── functions ──


@pytest.mark.parametrize(
    "tool",
    [
        F,
        {name: value for name, value in F.items() if name != "type"},
        F | {"type": None},
        {"type": "function", "function": {name: value for name, value in F.items() if name != "type"}},
        {"type": "function", "name": "f", "function": {name: value for name, value in F.items() if name != "type"}},
        {"function": {name: value for name, value in F.items() if name != "type"}},
        F | {"parameters": json.dumps(SCHEMA)},
        F | {"parameters": None, "input_schema": SCHEMA},
        F | {"allowed_callers": ["direct"], "async": True, "output_schema": {"type": "object"}, "defer_loading": False},
    ],
)
def test_functions(tool: Json) -> None:
    parsed = parse(tools=[tool])
    assert call_of(tools=[tool]).tools == (HUB_F,) and not parsed.dropped
    assert not style_of(tools=[tool]).called and parsed.paths["tools.0"] == "tools.0"


def test_functions_without_parameters() -> None:
    for schema in (None, "", {}):
        (tool,) = call_of(tools=[{"type": "function", "name": "f", "parameters": schema}]).tools
        assert isinstance(tool, Function) and tool.parameters in (None, "{}")


def test_what_a_tool_says_that_is_not_known_is_recorded() -> None:
    assert lost(tools=[F | {"zebra": 1, "horse": None}, SEARCH | {"zebra": 1}]) == ["tools.0.zebra", "tools.1.zebra"]


@pytest.mark.parametrize(
    ("tools", "param"),
    [
        ([{"type": "function"}], "tools.0.name"),
        ([F, {"type": "custom", "name": ""}], "tools.1.name"),
        ([{"type": "namespace", "tools": [F]}], "tools.0.name"),
        ([{"type": "namespace", "name": "n", "tools": [{"type": "function"}]}], "tools.0.tools.0.name"),
        ([{"type": "namespace", "name": "n", "tools": {}}], "tools.0.tools"),
        ([{"type": "namespace", "name": "n", "tools": [5]}], "tools.0.tools.0"),
        ([5], "tools.0"),
        ([F | {"name": 5}], "tools.0.name"),
        ([F | {"parameters": "no schema"}], "tools.0.parameters"),
        ({}, "tools"),
    ],
)
def test_faults_name_the_tool(tools: Any, param: str) -> None:
    assert refusal(tools=tools).param == param


def test_the_later_of_two_functions_with_one_name_is_offered() -> None:
    later = {"type": "function", "name": "f"}
    assert call_of(tools=[F, SEARCH, later]).tools == (Function(name="f"), BuiltIn("web_search"))
    assert parse(tools=[F, SEARCH, later]).paths["tools.0"] == "tools.2"


# ── free text ──


def test_tools_that_are_called_with_free_text() -> None:
    grammar = {"type": "grammar", "syntax": "lark", "definition": 'start: "SELECT"'}
    flat = {"type": "custom", "name": "sql", "description": "Asks.", "format": grammar}
    nested = {"type": "custom", "custom": {"name": "sql", "description": "Asks.", "format": grammar}}
    for tool in (flat, nested):
        (made,) = call_of(tools=[tool]).tools
        assert isinstance(made, Function) and json.loads(made.parameters or "")["required"] == ["input"]
        assert made.description == 'Asks.\n`input` must follow this grammar: start: "SELECT" (lark)'
        assert style_of(tools=[tool]).called == {"sql": Called("custom", "sql")} and not lost(tools=[tool])
    plain = flat | {"format": {"type": "text"}}
    assert functions(plain)["sql"].description == "Asks."
    assert refusal(tools=[flat | {"format": {"type": "grammar", "definition": 5}}]).param == "tools.0.format"


# ── namespaces ──


def test_functions_of_namespaces() -> None:
    parsed = parse(tools=[F, CRM])
    names = functions(F, CRM)
    assert list(names) == ["f", "crm__f", "crm__sql"] and not parsed.dropped
    assert names["crm__f"].parameters == HUB_F.parameters and names["crm__f"].strict
    assert style_of(tools=[F, CRM]).called == {
        "crm__f": Called(None, "f", "crm"),
        "crm__sql": Called("custom", "sql", "crm"),
    }
    assert [parsed.paths[f"tools.{number}"] for number in range(3)] == ["tools.0", "tools.1.tools.0", "tools.1.tools.1"]


def test_a_namespace_is_described_once() -> None:
    descriptions = [function.description for function in functions(CRM).values()]
    assert [text.count("All about customers.") for text in descriptions] == [1, 0]
    assert descriptions[0].startswith("d\n") and "crm__" in descriptions[0]
    bare = CRM | {"description": None}
    assert functions(bare)["crm__f"].description == "d"


def test_namespaces_hold_nothing_but_tools_of_the_client() -> None:
    assert lost(tools=[CRM | {"tools": [SEARCH, CRM, F], "zebra": 1}]) == [
        "tools.0.zebra",
        "tools.0.tools.0",
        "tools.0.tools.1",
    ]


def test_names_that_only_look_alike_to_the_model() -> None:
    """The model knows both by one name, and an answer must say which it calls."""
    tools = [{"type": "namespace", "name": "a", "tools": [F | {"name": "b__c"}]}]
    tools += [{"type": "namespace", "name": "a__b", "tools": [F | {"name": "c"}]}]
    assert lost(tools=tools) == ["tools.0.tools.0"]
    assert style_of(tools=tools).called == {"a__b__c": Called(None, "c", "a__b")}


# ── the upstream's own ──


@pytest.mark.parametrize(
    ("tool", "kind"),
    [
        ({"type": "web_search"}, "web_search"),
        ({"type": "web_search_2025_08_26", "external_web_access": True, "filters": {}}, "web_search"),
        ({"type": "web_search_preview", "search_context_size": "medium", "user_location": None}, "web_search"),
        ({"type": "web_search_preview_2025_03_11", "search_content_types": ["text"]}, "web_search"),
        ({"type": "web_search", "user_location": {"type": "approximate", "city": None, "country": ""}}, "web_search"),
        ("web_search", "web_search"),
        ({"type": "code_interpreter", "container": {"type": "auto"}}, "code_execution"),
        ({"type": "code_interpreter", "container": {"type": "auto", "file_ids": [], "memory_limit": "1g"}}, None),
        ({"type": "code_interpreter", "container": {"network_policy": {"type": "disabled"}}}, "code_execution"),
        ({"type": "image_generation"}, "image_generation"),
        ({"type": "image_generation", "quality": "auto", "background": "auto", "partial_images": 2}, None),
        ({"type": "image_generation", "size": "auto", "moderation": "low", "output_compression": 100}, None),
    ],
)
def test_tools_of_the_upstream(tool: Any, kind: BuiltInKind | None) -> None:
    (made,) = call_of(tools=[tool]).tools
    assert isinstance(made, BuiltIn) and made.vendor is None and not lost(tools=[tool])
    assert kind is None or made.kind == kind


@pytest.mark.parametrize(
    ("tool", "paths"),
    [
        ({"type": "web_search", "filters": {"allowed_domains": ["a.de"]}}, ["filters"]),
        ({"type": "web_search", "user_location": {"type": "approximate", "city": "Rome"}}, ["user_location"]),
        ({"type": "web_search", "search_context_size": "high"}, ["search_context_size"]),
        ({"type": "code_interpreter", "container": "cntr_1"}, ["container"]),
        ({"type": "code_interpreter", "container": {"type": "auto", "file_ids": ["a"]}}, ["container.file_ids"]),
        (
            {"type": "code_interpreter", "container": {"memory_limit": "4g", "network_policy": {"type": "allowlist"}}},
            ["container.memory_limit", "container.network_policy"],
        ),
        (
            {"type": "image_generation", "quality": "high", "background": "transparent", "output_format": "webp"},
            ["quality", "background", "output_format"],
        ),
        ({"type": "image_generation", "size": "huge"}, ["size"]),
        ({"type": "image_generation", "size": "2048x2048"}, ["size"]),
    ],
)
def test_settings_of_tools_of_the_upstream_are_recorded(tool: Json, paths: list[str]) -> None:
    assert lost(tools=[tool]) == [f"tools.0.{path}" for path in paths] and len(call_of(tools=[tool]).tools) == 1


@pytest.mark.parametrize(
    ("size", "ratio"), [("1024x1024", "1:1"), ("1536x1024", "3:2"), ("1024X1536", "2:3"), ("1792x1024", "16:9")]
)
def test_sizes_of_images_are_proportions(size: str, ratio: str) -> None:
    made = call_of(tools=[{"type": "image_generation", "size": size}]).tools
    assert made == (BuiltIn("image_generation", Vendor("gemini", json.dumps({"aspectRatio": ratio}).replace(" ", ""))),)


def test_who_must_not_search_the_web_does_not() -> None:
    assert lost(tools=[SEARCH | {"external_web_access": False}, F]) == ["tools.0"]
    assert call_of(tools=[SEARCH | {"external_web_access": False}, F]).tools == (HUB_F,)


@pytest.mark.parametrize("kind", ["mcp", "file_search", "programmatic_tool_calling", "zebra", ""])
def test_tools_that_nobody_has_are_recorded(kind: str) -> None:
    tool = {"type": kind, "server_label": "x", "vector_store_ids": [], "environment": 5, "tools": 7, "container": []}
    assert lost(tools=[tool, F]) == ["tools.0"] and call_of(tools=[tool, F]).tools == (HUB_F,)


# ── those whose schema everybody knows ──


@pytest.mark.parametrize(
    ("tool", "kind", "arguments"),
    [
        ({"type": "local_shell"}, "local_shell", {"command": ["ls"], "working_directory": "/", "timeout_ms": 5}),
        ({"type": "shell", "environment": {"type": "local"}}, "shell", {"commands": ["ls"], "max_output_length": 5}),
        ({"type": "apply_patch"}, "apply_patch", {"type": "update_file", "path": "a", "diff": "@@\n-a\n+b"}),
        ({"type": "computer"}, "computer", {"actions": [{"type": "click", "x": 1, "y": 2, "button": "left"}]}),
        (
            {"type": "computer_use_preview", "display_width": 640, "display_height": 480.0, "environment": "linux"},
            "computer",
            {"actions": [{"type": "scroll", "x": 1, "y": 2, "scroll_x": 0, "scroll_y": 5, "keys": ["CTRL"]}]},
        ),
        (FINDER, "tool_search", {"a": 1}),
    ],
)
def test_tools_that_everybody_knows(tool: Json, kind: Any, arguments: Json) -> None:
    """The schema that the model is shown is the one that the items of such calls are made from."""
    (made,) = call_of(tools=[tool]).tools
    assert isinstance(made, Function) and made.name == kind and made.description and not lost(tools=[tool])
    assert style_of(tools=[tool]).called == {kind: Called(kind, tool["type"])}
    schema = json.loads(made.parameters or "")
    assert set(schema["required"]) <= schema["properties"].keys() and arguments.keys() <= schema["properties"].keys()
    done = json.loads(json.dumps(action(kind, json.dumps(arguments)), default=lambda raw: json.loads(bytes(raw))))
    (said,) = [value for name, value in done.items() if name in ("action", "operation", "arguments", "actions")][-1:]
    assert said == (arguments["actions"] if kind == "computer" else said | arguments)
    if "display_width" in tool:
        assert "640 pixels wide and 480 high; it runs linux" in made.description


def test_every_item_of_a_call_has_its_tool() -> None:
    assert {kind for kind in get_args(CallKind) if kind != "custom"} == ITEMS.keys()


def test_a_shell_in_a_container_of_another_server_is_recorded() -> None:
    for environment in ({"type": "container_auto"}, {"type": "container_reference", "container_id": "c"}):
        assert lost(tools=[{"type": "shell", "environment": environment}, F]) == ["tools.0"]


def test_the_clients_own_names_come_first() -> None:
    own = {"type": "function", "name": "shell"}
    patch = {"type": "custom", "name": "apply_patch"}
    for tools in ([own, {"type": "shell"}], [{"type": "shell"}, own]):
        assert call_of(tools=tools).tools == (Function(name="shell"),) and not style_of(tools=tools).called
        assert lost(tools=tools) == [f"tools.{tools.index({'type': 'shell'})}"]
    assert style_of(tools=[{"type": "apply_patch"}, patch]).called == {"apply_patch": Called("custom", "apply_patch")}


# ── tools that are to be found first ──

LATER = F | {"name": "later", "defer_loading": True}


def test_what_a_server_would_search_for_is_offered_at_once() -> None:
    for search in ({"type": "tool_search"}, {"type": "tool_search", "execution": "server"}):
        assert list(functions(search, F, LATER)) == ["f", "later"]
        assert lost(tools=[search, F, LATER]) == ["tools.0"]
    assert list(functions(F, LATER)) == ["f", "later"] and not lost(tools=[F, LATER])


def test_what_the_client_finds_is_offered_once_it_is_found() -> None:
    tools = [FINDER, F, LATER]
    call = {"type": "tool_search_call", "call_id": "1", "execution": "client", "arguments": {}}
    found = {"type": "tool_search_output", "call_id": "1", "execution": "client", "tools": [LATER]}
    more = {"type": "additional_tools", "role": "developer", "tools": [LATER]}
    called = {"type": "function_call", "call_id": "2", "name": "later", "arguments": "{}"}
    assert list(functions(*tools)) == ["tool_search", "f"] and not lost(tools=tools)
    everything = ["tool_search", "f", "later"]
    assert list(functions(*tools, input=["hi", call, found])) == everything
    assert list(functions(*tools, input=["hi", more])) == everything
    assert list(functions(*tools, input=["hi", called])) == everything
    assert list(functions(*tools, tool_choice={"type": "function", "name": "later"})) == everything
    allowed = {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "later"}]}
    assert list(functions(*tools, tool_choice=allowed)) == everything


def test_tools_that_the_conversation_defines() -> None:
    """A client of that kind declares what it has found there alone."""
    space = CRM | {"tools": [F | {"defer_loading": True}]}
    found = {"type": "tool_search_output", "call_id": "1", "execution": "client", "tools": [space]}
    parsed = parse(input=["hi", found, found])
    assert [tool.name for tool in call_of(input=["hi", found, found]).tools if isinstance(tool, Function)] == ["crm__f"]
    assert parsed.paths["tools.0"] == "input.2.tools.0.tools.0"
    assert style_of(input=["hi", found]).called == {"crm__f": Called(None, "f", "crm")}


def test_a_namespace_may_be_deferred_in_part() -> None:
    space = CRM | {"tools": [LATER, F]}
    names = functions(FINDER, space)
    assert list(names) == ["tool_search", "crm__f"] and "All about customers." in names["crm__f"].description
