"""Calls of tools and what they gave back, in whatever items they stand."""

import json
from typing import Any

import pytest

from gemgate.hub.parts import Code, CodeResult, Inline, Media, Text, ToolCall, ToolResult
from tests.protocols.openai_responses.conversing import HI, PNG, Json, call, lost, messages, output, raw, refusal, talk

PICTURE = {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}"}


def called(item: Json) -> ToolCall:
    (found,) = messages(HI, item)[1].parts
    assert isinstance(found, ToolCall)
    return found


def answer(item: Json) -> ToolResult:
    (found,) = messages(HI, call("c"), {"call_id": "c"} | item)[2].parts
    assert isinstance(found, ToolResult)
    return found


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ('{"a": 1}', {"a": 1}),
        ({"a": 1}, {"a": 1}),
        ("", {}),
        (None, {}),
        ('{"a": ', {"_raw": '{"a": '}),
        ("[1]", {"_raw": "[1]"}),
        ([1], {"_raw": "[1]"}),
    ],
)
def test_arguments_are_an_object_whatever_the_model_wrote(arguments: Any, expected: Json) -> None:
    found = called(call("a", "f", arguments=arguments))
    assert (found.id, found.name, json.loads(found.arguments)) == ("a", "f", expected)


ACTION = {"type": "exec", "command": ["ls"], "env": {}}


@pytest.mark.parametrize(
    ("item", "name", "arguments"),
    [
        ({"type": "function_call", "name": "f", "namespace": "n", "arguments": "{}"}, "n__f", {}),
        ({"type": "custom_tool_call", "name": "p", "input": "a\nb"}, "p", {"input": "a\nb"}),
        ({"type": "custom_tool_call", "name": "p", "namespace": "n"}, "n__p", {"input": ""}),
        ({"type": "custom_tool_call", "name": "p", "input": {"a": 1}}, "p", {"input": '{"a": 1}'}),
        ({"type": "local_shell_call", "action": ACTION}, "local_shell", ACTION),
        ({"type": "shell_call", "action": {"commands": ["ls"]}}, "shell", {"commands": ["ls"]}),
        ({"type": "apply_patch_call", "operation": {"type": "delete_file"}}, "apply_patch", {"type": "delete_file"}),
        ({"type": "computer_call", "action": {"type": "wait"}}, "computer", {"actions": [{"type": "wait"}]}),
        ({"type": "computer_call", "actions": [{"type": "wait"}]}, "computer", {"actions": [{"type": "wait"}]}),
        ({"type": "computer_call"}, "computer", {"actions": []}),
        ({"type": "tool_search_call", "execution": "client", "arguments": {"q": 1}}, "tool_search", {"q": 1}),
        ({"type": "program", "code": "x()"}, "program", {"code": "x()"}),
        ({"type": "mcp_call", "server_label": "s", "name": "f", "arguments": "{}"}, "s__f", {}),
    ],
)
def test_every_kind_of_call(item: Json, name: str, arguments: Json) -> None:
    found = called({"call_id": "a"} | item)
    assert (found.id, found.name, json.loads(found.arguments)) == ("a", name, arguments)


@pytest.mark.parametrize("kind", ["function_call", "custom_tool_call", "mcp_call"])
def test_a_call_must_name_its_tool(kind: str) -> None:
    assert refusal([HI, {"type": kind, "call_id": "a"}]).param == "input.1.name"


@pytest.mark.parametrize("kind", ["function_call_output", "custom_tool_call_output", "local_shell_call_output"])
@pytest.mark.parametrize(
    ("given", "response"),
    [
        ("40 C", {"output": "40 C"}),
        ("", {"output": ""}),
        (None, {"output": ""}),
        ('{"a":1}', {"a": 1}),
        ({"a": 1}, {"a": 1}),
        ([1, {"b": 2}], {"output": [1, {"b": 2}]}),
        ([{"b": 2}], {"output": [{"b": 2}]}),
        (5, {"output": 5}),
        ([], {"output": ""}),
        ([{"type": "input_text", "text": "a"}, {"type": "output_text", "text": "b"}], {"output": "a\nb"}),
        ({"type": "input_text", "text": "a"}, {"output": "a"}),
        (["a", "b"], {"output": "a\nb"}),
    ],
)
def test_results_of_any_form(kind: str, given: Any, response: Json) -> None:
    found = answer({"type": kind, "output": given})
    assert (found.id, found.name, found.media) == ("c", "f", ())
    assert json.loads(found.response) == response


def test_images_in_a_result() -> None:
    found = answer({"type": "function_call_output", "output": [{"type": "input_text", "text": "a"}, PICTURE]})
    assert json.loads(found.response) == {"output": "a"}
    assert [media.mime_type for media in found.media] == ["image/png"]


def test_a_bad_image_in_a_result_is_named() -> None:
    given = [{"type": "input_text", "text": "a"}, {"type": "input_image", "image_url": "nothing"}]
    assert refusal([HI, call("a"), output("a", given)]).param == "input.2.output.1.image_url"


def test_a_screenshot() -> None:
    shot = {"type": "computer_screenshot", "image_url": f"data:image/png;base64,{PNG}"}
    found = answer({"type": "computer_call_output", "output": shot})
    assert [media.mime_type for media in found.media] == ["image/png"] and json.loads(found.response) == {"output": ""}


def test_results_of_shells_and_patches() -> None:
    printed = [{"stdout": "a", "stderr": "", "outcome": {"type": "exit", "exit_code": 0}}]
    assert json.loads(answer({"type": "shell_call_output", "output": printed}).response) == {"output": printed}
    patched = {"type": "apply_patch_call_output"}
    assert json.loads(answer(patched | {"status": "completed"}).response) == {"output": "Done."}
    assert json.loads(answer(patched | {"status": "failed", "output": "no file"}).response) == {"error": "no file"}
    assert "error" in json.loads(answer(patched | {"status": "failed"}).response)


def test_what_a_program_gave() -> None:
    assert json.loads(answer({"type": "program_output", "result": "5"}).response) == {"output": "5"}


def test_a_result_may_name_its_call_by_the_item() -> None:
    shell = {"type": "local_shell_call", "id": "lsh_1", "call_id": "call_1", "action": {}}
    (found,) = messages(HI, shell, {"type": "local_shell_call_output", "id": "lsh_1", "output": "a"})[2].parts
    assert found == ToolResult("call_1", "local_shell", '{"output":"a"}')


def test_a_result_of_an_unknown_call_keeps_what_it_says_of_itself() -> None:
    (found,) = messages(HI, output("x", name="g", namespace="n"))[1].parts
    assert isinstance(found, ToolResult) and (found.id, found.name) == ("x", "n__g")
    (found,) = messages(HI, output("x"))[1].parts
    assert isinstance(found, ToolResult) and (found.id, found.name) == ("x", "")


def test_a_call_of_a_server_comes_with_its_result() -> None:
    served = {"type": "mcp_call", "id": "m", "server_label": "s", "name": "f", "arguments": "{}"}
    assert messages(HI, served | {"output": "found"})[1:] == (
        messages(HI, served)[1],
        messages(HI, call("m", "s__f"), output("m", "found"))[2],
    )
    (failed,) = messages(HI, served | {"error": "gone", "output": None})[2].parts
    assert isinstance(failed, ToolResult) and json.loads(failed.response) == {"error": "gone"}


def test_a_search_for_tools_by_the_client() -> None:
    tools = [{"type": "function", "name": "rate"}, {"type": "namespace", "name": "mail", "tools": [{"name": "send"}]}]
    found = talk(
        [
            HI,
            {"type": "tool_search_call", "execution": "client", "call_id": "s", "arguments": {"query": "rate"}},
            {"type": "tool_search_output", "execution": "client", "call_id": "s", "tools": tools},
        ]
    )
    assert found.messages[1].parts == (ToolCall("s", "tool_search", '{"query": "rate"}'),)
    (result,) = found.messages[2].parts
    assert isinstance(result, ToolResult) and result.id == "s" and "rate, mail__send" in result.response
    assert found.defined == (("input.2.tools.0", raw(tools[0])), ("input.2.tools.1", raw(tools[1])))


def test_a_search_for_tools_by_a_server_only_defines_them() -> None:
    tools = [{"type": "function", "name": "rate"}]
    found = talk(
        [
            HI,
            {"type": "tool_search_call", "execution": "server", "call_id": None, "arguments": {}},
            {"type": "tool_search_output", "execution": "server", "call_id": None, "tools": tools},
        ]
    )
    assert [message.role for message in found.messages] == ["user"]
    assert found.defined == (("input.2.tools.0", raw(tools[0])),)


def code(**more: Any) -> tuple[object, ...]:
    item = {"type": "code_interpreter_call", "id": "ci_abc", "code": "1+1", "status": "completed"} | more
    found = messages(HI, item, {"role": "assistant", "content": "so"})[1].parts
    assert found[-1] == Text("so")
    return found[:-1]


def test_code_that_was_run() -> None:
    ran = [{"type": "logs", "logs": "2"}, {"type": "logs", "logs": "3"}]
    assert code(outputs=ran) == (Code("abc", "python", "1+1"), CodeResult("abc", "ok", "2\n3"))
    assert code(outputs=None, id="ci_made_1") == (Code("", "python", "1+1"), CodeResult("", "ok", ""))
    assert code(status="failed")[1] == CodeResult("abc", "failed", "")
    assert code(status="incomplete", outputs=[])[1] == CodeResult("abc", "deadline_exceeded", "")
    assert code(code=None) == ()


@pytest.mark.parametrize("status", ["in_progress", "interpreting", "incomplete"])
@pytest.mark.parametrize("outputs", [{}, {"outputs": None}])
def test_code_whose_result_never_came(status: str, outputs: dict[str, None]) -> None:
    """None is invented; the contract of the upstream allows for code alone."""
    assert code(status=status, **outputs) == (Code("abc", "python", "1+1"),)


def test_what_code_drew() -> None:
    here = {"type": "image", "url": f"data:image/png;base64,{PNG}"}
    elsewhere = {"type": "image", "url": "https://example.com/a.png"}
    found = code(outputs=[here, elsewhere, {"type": "image", "url": "data:,"}, {"type": "logs", "logs": "a"}])
    assert len(found) == 3 and isinstance(found[2], Media) and found[2].mime_type == "image/png"


@pytest.mark.parametrize("form", [None, "png", "webp"])
def test_an_image_that_was_made(form: str | None) -> None:
    item = {"type": "image_generation_call", "id": "ig", "result": PNG, "output_format": form, "status": "completed"}
    (found,) = messages(HI, item)[1].parts
    assert isinstance(found, Media) and isinstance(found.source, Inline)
    assert (found.mime_type, found.source.text) == ("image/png", PNG)


@pytest.mark.parametrize("result", [None, ""])
def test_an_image_that_is_not_there_is_told(result: str | None) -> None:
    assert lost(HI, {"type": "image_generation_call", "id": "ig", "result": result}) == ["input.1"]


def test_what_is_no_image_is_refused() -> None:
    assert refusal([{"type": "image_generation_call", "result": "%%%"}]).param == "input.0.result"
