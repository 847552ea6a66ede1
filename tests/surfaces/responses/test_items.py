"""Items of clients, as they are kept and shown again."""

from itertools import count
from typing import Any

import pytest
from msgspec import Raw, json
from openai.types.conversations.conversation_item import ConversationItem
from pydantic import TypeAdapter

from gemgate.errors import InvalidRequest
from gemgate.hub.parts import Text
from gemgate.protocols.openai_responses.kept import KeptItem, unpacked
from gemgate.store.protocols import StoredItem
from gemgate.surfaces.responses.items import added, stored, stored_input

SHOWN: TypeAdapter[Any] = TypeAdapter(ConversationItem)


def raw(*items: object) -> list[Raw]:
    return [Raw(json.encode(item)) for item in items]


def ids() -> Any:
    numbers = count(1)
    return lambda: f"n{next(numbers)}"


def kept(*items: object) -> list[StoredItem]:
    return stored_input(raw(*items), ids())


def form(item: object) -> Any:
    (found,) = kept(item)
    document = json.decode(found.json)
    assert document["id"] == found.id and found.native == b""
    return document


def test_a_text_of_the_users_is_a_message() -> None:
    wanted = {
        "id": "msg_n1",
        "type": "message",
        "status": "completed",
        "content": [{"type": "input_text", "text": 'say "hi"'}],
        "role": "user",
    }
    assert form('say "hi"') == wanted
    assert form({"role": "user", "content": 'say "hi"'}) == wanted
    assert form({"type": "message", "role": "user", "content": {"type": "input_text", "text": 'say "hi"'}}) == wanted
    assert list(form("x")) == list(wanted)


def test_a_text_of_the_models_is_output() -> None:
    said = {"type": "output_text", "annotations": [], "logprobs": [], "text": "hi"}
    assert form({"role": "assistant", "content": "hi", "phase": "final_answer"}) == {
        "id": "msg_n1",
        "type": "message",
        "status": "completed",
        "role": "assistant",
        "content": [said],
        "phase": "final_answer",
    }


def test_parts_stay_as_they_are() -> None:
    parts = [{"type": "input_image", "image_url": "data:image/png;base64,AAAA", "detail": "low"}]
    assert form({"role": "user", "content": parts})["content"] == parts
    assert form({"role": "user", "content": None})["content"] == []


@pytest.mark.parametrize(
    ("item", "prefix"),
    [
        ({"type": "function_call", "call_id": "c", "name": "f", "arguments": "{}"}, "fc_"),
        ({"type": "function_call_output", "call_id": "c", "output": "1"}, "fco_"),
        ({"type": "custom_tool_call", "call_id": "c", "name": "f", "input": "x"}, "ctc_"),
        ({"type": "reasoning", "summary": [], "encrypted_content": "x"}, "rs_"),
        ({"type": "compaction", "encrypted_content": "x"}, "cmp_"),
        ({"role": "developer", "content": "be brief"}, "msg_"),
    ],
)
def test_each_is_shown_as_the_sdk_knows_it(item: dict[str, Any], prefix: str) -> None:
    document = form(item)
    assert document["id"] == f"{prefix}n1"
    assert all(document[name] == value for name, value in item.items() if name != "content")
    SHOWN.validate_python(document, strict=True)


def test_what_has_no_status_is_given_none() -> None:
    assert "status" not in form({"type": "reasoning", "summary": []})
    assert form({"type": "function_call", "name": "f", "status": None})["status"] == "completed"
    assert form({"type": "function_call", "name": "f", "status": "incomplete"})["status"] == "incomplete"


def test_own_ids_stay_in_an_input_if_they_are_ids() -> None:
    own = {"id": "msg_own", "role": "user", "content": "x"}
    assert [item.id for item in kept(own, own | {"id": "no id!"}, own | {"id": None}, own | {"id": 7})] == [
        "msg_own",
        "msg_n1",
        "msg_n2",
        "msg_n3",
    ]


def test_what_is_added_to_a_conversation_gets_ids_of_ours() -> None:
    referred = {"msg_old": KeptItem(b'{"id":"msg_old","type":"message"}', (Text("hi"),))}
    items = raw({"id": "msg_own", "role": "user", "content": "x"}, {"type": "item_reference", "id": "msg_old"})
    found = added(items, referred, ids())
    assert [item.id for item in found] == ["msg_n1", "msg_old"]
    assert json.decode(found[0].json)["id"] == "msg_n1"
    assert found[1].json == b'{"id":"msg_old","type":"message"}' and unpacked(found[1].native) == (Text("hi"),)


def test_a_reference_keeps_its_id() -> None:
    assert form({"type": "item_reference", "id": "msg_old"}) == {"id": "msg_old", "type": "item_reference"}


def test_an_item_of_an_answer_keeps_its_parts() -> None:
    item = stored(KeptItem(b'{"type":"message","id":"msg_1"}', (Text("hi"),)))
    assert item.id == "msg_1" and unpacked(item.native) == (Text("hi"),)


@pytest.mark.parametrize("item", [7, None, [1], True])
def test_what_is_no_item_is_refused(item: object) -> None:
    with pytest.raises(InvalidRequest) as refused:
        kept("fine", item)
    assert refused.value.param == "input.1"
