"""Nothing of what was deleted stays in the files for long."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gemgate.store.sqlite import SqliteStore
from tests.store.keeping import NOW, Clock, connected, conversation, item, kept, opened, response

SECRET = b"zebra crossing "


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "store.sqlite3"


@pytest.fixture
async def store(path: Path) -> AsyncIterator[SqliteStore]:
    async with opened(path, Clock()) as made:
        yield made


def traces(path: Path) -> list[int]:
    """How often the secret stands in the file and in its write-ahead log."""
    return [path.with_name(path.name + end).read_bytes().count(SECRET) for end in ("", "-wal")]


async def fill(store: SqliteStore) -> None:
    some = [item("small", SECRET, SECRET), item("large", SECRET * 2000)]
    await store.put_response(response("r", document=SECRET * 10, background=True), some, some)
    await store.add_events("r", 0, [SECRET, SECRET * 1000], NOW)
    await store.put_conversation(conversation("c"), some)
    await store.put_response(response("stays"), [item("x")], [])


async def delete(store: SqliteStore) -> None:
    assert await store.delete_response("me", "r")
    assert await store.delete_conversation("me", "c")


async def test_what_was_deleted_cannot_be_found(store: SqliteStore, path: Path) -> None:
    await fill(store)
    assert traces(path)[1] > 0
    await delete(store)
    await store.purge()
    assert traces(path) == [0, 0]
    assert kept(path) == ["stays"]


async def test_not_in_the_file_either_if_it_had_come_there(store: SqliteStore, path: Path) -> None:
    await fill(store)
    await store.purge()
    assert traces(path)[0] > 0 == traces(path)[1]
    await delete(store)
    assert traces(path)[0] > 0
    await store.purge()
    assert traces(path) == [0, 0]


async def test_an_item_that_was_taken_out_cannot_be_found(store: SqliteStore, path: Path) -> None:
    await store.put_conversation(conversation("c"), [item("x", SECRET), item("y", b"stays")])
    await store.purge()
    await store.delete_item("me", "c", "x")
    await store.purge()
    assert traces(path) == [0, 0]


async def test_whatever_was_built_into_this_sqlite(store: SqliteStore) -> None:
    (secure,) = await store._write(  # pyright: ignore[reportPrivateUsage]
        lambda connection: connection.execute("PRAGMA secure_delete").fetchone()
    )
    assert secure == 1


async def test_it_waits_for_nobody_who_reads_just_then(store: SqliteStore, path: Path) -> None:
    await fill(store)
    with connected(path) as other:
        other.execute("BEGIN")
        other.execute("SELECT count(*) FROM items").fetchall()
        await delete(store)
        assert not await store.purge()
        assert await store.put_response(response("next"), [item("x")], [])
        other.execute("COMMIT")
    await store.purge()
    assert traces(path) == [0, 0]
