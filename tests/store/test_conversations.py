"""Conversations in one file: items in order, appended by clients and by responses, for their callers alone."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from time import process_time

import pytest

from gemgate.errors import TooLarge
from gemgate.store import item_rows
from gemgate.store.sqlite import SqliteStore
from tests.store.keeping import LATER, Clock, conversation, ids, item, kept, opened, response


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.sqlite3"


@pytest.fixture
async def store(path: Path, clock: Clock) -> AsyncIterator[SqliteStore]:
    async with opened(path, clock) as made:
        yield made
    kept(path)


async def listed(store: SqliteStore, conversation_id: str = "c") -> list[str] | None:
    return ids(await store.conversation_items("me", conversation_id))


async def test_what_is_put_is_found_also_after_opening_anew(path: Path, clock: Clock) -> None:
    some = [item("x", b"x"), item("y", b"y", b"\0\xff")]
    async with opened(path, clock) as store:
        await store.put_conversation(conversation("c"), some)
        await store.put_conversation(conversation("empty"))
    async with opened(path, clock) as store:
        assert await store.conversation("me", "c") == conversation("c")
        assert await store.conversation_items("me", "c") == some
        assert await store.conversation_items("me", "empty") == []
        assert await store.conversation("me", "d") is await store.conversation_items("me", "d") is None
    assert kept(path) == ["c", "empty"]


async def test_others_are_as_if_they_were_not(store: SqliteStore) -> None:
    await store.put_conversation(conversation("c"), [item("x")])
    assert await store.conversation("you", "c") is await store.conversation_items("you", "c") is None
    assert not await store.set_metadata("you", "c", b"bad")
    assert not await store.add_items("you", "c", [item("bad")], LATER + 500)
    assert not await store.delete_item("you", "c", "x")
    assert not await store.delete_conversation("you", "c")
    await store.put_response(response("r", caller="you", conversation="c", until=LATER + 500), [item("bad")], [])
    with pytest.raises(sqlite3.IntegrityError):
        await store.put_conversation(conversation("c", caller="you"), [item("bad")])
    assert await store.conversation("me", "c") == conversation("c")
    assert await listed(store) == ["x"]


async def test_its_marks_are_replaced(store: SqliteStore) -> None:
    await store.put_conversation(conversation("c"))
    await store.put_conversation(conversation("d"))
    assert await store.set_metadata("me", "c", b'{"new":"one"}')
    assert not await store.set_metadata("me", "nowhere", b"{}")
    found = await store.conversation("me", "c")
    assert found is not None and found.metadata == b'{"new":"one"}'
    assert await store.conversation("me", "d") == conversation("d")


async def test_items_stay_in_order(store: SqliteStore) -> None:
    await store.put_conversation(conversation("c"), [item("a"), item("b"), item("c")])
    await store.put_conversation(conversation("d"), [item("a"), item("b")])
    assert await store.delete_item("me", "c", "b")
    assert not await store.delete_item("me", "c", "b")
    assert await listed(store) == ["a", "c"]
    assert await store.add_items("me", "c", [item("d"), item("e")], LATER)
    assert await store.delete_item("me", "c", "e")
    assert await store.add_items("me", "c", [item("f"), item("b")], LATER)
    assert await store.add_items("me", "c", [], LATER)
    assert await listed(store) == ["a", "c", "d", "f", "b"]
    assert await listed(store, "d") == ["a", "b"]
    assert not await store.add_items("me", "nowhere", [item("x")], LATER)
    assert not await store.delete_item("me", "nowhere", "a")


async def test_an_item_is_in_it_once(store: SqliteStore) -> None:
    await store.put_conversation(conversation("c"), [item("a", b"first"), item("b"), item("a", b"twice")])
    await store.add_items("me", "c", [item("b", b"again"), item("c"), item("c", b"again")], LATER)
    assert await store.conversation_items("me", "c") == [item("a", b"first"), item("b"), item("c")]


async def test_many_of_one_id_take_no_longer_than_many(store: SqliteStore) -> None:
    many = [item("x", b"first"), *[item("x", b"again")] * 19_999]
    await store.put_conversation(conversation("c"))
    for adding in (
        store.put_response(response("r", conversation="c"), many, []),
        store.add_items("me", "c", many, LATER),
    ):
        before = process_time()
        await adding
        assert process_time() - before < 2  # one after the other through all before it would be a minute
    assert await store.conversation_items("me", "c") == many[:1]


async def test_deleting_takes_the_items_along(store: SqliteStore, path: Path) -> None:
    await store.put_conversation(conversation("c"), [item("x")])
    await store.put_response(response("r", conversation="c"), [item("in")], [item("out")])
    assert await store.delete_conversation("me", "c")
    assert not await store.delete_conversation("me", "c")
    assert await listed(store) is None
    assert await store.items("me", ["x", "in"]) == {"in": item("in")}
    assert ids(await store.history("me", "r")) == ["in", "out"]
    assert kept(path) == ["r"]


# Responses of a conversation.


@pytest.mark.parametrize(
    ("status", "appended"),
    [
        ("completed", ["x", "in", "out"]),
        ("incomplete", ["x", "in", "out"]),
        ("queued", ["x"]),
        ("in_progress", ["x"]),
        ("failed", ["x"]),
        ("cancelled", ["x"]),
    ],
)
async def test_it_goes_on_with_a_response_that_is_over(store: SqliteStore, status: str, appended: list[str]) -> None:
    await store.put_conversation(conversation("c"), [item("x")])
    await store.put_response(response("r", status=status, conversation="c"), [item("in")], [item("out", b"o", b"n")])
    assert await listed(store) == appended
    assert ids(await store.history("me", "r")) == ["in", "out"]


async def test_a_response_is_appended_once(store: SqliteStore) -> None:
    await store.put_conversation(conversation("c"), [item("x")])
    for status in ("queued", "completed", "completed"):
        made = response("r", status=status, conversation="c")
        await store.put_response(made, [item("x"), item("in")], [item("out", b"o", b"n")])
    assert await store.conversation_items("me", "c") == [item("x"), item("in"), item("out", b"o", b"n")]
    await store.delete_response("me", "r")
    assert await listed(store) == ["x", "in", "out"]
    assert await store.items("me", ["out"]) == {"out": item("out", b"o", b"n")}
    await store.add_items("me", "c", [item("y")], LATER)
    assert await listed(store) == ["x", "in", "out", "y"]


async def test_an_answers_item_goes_before_what_a_client_made_of_it(store: SqliteStore) -> None:
    await store.put_conversation(conversation("c"))
    await store.put_response(response("r", conversation="c"), [], [item("y", b"said", b"native")])
    await store.delete_response("me", "r")
    await store.put_conversation(conversation("d"), [item("y", b"repeated")])
    assert await store.items("me", ["y"]) == {"y": item("y", b"said", b"native")}


async def test_a_response_outlives_its_conversation(store: SqliteStore) -> None:
    assert await store.put_response(response("r", conversation="gone"), [item("in")], [item("out")])
    assert ids(await store.history("me", "r")) == ["in", "out"]
    assert await listed(store, "gone") is None


# Time and size.


async def test_what_has_expired_is_as_if_it_were_not(store: SqliteStore, clock: Clock) -> None:
    await store.put_conversation(conversation("c", until=1500.0), [item("x")])
    clock.now = 1499.9
    assert await store.conversation("me", "c") is not None and await listed(store) == ["x"]
    clock.now = 1500.0
    assert await store.conversation("me", "c") is await listed(store) is None
    assert await store.items("me", ["x"]) == {}
    assert not await store.set_metadata("me", "c", b"{}")
    assert not await store.add_items("me", "c", [item("y")], LATER)
    assert not await store.delete_item("me", "c", "x")
    assert not await store.delete_conversation("me", "c")


async def test_what_is_added_to_it_lets_it_live(store: SqliteStore, clock: Clock) -> None:
    await store.put_conversation(conversation("c", until=1500.0), [item("x")])
    await store.put_conversation(conversation("d", until=1500.0))
    await store.add_items("me", "c", [item("y")], 1600.0)
    await store.add_items("me", "c", [item("z")], 1400.0)
    await store.put_response(response("r", status="failed", conversation="d", until=1700.0), [], [])
    clock.now = 1599.9
    assert await listed(store) == ["x", "y", "z"]
    clock.now = 1600.0
    assert await listed(store) is None
    assert await listed(store, "d") == []
    clock.now = 1700.0
    assert await listed(store, "d") is None


async def test_its_size_is_bounded(store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(item_rows, "MAX_READ_BYTES", 1 << 20)
    half = item("half", bytes(250_000), bytes(250_000))
    await store.put_conversation(conversation("c"), [half])
    await store.add_items("me", "c", [item("more", bytes(500_000))], LATER)
    for adding in (
        store.add_items("me", "c", [item("too much", bytes(60_000))], LATER + 500),
        store.put_response(response("r", conversation="c"), [item("in", bytes(30_000))], [item("out", bytes(30_000))]),
        store.put_conversation(
            conversation("d"), [half, item("e", half.json), item("f", half.json), item("g", half.json)]
        ),
    ):
        with pytest.raises(TooLarge, match="at most 1 MB"):
            await adding
    assert await listed(store) == ["half", "more"]
    assert await store.response("me", "r") is None
    assert await store.put_response(response("r", status="failed", conversation="c"), [half], [])
    assert await store.delete_item("me", "c", "half")
    assert await store.add_items("me", "c", [item("room again", bytes(60_000))], LATER)
    assert await listed(store) == ["more", "room again"]
    assert kept(path) == ["c", "r"]


async def test_workers_append_to_one(path: Path, clock: Clock) -> None:
    async with opened(path, clock) as one, opened(path, clock) as two:
        await one.put_conversation(conversation("c"))

        async def fill(store: SqliteStore, name: str) -> None:
            for number in range(25):
                await store.add_items("me", "c", [item(f"{name}{number}"), item(f"{name}{number}+")], LATER)

        await asyncio.gather(fill(one, "a"), fill(two, "b"))
        found = await listed(one) or []
        assert [name for name in found if name[0] == "a"] == [
            f"a{number}{end}" for number in range(25) for end in ("", "+")
        ]
        assert [name for name in found if name[0] == "b"] == [
            f"b{number}{end}" for number in range(25) for end in ("", "+")
        ]
    assert kept(path) == ["c"]
