"""The choice among the tools of a request."""

from typing import Any

import pytest

from gemgate.hub.call import BuiltIn, Function, Tool, ToolChoice
from tests.protocols.openai_responses.asking import Json, call_of, lost, refusal

F: Json = {"type": "function", "name": "f"}
G: Json = {"type": "custom", "name": "g"}
SPACE: Json = {"type": "namespace", "name": "n", "tools": [{"type": "function", "name": "inner"}]}
SEARCH: Json = {"type": "web_search"}
IMAGES: Json = {"type": "image_generation"}
CODE: Json = {"type": "code_interpreter", "container": {"type": "auto"}}
TOOLS = [F, G, SPACE, SEARCH, IMAGES, CODE, {"type": "shell"}, {"type": "apply_patch"}, {"type": "computer"}]


def chosen(choice: Any, tools: Any = None) -> ToolChoice | None:
    return call_of(tools=TOOLS if tools is None else tools, tool_choice=choice).tool_choice


def left(choice: Any) -> list[str]:
    return [_name(tool) for tool in call_of(tools=TOOLS, tool_choice=choice).tools]


def _name(tool: Tool) -> str:
    return tool.name if isinstance(tool, Function) else tool.kind if isinstance(tool, BuiltIn) else ""


def allowed(*tools: Json, mode: str = "auto") -> Json:
    return {"type": "allowed_tools", "mode": mode, "tools": list(tools)}


@pytest.mark.parametrize("mode", ["auto", "none", "required"])
def test_modes(mode: Any) -> None:
    assert chosen(mode) == ToolChoice(mode) == chosen({"type": mode})
    assert call_of(tools=TOOLS, tool_choice=mode).tools == call_of(tools=TOOLS).tools
    assert chosen(None) is None and chosen("") is None


@pytest.mark.parametrize(
    ("choice", "name"),
    [
        ({"type": "function", "name": "f"}, "f"),
        ({"type": "function", "function": {"name": "f"}}, "f"),
        ({"name": "f"}, "f"),
        ({"type": "tool", "name": "f"}, "f"),
        ({"type": "custom", "name": "g"}, "g"),
        ({"type": "function", "name": "inner", "namespace": "n"}, "n__inner"),
        ({"type": "function", "name": "n__inner"}, "n__inner"),
        ({"type": "function", "name": "inner"}, "n__inner"),
        ({"type": "shell"}, "shell"),
        ({"type": "apply_patch"}, "apply_patch"),
        ({"type": "computer_use_preview"}, "computer"),
        ({"type": "computer"}, "computer"),
    ],
)
def test_forced_functions(choice: Json, name: str) -> None:
    assert chosen(choice) == ToolChoice("required", (name,))


@pytest.mark.parametrize(
    ("choice", "kind", "mode"),
    [
        ({"type": "web_search_preview"}, "web_search", "auto"),
        ({"type": "web_search_preview_2025_03_11"}, "web_search", "auto"),
        ({"type": "web_search"}, "web_search", "auto"),
        ({"type": "code_interpreter"}, "code_execution", "auto"),
        ({"type": "image_generation"}, "image_generation", "required"),
    ],
)
def test_forced_tools_of_the_upstream(choice: Json, kind: Any, mode: Any) -> None:
    """The upstream cannot be made to use its own tools; it is left no other. Whether it makes images is known."""
    assert left(choice) == [kind] and chosen(choice) == ToolChoice(mode)


@pytest.mark.parametrize(
    "choice",
    [
        {"type": "function", "name": "x"},
        {"type": "function", "name": "inner", "namespace": "other"},
        {"type": "file_search"},
        {"type": "mcp", "server_label": "s", "name": "f"},
        {"type": "local_shell"},
        {"type": "zebra"},
        allowed({"type": "file_search"}, mode="required"),
    ],
)
def test_what_cannot_be_had_cannot_be_forced(choice: Json) -> None:
    error = refusal(tools=[*TOOLS, {"type": "file_search", "vector_store_ids": ["v"]}], tool_choice=choice)
    assert error.param == "tool_choice" and error.code == "unsupported_tool"
    assert refusal(tools=[{"type": "file_search"}], tool_choice=choice).code == "unsupported_tool"
    named = choice.get("name") or choice["type"]
    assert choice["type"] == "allowed_tools" or named in error.message


def test_a_search_that_is_not_offered_cannot_be_forced() -> None:
    offline = SEARCH | {"external_web_access": False}
    assert refusal(tools=[offline, F], tool_choice=SEARCH).code == "unsupported_tool"
    assert refusal(tools=[offline], tool_choice="required").code == "unsupported_tool"


@pytest.mark.parametrize("mode", ["auto", "required"])
def test_allowed_tools(mode: Any) -> None:
    inner = {"type": "function", "name": "inner", "namespace": "n"}
    assert chosen(allowed(F, {"type": "custom", "name": "g"}, inner, mode=mode)) == ToolChoice(
        mode, ("f", "g", "n__inner")
    )
    both = allowed(F, SEARCH, {"type": "mcp", "server_label": "s"}, mode=mode)
    assert chosen(both) == ToolChoice(mode, ("f",)) and "web_search" in left(both)
    assert "image_generation" not in left(both) and left(allowed(IMAGES, mode=mode)) == ["image_generation"]
    missing = refusal(tools=TOOLS, tool_choice=allowed(F, {"type": "function", "name": "x"}, mode=mode))
    assert missing.param == "tool_choice.tools.1"


@pytest.mark.parametrize(
    ("choice", "param"),
    [
        ("maybe", "tool_choice"),
        ({}, "tool_choice"),
        ({"type": "function"}, "tool_choice"),
        ({"type": 5}, "tool_choice.type"),
        (7, "tool_choice"),
        (allowed(F, mode="none"), "tool_choice.mode"),
        (allowed(), "tool_choice"),
    ],
)
def test_choices_that_are_none(choice: Any, param: str) -> None:
    assert refusal(tools=TOOLS, tool_choice=choice).param == param


def test_without_tools_there_is_nothing_to_choose() -> None:
    assert call_of(tool_choice="auto").tool_choice is None and not lost(tool_choice="none")
    assert (
        lost(tool_choice="required") == ["tool_choice"] == lost(tools=[], tool_choice={"type": "function", "name": "f"})
    )
