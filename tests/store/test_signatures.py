"""Remembered signatures in one file: read at once, written behind, bounded, and never anybody's trouble."""

import asyncio
import logging
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import pytest

from gemgate.store import signature_rows, write_behind
from gemgate.store.file import MIGRATIONS
from gemgate.store.protocols import Owner
from gemgate.store.sqlite import SqliteStore

A, B, C = b"a" * 16, b"b" * 16, b"c" * 16
LATER = 2000.0


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.sqlite3"


@asynccontextmanager
async def opened(path: Path, clock: Clock) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(path, clock)
    await store.open()
    try:
        yield store
    finally:
        await store.aclose()


@pytest.fixture
async def store(path: Path, clock: Clock) -> AsyncIterator[SqliteStore]:
    async with opened(path, clock) as made:
        yield made


@contextmanager
def connected(path: Path) -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(path, isolation_level=None)
    try:
        yield connection
    finally:
        connection.close()


def kept(path: Path) -> list[bytes]:
    """The keys on disk; the totals are held to what is there."""
    with connected(path) as connection:
        counted = connection.execute("SELECT count(*), coalesce(sum(length(value)), 0) FROM signatures").fetchone()
        assert connection.execute("SELECT count, bytes FROM signature_totals").fetchall() == [counted]
        return [key for (key,) in connection.execute("SELECT key FROM signatures ORDER BY expires_at, key")]


async def written(store: SqliteStore, rows: dict[bytes, bytes], expires_at: float = LATER) -> None:
    """Remember, and wait for the disk: the store writes things in turn."""
    store.remember(rows, expires_at)
    await asyncio.sleep(0)
    await store.put([])


async def test_what_is_remembered_is_recalled(store: SqliteStore, path: Path) -> None:
    await written(store, {A: b"one", B: b""})
    assert await store.recall([A, B, C]) == {A: b"one", B: b""}
    assert await store.recall([]) == {}
    store.remember({}, LATER)
    assert kept(path) == [A, B]


async def test_newer_values_take_the_place_of_older_ones(store: SqliteStore, path: Path) -> None:
    await written(store, {A: b"old", B: b"stays"}, 1500.0)
    await written(store, {A: b"newer"}, LATER)
    assert await store.recall([A, B]) == {A: b"newer", B: b"stays"}
    assert kept(path) == [B, A]


async def test_it_can_be_read_before_it_is_on_disk(store: SqliteStore, path: Path, clock: Clock) -> None:
    await written(store, {C: b"three"})
    with connected(path) as other:
        other.execute("BEGIN EXCLUSIVE")  # a slow disk, or another process
        store.remember({A: b"one"}, LATER)
        async with asyncio.timeout(1):
            assert await store.recall([A]) == {A: b"one"}
            await asyncio.sleep(0)  # now it is being written
            assert await store.recall([A]) == {A: b"one"}
            store.remember({A: b"two"}, LATER)
            store.remember({B: b"brief"}, 1500.0)
            assert await store.recall([A, B]) == {A: b"two", B: b"brief"}
        clock.now = 1500.0
        asking = asyncio.create_task(store.recall([A, B, C]))
        await asyncio.sleep(0)
        assert kept(path) == [C]
        other.execute("COMMIT")
        assert await asking == {A: b"two", C: b"three"}


async def test_closing_writes_what_is_waiting(path: Path, clock: Clock) -> None:
    async with opened(path, clock) as store:
        store.remember({A: b"one"}, LATER)
    async with opened(path, clock) as store:
        assert await store.recall([A]) == {A: b"one"}
        store.remember({A: b"two"}, LATER)
        await asyncio.sleep(0)
        store.remember({B: b"comes while the first is written"}, LATER)
    assert kept(path) == [A, B]


async def test_after_closing_nothing_is_kept_and_nothing_fails(
    path: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    async with opened(path, clock) as store:
        pass
    store.remember({A: b"one"}, LATER)
    await asyncio.sleep(0)
    assert "signatures are not kept" in caplog.text
    assert kept(path) == []


async def test_what_has_expired_is_as_if_it_were_not(store: SqliteStore, clock: Clock) -> None:
    await written(store, {A: b"one"}, 1500.0)
    await written(store, {B: b"two"}, 1600.0)
    clock.now = 1499.9
    assert await store.recall([A, B]) == {A: b"one", B: b"two"}
    clock.now = 1500.0
    assert await store.recall([A, B]) == {B: b"two"}


async def test_what_has_expired_is_purged_a_piece_at_a_time(
    store: SqliteStore, path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await written(store, {bytes([number]): b"x" * 10 for number in range(25)}, 1500.0)
    clock.now = 1500.0
    left: list[int] = []
    monkeypatch.setattr(signature_rows, "PURGE_ROWS", 10)
    for _ in range(2):
        await written(store, {A: b"new"})
        left.append(len(kept(path)))
    monkeypatch.setattr(signature_rows, "PURGE_BYTES", 30)
    for _ in range(3):
        await written(store, {A: b"new"})
        left.append(len(kept(path)))
    assert left == [16, 6, 3, 1, 1]


async def test_their_number_is_bounded(store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signature_rows, "MAX_ROWS", 3)
    monkeypatch.setattr(signature_rows, "PURGE_ROWS", 1)
    for number in range(5):
        await written(store, {bytes([number]): b"x"}, LATER + number)
    assert kept(path) == [b"\2", b"\3", b"\4"]
    await written(store, {bytes([number]): b"y" for number in range(10, 20)}, LATER + 100)
    assert len(kept(path)) == 3


async def test_their_size_is_bounded(store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(signature_rows, "MAX_BYTES", 1000)
    for number in range(5):
        await written(store, {bytes([number]): b"x" * 300}, LATER + number)
    assert kept(path) == [b"\2", b"\3", b"\4"]
    await written(store, {b"\4": b"x" * 700}, LATER + 10)
    assert kept(path) == [b"\3", b"\4"]


async def test_what_is_too_large_is_left_out(store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write_behind, "MAX_VALUE_BYTES", 100)
    await written(store, {A: b"x" * 101, B: b"x" * 100})
    assert await store.recall([A, B]) == {B: b"x" * 100}
    assert kept(path) == [B]


async def test_any_number_is_found_at_once(store: SqliteStore) -> None:
    rows = {number.to_bytes(16, "big"): b"%d" % number for number in range(1200)}
    await written(store, rows)
    assert await store.recall([*rows, *(number.to_bytes(16, "big") for number in range(5000, 6000))]) == rows


async def test_workers_share_a_file(path: Path, clock: Clock) -> None:
    async with opened(path, clock) as one, opened(path, clock) as two:

        async def fill(store: SqliteStore, name: bytes) -> None:
            for number in range(50):
                await written(store, {name + bytes([number]): name, b"shared": name})

        await asyncio.gather(fill(one, b"1"), fill(two, b"2"))
        keys = [name + bytes([number]) for name in (b"1", b"2") for number in range(50)]
        found = await one.recall(keys)
        assert len(found) == 100 and found == await two.recall(keys)
        assert await one.recall([b"shared"]) == await two.recall([b"shared"]) != {}
    assert len(kept(path)) == 101


async def test_rows_that_come_together_are_written_together(store: SqliteStore, path: Path) -> None:
    with connected(path) as other:
        other.execute(
            "CREATE TRIGGER bad BEFORE INSERT ON signatures WHEN new.value = 'bad' "
            "BEGIN SELECT RAISE(ABORT, 'no room'); END"
        )
    store.remember({A: b"one"}, LATER)
    store.remember({B: "bad"}, LATER)  # pyright: ignore[reportArgumentType]
    await written(store, {C: b"three"})
    assert await store.recall([A, B, C]) == {}
    await written(store, {C: b"three"})
    assert kept(path) == [C]


async def test_a_broken_table_costs_one_warning(
    store: SqliteStore, path: Path, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    with connected(path) as other:
        other.execute("ALTER TABLE signatures RENAME TO gone")
    with caplog.at_level(logging.WARNING, "gemgate"):
        for _ in range(3):
            await written(store, {A: b"one"})
        assert [record.getMessage() for record in caplog.records] == [
            "signatures are not kept (no such table: signatures)"
        ]
        clock.now += 60
        await written(store, {A: b"one"})
        assert len(caplog.records) == 2
    with pytest.raises(sqlite3.Error):
        await store.recall([A])
    await store.put([Owner(resource="files/a", key_id="k", caller_id="me", expires_at=LATER)])
    assert await store.get("files/a") is not None
    with connected(path) as other:
        other.execute("ALTER TABLE gone RENAME TO signatures")
    await written(store, {A: b"one"})
    assert kept(path) == [A]


async def test_a_full_disk_costs_the_rows_alone(
    store: SqliteStore, path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    await written(store, {A: b"one"})
    await store._write(lambda connection: connection.execute("PRAGMA max_page_count = 1"))  # pyright: ignore[reportPrivateUsage]
    await written(store, {B: b"x" * 1_000_000})
    assert "database or disk is full" in caplog.text
    assert await store.recall([A, B]) == {A: b"one"}
    assert kept(path) == [A]


async def test_a_stuck_disk_does_not_fill_the_memory(
    path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(write_behind, "MAX_WAITING_BYTES", 1000)
    async with opened(path, clock) as store:
        with connected(path) as other:
            other.execute("BEGIN EXCLUSIVE")
            store.remember({A: b"x" * 600}, LATER)
            await asyncio.sleep(0)  # it is being written, and stuck
            for number in range(5):
                store.remember({bytes([number]): b"x" * 300}, LATER)
            other.execute("COMMIT")
    assert kept(path) == [b"\0", b"\1", b"\2", A]
    assert "the disk cannot keep up" in caplog.text


async def test_a_file_of_the_version_before_is_brought_up_to_date(path: Path, clock: Clock) -> None:
    with connected(path) as connection:
        connection.executescript((MIGRATIONS / "0001_owners.sql").read_text())
        connection.execute("INSERT INTO owners VALUES ('files/a', 'k', 'me', '', 2000.0)")
        connection.execute("PRAGMA user_version = 1")
    async with opened(path, clock) as store:
        assert await store.get("files/a") is not None
        await written(store, {A: b"one"})
    async with opened(path, clock) as store:
        assert await store.recall([A]) == {A: b"one"}
