"""Who waits for whom: writes for a file that is held, but not one after the other, and reads for nobody."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path
from time import monotonic

import pytest

from gemgate.errors import TooLarge
from gemgate.store import item_rows, patience
from gemgate.store.patience import HURRY_SECONDS, Patience
from gemgate.store.protocols import Owner
from gemgate.store.sqlite import SqliteStore
from tests.store.keeping import LATER, NOW, Clock, connected, conversation, ids, item, kept, opened, response


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


async def test_reads_do_not_wait_for_writes(store: SqliteStore, path: Path) -> None:
    owner = Owner(resource="files/a", key_id="k", caller_id="me", expires_at=LATER)
    await store.put([owner])
    await store.put_response(response("r", background=True, status="queued"), [item("x")], [])
    await store.add_events("r", 0, [b"e"], NOW)
    await store.put_conversation(conversation("c"), [item("y")])
    with connected(path) as other:
        other.execute("BEGIN EXCLUSIVE")
        writing = asyncio.create_task(store.put_response(response("new"), [], []))
        await asyncio.sleep(0.05)  # it waits for the file
        async with asyncio.timeout(1):
            assert await store.response("me", "r") is not None
            assert ids(await store.history("me", "r")) == ids(await store.given("me", "r")) == ["x"]
            assert await store.events("r", -1, 10) == [(0, b"e")]
            assert len(await store.abandoned(LATER)) == 1
            assert await store.conversation("me", "c") == conversation("c")
            assert ids(await store.conversation_items("me", "c")) == ["y"]
            assert len(await store.items("me", ["x", "y"])) == 2
            assert await store.get("files/a") == owner
            assert await store.of_caller("me", "") == [owner]
            assert await store.recall([b"a"]) == {}
            assert await store.response("me", "new") is None
        assert not writing.done()
        other.execute("COMMIT")
    assert await writing
    assert await store.response("me", "new") == response("new")


async def test_those_who_read_see_what_has_been_written(path: Path, clock: Clock) -> None:
    async with opened(path, clock) as one, opened(path, clock) as two:
        for number in range(100):
            await one.put_response(response(f"r{number}", f"r{number - 1}" if number else ""), [item("x")], [])
            for store in (one, two):
                assert len(await store.history("me", f"r{number}") or []) == number + 1


async def test_a_read_that_failed_does_not_hold_those_after_it_to_what_it_saw(
    store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.put_response(response("r"), [item(name, bytes(1000)) for name in "abcde"], [])
    monkeypatch.setattr(item_rows, "MAX_READ_BYTES", 1500)
    with pytest.raises(TooLarge) as error:
        await store.history("me", "r")
    await store.set_status("r", "failed", b"{}", only_if=["completed"])
    assert await store.response("me", "r") == response("r", status="failed")
    await store.purge()
    assert path.with_name("store.sqlite3-wal").stat().st_size == 0
    assert error.value.__traceback__ is not None  # it keeps alive whatever was used


async def test_nobody_changes_anything_where_they_read(store: SqliteStore) -> None:
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        await store._read(lambda connection: connection.execute("DELETE FROM owners"))  # pyright: ignore[reportPrivateUsage]


async def test_writes_do_not_wait_in_vain_one_after_the_other(
    store: SqliteStore, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patience, "BUSY_SECONDS", 0.3)
    with connected(path) as other:
        other.execute("BEGIN EXCLUSIVE")
        began = monotonic()
        names = [f"r{number}" for number in range(8)]
        ended = await asyncio.gather(
            *(store.put_response(response(name), [], []) for name in names), return_exceptions=True
        )
        took = monotonic() - began
        assert [str(error) for error in ended] == ["database is locked"] * 8
        assert 0.25 < took < 1.2  # each in full would be 2.4
        other.execute("COMMIT")
    assert await store.put_response(response("late"), [], [])  # however little it waits
    assert kept(path) == ["late"]


@pytest.fixture
def patient() -> tuple[Patience, Clock]:
    steady = Clock()
    return Patience(steady), steady


def waits(patient: Patience) -> int:
    """For how many milliseconds the next write waits."""
    connection = sqlite3.connect(":memory:")
    try:
        patient.apply(connection)
        return connection.execute("PRAGMA busy_timeout").fetchone()[0]
    finally:
        connection.close()


def busy(code: int = sqlite3.SQLITE_BUSY) -> sqlite3.OperationalError:
    error = sqlite3.OperationalError()
    error.sqlite_errorcode = code
    return error


def test_the_hurry_is_over_after_a_second(patient: tuple[Patience, Clock]) -> None:
    made, steady = patient
    assert waits(made) == 5000
    made.failed(busy())
    assert waits(made) == 5
    steady.now += HURRY_SECONDS - 0.1
    made.failed(busy(sqlite3.SQLITE_BUSY_SNAPSHOT))
    steady.now += HURRY_SECONDS - 0.1
    assert waits(made) == 5
    steady.now += 0.1
    assert waits(made) == 5000


def test_the_hurry_is_over_when_a_write_comes_through(patient: tuple[Patience, Clock]) -> None:
    made, _ = patient
    made.failed(busy())
    made.succeeded()
    assert waits(made) == 5000


def test_other_trouble_is_no_reason_to_hurry(patient: tuple[Patience, Clock]) -> None:
    made, _ = patient
    made.failed(busy(sqlite3.SQLITE_FULL))
    made.failed(sqlite3.ProgrammingError("of the module itself"))
    assert waits(made) == 5000
