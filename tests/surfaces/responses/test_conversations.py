"""Conversations, over a real store."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from openai.types.conversations.conversation import Conversation
from openai.types.conversations.conversation_deleted_resource import ConversationDeletedResource
from openai.types.conversations.conversation_item_list import ConversationItemList

from gemgate.errors import InvalidRequest, NotFound, Unsupported
from gemgate.surfaces.responses.conversations import Conversations
from tests.surfaces.responses.rooms import Room, answer_of, error_of, room, shown

HI = {"role": "user", "content": "hi"}
HELLO = {"role": "assistant", "content": "hello"}


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Room]:
    async with room(tmp_path) as made:
        yield made


async def made(here: Room, **body: Any) -> str:
    return str((await shown(here.conversations.create, json.dumps(body).encode()))["id"])


async def ids(here: Room, conversation_id: str) -> list[str]:
    found = await shown(here.conversations.list_items, conversation_id, query=b"order=asc")
    return [item["id"] for item in found["data"]]


async def test_its_life(here: Room) -> None:
    there = here.conversations
    begun = await shown(there.create, b'{"metadata":{"topic":"demo"},"items":[%s]}' % json.dumps(HI).encode())
    name = begun["id"]
    assert begun == {"id": name, "object": "conversation", "created_at": 1_000_000, "metadata": {"topic": "demo"}}
    assert list(begun) == ["id", "object", "created_at", "metadata"] and name.startswith("conv_")
    assert await shown(there.get, name) == begun
    marked = await shown(there.update, name, b'{"metadata":{"topic":"other"}}')
    assert marked == begun | {"metadata": {"topic": "other"}} == await shown(there.get, name)
    gone = await answer_of(there.delete, name)
    assert json.loads(gone.body) == {"id": name, "object": "conversation.deleted", "deleted": True}
    ConversationDeletedResource.model_validate_json(gone.body, strict=True)
    assert (await error_of(there.get, name)).message == f"Conversation with id '{name}' not found."


@pytest.mark.parametrize("body", [b"", b"{}", b'{"metadata":null,"items":null}'])
async def test_it_may_begin_empty(here: Room, body: bytes) -> None:
    begun = await answer_of(here.conversations.create, body)
    assert Conversation.model_validate_json(begun.body, strict=True).metadata == {}


async def test_its_items(here: Room) -> None:
    there = here.conversations
    name = await made(here, items=[HI])
    answer = await answer_of(there.add_items, name, json.dumps({"items": [HELLO, HI | {"id": "msg_own"}]}).encode())
    found = ConversationItemList.model_validate_json(answer.body, strict=True)
    assert [item.role for item in found.data if item.type == "message"] == ["assistant", "user"]
    assert not found.has_more and (found.first_id, found.last_id) == (found.data[0].id, found.data[1].id)
    every = await ids(here, name)
    assert every[1:] == [item.id for item in found.data] and "msg_own" not in every
    newest = await shown(there.list_items, name, query=b"limit=2")
    assert [item["id"] for item in newest["data"]] == every[:0:-1] and newest["has_more"]
    one = await shown(there.get_item, name, every[0])
    assert one["content"] == [{"type": "input_text", "text": "hi"}]
    assert (await shown(there.delete_item, name, every[1]))["id"] == name
    assert await ids(here, name) == [every[0], every[2]]
    assert isinstance(await error_of(there.get_item, name, every[1]), NotFound)
    assert isinstance(await error_of(there.delete_item, name, every[1]), NotFound)


async def test_a_reference_is_what_it_refers_to(here: Room) -> None:
    first = await made(here, items=[HI])
    (known,) = await ids(here, first)
    second = await made(here, items=[{"type": "item_reference", "id": known}, HELLO])
    assert (await ids(here, second))[0] == known
    copied = await shown(here.conversations.get_item, second, known)
    assert copied == await shown(here.conversations.get_item, first, known)
    lost = json.dumps({"items": [{"type": "item_reference", "id": "msg_gone"}]}).encode()
    assert isinstance(await error_of(here.conversations.create, lost), NotFound)


async def test_others_find_nothing(here: Room) -> None:
    there = here.conversations
    name = await made(here, items=[HI])
    (item,) = await ids(here, name)
    adding = json.dumps({"items": [HI]}).encode()
    for method, *arguments in (
        (there.get,),
        (there.update, b'{"metadata":{"a":"b"}}'),
        (there.list_items,),
        (there.add_items, adding),
        (there.get_item, item),
        (there.delete_item, item),
        (there.delete,),
    ):
        error = await error_of(method, name, *arguments, caller="you")
        assert isinstance(error, NotFound) and error.message == f"Conversation with id '{name}' not found."
    stolen = json.dumps({"items": [{"type": "item_reference", "id": item}]}).encode()
    assert isinstance(await error_of(there.create, stolen, caller="you"), NotFound)
    assert await ids(here, name) == [item] and (await shown(there.get, name))["metadata"] == {}


@pytest.mark.parametrize(
    ("body", "param", "code"),
    [
        (b"not json", None, "invalid_json"),
        (b"[]", None, "invalid_value"),
        (b'{"metadata":{"a":1}}', "metadata.*", "invalid_value"),
        (
            b'{"metadata":{%s}}' % b",".join(b'"%d":""' % n for n in range(17)),
            "metadata",
            "object_above_max_properties",
        ),
        (b'{"metadata":{"%s":""}}' % (b"k" * 65), "metadata", "string_above_max_length"),
        (b'{"metadata":{"a":"%s"}}' % (b"v" * 513), "metadata.a", "string_above_max_length"),
        (b'{"items":[%s]}' % b",".join([b'"hi"'] * 21), "items", "array_above_max_length"),
        (b'{"items":["hi",7]}', "items.1", "invalid_value"),
        (b'{"items":[{"role":"robot","content":"hi"}]}', "items.0.role", "invalid_value"),
    ],
)
async def test_nonsense_is_refused(here: Room, body: bytes, param: str | None, code: str) -> None:
    error = await error_of(here.conversations.create, body)
    assert isinstance(error, InvalidRequest)
    assert (error.param, error.code) == (param, code)


async def test_the_most_is_taken(here: Room) -> None:
    marks = {f"{number:064}": "v" * 512 for number in range(16)}
    name = await made(here, metadata=marks, items=["hi"] * 20)
    assert (await shown(here.conversations.get, name))["metadata"] == marks
    assert len(await ids(here, name)) == 20


async def test_items_must_be_named(here: Room) -> None:
    name = await made(here)
    error = await error_of(here.conversations.add_items, name, b"{}")
    assert isinstance(error, InvalidRequest) and error.param == "items"


async def test_where_nothing_is_kept_there_are_none(here: Room) -> None:
    there = Conversations(here.store, here.clock, retention_days=0)
    assert isinstance(await error_of(there.create, b"{}"), Unsupported)


async def test_it_ends_with_its_time_unless_it_is_added_to(here: Room) -> None:
    name, other = await made(here), await made(here)
    here.now += 20 * 24 * 3600
    await answer_of(here.conversations.add_items, name, json.dumps({"items": [HI]}).encode())
    here.now += 20 * 24 * 3600
    assert (await shown(here.conversations.get, name))["id"] == name
    assert isinstance(await error_of(here.conversations.get, other), NotFound)
