"""What a connection remembers, and what it forgets."""

from gemgate.hub.parts import Text
from gemgate.protocols.openai_responses.kept import KeptItem
from gemgate.surfaces.responses.session import Session


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


def test_bytes_are_bounded_and_shared_items_count_once() -> None:
    session = Session(max_bytes=100)
    shared = item(60)
    session.keep("a", [shared])
    session.keep("b", [shared, item(30)])
    session.keep("c", [shared, shared, item(10)])
    assert all(session.history(name) for name in "abc")
    session.keep("d", [shared, item(11)])  # one byte too many, until the 30 of `b` are gone
    assert [session.history(name) is not None for name in "abcd"] == [False, False, True, True]
    for name in "cd":
        session.forget(name)
    session.keep("e", [item(100)])
    assert session.history("e") is not None


def test_the_parts_of_an_item_count_too() -> None:
    session = Session(max_bytes=100)
    session.keep("a", [KeptItem(b"{}", (Text("x" * 100),))])
    assert session.history("a") is None


def test_what_alone_is_too_large_takes_nothing_with_it_later() -> None:
    session = Session(max_bytes=100)
    session.keep("a", [item(101)])
    assert session.history("a") is None
    session.keep("b", [item(100)])
    assert session.history("b") is not None
