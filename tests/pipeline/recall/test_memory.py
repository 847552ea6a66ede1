"""What one process has remembered lately."""

from gemgate.pipeline.recall.memory import ROW_BYTES, RecentRows


def test_the_memory_is_bounded_and_forgets_what_was_not_asked_for() -> None:
    memory = RecentRows(3 * (ROW_BYTES + 10))
    for name in (b"a", b"b", b"c"):
        memory.add({name: b"x" * 10}, 2000.0)
    assert memory.find([b"a", b"z"], 1000.0) == {b"a": b"x" * 10}
    memory.add({b"d": b"y" * 10}, 2000.0)
    assert set(memory.find([b"a", b"b", b"c", b"d"], 1000.0)) == {b"a", b"c", b"d"}
    memory.add({b"a": b"z" * 11}, 2000.0)
    assert set(memory.find([b"a", b"b", b"c", b"d"], 1000.0)) == {b"a", b"d"}
    memory.add({b"e": b"x" * 10_000}, 2000.0)
    assert set(memory.find([b"a", b"d", b"e"], 1000.0)) == {b"a", b"d"}
    assert memory.find([b"a", b"d"], 2000.0) == {}
    memory.add(dict.fromkeys((b"a", b"b", b"c"), b"x" * 10), 3000.0)
    assert set(memory.find([b"a", b"b", b"c"], 2000.0)) == {b"a", b"b", b"c"}
