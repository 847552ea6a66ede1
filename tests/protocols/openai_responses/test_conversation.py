"""Who said what: roles, the system text, and the order of messages."""

import pytest

from gemgate.hub.parts import Media, Text, ToolCall, ToolResult
from gemgate.protocols.openai_responses.conversation import Past
from tests.protocols.openai_responses.conversing import (
    HI,
    PNG,
    call,
    lost,
    messages,
    output,
    raw,
    refusal,
    said,
    talk,
)

IMAGE = {"type": "input_image", "image_url": f"data:image/png;base64,{PNG}"}


@pytest.mark.parametrize(
    "given",
    [
        "hi",
        HI,
        [HI],
        ["hi"],
        [{"type": "message", "role": "user", "content": "hi"}],
        [{"role": "user", "content": {"type": "input_text", "text": "hi"}}],
        [{"role": "user", "content": [{"type": "input_text", "text": "hi"}]}],
        [{"role": "user", "content": ["hi"]}],
        [{"role": "user", "content": [{"text": "hi"}]}],
    ],
)
def test_an_input_may_be_a_text_an_item_or_a_list(given: object) -> None:
    found = talk(given)
    assert [(message.role, message.parts) for message in found.messages] == [("user", (Text("hi"),))]
    assert found.system == () and found.dropped == () and found.paths == {}


@pytest.mark.parametrize("given", [None, []])
def test_there_may_be_no_input(given: object) -> None:
    assert talk(given).messages == ()


def test_roles_alternate_as_they_were() -> None:
    assert said(HI, {"role": "assistant", "content": "yes"}, {"role": "user", "content": "so"}) == [
        ("user", (Text("hi"),)),
        ("model", (Text("yes"),)),
        ("user", (Text("so"),)),
    ]


def test_instructions_come_first_then_leading_messages_of_the_system() -> None:
    found = talk(
        [
            {"role": "developer", "content": "b"},
            {"role": "system", "content": [{"type": "input_text", "text": "c"}]},
            HI,
        ],
        instructions="a",
    )
    assert found.system == (Text("a"), Text("b"), Text("c"))
    assert [message.role for message in found.messages] == ["user"]


def test_instructions_may_be_a_list_of_messages() -> None:
    given = [
        {"role": "developer", "content": "a"},
        "b",
        {"type": "message", "role": "user", "content": [{"text": "c"}]},
    ]
    assert talk("hi", instructions=given).system == (Text("a"), Text("b"), Text("c"))


def test_instructions_of_another_kind_are_told() -> None:
    assert [drop.path for drop in talk("hi", instructions=[call("a")]).dropped] == ["instructions.0"]


def test_a_later_message_of_the_system_stays_where_it_is() -> None:
    found = talk([HI, {"role": "developer", "content": "be brief"}, {"role": "assistant", "content": "ok"}])
    assert found.system == ()
    assert [message.parts for message in found.messages] == [(Text("hi"),), (Text("be brief"),), (Text("ok"),)]
    assert [message.role for message in found.messages] == ["user", "user", "model"]


@pytest.mark.parametrize("role", ["User", "ASSISTANT", "tool", "critic", "x" * 500])
def test_an_unknown_role_is_refused(role: str) -> None:
    error = refusal([HI, {"role": role, "content": "a"}])
    assert error.param == "input.1.role" and role[:80] in error.message and len(error.message) < 300


def test_a_message_must_have_a_role_and_an_item_a_type() -> None:
    assert refusal([HI, {"type": "message", "content": "a"}]).param == "input.1.role"
    assert refusal([HI, {"content": "a"}]).param == "input.1.type"


def test_content_on_its_own_is_refused_rather_than_lost() -> None:
    assert refusal([{"type": "input_text", "text": "a"}]).param == "input.0.type"


@pytest.mark.parametrize(
    ("given", "param"),
    [
        (5, "input"),
        ([5], "input.0"),
        ([HI, None], "input.1"),
        ([HI, {"role": "user", "content": 5}], "input.1.content"),
        ([HI, {"role": "user", "content": [{"type": "input_text", "text": 5}]}], "input.1.content.0.text"),
        ([HI, {"role": "user", "content": [{"type": "x"}]}], "input.1.content.0"),
        ({"role": "user", "content": [{"type": "x"}]}, "input.content.0"),
        ({"role": "user", "content": 5}, "input.content"),
        ([{"type": "function_call", "arguments": "{}"}], "input.0.name"),
        ([{"type": "function_call", "name": 1}], "input.0.name"),
        ([{"type": "additional_tools", "tools": {}}], "input.0.tools"),
    ],
)
def test_what_is_wrong_is_named(given: object, param: str) -> None:
    assert refusal(given).param == param


def test_an_unknown_item_may_hold_anything() -> None:
    found = talk([HI, {"type": "from_tomorrow", "id": 5, "content": 7, "role": []}, call("a")])
    assert [message.role for message in found.messages] == ["user", "model"]
    assert [drop.path for drop in found.dropped] == ["input.1"]


@pytest.mark.parametrize("kind", ["web_search_call", "file_search_call", "compaction_trigger", "configuration_update"])
def test_items_without_words_are_left_out_in_silence(kind: str) -> None:
    assert lost(HI, {"type": kind, "id": "a", "status": "completed", "queries": ["a"]}) == []


@pytest.mark.parametrize("kind", ["mcp_list_tools", "mcp_approval_request", "mcp_approval_response", "nothing_known"])
def test_what_is_left_out_is_told(kind: str) -> None:
    assert lost(HI, {"type": kind, "id": "a"}) == ["input.1"]


def test_very_much_that_is_left_out_is_told_in_part() -> None:
    assert len(lost(*[{"type": "x"}] * 1_000)) == 100


def test_neighbouring_items_of_the_model_are_one_message() -> None:
    found = messages(
        HI,
        {"role": "assistant", "content": "I look"},
        call("a", "f"),
        call("b", "g"),
        output("a", "1"),
        output("b", "2"),
        {"role": "assistant", "content": "done"},
    )
    assert [message.role for message in found] == ["user", "model", "user", "model"]
    assert found[1].parts == (Text("I look"), ToolCall("a", "f", "{}"), ToolCall("b", "g", "{}"))
    assert found[2].parts == (ToolResult("a", "f", '{"output":"1"}'), ToolResult("b", "g", '{"output":"2"}'))


def test_empty_messages_say_nothing() -> None:
    given = [HI, {"role": "assistant", "content": None}, {"role": "assistant", "content": ""}, call("a"), output("a")]
    assert [message.role for message in messages(*given)] == ["user", "model", "user"]
    assert messages({"role": "user", "content": []})[0].parts == ()


def test_media_and_results_are_found_again_in_the_request() -> None:
    found = talk(
        [
            {"role": "developer", "content": ["a", IMAGE]},
            {"role": "user", "content": ["a", IMAGE]},
            call("a"),
            call("b"),
            output("b", [IMAGE]),
            output("a"),
            {"role": "assistant", "content": [{"type": "output_text", "text": "b"}]},
            {"role": "user", "content": IMAGE},
        ],
        instructions="x",
    )
    assert found.paths == {
        "system.2": "input.0.content.1",
        "messages.0.parts.1": "input.1.content.1",
        "messages.2.parts.0": "input.4.output",
        "messages.2.parts.1": "input.5.output",
        "messages.4.parts.0": "input.7.content",
    }
    assert isinstance(found.system[2], Media) and isinstance(found.messages[4].parts[0], Media)
    assert not found.remote


def test_media_at_an_address_are_noticed() -> None:
    image = {"type": "input_image", "image_url": "https://example.com/a.png"}
    assert talk([{"role": "user", "content": [image]}]).remote
    assert talk([HI, call("a"), output("a", [image])]).remote
    assert talk("hi", instructions=[{"role": "system", "content": [image]}]).remote


def test_tools_that_are_defined_among_the_items_are_found() -> None:
    tools = [{"type": "function", "name": "a"}, {"type": "function", "name": "b"}]
    found = talk(
        [{"type": "additional_tools", "role": "developer", "tools": tools}, {"role": "system", "content": "x"}]
    )
    assert found.defined == (("input.0.tools.0", raw(tools[0])), ("input.0.tools.1", raw(tools[1])))
    assert found.system == (Text("x"),)


def test_the_functions_of_the_history_are_named() -> None:
    found = talk([HI, call("a", "f"), call("b", "g", namespace="n")], Past())
    assert found.named == {"f", "n__g"}
