"""What the server keeps comes before the request's own items, as it was."""

import json
from typing import Any

import pytest

from gemgate.errors import NotFound
from gemgate.hub.parts import Inline, Media, Message, Part, Signature, Text, Thought, ToolCall, ToolResult
from gemgate.protocols.openai_responses.conversation import Past
from gemgate.protocols.openai_responses.kept import KeptItem
from tests.protocols.openai_responses.conversing import HI, MARK, PNG, Json, call, messages, output, raw, refusal, talk


def kept(item: Any, *parts: Part, own: bool = False) -> KeptItem:
    """An item of a client's, or with parts (or `own`) of the model's."""
    return KeptItem(json.dumps(item).encode(), parts if parts or own else None)


def after(*items: KeptItem, **referred: KeptItem) -> Past:
    return Past(items, referred)


def reference(item_id: str, **more: Any) -> Json:
    return {"type": "item_reference", "id": item_id} | more


CALL = kept(call("a", id="fc_1"), Thought("hm"), ToolCall("a", "f", '{"x": 1}', MARK))
ANSWER = kept({"type": "message", "id": "msg_1", "role": "assistant", "content": "yes"}, Text("yes"), Text("", MARK))


def test_what_was_said_before_comes_first() -> None:
    past = after(kept(HI | {"id": "msg_0"}), ANSWER)
    assert messages({"role": "user", "content": "so"}, past=past) == (
        Message("user", (Text("hi"),)),
        Message("model", (Text("yes"), Text("", MARK))),
        Message("user", (Text("so"),)),
    )


def test_the_parts_of_an_answer_are_exactly_those_kept() -> None:
    past = after(kept(HI), kept({"type": "reasoning"}, Thought("a")), kept({"type": "x"}, own=True), CALL, ANSWER)
    assert messages(output("a"), past=past)[1:] == (
        Message(
            "model", (Thought("a"), Thought("hm"), ToolCall("a", "f", '{"x": 1}', MARK), Text("yes"), Text("", MARK))
        ),
        Message("user", (ToolResult("a", "f", '{"output":"ok"}'),)),
    )


def test_functions_and_families_of_the_past_are_told() -> None:
    found = talk([output("a")], after(kept(HI), CALL))
    assert found.named == {"f"} and found.families == {"three"}
    assert talk(
        "so", after(kept(HI), kept(call("a"), ToolCall("a", "f", "{}", Signature("gemini", "x"))))
    ).families == (frozenset())


def test_the_system_text_of_the_past_leads() -> None:
    past = after(kept({"role": "developer", "content": "a"}), kept(HI))
    found = talk([{"role": "system", "content": "b"}], past, instructions="i")
    assert found.system == (Text("i"), Text("a"))
    assert found.messages[1] == Message("user", (Text("b"),))


def test_paths_count_the_requests_own_items() -> None:
    image = {"type": "input_image", "image_url": PNG}
    tools = [{"type": "function", "name": "g"}]
    past = after(
        kept({"role": "user", "content": [image]}), CALL, kept({"type": "additional_tools", "tools": tools}), ANSWER
    )
    found = talk([{"role": "user", "content": [image]}, {"type": "unknown"}], past)
    assert found.paths == {"messages.0.parts.0": "input", "messages.2.parts.0": "input.0.content.0"}
    assert [drop.path for drop in found.dropped] == ["input.1"]
    assert found.defined == (("input", raw(tools[0])),)
    with pytest.raises(NotFound):
        talk([reference("x")], past)


def test_an_error_names_the_requests_own_item() -> None:
    assert refusal([HI, {"role": "x"}]).param == "input.1.role"


@pytest.mark.parametrize(
    "item",
    [
        b"",
        b"nonsense",
        b"5",
        b"[]",
        b'{"role":"x"}',
        b'{"role":"user","content":[{"type":"hologram"}]}',
        b'{"type":"function_call"}',
        b'{"type":"additional_tools","tools":5}',
        b'{"type":"item_reference","id":"gone"}',
        b'{"type":"unknown"}',
        b'{"role":"user","content":"\xff"}',
        b'{"type":"function_call","name":"f","arguments":' + b'{"a":' * 100_000,
    ],
)
def test_what_is_kept_and_cannot_be_read_is_left_out(item: bytes) -> None:
    found = talk("so", after(KeptItem(item), ANSWER))
    assert [message.role for message in found.messages] == ["model", "user"] and found.dropped == ()


def test_a_reference_is_what_it_means() -> None:
    past = after(fc_1=CALL, msg_0=kept(HI | {"id": "msg_0"}))
    for bare in ({"id": "msg_0"}, {"id": "msg_0", "type": None}, reference("msg_0")):
        assert messages(bare, reference("fc_1"), output("a"), past=past) == (
            Message("user", (Text("hi"),)),
            Message("model", (Thought("hm"), ToolCall("a", "f", '{"x": 1}', MARK))),
            Message("user", (ToolResult("a", "f", '{"output":"ok"}'),)),
        )


def test_a_reference_to_what_is_there_adds_nothing() -> None:
    past = Past((kept(HI | {"id": "msg_0"}),), {"fc_1": CALL, "msg_0": kept(HI), "msg_9": kept(HI)})
    own = {"role": "user", "content": "so", "id": "msg_9"}
    found = messages(
        reference("msg_0"), reference("fc_1"), reference("fc_1"), output("a"), reference("msg_9"), own, past=past
    )
    assert [message.role for message in found] == ["user", "model", "user", "user"]
    assert found[3].parts == (Text("so"),)


def test_a_reference_to_nothing() -> None:
    with pytest.raises(NotFound) as error:
        talk([HI, reference("rs_gone")])
    assert error.value.message == "Item with id 'rs_gone' not found."


def test_a_reference_to_itself_ends() -> None:
    past = after(a=kept(reference("b")), b=kept(reference("a")))
    assert messages(reference("a"), HI, past=past) == (Message("user", (Text("hi"),)),)


def test_an_image_may_be_named_without_its_data() -> None:
    image = Media("image/png", Inline(PNG))
    past = after(ig_1=kept({"type": "image_generation_call", "id": "ig_1", "result": PNG}, image))
    assert messages(HI, {"type": "image_generation_call", "id": "ig_1"}, past=past)[1].parts == (image,)
