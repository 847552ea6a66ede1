"""Tools and the choice among them: gated by what the model takes, never lost in silence."""

import json
import time
from typing import Any

import pytest
from msgspec.structs import replace

from gemgate.errors import InvalidRequest
from gemgate.hub.call import BuiltIn, Function, OpaqueTool, Output, ToolChoice
from gemgate.hub.parts import Message, Text, ToolCall, ToolResult, Vendor
from gemgate.protocols.gemini.outbound import outbound
from gemgate.protocols.gemini.schemas.document import MAX_TOTAL_CHARACTERS
from tests.protocols.shaping import MODELS, NEW, OLD, ask, checked

SCHEMA = '{"type":"object","properties":{"a":{"type":"string"}}}'
TOOL = Function(name="f", description="d", parameters=SCHEMA)
OTHER = Function(name="g")
SEARCH = BuiltIn("web_search")
OWN = OpaqueTool(Vendor("gemini", '{"fileSearch":{"fileSearchStoreNames":["fileSearchStores/a"]}}'))
FOREIGN = OpaqueTool(Vendor("other", '{"type":"computer"}'))
GEMINI_3 = "gemini-3-flash-preview"
each_model = pytest.mark.parametrize("model", MODELS)


def lost(call: Any, abilities: Any = OLD) -> list[str]:
    return [drop.path for drop in outbound(call, abilities).dropped]


def calling(*tools: Any, choice: ToolChoice | None = None, model: str = GEMINI_3) -> Any:
    return checked(ask(tools=tools, tool_choice=choice), model).get("toolConfig", {}).get("functionCallingConfig")


def declared(body: dict[str, Any]) -> list[str]:
    return [each["name"] for tool in body["tools"] for each in tool.get("functionDeclarations", [])]


# ── functions ──


def test_functions() -> None:
    body = checked(
        ask(tools=(TOOL, Function(name="empty", parameters="{}")), tool_choice=ToolChoice("required", ("f",)))
    )
    assert body["tools"] == [
        {
            "functionDeclarations": [
                {"name": "f", "description": "d", "parametersJsonSchema": json.loads(SCHEMA)},
                {"name": "empty"},
            ]
        }
    ]
    assert body["toolConfig"] == {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f"]}}


def test_models_without_json_schema_get_their_own_dialect() -> None:
    """Acceptance 8."""
    call = ask(tools=(TOOL,))
    (function,) = checked(call, abilities=replace(OLD, json_schema=False))["tools"][0]["functionDeclarations"]
    assert function["parameters"]["type"] == "OBJECT" and "parametersJsonSchema" not in function
    assert function["parameters"]["properties"]["a"]["type"] == "STRING"


def test_of_functions_with_one_name_the_last_is_declared() -> None:
    body = checked(ask(tools=(TOOL, OTHER, Function(name="f", description="newer"))))
    assert body["tools"] == [{"functionDeclarations": [{"name": "f", "description": "newer"}, {"name": "g"}]}]


@pytest.mark.parametrize("schema", ['{"description":"' + "a" * 300_000 + '"}', '{"type":'])
def test_a_schema_that_cannot_be_sent_is_named(schema: str) -> None:
    tools = (TOOL, BuiltIn("web_search"), Function(name="h", parameters=schema))
    with pytest.raises(InvalidRequest) as error:
        outbound(ask(tools=tools), OLD)
    assert error.value.param == "tools.2"


def test_all_schemas_together_have_a_bound() -> None:
    schema = '{"type":"object","description":"' + "a" * (MAX_TOTAL_CHARACTERS // 8) + '"}'
    tools = tuple(Function(name=f"f{number}", parameters=schema) for number in range(8))
    begun = time.process_time()
    with pytest.raises(InvalidRequest) as error:
        outbound(ask(tools=tools), OLD)
    assert error.value.param == "tools" and time.process_time() - begun < 1
    with pytest.raises(InvalidRequest):
        outbound(ask(tools=tools[:7], output=Output(json=True, schema=schema)), OLD)
    outbound(ask(tools=tools[:7]), OLD)


def test_thousands_of_allowed_names_are_no_work() -> None:
    names = tuple(f"f{number}" for number in range(20_000))
    call = ask(tools=tuple(Function(name=name) for name in names), tool_choice=ToolChoice("auto", names))
    begun = time.process_time()
    outbound(call, OLD)
    assert time.process_time() - begun < 2


def test_what_only_gemini_says_of_a_function_stays() -> None:
    extras = Vendor("gemini", '{"behavior":"NON_BLOCKING","response":{"type":"STRING"}}')
    (function,) = checked(ask(tools=(Function(name="f", vendor=extras),)))["tools"][0]["functionDeclarations"]
    assert function == {"name": "f", "response": {"type": "STRING"}, "behavior": "NON_BLOCKING"}


# ── choice ──


@pytest.mark.parametrize(
    ("mode", "name"), [("auto", "AUTO"), ("none", "NONE"), ("required", "ANY"), ("validated", "VALIDATED")]
)
@each_model
def test_modes(mode: Any, name: str, model: str) -> None:
    assert calling(TOOL, choice=ToolChoice(mode), model=model) == {"mode": name}


def test_allowed_names_under_auto_filter_the_declarations() -> None:
    """Notes §6.1: AUTO refuses allowedFunctionNames."""
    body = checked(ask(tools=(TOOL, OTHER), tool_choice=ToolChoice("auto", ("g",))))
    assert declared(body) == ["g"]
    assert body["toolConfig"] == {"functionCallingConfig": {"mode": "AUTO"}}


@pytest.mark.parametrize(("mode", "name"), [("required", "ANY"), ("validated", "VALIDATED")])
def test_allowed_names_where_they_may_stand(mode: Any, name: str) -> None:
    body = checked(ask(tools=(TOOL, OTHER), tool_choice=ToolChoice(mode, ("g", "g"))))
    assert declared(body) == ["f", "g"]
    assert body["toolConfig"]["functionCallingConfig"] == {"mode": name, "allowedFunctionNames": ["g"]}


def test_allowed_names_are_sent_as_the_functions_are() -> None:
    spaced = Function(name="get weather")
    body = checked(ask(tools=(spaced,), tool_choice=ToolChoice("required", ("get weather",))))
    assert body["toolConfig"]["functionCallingConfig"]["allowedFunctionNames"] == declared(body) == ["get_weather"]


def test_names_mean_nothing_where_nothing_may_be_called() -> None:
    assert calling(TOOL, choice=ToolChoice("none", ("f", "unknown"))) == {"mode": "NONE"}


@pytest.mark.parametrize("mode", ["auto", "required", "validated"])
def test_a_named_tool_that_is_not_offered_is_refused(mode: Any) -> None:
    for tools in ((TOOL,), (SEARCH,), ()):
        with pytest.raises(InvalidRequest) as error:
            outbound(ask(tools=tools, tool_choice=ToolChoice(mode, ("unknown",))), OLD)
        assert error.value.param == "tool_choice"


def test_a_forced_tool_that_is_only_in_the_history_is_refused() -> None:
    history = (
        Message("user", (Text("a"),)),
        Message("model", (ToolCall("1", "old", "{}"),)),
        Message("user", (ToolResult("1", "old", "{}"),)),
    )
    with pytest.raises(InvalidRequest):
        outbound(ask(*history, tools=(TOOL,), tool_choice=ToolChoice("required", ("old",))), OLD)


def test_force_without_any_tool_is_refused() -> None:
    with pytest.raises(InvalidRequest) as error:
        outbound(ask(tool_choice=ToolChoice("required")), OLD)
    assert error.value.param == "tool_choice"
    assert "toolConfig" not in checked(ask(tool_choice=ToolChoice("auto")))


def test_strict_functions_are_validated_where_the_model_can() -> None:
    strict = Function(name="s", strict=True)
    assert calling(TOOL, strict) == calling(strict, choice=ToolChoice("auto")) == {"mode": "VALIDATED"}
    assert calling(strict, choice=ToolChoice("required")) == {"mode": "ANY"}
    assert calling(strict, choice=ToolChoice("none")) == {"mode": "NONE"}
    assert calling(TOOL) is None
    assert calling(strict, model="gemini-2.5-flash") is None
    assert calling(strict, choice=ToolChoice("auto"), model="gemini-2.5-flash") == {"mode": "AUTO"}


def test_only_strict_functions_that_are_offered_count() -> None:
    strict = Function(name="s", strict=True)
    assert calling(TOOL, strict, choice=ToolChoice("auto", ("f",))) == {"mode": "AUTO"}


# ── built-in tools ──


def test_built_ins_beside_functions_of_older_models_are_recorded() -> None:
    """Acceptance 15: version-gated, never in silence."""
    call = ask(tools=(TOOL, SEARCH, BuiltIn("code_execution", Vendor("gemini", "{}")), OWN))
    assert lost(call) == ["tools.1", "tools.2", "tools.3"]
    assert checked(call)["tools"] == checked(ask(tools=(TOOL,)))["tools"]
    assert "toolConfig" not in checked(call)


@pytest.mark.parametrize("choice", [None, ToolChoice("auto")])
def test_built_ins_beside_functions_where_both_go(choice: ToolChoice | None) -> None:
    """Notes §2.5: entries of their own, VALIDATED, and the server's calls shown."""
    call = ask(tools=(TOOL, SEARCH, BuiltIn("code_execution", Vendor("gemini", "{}"))), tool_choice=choice)
    assert lost(call, NEW) == []
    body = checked(call, GEMINI_3)
    assert [list(tool) for tool in body["tools"]] == [["functionDeclarations"], ["googleSearch"], ["codeExecution"]]
    assert body["toolConfig"] == {
        "includeServerSideToolInvocations": True,
        "functionCallingConfig": {"mode": "VALIDATED"},
    }


def test_forced_functions_beside_built_ins() -> None:
    call = ask(tools=(TOOL, SEARCH), tool_choice=ToolChoice("required"))
    assert checked(call, GEMINI_3)["toolConfig"] == {
        "includeServerSideToolInvocations": True,
        "functionCallingConfig": {"mode": "ANY"},
    }


@each_model
def test_built_ins_alone_are_kept(model: str) -> None:
    call = ask(tools=(BuiltIn("maps"), BuiltIn("url_context"), OWN))
    body = checked(call, model)
    assert body["tools"] == [{"googleMaps": {}}, {"urlContext": {}}, json.loads(OWN.vendor.raw)]
    assert "toolConfig" not in body and lost(call, MODELS[model]) == []


@each_model
def test_built_ins_are_not_offered_where_nothing_may_be_used(model: str) -> None:
    none = ToolChoice("none")
    body = checked(ask(tools=(TOOL, SEARCH, OWN), tool_choice=none), model)
    assert declared(body) == ["f"] and len(body["tools"]) == 1
    assert body["toolConfig"] == {"functionCallingConfig": {"mode": "NONE"}}
    body = checked(ask(tools=(SEARCH,), tool_choice=none), model)
    assert "tools" not in body and "toolConfig" not in body
    assert lost(ask(tools=(SEARCH,), tool_choice=none), MODELS[model]) == []


def test_a_built_in_offered_twice_is_sent_once() -> None:
    settings = BuiltIn("web_search", Vendor("gemini", '{"timeRangeFilter":{}}'))
    for tools in ((SEARCH, settings), (settings, SEARCH), (SEARCH, settings, SEARCH)):
        assert checked(ask(tools=tools))["tools"] == [{"googleSearch": {"timeRangeFilter": {}}}]
    assert checked(ask(tools=(SEARCH, SEARCH)))["tools"] == [{"googleSearch": {}}]


def test_settings_of_another_format_are_left_alone() -> None:
    foreign = BuiltIn("web_search", Vendor("other", '{"search_context_size":"low"}'))
    assert checked(ask(tools=(foreign,)))["tools"] == [{"googleSearch": {}}]


@each_model
def test_gemini_cannot_be_made_to_use_its_own_tools(model: str) -> None:
    call = ask(tools=(SEARCH,), tool_choice=ToolChoice("required"))
    body = checked(call, model)
    assert body["tools"] == [{"googleSearch": {}}] and "toolConfig" not in body
    assert lost(call, MODELS[model]) == ["tool_choice"]


def test_tools_of_other_formats_are_recorded_unless_forced() -> None:
    assert lost(ask(tools=(TOOL, FOREIGN))) == ["tools.1"]
    assert declared(checked(ask(tools=(TOOL, FOREIGN)))) == ["f"]
    assert "tools" not in checked(ask(tools=(FOREIGN,)))
    forced = ToolChoice("required")
    assert lost(ask(tools=(FOREIGN, TOOL), tool_choice=forced)) == ["tools.0"]
    assert lost(ask(tools=(FOREIGN, SEARCH), tool_choice=forced)) == ["tools.0", "tool_choice"]
    with pytest.raises(InvalidRequest) as error:
        outbound(ask(tools=(FOREIGN,), tool_choice=forced), OLD)
    assert error.value.param == "tools" and "computer" in error.value.message


# ── JSON beside tools ──


@pytest.mark.parametrize("tool", [TOOL, SEARCH])
def test_json_mode_beside_tools(tool: Any) -> None:
    """Acceptance 14: asked for in words where the model refuses both, recorded; as it is where it takes both."""
    call = ask(output=Output(json=True, schema=SCHEMA), tools=(tool,), system=(Text("be kind"),))
    body = checked(call)
    assert "responseMimeType" not in body.get("generationConfig", {})
    assert body["systemInstruction"]["parts"][0] == {"text": "be kind"}
    assert SCHEMA in body["systemInstruction"]["parts"][1]["text"]
    assert lost(call) == ["output"]
    assert checked(call, GEMINI_3)["generationConfig"]["responseMimeType"] == "application/json"
    assert lost(call, NEW) == []


def test_json_mode_stays_where_no_tool_is_left() -> None:
    for tools, choice in (((SEARCH,), ToolChoice("none")), ((FOREIGN,), None)):
        call = ask(output=Output(json=True), tools=tools, tool_choice=choice)
        assert checked(call)["generationConfig"] == {"responseMimeType": "application/json"}
        assert "output" not in lost(call)
