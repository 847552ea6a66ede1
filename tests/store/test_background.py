"""Responses that are worked on in the background: events by number, signs of life, one word at a time."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gemgate.store import response_rows
from gemgate.store.sqlite import SqliteStore
from tests.store.keeping import LATER, NOW, Clock, item, kept, opened, response

OPEN = ("queued", "in_progress")


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


async def queue(
    store: SqliteStore, name: str, alive_at: float = NOW, status: str = "queued", caller: str = "me"
) -> None:
    made = response(name, background=True, alive_at=alive_at, status=status, caller=caller)
    await store.put_response(made, [item("in")], [])


async def silent(store: SqliteStore, before: float) -> list[str]:
    return [found.id for found in await store.abandoned(before)]


async def test_a_status_is_set_only_in_the_place_of_another(store: SqliteStore) -> None:
    await queue(store, "a")
    assert await store.set_status("a", "in_progress", b"working", only_if=["queued"])
    assert not await store.set_status("a", "in_progress", b"again", only_if=["queued"])
    assert not await store.set_status("a", "failed", b"", only_if=[])
    found = await store.response("me", "a")
    assert found is not None and (found.status, found.document) == ("in_progress", b"working")
    assert await store.set_status("a", "cancelled", b"", only_if=OPEN)
    assert not await store.set_status("a", "completed", b"late", only_if=OPEN)
    assert not await store.set_status("nowhere", "completed", b"", only_if=OPEN)
    found = await store.response("me", "a")
    assert found is not None and (found.status, found.document) == ("cancelled", b"")
    assert await store.history("me", "a") == [item("in")]


async def test_events_are_given_from_any_number(store: SqliteStore) -> None:
    await queue(store, "a")
    await queue(store, "b")
    assert await store.add_events("a", 0, [b"e0", b"e1"], NOW + 1) == "queued"
    assert await store.add_events("b", 0, [b"other"], NOW) == "queued"
    await store.set_status("a", "in_progress", b"", only_if=OPEN)
    assert await store.add_events("a", 2, [b"e2"], NOW + 2) == "in_progress"
    assert await store.add_events("a", 3, [], NOW + 3) == "in_progress"
    assert await store.events("a", -1, 10) == [(0, b"e0"), (1, b"e1"), (2, b"e2")]
    assert await store.events("a", 0, 1) == [(1, b"e1")]
    assert await store.events("a", 2, 10) == []
    assert await store.events("nowhere", -1, 10) == []


async def test_events_are_kept_once(store: SqliteStore) -> None:
    await queue(store, "a")
    await store.add_events("a", 0, [b"e0", b"e1"], NOW)
    await store.add_events("a", 1, [b"changed", b"e2"], NOW)
    assert await store.events("a", -1, 10) == [(0, b"e0"), (1, b"e1"), (2, b"e2")]


async def test_the_worker_learns_of_a_cancel(store: SqliteStore) -> None:
    await queue(store, "a")
    await store.set_status("a", "cancelled", b"", only_if=OPEN)
    assert await store.add_events("a", 0, [b"e0"], NOW) == "cancelled"
    assert await store.events("a", -1, 10) == [(0, b"e0")]
    await store.delete_response("me", "a")
    assert await store.add_events("a", 1, [b"e1"], NOW) == ""
    assert await store.events("a", -1, 10) == []


async def test_those_that_fell_silent_are_listed(store: SqliteStore) -> None:
    await queue(store, "silent", NOW - 60)
    await queue(store, "silent longer", NOW - 90, status="in_progress")
    await queue(store, "alive", NOW - 60)
    await queue(store, "done", NOW - 90, status="completed")
    await queue(store, "cancelled", NOW - 90)
    await store.set_status("cancelled", "cancelled", b"", only_if=OPEN)
    await store.put_response(response("front", status="in_progress"), [], [])
    await store.add_events("alive", 0, [], NOW)
    assert await silent(store, NOW - 30) == ["silent longer", "silent"]
    assert await silent(store, NOW - 60) == ["silent longer"]
    assert (await store.abandoned(NOW - 60))[0] == response(
        "silent longer", status="in_progress", background=True, alive_at=NOW - 90
    )
    await store.add_events("silent longer", 0, [], NOW)
    await store.add_events("silent longer", 0, [], NOW - 90)  # a clock that went back takes no life
    assert await silent(store, NOW - 30) == ["silent"]


async def test_those_of_other_callers_too_but_not_all_at_once(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(response_rows, "MAX_ABANDONED", 3)
    for number in range(5):
        await queue(store, f"r{number}", number, caller=f"caller {number}")
    assert await silent(store, NOW) == ["r0", "r1", "r2"]
    await store.set_status("r1", "failed", b"", only_if=OPEN)
    assert await silent(store, NOW) == ["r0", "r2", "r3"]


async def test_it_is_appended_to_events_of_one_that_is_over(store: SqliteStore) -> None:
    await queue(store, "a")
    await store.add_events("a", 0, [b"e0"], NOW)
    done = response("a", background=True, until=LATER + 100)
    assert await store.put_response(done, [item("in")], [item("out")], only_if=OPEN)
    assert await store.add_events("a", 1, [b"the last"], NOW) == "completed"
    assert await store.events("a", 0, 10) == [(1, b"the last")]
    assert await silent(store, LATER) == []
