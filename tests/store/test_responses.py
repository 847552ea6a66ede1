"""Responses in one file: their items and chains, for their callers alone, for a while."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from gemgate.errors import TooLarge
from gemgate.store import chains, item_rows, purge
from gemgate.store.file import MIGRATIONS
from gemgate.store.protocols import Owner
from gemgate.store.sqlite import SqliteStore
from tests.store.keeping import LATER, NOW, Clock, connected, conversation, ids, item, kept, opened, response

NASTY = ("'; DROP TABLE responses; --", 'r"x"', "%", "_", "r\\b", "é✓", "?,?", "null")


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


async def chained(store: SqliteStore, *names: str, caller: str = "me", until: float = LATER) -> None:
    """Keep responses of which each goes on from the one before; of `a` the items are `a.in` and `a.out`."""
    for before, name in zip(("", *names), names, strict=False):
        made = response(name, before, caller=caller, until=until)
        await store.put_response(made, [item(f"{name}.in")], [item(f"{name}.out")])


async def test_what_is_put_is_found_also_after_opening_anew(path: Path, clock: Clock) -> None:
    plain = response("a", document=b'{"id":"a"}')
    other = response("b", "gone", status="queued", conversation="c", background=True, alive_at=1234.5)
    given = [item("x", b'{"x":1}'), item("y", b"{}", b"\0\xff"), item("x", b'{"x":2}')]
    async with opened(path, clock) as store:
        assert await store.put_response(plain, given, [item("z", b"z", b"native")])
        assert await store.put_response(other, [], [])
    async with opened(path, clock) as store:
        assert await store.response("me", "a") == plain
        assert await store.response("me", "b") == other
        assert await store.response("me", "c") is None
        assert await store.given("me", "a") == given
        assert await store.history("me", "a") == [*given, item("z", b"z", b"native")]
        assert await store.given("me", "c") is await store.history("me", "c") is None
    assert kept(path) == ["a", "b"]


async def test_others_are_as_if_they_were_not(store: SqliteStore) -> None:
    await chained(store, "a", "b")
    assert await store.response("you", "a") is None
    assert await store.given("you", "b") is await store.history("you", "b") is None
    assert await store.items("you", ["a.in", "a.out"]) == {}
    assert not await store.delete_response("you", "a")
    assert not await store.put_response(response("a", caller="you", document=b"bad"), [item("bad")], [])
    assert await store.response("me", "b") == response("b", "a")
    assert ids(await store.history("me", "b")) == ["a.in", "a.out", "b.in", "b.out"]


async def test_no_name_is_taken_for_more_than_a_name(store: SqliteStore) -> None:
    for number, name in enumerate(NASTY):
        assert await store.put_response(response(name, caller=name, document=b"%d" % number), [item(name)], [])
    for number, name in enumerate(NASTY):
        found = await store.response(name, name)
        assert found is not None and found.document == b"%d" % number
        assert await store.items(name, NASTY) == {name: item(name)}
        assert ids(await store.history(name, name)) == [name]


async def test_what_is_put_again_takes_the_place_of_what_was_there(store: SqliteStore) -> None:
    await store.put_response(response("a", status="queued", background=True), [item("in")], [])
    await store.add_events("a", 0, [b"e0"], NOW)
    assert await store.put_response(response("a", document=b"new"), [item("in"), item("in2")], [item("out")])
    assert await store.response("me", "a") == response("a", document=b"new")
    assert ids(await store.history("me", "a")) == ["in", "in2", "out"]
    assert await store.events("a", -1, 10) == [(0, b"e0")]


async def test_it_is_put_only_if_the_status_is_right(store: SqliteStore) -> None:
    open_ones = ("queued", "in_progress")
    assert not await store.put_response(response("a"), [item("x")], [], only_if=open_ones)
    assert await store.response("me", "a") is None and await store.items("me", ["x"]) == {}
    await store.put_response(response("a", status="in_progress"), [], [])
    assert not await store.put_response(response("a", caller="you"), [], [], only_if=open_ones)
    assert await store.put_response(response("a", status="cancelled"), [], [], only_if=open_ones)
    assert not await store.put_response(response("a"), [item("x")], [], only_if=open_ones)
    assert await store.response("me", "a") == response("a", status="cancelled")
    assert ids(await store.history("me", "a")) == []


async def test_a_cancel_and_an_end_at_once_agree(path: Path, clock: Clock) -> None:
    async with opened(path, clock) as one, opened(path, clock) as two:
        for number in range(30):
            queued = response(f"r{number}", status="queued", background=True)
            await one.put_response(queued, [], [])
            ending = one.put_response(replace(queued, status="completed"), [], [item("x")], only_if=["queued"])
            cancelling = two.set_status(queued.id, "cancelled", b"no", only_if=["queued"])
            ended, cancelled = await asyncio.gather(ending, cancelling)
            found = await two.response("me", queued.id)
            assert found is not None
            assert (ended, cancelled) == (found.status == "completed", found.status == "cancelled")
            assert found.document == (b"no" if cancelled else b"{}")
            assert await two.history("me", queued.id) == ([item("x")] if ended else [])


async def test_the_status_is_looked_at_when_the_file_is_free(store: SqliteStore, path: Path) -> None:
    await store.put_response(response("a", status="queued"), [], [])
    with connected(path) as other:
        other.execute("BEGIN IMMEDIATE")
        putting = asyncio.create_task(store.put_response(response("a"), [item("x")], [], only_if=["queued"]))
        await asyncio.sleep(0.05)  # it waits for the file
        assert not putting.done()
        other.execute("UPDATE responses SET status = 'cancelled'")
        other.execute("COMMIT")
    assert not await putting
    assert await store.response("me", "a") == response("a", status="cancelled")


async def test_deleting_takes_along_all_that_belongs_to_it(store: SqliteStore, path: Path) -> None:
    await store.put_response(response("a", background=True), [item("in")], [item("out")])
    await store.put_response(response("b"), [item("in")], [])
    await store.add_events("a", 0, [b"e0", b"e1"], NOW)
    assert await store.delete_response("me", "a")
    assert not await store.delete_response("me", "a")
    assert await store.response("me", "a") is None
    assert await store.events("a", -1, 10) == []
    assert await store.add_events("a", 2, [b"e2"], NOW) == ""
    assert not await store.set_status("a", "failed", b"", only_if=["completed"])
    assert await store.items("me", ["in", "out"]) == {"in": item("in")}
    assert kept(path) == ["b"]


# Chains.


async def test_a_chain_is_told_from_its_beginning(store: SqliteStore) -> None:
    await chained(store, "a", "b", "c")
    await store.put_response(response("fork", "a"), [item("fork.in")], [])
    assert ids(await store.history("me", "c")) == ["a.in", "a.out", "b.in", "b.out", "c.in", "c.out"]
    assert ids(await store.given("me", "c")) == ["a.in", "a.out", "b.in", "b.out", "c.in"]
    assert ids(await store.history("me", "fork")) == ["a.in", "a.out", "fork.in"]
    assert ids(await store.given("me", "a")) == ["a.in"]


async def test_a_chain_of_three_hundred(store: SqliteStore) -> None:
    names = [f"r{number}" for number in range(300)]
    await chained(store, *names)
    assert ids(await store.history("me", "r299")) == [f"{name}.{end}" for name in names for end in ("in", "out")]


async def test_a_chain_has_an_end(store: SqliteStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chains, "MAX_CHAIN", 5)
    await chained(store, *"abcdef")
    assert len(ids(await store.history("me", "e")) or []) == 10
    assert await store.history("me", "f") is None
    assert (ids(await store.given("me", "f")) or [])[:3] == ["b.in", "b.out", "c.in"]


async def test_a_ring_is_no_chain(store: SqliteStore) -> None:
    await chained(store, "a", "b")
    async with asyncio.timeout(5):
        await store.put_response(response("a", "b", until=LATER + 500), [], [])
        await store.put_response(response("self", "self"), [], [])
        assert await store.history("me", "a") is await store.history("me", "self") is None


async def test_what_lost_a_part_has_no_history(store: SqliteStore) -> None:
    await chained(store, "a", "b", "c")
    await store.delete_response("me", "a")
    assert await store.history("me", "c") is await store.history("me", "b") is None
    assert ids(await store.given("me", "c")) == ["b.in", "b.out", "c.in"]
    assert await store.response("me", "c") == response("c", "b")


async def test_nobody_goes_on_from_what_is_anothers(store: SqliteStore) -> None:
    await chained(store, "a", caller="you")
    await chained(store, "b")
    await store.put_response(response("c", "a", until=LATER + 500), [item("c.in")], [])
    assert await store.history("me", "c") is None
    assert ids(await store.given("me", "c")) == ["c.in"]
    assert await store.response("you", "a") == response("a", caller="you")
    await store.put_response(response("d", "c", caller="you", until=LATER + 900), [], [])
    assert await store.response("me", "c") == response("c", "a", until=LATER + 500)
    assert await store.history("you", "d") is None
    await store.put_response(response("e", "c", until=LATER + 900), [], [])
    assert await store.response("you", "a") == response("a", caller="you")


async def test_more_than_any_request_could_hold_is_not_read(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(item_rows, "MAX_READ_BYTES", 3 << 20)
    for before, name in (("", "a"), ("a", "b"), ("b", "c")):
        await store.put_response(response(name, before), [item(name, bytes(500_000), bytes(500_000))], [])
    assert ids(await store.history("me", "c")) == ["a", "b", "c"]
    await store.put_response(response("d", "c"), [], [item("d", bytes(500_000))])
    for reading in (store.history("me", "d"), store.items("me", "abcd")):
        with pytest.raises(TooLarge, match="more than 3 MB"):
            await reading
    assert ids(await store.given("me", "d")) == ["a", "b", "c"]


# Items by their ids.


async def test_items_are_found_wherever_they_are(store: SqliteStore) -> None:
    await store.put_response(response("a"), [item("x", b"x")], [item("y", b"y", b"native")])
    await store.put_conversation(conversation("c"), [item("z", b"z")])
    found = await store.items("me", ["y", "x", "z", "nowhere", "x"])
    assert found == {"x": item("x", b"x"), "y": item("y", b"y", b"native"), "z": item("z", b"z")}
    assert await store.items("me", []) == {}
    assert await store.items("you", ["x", "y", "z"]) == {}


async def test_an_answers_item_goes_before_what_a_client_made_of_it(store: SqliteStore) -> None:
    await store.put_response(response("a"), [item("x", b"old")], [item("y", b"said", b"native")])
    await store.put_response(response("b"), [item("x", b"new"), item("y", b"repeated")], [])
    await store.put_response(response("c", caller="you"), [item("x", b"bad")], [item("x", b"bad")])
    assert await store.items("me", ["x", "y"]) == {"x": item("x", b"new"), "y": item("y", b"said", b"native")}


async def test_any_number_is_found_at_once(store: SqliteStore) -> None:
    some = [item(f"i{number}") for number in range(1200)]
    await store.put_response(response("a"), some, [])
    assert await store.items("me", [f"i{number}" for number in range(5000)]) == {one.id: one for one in some}


# Time.


async def test_what_has_expired_is_as_if_it_were_not(store: SqliteStore, clock: Clock) -> None:
    await store.put_response(response("a", background=True, until=1500.0, status="queued"), [item("x")], [])
    await store.add_events("a", 0, [b"e"], NOW)
    clock.now = 1499.9
    assert await store.response("me", "a") is not None
    clock.now = 1500.0
    assert await store.response("me", "a") is None
    assert await store.history("me", "a") is await store.given("me", "a") is None
    assert await store.items("me", ["x"]) == {}
    assert await store.events("a", -1, 10) == []
    assert await store.abandoned(9999.0) == []
    assert await store.add_events("a", 1, [b"f"], NOW) == ""
    assert not await store.set_status("a", "failed", b"", only_if=["queued"])
    assert not await store.put_response(response("a"), [], [], only_if=["queued"])
    assert not await store.delete_response("me", "a")


async def test_what_it_goes_on_from_lives_as_long_as_a_response(store: SqliteStore, clock: Clock, path: Path) -> None:
    await chained(store, "a", "b", until=1500.0)
    await store.put_response(response("aside", "a", until=1500.0), [], [])
    await store.put_response(response("c", "b", until=1800.0), [item("c.in")], [])
    clock.now = 1799.9
    assert ids(await store.history("me", "c")) == ["a.in", "a.out", "b.in", "b.out", "c.in"]
    assert await store.response("me", "aside") is None
    clock.now = 1900.0  # at most a 24th of the lifetime later
    await store.put_response(response("new"), [], [])
    assert kept(path) == ["new"]


async def test_a_shorter_life_shortens_none(store: SqliteStore) -> None:
    await chained(store, "a", "b")
    await store.put_response(response("c", "b", until=1200.0), [], [])
    await store.put_response(response("b", "a", until=1100.0), [], [])
    for name in "ab":
        found = await store.response("me", name)
        assert found is not None and found.expires_at >= LATER


async def test_what_is_gone_is_not_brought_back(
    store: SqliteStore, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(purge, "PURGE_ROWS", 0)  # more have expired than one purge takes
    await chained(store, "a", "b", until=1500.0)
    clock.now = 1500.0
    await store.put_response(response("c", "b"), [], [])
    assert await store.response("me", "b") is await store.history("me", "c") is None


async def test_a_long_chain_is_prolonged_once_in_a_while(store: SqliteStore, clock: Clock, path: Path) -> None:
    lifetime = 30 * 86_400
    for number in range(40):
        clock.now = NOW + 300 * number
        made = response(f"r{number}", f"r{number - 1}" if number else "", until=clock.now + lifetime)
        await store.put_response(replace(made, created_at=clock.now), [], [])
    with connected(path) as connection:
        rows = connection.execute("SELECT id, expires_at FROM responses").fetchall()
    until = dict(rows)
    last = until["r39"]
    assert last == clock.now + lifetime
    assert all(last <= until[f"r{number}"] < last + 3600 for number in range(39))
    assert len({until[f"r{number}"] for number in range(39)}) == 1


# Trouble.


async def test_a_failed_write_leaves_nothing_behind(store: SqliteStore, path: Path) -> None:
    await chained(store, "a")
    with connected(path) as other:
        other.execute(
            "CREATE TRIGGER bad BEFORE INSERT ON items WHEN new.item_id = 'bad' "
            "BEGIN SELECT RAISE(ABORT, 'no room'); END"
        )
    with pytest.raises(sqlite3.Error, match="no room"):
        await store.put_response(response("b", "a", until=LATER + 500), [item("good"), item("bad")], [])
    assert await store.response("me", "b") is None
    assert await store.items("me", ["good"]) == {}
    assert await store.response("me", "a") == response("a")
    await chained(store, "c")
    assert kept(path) == ["a", "c"]


async def test_a_broken_table_raises_what_the_database_says(store: SqliteStore, path: Path) -> None:
    with connected(path) as other:
        other.execute("ALTER TABLE responses RENAME TO gone")
    for asking in (
        store.put_response(response("a"), [], []),
        store.response("me", "a"),
        store.history("me", "a"),
        store.add_events("a", 0, [], NOW),
        store.abandoned(NOW),
    ):
        with pytest.raises(sqlite3.OperationalError):
            await asking
    with connected(path) as other:
        other.execute("ALTER TABLE gone RENAME TO responses")
    assert await store.put_response(response("a"), [], [])


async def test_nobody_waits_for_the_disk_but_who_asks(store: SqliteStore, path: Path) -> None:
    with connected(path) as other:
        other.execute("BEGIN EXCLUSIVE")
        putting = asyncio.create_task(store.put_response(response("a"), [item("x")], []))
        loop = asyncio.get_running_loop()
        longest = 0.0
        for _ in range(20):
            before = loop.time()
            await asyncio.sleep(0.005)
            longest = max(longest, loop.time() - before)
        assert not putting.done()
        assert longest < 0.5
        other.execute("COMMIT")
    assert await putting


async def test_fifty_writers_of_two_workers(path: Path, clock: Clock) -> None:
    async with opened(path, clock) as one, opened(path, clock) as two:
        await one.put_conversation(conversation("shared"))
        await one.put_response(response("root"), [item("root")], [])

        async def write(number: int) -> None:
            mine, others = (one, two) if number % 2 else (two, one)
            name = f"r{number}"
            queued = response(name, "root", status="queued", background=True, until=LATER + number)
            assert await mine.put_response(queued, [item(f"{name}.in")], [])
            assert await mine.add_events(name, 0, [b"e0", b"e1"], NOW) == "queued"
            done = replace(queued, status="completed", document=name.encode(), conversation_id="shared")
            assert await mine.put_response(done, [item(f"{name}.in")], [item(f"{name}.out")], only_if=["queued"])
            found = await others.response("me", name)
            assert found is not None and found.document == name.encode()
            assert ids(await others.history("me", name)) == ["root", f"{name}.in", f"{name}.out"]
            assert len(await others.events(name, -1, 10)) == 2

        await asyncio.gather(*(write(number) for number in range(50)))
        shared = ids(await two.conversation_items("me", "shared")) or []
        assert sorted(shared) == sorted(f"r{number}.{end}" for number in range(50) for end in ("in", "out"))
        for number in range(50):
            place = shared.index(f"r{number}.in")
            assert shared[place + 1] == f"r{number}.out"
        root = await two.response("me", "root")
        assert root is not None and root.expires_at >= LATER + 49
    assert len(kept(path)) == 52


async def test_a_file_of_the_version_before_is_brought_up_to_date(path: Path, clock: Clock) -> None:
    with connected(path) as connection:
        for name in ("0001_owners.sql", "0002_signatures.sql"):
            connection.executescript((MIGRATIONS / name).read_text())
        connection.execute("INSERT INTO owners VALUES ('files/a', 'k', 'me', '', 2000.0)")
        connection.execute("INSERT INTO signatures VALUES (x'61', x'62', 2000.0)")
        connection.execute("PRAGMA user_version = 2")
    async with opened(path, clock) as one, opened(path, clock) as two:
        assert await one.get("files/a") == Owner(resource="files/a", key_id="k", caller_id="me", expires_at=2000.0)
        assert await one.recall([b"a"]) == {b"a": b"b"}
        await chained(one, "a", "b")
        assert len(await two.history("me", "b") or []) == 4
    async with opened(path, clock) as store:
        assert len(await store.history("me", "b") or []) == 4
    assert kept(path) == ["b", "a"]
