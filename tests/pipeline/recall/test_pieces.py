"""Whatever a reply is made of, what it signed finds its place again."""

import asyncio
from collections.abc import Iterator
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from gemgate.hub.events import BlockDelta, BlockEnd, BlockStart, Event, Failure, ResponseStart, Usage
from gemgate.hub.fold import fold
from gemgate.hub.parts import (
    Code,
    CodeResult,
    Opaque,
    Part,
    Text,
    Thought,
    ToolCall,
)
from gemgate.pipeline.recall.recall import Recall
from gemgate.protocols.gemini.reader import GeminiReader
from gemgate.store.sqlite import SqliteStore
from tests.bed.recordings import Recording, conversations, needs_recordings
from tests.pipeline.recall.recalling import (
    ASK,
    FAMILY,
    Clock,
    ask,
    bare,
    expected,
    image,
    opaque,
    refilled,
    sig,
    signed,
    sorted_out,
    stripped,
)

SIGNATURES = st.none() | st.integers(0, 99).map(lambda number: sig(f"c2ln{number}"))
KINDS = ("text", "text", "text", "empty", "thought", "draft", "call", "call", "image", "opaque")


@st.composite
def replies(draw: st.DrawFn) -> list[Part]:
    """Parts in any order; no two pieces say the same, and there is something a client can give back."""
    made: list[Part] = []
    for number, kind in enumerate(draw(st.lists(st.sampled_from(KINDS), max_size=12))):
        signature = draw(SIGNATURES)
        match kind:
            case "text":
                made.append(Text(f"{number}{draw(st.text(max_size=8))}", signature))
            case "empty":
                made.append(Text("", signature))
            case "thought":
                made.append(Thought("hm", signature))
            case "draft":
                made.append(image("ZHJhZnQ=", signature, draft=True))
            case "call":
                made.append(ToolCall(f"call_{number}", "f", "{}", signature))
            case "image":
                made.append(image(f"{number}aGk=", signature))
            case _:
                made.append(opaque(str(number)))
    return [*made, draw(st.sampled_from((Text("the end"), ToolCall("call_z", "f", "{}"))))]


@st.composite
def streams(draw: st.DrawFn) -> tuple[list[Part], list[list[Event]]]:
    """A reply and the batches of a stream that says it."""
    parts = draw(replies())
    events: list[Event] = [ResponseStart("", "")]
    for part in parts:
        late = draw(st.booleans()) and not isinstance(part, Opaque)
        signature = None if isinstance(part, Opaque) or not late else part.signature
        begun = bare(part) if late else part
        deltas: list[BlockDelta] = []
        if isinstance(begun, Text | Thought):
            cuts = sorted(draw(st.lists(st.integers(0, len(begun.text)), max_size=3)))
            pieces = [begun.text[start:end] for start, end in zip([0, *cuts], [*cuts, None], strict=True)]
            begun = replace(begun, text=pieces[0])
            deltas = [BlockDelta(0, piece) for piece in pieces[1:] if piece]
        elif isinstance(begun, ToolCall):
            begun, deltas = replace(begun, arguments=""), [BlockDelta(0, "{}")]
        events += (BlockStart(0, begun), *deltas, BlockEnd(0, signature))
    events.append(Usage())
    size = draw(st.integers(1, 5))
    return parts, [events[start : start + size] for start in range(0, len(events), size)]


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[asyncio.Runner, SqliteStore]]:
    """One open store for many examples; each has a caller of its own."""
    store = SqliteStore(tmp_path_factory.mktemp("recall") / "store.sqlite3", Clock())
    with asyncio.Runner() as runner:
        runner.run(store.open())
        yield runner, store
        runner.run(store.aclose())


CALLERS = map(str, count())


@given(streams())
@settings(max_examples=200, deadline=None)
def test_any_reply_comes_back_as_it_was(
    bench: tuple[asyncio.Runner, SqliteStore], given_reply: tuple[list[Part], list[list[Event]]]
) -> None:
    runner, store = bench
    parts, batches = given_reply
    caller = next(CALLERS)

    async def play() -> None:
        first = Recall(store, Clock())
        watch = first.watch(ask(ASK), caller, FAMILY)
        for batch in batches:
            watch.see(batch)
        watch.keep()
        # With its own memory, and as another process that has only the store.
        for recall in (first, Recall(store, Clock())):
            assert await refilled(recall, stripped(parts), caller=caller) == expected(parts)
            assert await refilled(recall, expected(parts), caller=caller) == expected(parts)

    runner.run(play())


@given(replies())
@settings(max_examples=100, deadline=None)
def test_every_signature_finds_its_part_where_the_format_has_another_order(
    bench: tuple[asyncio.Runner, SqliteStore], parts: list[Part]
) -> None:
    runner, store = bench
    caller = next(CALLERS)

    async def play() -> None:
        recall = Recall(store, Clock())
        signed(recall, parts, caller=caller)
        back = await refilled(recall, sorted_out(parts), caller=caller)
        assert sorted_out(back) == sorted_out(parts)
        wanted = [part for part in expected(parts) if isinstance(part, Opaque) or part.signature is not None]
        assert len([part for part in back if part in wanted]) == len(wanted)
        assert all(part in back for part in wanted)

    runner.run(play())


def numbering() -> GeminiReader:
    """A reader that gives calls without an id one of their own, as each reply's does."""
    numbers = count()
    return GeminiReader(new_id=lambda: f"{next(numbers)}")


def usable(row: Recording) -> list[Part] | None:
    """The parts of a recorded stream's reply, if it signed something and a client can give all of it back."""
    if not row.streamed or not row.expected.signatures:
        return None
    reader = numbering()
    events = [*reader.feed(*row.payloads()), *reader.end()]
    if any(isinstance(event, Failure) for event in events):
        return None
    parts = [part for choice in fold(events).choices[:1] for part in choice.parts]
    foreign = any(isinstance(part, Code | CodeResult) for part in parts)
    return None if foreign or not stripped(parts) else parts


@needs_recordings
def test_real_replies_come_back_as_they_were(bench: tuple[asyncio.Runner, SqliteStore]) -> None:
    runner, store = bench
    replied = [(row, parts) for row in conversations() if (parts := usable(row)) is not None]
    assert len(replied) > 80

    async def play(row: Recording, parts: list[Part]) -> None:
        reader = numbering()
        watch = Recall(store, Clock()).watch(ask(ASK), row.id, FAMILY)
        for payload in row.payloads():
            watch.see(reader.feed(payload))
        watch.see(reader.end())
        watch.keep()
        back = await refilled(Recall(store, Clock()), stripped(parts), caller=row.id)
        assert [bare_of_vendor(part) for part in back] == [bare_of_vendor(part) for part in expected(parts)], row.id
        found = [part.signature.value for part in back if not isinstance(part, Opaque) and part.signature]
        assert found and set(found) <= set(row.expected.signatures), row.id

    for row, parts in replied:
        runner.run(play(row, parts))


def bare_of_vendor(part: Part) -> Part:
    return part if isinstance(part, Opaque) else replace(part, vendor=None)
