"""Making room: what has expired goes a piece at a time, what exceeds the bound at once, the oldest first."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gemgate.store import purge
from gemgate.store.sqlite import SqliteStore
from tests.store.keeping import LATER, NOW, Clock, connected, conversation, item, kept, opened, response


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


async def put(store: SqliteStore, name: str, until: float = LATER, size: int = 0) -> None:
    await store.put_response(response(name, until=until), [item("x", bytes(size or 1))], [])


async def test_what_has_expired_is_purged_a_piece_at_a_time(
    store: SqliteStore, path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(purge, "PURGE_ROWS", 10)
    for number in range(12):
        await put(store, f"r{number}", 1500.0)
        await store.put_conversation(conversation(f"c{number}", until=1400.0), [item("x")])
    await store.add_events("r3", 0, [b"e"], NOW)
    clock.now = 1500.0
    left: list[int] = []
    for writing in (
        put(store, "new"),
        store.put_conversation(conversation("cnew")),
        store.add_items("me", "cnew", [item("y")], LATER),
    ):
        await writing
        left.append(len(kept(path)))
    assert left == [15, 6, 2]


async def test_a_piece_is_bounded_in_size_too(
    store: SqliteStore, path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(purge, "PURGE_BYTES", 2000)
    for number in range(5):
        await put(store, f"r{number}", 1500.0, size=1000)
    clock.now = 1500.0
    await put(store, "new")
    assert kept(path) == ["r2", "r3", "r4", "new"]
    await store.add_events("new", 0, [b"e"], NOW)
    assert kept(path) == ["r4", "new"]


async def test_it_is_cleared_away_without_writes(store: SqliteStore, path: Path, clock: Clock) -> None:
    assert not await store.purge()
    for number in range(250):
        await put(store, f"r{number}", 1500.0)
    await put(store, "stays")
    assert not await store.purge()
    clock.now = 1500.0
    assert [await store.purge() for _ in range(4)] == [True, True, False, False]
    assert kept(path) == ["stays"]


async def test_the_size_is_bounded(store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(purge, "MAX_BYTES", 10_000)
    monkeypatch.setattr(purge, "PURGE_ROWS", 0)
    for number in range(5):
        await put(store, f"r{number}", LATER + 2 * number, size=2500)
    assert kept(path) == ["r2", "r3", "r4"]
    await store.put_conversation(conversation("c", until=LATER + 7), [item("x", bytes(2500))])
    assert kept(path) == ["r3", "c", "r4"]
    await store.add_events("r4", 0, [bytes(2500)], NOW)
    assert kept(path) == ["c", "r4"]
    await store.add_items("me", "c", [item("y", bytes(2500))], LATER + 20)
    assert kept(path) == ["c"]
    await put(store, "huge", LATER + 30, size=10_001)
    assert kept(path) == []


async def test_who_keeps_most_loses_first(store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(purge, "MAX_BYTES", 10_000)
    await store.put_response(response("mine", caller="me", until=NOW + 10), [item("x", bytes(2000))], [])
    await store.put_conversation(conversation("c", caller="me", until=NOW + 20), [item("x", bytes(1000))])
    for number in range(5):
        theirs = response(f"r{number}", caller="you", until=LATER + number)
        await store.put_response(theirs, [item("x", bytes(2000))], [])
    assert kept(path) == ["mine", "c", "r3", "r4"]
    await store.put_conversation(conversation("d", caller="you", until=LATER - 1), [item("x", bytes(3000))])
    assert kept(path) == ["mine", "c", "r3", "r4"]
    await put(store, "more", LATER + 9, size=3000)
    assert kept(path) == ["c", "r3", "r4", "more"]


async def test_what_has_expired_goes_before_what_exceeds_the_bound(
    store: SqliteStore, path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(purge, "MAX_BYTES", 10_000)
    monkeypatch.setattr(purge, "PURGE_ROWS", 0)
    await store.put_response(response("expires", caller="you", until=1500.0), [item("x", bytes(2000))], [])
    await put(store, "mine", size=6000)
    clock.now = 1500.0
    await put(store, "more", LATER + 1, size=2000)
    assert kept(path) == ["mine", "more"]


async def test_totals_follow_every_change(store: SqliteStore, path: Path) -> None:
    def total() -> int:
        kept(path)
        with connected(path) as connection:
            return dict(connection.execute("SELECT caller_id, bytes FROM kept_totals")).get("me", 0)

    assert total() == 0
    await put(store, "a", size=1000)
    assert total() == 1202
    await put(store, "a", size=500)
    assert total() == 702
    await store.set_status("a", "failed", bytes(300), only_if=["completed"])
    assert total() == 1000
    await store.add_events("a", 0, [bytes(50), bytes(50)], NOW)
    assert total() == 1300
    await store.put_conversation(conversation("c"), [item("x", bytes(100), bytes(200))])
    assert total() == 1300 + 109 + 400
    await store.set_metadata("me", "c", bytes(109))
    assert total() == 1300 + 209 + 400
    await store.delete_item("me", "c", "x")
    assert total() == 1300 + 209
    await store.delete_response("me", "a")
    await store.delete_conversation("me", "c")
    assert total() == 0
