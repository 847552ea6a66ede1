"""The store in one file."""

import asyncio
import sqlite3
import stat
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gemgate.errors import SettingsError
from gemgate.store import owner_rows as module
from gemgate.store.protocols import Owner
from gemgate.store.sqlite import SqliteStore

NASTY = ("files/'; DROP TABLE owners; --", 'files/"x"', "files/%", "files/_", "files/a\\b", "files/é✓", "files/?,?")


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def owner(resource: str, caller: str = "me", key: str = "k1", until: float = 2000.0, location: str = "") -> Owner:
    return Owner(resource=resource, key_id=key, caller_id=caller, location=location, expires_at=until)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "data" / "store.sqlite3"


@pytest.fixture
async def store(path: Path, clock: Clock) -> AsyncIterator[SqliteStore]:
    made = SqliteStore(path, clock)
    await made.open()
    yield made
    await made.aclose()


async def names(store: SqliteStore, caller: str = "me", prefix: str = "") -> list[str]:
    return [found.resource for found in await store.of_caller(caller, prefix)]


async def test_put_and_get(store: SqliteStore) -> None:
    one = owner("files/a", location="https://elsewhere/x?y=z")
    await store.put([one, owner("files/b", "you", "k2")])
    assert await store.get("files/a") == one
    assert await store.get("files/b") == owner("files/b", "you", "k2")
    assert await store.get("files/c") is None
    found = await store.find(["files/b", "files/c", "files/a"])
    assert sorted(found, key=lambda item: item.resource) == [one, owner("files/b", "you", "k2")]
    assert await store.find([]) == []
    await store.put([])


async def test_what_has_expired_is_as_if_it_were_not(store: SqliteStore, clock: Clock) -> None:
    await store.put([owner("files/a", until=1500.0), owner("files/b", until=1600.0)])
    clock.now = 1499.9
    assert await names(store) == ["files/a", "files/b"]
    clock.now = 1500.0
    assert await store.get("files/a") is None
    assert await store.find(["files/a", "files/b"]) == [owner("files/b", until=1600.0)]
    assert await names(store) == ["files/b"]


async def test_what_has_expired_is_purged_a_piece_at_a_time(
    store: SqliteStore, path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.put([owner(f"files/{number}", until=1500.0) for number in range(25)])
    clock.now = 1501.0
    monkeypatch.setattr(module, "PURGE_ROWS", 10)
    left: list[int] = []
    for _ in range(4):
        await store.put([owner("files/new")])
        left.append(count(path))
    assert left == [16, 6, 1, 1]


def count(path: Path) -> int:
    connection = sqlite3.connect(path)
    try:
        return connection.execute("SELECT count(*) FROM owners").fetchone()[0]
    finally:
        connection.close()


async def test_an_owner_who_has_expired_does_not_keep_others_out(
    store: SqliteStore, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    await store.put([owner("files/a", "old", until=1500.0)])
    clock.now = 1501.0
    monkeypatch.setattr(module, "PURGE_ROWS", 0)  # more have expired than one purge takes
    await store.put([owner("files/a", "new", "k2")])
    assert await store.get("files/a") == owner("files/a", "new", "k2")


async def test_the_first_owner_stays(store: SqliteStore) -> None:
    await store.put([owner("files/a", "first")])
    await store.put([owner("files/a", "second", until=9000.0, location="https://evil")])
    assert await store.get("files/a") == owner("files/a", "first")


async def test_a_name_has_an_owner_under_each_key(store: SqliteStore) -> None:
    """Names that callers choose (`tunedModels/mine`) exist in several projects at once."""
    mine, theirs = owner("tunedModels/x", "me", "k1"), owner("tunedModels/x", "you", "k2")
    await store.put([mine])
    await store.put([theirs])
    await store.put([owner("tunedModels/x", "me", "k2")])  # under that key it is taken
    assert sorted(await store.find(["tunedModels/x"]), key=lambda item: item.key_id) == [mine, theirs]
    assert await store.of_caller("me", "tunedModels/") == [mine]
    await store.delete(mine)
    assert await store.find(["tunedModels/x"]) == [theirs]


async def test_the_owner_may_prolong_and_move(store: SqliteStore) -> None:
    await store.put([owner("files/a")])
    await store.put([owner("files/a", until=3000.0, location="https://next")])
    assert await store.get("files/a") == owner("files/a", until=3000.0, location="https://next")


async def test_deleting_takes_that_name_alone(store: SqliteStore) -> None:
    resources = ["s/a", "s/a/documents/1", "s/ab", "s/A", "t/a"]
    await store.put([owner(resource) for resource in resources])
    await store.delete(owner("s/a"))
    assert await names(store) == ["s/A", "s/a/documents/1", "s/ab", "t/a"]
    await store.delete(owner("s"))
    await store.delete(owner("t/a", key="another"))
    assert len(await names(store)) == 4


async def test_of_caller_lists_by_name_and_prefix(store: SqliteStore) -> None:
    resources = ["files/b", "files/B", "files/a10", "files/a2", "filesystem/x", "caches/c"]
    await store.put([owner(resource) for resource in resources] + [owner("files/theirs", "you")])
    assert await names(store, prefix="files/") == ["files/B", "files/a10", "files/a2", "files/b"]
    assert await names(store, "you", "files/") == ["files/theirs"]
    assert await names(store, "nobody", "") == []


@pytest.mark.parametrize("name", NASTY)
async def test_names_are_data(store: SqliteStore, name: str) -> None:
    await store.put([owner("files/plain"), owner(name, name, name)])
    assert await store.get(name) == owner(name, name, name)
    assert await names(store, name, name) == [name]
    assert await names(store, name, name[:7]) == [name]
    await store.delete(owner(name, name, name))
    assert await store.get(name) is None
    assert await names(store) == ["files/plain"]


async def test_any_number_is_found_at_once(store: SqliteStore) -> None:
    await store.put([owner(f"files/{number}") for number in range(1200)])
    found = await store.find([f"files/{number}" for number in range(40_000)])
    assert len(found) == 1200


async def test_it_survives_reopening(path: Path, clock: Clock) -> None:
    first = SqliteStore(path, clock)
    await first.open()
    await first.put([owner("files/a")])
    await first.aclose()
    again = SqliteStore(path, clock)
    await again.open()
    try:
        assert await again.get("files/a") == owner("files/a")
    finally:
        await again.aclose()


async def test_the_files_are_for_their_owner_alone(store: SqliteStore, path: Path) -> None:
    await store.put([owner("files/a")])
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
    files = list(path.parent.iterdir())
    assert len(files) == 3  # with the write-ahead log and its index
    assert {stat.S_IMODE(file.stat().st_mode) for file in files} == {0o600}


async def test_the_event_loop_does_not_wait_for_the_disk(store: SqliteStore, path: Path) -> None:
    other = sqlite3.connect(path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")  # a slow disk, or another process
    try:
        writing = asyncio.create_task(store.put([owner("files/a")]))
        loop = asyncio.get_running_loop()
        longest = 0.0
        for _ in range(20):
            before = loop.time()
            await asyncio.sleep(0.005)
            longest = max(longest, loop.time() - before)
        assert not writing.done()
        assert longest < 0.5
    finally:
        other.execute("COMMIT")
        other.close()
    await writing
    assert await store.get("files/a") is not None


async def test_a_failed_write_leaves_nothing_behind(store: SqliteStore) -> None:
    bad = owner("files/b", until=2000.0)
    with pytest.raises(sqlite3.Error):
        await store.put([owner("files/a"), Owner(resource=bad.resource, key_id=None, caller_id="x", expires_at=1)])  # pyright: ignore[reportArgumentType]
    assert await names(store) == []
    await store.put([owner("files/c")])
    assert await names(store) == ["files/c"]


WRITER = """
import asyncio, sys
from pathlib import Path
from gemgate.store.protocols import Owner
from gemgate.store.sqlite import SqliteStore

async def main():
    me = sys.argv[2]
    sys.stdin.read(1)
    store = SqliteStore(Path(sys.argv[1]), lambda: 1000.0)
    await store.open()
    for number in range(25):
        await store.put([Owner(resource=f"files/{me}-{number}", key_id="k", caller_id="me", expires_at=2000.0)])
        await store.put([Owner(resource=f"shared/{number}", key_id="k", caller_id=me, expires_at=2000.0)])
    await store.aclose()

asyncio.run(main())
"""


async def test_processes_at_once(path: Path, clock: Clock) -> None:
    """Several workers start on an empty folder at the same moment, and write at the same time."""
    running = [
        subprocess.Popen(
            [sys.executable, "-c", WRITER, str(path), name], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        for name in "abcd"
    ]
    for process in running:
        assert process.stdin is not None
        process.stdin.write("!")
        process.stdin.flush()
    said = [process.communicate(timeout=30)[1] for process in running]
    assert said == ["", "", "", ""]
    store = SqliteStore(path, clock)
    await store.open()
    try:
        assert len(await names(store, "me", "files/")) == 100
        shared = [await names(store, name, "shared/") for name in "abcd"]
        assert sum(len(found) for found in shared) == 25
    finally:
        await store.aclose()


@pytest.mark.parametrize("content", [b"this is no database at all, " * 50, b"SQLite format 3\x00" + b"\xff" * 4096])
async def test_a_damaged_file_is_named_with_the_cure(path: Path, clock: Clock, content: bytes) -> None:
    path.parent.mkdir()
    path.write_bytes(content)
    store = SqliteStore(path, clock)
    try:
        with pytest.raises(SettingsError, match=r"^GEMGATE_DATA_DIR: .*store\.sqlite3.*move it away"):
            await store.open()
    finally:
        await store.aclose()
    assert path.read_bytes() == content


async def test_a_folder_that_cannot_be_used_is_named(tmp_path: Path, clock: Clock) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "folder.sqlite3").mkdir()
    for path in (tmp_path / "file" / "store.sqlite3", tmp_path / "folder.sqlite3"):
        store = SqliteStore(path, clock)
        try:
            with pytest.raises(SettingsError, match=r"GEMGATE_DATA_DIR: .*cannot be used"):
                await store.open()
        finally:
            await store.aclose()


async def test_closing_twice_and_without_opening(path: Path, clock: Clock) -> None:
    store = SqliteStore(path, clock)
    await store.aclose()
    assert not path.exists()
