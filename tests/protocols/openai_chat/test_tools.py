"""Tools in every form that clients write them, and the choice among them."""

import json
import time
from typing import Any

import pytest

from gemgate.errors import InvalidRequest
from gemgate.hub.call import BuiltIn, BuiltInKind, Function, Generate, OpaqueTool, ToolChoice
from gemgate.hub.parts import Vendor
from tests.protocols.openai_chat.asking import Json, call_of, parse, refusal

SCHEMA: Json = {"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"]}
F: Json = {"type": "function", "function": {"name": "f", "description": "d", "parameters": SCHEMA, "strict": True}}
HEAD: Json = {"name": "f", "description": "d", "strict": True}
G: Json = {"type": "function", "function": {"name": "g"}}
HUB_F = Function(name="f", description="d", parameters=json.dumps(SCHEMA), strict=True)
HUB_G = Function(name="g")
SEARCH: Json = {"type": "web_search"}
UNKNOWN: Json = {"type": "mcp", "server_url": "https://example.com"}


@pytest.mark.parametrize(
    "tool",
    [
        F,
        {"function": F["function"]},
        {"type": "function", **F["function"]},  # flat, as in Responses
        F["function"],
        {"type": "function", "function": F["function"] | {"parameters": json.dumps(SCHEMA)}},
        F | {"function": F["function"] | {"unknown": 1}},
        HEAD | {"input_schema": SCHEMA},
        HEAD | {"type": "custom", "input_schema": SCHEMA},
        {"type": "function", "function": HEAD | {"parametersJsonSchema": SCHEMA}},
        {"type": "function", "function": HEAD | {"parameters_json_schema": SCHEMA}},
    ],
)
def test_functions(tool: Json) -> None:
    assert call_of(tools=[tool]).tools == (HUB_F,)


@pytest.mark.parametrize("parameters", [None, ""])
def test_functions_without_parameters(parameters: Any) -> None:
    given = {"name": "g", "parameters": parameters, "description": None, "strict": None}
    assert call_of(tools=[{"type": "function", "function": given}]).tools == (HUB_G,)


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("codeExecution", "code_execution"),
        ("code_execution", "code_execution"),
        ("googleSearch", "web_search"),
        ("google_search", "web_search"),
        ("urlContext", "url_context"),
        ("url_context", "url_context"),
        ("googleMaps", "maps"),
        ("google_maps", "maps"),
    ],
)
def test_functions_that_mean_the_upstreams_own_tools(name: str, kind: BuiltInKind) -> None:
    """Notes §6.1: the name, and nothing to call it with."""
    nothing: list[Json | None] = [None, {}, {"type": "object"}, {"type": "object", "properties": {}, "required": []}]
    for function in ({"name": name}, *({"name": name, "parameters": parameters} for parameters in nothing)):
        assert call_of(tools=[{"type": "function", "function": function}]).tools == (BuiltIn(kind),)
    (own,) = call_of(tools=[{"type": "function", "function": {"name": name, "parameters": SCHEMA}}]).tools
    assert isinstance(own, Function) and own.name == name


def test_a_function_of_ones_own_that_merely_searches_stays_one() -> None:
    (own,) = call_of(tools=[{"type": "function", "function": {"name": "web_search"}}]).tools
    assert own == Function(name="web_search")


@pytest.mark.parametrize(
    ("tool", "kind"),
    [
        ({"type": "web_search"}, "web_search"),
        ({"type": "web_search_preview"}, "web_search"),
        ({"type": "web_search_2025_08_26", "user_location": {}}, "web_search"),
        ({"type": "web_search_preview_2025_03_11", "search_context_size": "medium"}, "web_search"),
        ({"type": "web_search_20250305", "name": "web_search"}, "web_search"),
        ({"type": "googleSearch"}, "web_search"),
        ({"type": "code_interpreter", "container": {"type": "auto"}}, "code_execution"),
        ({"type": "code_execution"}, "code_execution"),
        ({"type": "code_execution_20250522", "name": "code_execution"}, "code_execution"),
        ({"type": "url_context"}, "url_context"),
        ({"type": "web_fetch_20250910"}, "url_context"),
        ({"type": "google_maps"}, "maps"),
        ({"google_search": {}}, "web_search"),
        ({"googleSearch": None}, "web_search"),
        ({"codeExecution": {}}, "code_execution"),
        ({"url_context": {}}, "url_context"),
        ({"googleMaps": {}}, "maps"),
        ("googleSearch", "web_search"),
        ("code_execution", "code_execution"),
    ],
)
def test_the_upstreams_own_tools(tool: Any, kind: BuiltInKind) -> None:
    parsed = parse(tools=[tool])
    assert call_of(tools=[tool]).tools == (BuiltIn(kind),) and not parsed.dropped


def test_their_settings_and_what_only_gemini_knows() -> None:
    assert call_of(tools=[{"googleMaps": {"enableWidget": True}}]).tools == (
        BuiltIn("maps", Vendor("gemini", '{"enableWidget": true}')),
    )
    (own,) = call_of(tools=[{"fileSearch": {"names": ["x"]}}]).tools
    assert isinstance(own, OpaqueTool) and json.loads(own.vendor.raw) == {"fileSearch": {"names": ["x"]}}


@pytest.mark.parametrize("key", ["functionDeclarations", "function_declarations"])
def test_gemini_s_own_declarations_are_functions(key: str) -> None:
    """So that they are cleaned, named, fitted to the model and found by a choice like any other."""
    upper = {"type": "OBJECT", "properties": {"a": {"type": "INTEGER", "min_items": 1}, "type": {"type": "STRING"}}}
    lower = {"type": "object", "properties": {"a": {"type": "integer", "minItems": 1}, "type": {"type": "string"}}}
    declared = [
        {"name": "a", "description": "d", "parameters": upper, "behavior": "NON_BLOCKING", "response": {"type": "X"}},
        {"name": "b", "parameters_json_schema": lower, "odd": 1},
        {"name": "c"},
    ]
    entry = {key: declared, "googleSearch": {}, "fileSearch": {"x": 1}}
    choice = {"type": "function", "function": {"name": "b"}}
    parsed = parse(tools=[UNKNOWN, entry, F], tool_choice=choice)
    call = parsed.call
    assert isinstance(call, Generate)
    first, second, third, search, opaque, last = call.tools
    assert isinstance(first, Function) and first.parameters is not None and first.vendor is not None
    assert (first.name, first.description, json.loads(first.parameters)) == ("a", "d", lower)
    assert json.loads(first.vendor.raw) == {"behavior": "NON_BLOCKING", "response": {"type": "X"}}
    assert isinstance(second, Function) and second.parameters and json.loads(second.parameters) == lower
    assert (third, search, last) == (Function(name="c"), BuiltIn("web_search"), HUB_F)
    assert opaque == OpaqueTool(Vendor("gemini", '{"fileSearch":{"x": 1}}'))
    assert call.tool_choice == ToolChoice("required", ("b",))
    assert [drop.path for drop in parsed.dropped] == ["tools.0", f"tools.1.{key}.1.odd"]
    assert [parsed.paths[f"tools.{number}"] for number in range(6)] == ["tools.1"] * 5 + ["tools.2"]


@pytest.mark.parametrize("declared", [5, [5], [{}], [{"name": 5}], {"name": "f"}])
def test_declarations_that_are_none(declared: Any) -> None:
    assert (refusal(tools=[{"functionDeclarations": declared}]).param or "").startswith("tools.0.functionDeclarations")


def test_tools_in_googles_extension_join_the_others() -> None:
    """They used to be merged over the others in the end, and to silence them."""
    native = [{"googleSearch": {}}, {"functionDeclarations": [{"name": "g"}]}]
    parsed = parse(tools=[F], extra_body={"google": {"tools": native}}, tool_choice="required")
    assert isinstance(parsed.call, Generate)
    assert parsed.call.tools == (HUB_F, BuiltIn("web_search"), HUB_G) and parsed.call.vendor is None
    assert parsed.paths["tools.1"] == "extra_body.google.tools.0"
    assert call_of(google={"tools": {"codeExecution": {}}}).tools == (BuiltIn("code_execution"),)


def test_what_a_tool_says_that_is_not_known_is_recorded() -> None:
    own = F | {"a": 1, "function": F["function"] | {"b": [1], "c": None}}
    web = {"type": "web_search_20250305", "name": "web_search", "max_uses": 3, "search_context_size": "low"}
    parsed = parse(tools=[own, web])
    dropped = ["tools.0.a", "tools.0.function.b", "tools.1.max_uses", "tools.1.search_context_size"]
    assert [drop.path for drop in parsed.dropped] == dropped


@pytest.mark.parametrize(
    "function",
    [
        {"name": "codeExecution", "description": "Runs it on my machine."},
        {"name": "codeexecution"},
        {"name": "codeExecution2"},
        {"name": "CODE_EXECUTION"},
        {"name": "google-search"},
    ],
)
def test_functions_of_ones_own_with_such_a_name_stay_functions(function: Json) -> None:
    choice = {"type": "function", "function": {"name": function["name"]}}
    call = call_of(tools=[{"type": "function", "function": function}], tool_choice=choice)
    assert call.tools == (Function(name=function["name"], description=function.get("description", "")),)
    assert call.tool_choice == ToolChoice("required", (function["name"],))


def test_many_allowed_tools_are_found_in_linear_time() -> None:
    """Each used to look through all: 6,000 took three seconds."""
    tools = [{"type": "function", "function": {"name": f"f{number}"}} for number in range(6_000)]
    began = time.process_time()
    call = call_of(tools=tools, tool_choice={"type": "allowed_tools", "mode": "auto", "tools": tools})
    assert time.process_time() - began < 1.5 and call.tool_choice and len(call.tool_choice.names) == 6_000


def test_web_search_options() -> None:
    assert call_of(web_search_options={}).tools == (BuiltIn("web_search"),)
    parsed = parse(
        tools=[F], web_search_options={"search_context_size": "low", "user_location": {"type": "approximate"}}
    )
    assert [drop.path for drop in parsed.dropped] == [
        "web_search_options.search_context_size",
        "web_search_options.user_location",
    ]
    assert not parse(web_search_options={"search_context_size": "medium", "user_location": None}).dropped


def test_tools_that_nobody_has_are_recorded() -> None:
    parsed = parse(tools=[UNKNOWN, F, "calculator"])
    assert [drop.path for drop in parsed.dropped] == ["tools.0", "tools.2"]
    assert call_of(tools=[UNKNOWN, F, "calculator"]).tools == (HUB_F,)


@pytest.mark.parametrize("flat", [False, True])
def test_custom_tools(flat: bool) -> None:
    """Notes §6.1: a function of one text; its grammar, in either spelling, in words."""
    nested = {"type": "grammar", "grammar": {"syntax": "lark", "definition": 'start: "SELECT"'}}
    plain = {"type": "grammar", "syntax": "lark", "definition": 'start: "SELECT"'}
    for form in (nested, plain):
        own = {"name": "sql", "description": "Asks.", "format": form}
        (tool,) = call_of(tools=[{"type": "custom", **own} if flat else {"type": "custom", "custom": own}]).tools
        assert isinstance(tool, Function) and tool.name == "sql"
        assert tool.description == 'Asks.\n`input` must follow this grammar: start: "SELECT" (lark)'
        assert json.loads(tool.parameters or "")["properties"] == {"input": {"type": "string"}}
    (bare,) = call_of(tools=[{"type": "custom", "custom": {"name": "sql", "format": {"type": "text"}}}]).tools
    assert isinstance(bare, Function) and bare.description == ""


# ── the choice ──

FORCED_F = ToolChoice("required", ("f",))


@pytest.mark.parametrize(
    ("choice", "wanted"),
    [
        (None, None),
        ("", None),
        ("auto", ToolChoice("auto")),
        ("none", ToolChoice("none")),
        ("required", ToolChoice("required")),
        ("any", ToolChoice("required")),
        ("AUTO", ToolChoice("auto")),
        ({"type": "auto"}, ToolChoice("auto")),
        ({"type": "none"}, ToolChoice("none")),
        ({"type": "required"}, ToolChoice("required")),
        ({"type": "any"}, ToolChoice("required")),
        ({"type": "function", "function": {"name": "f"}}, FORCED_F),
        ({"function": {"name": "f"}}, FORCED_F),
        ({"type": "function", "name": "f"}, FORCED_F),
        ({"type": "tool", "name": "f"}, FORCED_F),
    ],
)
def test_choices(choice: Any, wanted: ToolChoice | None) -> None:
    call = call_of(tools=[F, G], tool_choice=choice)
    assert (call.tools, call.tool_choice) == ((HUB_F, HUB_G), wanted)


def allowed(*tools: Json, mode: str, flat: bool) -> Json:
    inner = {"mode": mode, "tools": list(tools)}
    return {"type": "allowed_tools", **inner} if flat else {"type": "allowed_tools", "allowed_tools": inner}


@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.parametrize("mode", ["auto", "required"])
def test_allowed_tools(mode: Any, flat: bool) -> None:
    """Notes §6.1: the functions are named, the upstream's own tools that are not allowed are gone."""
    for name in ({"type": "function", "function": {"name": "f"}}, {"type": "function", "name": "f"}):
        call = call_of(tools=[F, G, SEARCH], tool_choice=allowed(name, mode=mode, flat=flat))
        assert call.tools == (HUB_F, HUB_G) and call.tool_choice == ToolChoice(mode, ("f",))
        both = call_of(tools=[F, G, SEARCH, "googleMaps"], tool_choice=allowed(name, SEARCH, mode=mode, flat=flat))
        assert both.tools == (HUB_F, HUB_G, BuiltIn("web_search")) and both.tool_choice == ToolChoice(mode, ("f",))
    own = call_of(tools=[F, SEARCH], tool_choice=allowed(SEARCH, mode=mode, flat=flat))
    assert own.tools == (BuiltIn("web_search"),) and own.tool_choice == ToolChoice(mode)
    missing = allowed({"type": "function", "name": "x"}, mode=mode, flat=flat)
    path = "tool_choice" if flat else "tool_choice.allowed_tools"
    assert refusal(tools=[F], tool_choice=missing).param == f"{path}.tools.0"


def test_allowed_tools_that_cannot_be_had() -> None:
    """Design §5: what is merely offered is passed over, what is forced is refused."""
    call = call_of(tools=[F, UNKNOWN], tool_choice=allowed({"type": "mcp"}, mode="auto", flat=False))
    assert call.tools == () and call.tool_choice is None
    name = {"type": "function", "name": "f"}
    call = call_of(tools=[F, UNKNOWN], tool_choice=allowed({"type": "mcp"}, name, mode="required", flat=False))
    assert call.tool_choice == FORCED_F
    assert (
        refusal(tools=[F, UNKNOWN], tool_choice=allowed({"type": "mcp"}, mode="required", flat=True)).code
        == "unsupported_tool"
    )
    assert refusal(tools=[F], tool_choice=allowed(name, mode="maybe", flat=True)).param


@pytest.mark.parametrize(
    "choice",
    [
        {"type": "web_search"},
        {"type": "web_search_preview"},
        {"type": "function", "function": {"name": "googleSearch"}},
        {"type": "function", "name": "google_search"},
    ],
)
def test_a_forced_tool_of_the_upstreams_own(choice: Json) -> None:
    call = call_of(tools=[F, SEARCH, "googleMaps"], tool_choice=choice)
    assert call.tools == (BuiltIn("web_search"),) and call.tool_choice == ToolChoice("auto")


@pytest.mark.parametrize(
    "fields",
    [
        {"tools": [F], "tool_choice": {"type": "function", "function": {"name": "x"}}},
        {"tools": [F], "tool_choice": {"type": "web_search"}},
        {"tools": [F, UNKNOWN], "tool_choice": {"type": "mcp", "server_label": "x"}},
        {"tools": [UNKNOWN], "tool_choice": {"type": "mcp"}},
        {"tools": [UNKNOWN], "tool_choice": "required"},
        {"tools": [UNKNOWN], "tool_choice": {"type": "any"}},
        {"tools": [UNKNOWN], "tool_choice": {"type": "allowed_tools", "mode": "required", "tools": [UNKNOWN]}},
        {"functions": [{"name": "f"}], "function_call": {"name": "x"}},
    ],
)
def test_a_forced_tool_that_cannot_be_had_is_refused(fields: Json) -> None:
    found = refusal(**fields)
    assert (found.param, found.code) == ("tool_choice", "unsupported_tool")


@pytest.mark.parametrize("choice", ["auto", "none", {"type": "auto"}, {"type": "allowed_tools", "tools": [UNKNOWN]}])
def test_tools_that_nobody_has_and_nobody_forces(choice: Any) -> None:
    call = call_of(tools=[UNKNOWN], tool_choice=choice)
    assert call.tools == () and call.tool_choice is None


@pytest.mark.parametrize(
    ("choice", "forced"),
    [
        ("auto", False),
        ("none", False),
        (None, False),
        ("required", True),
        ({"type": "function", "function": {"name": "f"}}, True),
    ],
)
def test_no_tools_and_a_choice(choice: Any, forced: bool) -> None:
    """Notes §10.4: both dropped; what was to be forced is told."""
    for tools in ([], None):
        parsed = parse(tools=tools, tool_choice=choice)
        assert parsed.call == parse().call
        assert [drop.path for drop in parsed.dropped] == (["tool_choice"] if forced else [])
    legacy = parse(function_call={"name": "f"})
    assert [drop.path for drop in legacy.dropped] == ["function_call"]


def test_parallel_calls() -> None:
    assert call_of(tools=[F]).parallel_calls and call_of(tools=[F], parallel_tool_calls=None).parallel_calls
    assert not call_of(tools=[F], parallel_tool_calls=False).parallel_calls


def test_functions_of_old() -> None:
    functions = [{"name": "f", "description": "d", "parameters": SCHEMA}, {"name": "codeExecution"}]
    call = call_of(functions=functions, function_call={"name": "f"})
    own = Function(name="f", description="d", parameters=json.dumps(SCHEMA))
    assert call.tools == (own, BuiltIn("code_execution")) and call.tool_choice == FORCED_F
    assert not call.parallel_calls, "there is room for one call"
    assert call_of(functions=functions, function_call="none").tool_choice == ToolChoice("none")
    assert call_of(functions=functions, function_call="auto").tool_choice == ToolChoice("auto")


def test_what_no_tool_is() -> None:
    for tools in ([5], [[]], [{"function": {"name": 5}}], [{"type": "custom", "custom": {"name": "a", "format": 5}}]):
        try:
            parse(tools=tools)
        except InvalidRequest as error:
            assert (error.param or "").startswith("tools.0")
