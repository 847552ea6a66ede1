"""A whole reply is the fold of the same events; unfolding gives events whose fold is the reply."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemgate.errors import Unavailable, UpstreamError
from gemgate.hub.events import (
    BlockDelta,
    BlockEnd,
    BlockStart,
    Citation,
    Citations,
    Event,
    Failure,
    Finish,
    ResponseStart,
    Usage,
)
from gemgate.hub.fold import Choice, Reply, citations_of, closed, fold, unfold
from gemgate.hub.parts import (
    Code,
    CodeResult,
    Inline,
    Media,
    Opaque,
    Part,
    Signature,
    Text,
    Thought,
    ToolCall,
    ToolResult,
    Vendor,
)
from tests.bed.recordings import conversations, needs_recordings
from tests.protocols.replaying import FORMS, events, failure, replies

MARKS = st.none() | st.just(Signature("gemini", "YQ=="))
WORDS = st.text(max_size=6)
PARTS: st.SearchStrategy[Part] = st.one_of(
    st.builds(Text, WORDS, MARKS),
    st.builds(Thought, WORDS, MARKS),
    st.builds(ToolCall, WORDS, WORDS, st.just("{}"), MARKS),
    st.builds(Code, WORDS, WORDS, WORDS, MARKS),
    st.builds(CodeResult, WORDS, WORDS, WORDS, MARKS),
    st.builds(Media, st.just("image/png"), st.builds(Inline, WORDS), st.booleans(), MARKS),
    st.builds(ToolResult, WORDS, WORDS, st.just("{}")),
    st.just(Opaque(Vendor("gemini", "{}"))),
)
CITATIONS = st.lists(st.builds(Citation, WORDS, WORDS), max_size=2)


@st.composite
def reply(draw: st.DrawFn) -> Reply:
    choices: list[Choice] = []
    for index in draw(st.sets(st.integers(0, 3), max_size=2)):
        parts = tuple(draw(st.lists(PARTS, max_size=5)))
        notes = (Citations(index, tuple(draw(CITATIONS))),) if draw(st.booleans()) else ()
        choices.append(Choice(index, parts, notes, Finish(index, "stop")))
    choices.sort(key=lambda choice: choice.index)
    return Reply(ResponseStart(draw(WORDS), "m"), tuple(choices), Usage(input_tokens=draw(st.integers(0, 9))))


@settings(deadline=None, max_examples=150)
@given(reply())
def test_there_and_back(whole: Reply) -> None:
    assert fold(unfold(whole)) == whole


@settings(deadline=None, max_examples=150)
@given(PARTS, st.lists(WORDS, max_size=4), MARKS)
def test_pieces_make_the_part(part: Part, pieces: list[str], mark: Signature | None) -> None:
    run: list[Event] = [
        BlockStart(0, part),
        *(BlockDelta(0, piece) for piece in pieces),
        BlockEnd(0, mark),
        Finish(0, "stop"),
    ]
    (made,) = fold(run).choices[0].parts
    assert made == closed(part, "".join(pieces), mark)
    text = {Text: "text", Thought: "text", ToolCall: "arguments", Code: "code", CodeResult: "output"}.get(type(part))
    if text:
        assert getattr(made, text) == getattr(part, text) + "".join(pieces)
    if mark and not isinstance(part, Opaque):
        assert not isinstance(made, Opaque) and made.signature == mark


def test_choices_are_in_order() -> None:
    run = [
        BlockStart(1, Text("b")),
        BlockStart(0, Text("a")),
        BlockEnd(1),
        BlockEnd(0),
        Finish(1, "stop"),
        Finish(0, "stop"),
    ]
    assert [choice.index for choice in fold(run).choices] == [0, 1]


def test_a_run_that_breaks_off() -> None:
    with pytest.raises(UpstreamError):
        fold([ResponseStart("", ""), BlockStart(0, Text("a")), BlockEnd(0)])
    with pytest.raises(Unavailable):
        fold([BlockStart(0, Text("a")), Failure(Unavailable("x"))])
    assert fold([]).choices == ()


def test_all_sources_of_a_choice() -> None:
    notes = tuple(Citations(0, (Citation(url),)) for url in "ab")
    assert [each.url for each in citations_of(Choice(0, (), notes, Finish(0, "stop")))] == ["a", "b"]


@needs_recordings
def test_recorded_replies() -> None:
    """Acceptance 19, for every recorded answer."""
    for row in conversations():
        for form in FORMS:
            batches = replies(row, form)
            if not failure(batches):
                whole = fold(events(batches))
                assert fold(unfold(whole)) == whole
