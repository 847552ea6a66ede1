"""Responses that are kept: looking at them, and what was asked of them."""

import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from gemgate.errors import InvalidRequest, NotFound, Unavailable
from gemgate.store.protocols import StoredItem, StoredResponse
from gemgate.surfaces.responses.items import message
from tests.surfaces.responses.rooms import DAY_SECONDS, Room, answer_of, error_of, room, shown

DOCUMENT = b'{"id":"resp_1","object":"response","status":"completed"}'


def items(*texts: str) -> list[StoredItem]:
    return [message(text, lambda text=text: text) for text in texts]


def stored(here: Room, response_id: str, previous_id: str = "") -> StoredResponse:
    return StoredResponse(
        id=response_id,
        caller_id="me",
        status="completed",
        document=DOCUMENT,
        created_at=here.now,
        expires_at=here.now + DAY_SECONDS,
        previous_id=previous_id,
    )


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Room]:
    async with room(tmp_path) as made:
        await made.store.put_response(stored(made, "resp_1"), items("a", "b"), items("c"))
        await made.store.put_response(stored(made, "resp_2", "resp_1"), items("d"), items("e"))
        yield made


async def test_it_is_shown_as_it_was_written(here: Room) -> None:
    for query in (b"", b"stream=false", b"include[]=reasoning.encrypted_content", b"include=x&include=y"):
        assert (await answer_of(here.kept.get, "resp_1", query=query)).body == DOCUMENT


async def test_what_it_was_asked_has_all_that_went_before(here: Room) -> None:
    found = await shown(here.kept.input_items, "resp_2", query=b"order=asc")
    assert [item["content"][0]["text"] for item in found["data"]] == ["a", "b", "c", "d"]
    newest = await shown(here.kept.input_items, "resp_2", query=b"limit=2&after=msg_d")
    assert [item["id"] for item in newest["data"]] == ["msg_c", "msg_b"] and newest["has_more"] is True


async def test_others_find_nothing_and_harm_nothing(here: Room) -> None:
    for method in (here.kept.get, here.kept.input_items, here.kept.cancel, here.kept.delete):
        for name, caller in (("resp_1", "you"), ("resp_gone", "me")):
            error = await error_of(method, name, caller=caller)
            assert isinstance(error, NotFound) and error.message == f"Response with id '{name}' not found."
    assert (await answer_of(here.kept.get, "resp_1")).body == DOCUMENT


async def test_what_is_deleted_is_gone(here: Room) -> None:
    assert await shown(here.kept.delete, "resp_1") == {"id": "resp_1", "object": "response", "deleted": True}
    assert isinstance(await error_of(here.kept.get, "resp_1"), NotFound)
    assert isinstance(await error_of(here.kept.delete, "resp_1"), NotFound)


async def test_only_what_is_in_the_background_can_be_cancelled(here: Room) -> None:
    error = await error_of(here.kept.cancel, "resp_1")
    assert isinstance(error, InvalidRequest) and "background=true" in error.message


@pytest.mark.parametrize(
    ("query", "param"), [(b"stream=true", "stream"), (b"stream=true&starting_after=x", "starting_after")]
)
async def test_what_cannot_be_streamed_is_refused(here: Room, query: bytes, param: str) -> None:
    error = await error_of(here.kept.get, "resp_1", query=query)
    assert isinstance(error, InvalidRequest) and error.param == param


async def test_a_database_that_fails_is_no_missing_response(here: Room, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: Any) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    for name in ("response", "given", "delete_response"):
        monkeypatch.setattr(here.store, name, broken)
    for method in (here.kept.get, here.kept.input_items, here.kept.cancel, here.kept.delete):
        assert isinstance(await error_of(method, "resp_1"), Unavailable)
