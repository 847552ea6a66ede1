"""What a connection remembers, and what it forgets."""

import pytest

from gemgate.errors import Unavailable
from gemgate.hub.parts import Text
from gemgate.protocols.openai_responses.kept import KeptItem
from gemgate.surfaces.responses.session import HISTORY_BYTES, ITEM_BYTES, PLACE_BYTES, Session, SessionMemory


def item(size: int) -> KeptItem:
    return KeptItem(b"x" * size)


def test_a_history_is_given_as_it_was_kept() -> None:
    session = Session()
    items = [item(1), KeptItem(b"{}", (Text("said"),))]
    session.keep("a", items)
    assert list(session.history("a") or ()) == items
    assert session.history("b") is None


def test_what_is_kept_does_not_change_with_its_list() -> None:
    session = Session()
    items = [item(1)]
    session.keep("a", items)
    items.append(item(1))
    assert len(session.history("a") or ()) == 1


def test_the_oldest_is_forgotten_first() -> None:
    session = Session(max_responses=2)
    for name in ("a", "b", "c"):
        session.keep(name, [item(1)])
    assert [session.history(name) is not None for name in ("a", "b", "c")] == [False, True, True]


def test_a_response_that_is_kept_again_is_the_newest() -> None:
    session = Session(max_responses=2)
    for name in ("a", "b", "a", "c"):
        session.keep(name, [item(1)])
    assert [session.history(name) is not None for name in ("a", "b", "c")] == [True, False, True]


def bound(size: int, *, items: int, histories: int, places: int) -> int:
    """Give what histories take that say so much in so many items."""
    return size + items * ITEM_BYTES + histories * HISTORY_BYTES + places * PLACE_BYTES


def test_bytes_are_bounded_and_shared_items_count_once() -> None:
    # What is left when `d` is kept and the oldest two are forgotten.
    session = Session(max_bytes=bound(81, items=3, histories=2, places=5))
    shared = item(60)
    session.keep("a", [shared])
    session.keep("b", [shared, item(30)])
    assert all(session.history(name) for name in "ab")
    session.keep("c", [shared, shared, item(10)])
    session.keep("d", [shared, item(11)])
    assert [session.history(name) is not None for name in "abcd"] == [False, False, True, True]
    for name in "cd":
        session.forget(name)
    session.keep("e", [item(bound(81, items=2, histories=1, places=4))])
    assert session.history("e") is not None


def test_one_byte_too_many_is_too_many() -> None:
    session = Session(max_bytes=bound(100, items=1, histories=1, places=1))
    session.keep("a", [item(100)])
    assert session.history("a") is not None
    session.keep("b", [item(101)])
    assert session.history("a") is None and session.history("b") is None
    session.keep("c", [item(100)])
    assert session.history("c") is not None


def test_the_parts_of_an_item_count_too() -> None:
    session = Session(max_bytes=bound(100, items=1, histories=1, places=1))
    session.keep("a", [KeptItem(b"{}", (Text("x" * 100),))])
    assert session.history("a") is None


def test_many_small_items_count_for_what_they_take() -> None:
    memory = SessionMemory()
    Session(memory).keep("a", [item(0) for _ in range(1000)])
    assert memory.bytes > 300_000


def test_of_all_sessions_the_one_least_recently_used_forgets_its_oldest() -> None:
    memory = SessionMemory(max_bytes=bound(80, items=4, histories=4, places=4))
    first, second, third = Session(memory), Session(memory), Session(memory)
    for session, name in ((first, "a"), (second, "b"), (first, "c"), (second, "d")):
        session.keep(name, [item(20)])
    assert first.history("a") is not None  # used last, so that the second forgets
    third.keep("e", [item(20)])
    assert second.history("b") is None and first.history("a") is not None
    third.keep("f", [item(20)])  # the second, which found nothing, is still the one
    assert second.history("d") is None
    assert all(session.history(name) for session, name in ((first, "a"), (first, "c"), (third, "e"), (third, "f")))
    assert memory.bytes == bound(80, items=4, histories=4, places=4)


def test_a_session_that_ends_leaves_its_bytes_to_others() -> None:
    memory = SessionMemory(max_bytes=bound(100, items=1, histories=1, places=1))
    ended, other = Session(memory), Session(memory)
    ended.keep("a", [item(100)])
    ended.close()
    assert memory.bytes == 0 and ended.history("a") is None
    ended.keep("b", [item(100)])  # an answer that comes to its end only now
    assert memory.bytes == 0
    other.keep("c", [item(100)])
    assert other.history("c") is not None


def test_what_waits_comes_before_what_is_remembered_and_is_bounded() -> None:
    memory = SessionMemory(max_bytes=1000)
    session = Session(memory)
    session.keep("a", [item(100)])
    memory.wait(900)
    assert session.history("a") is None and memory.bytes == 900
    with pytest.raises(Unavailable):
        memory.wait(101)
    memory.wait(100)
    for size in (900, 100):
        memory.waited(size)
    assert memory.bytes == 0
    session.keep("b", [item(100)])
    assert session.history("b") is not None
