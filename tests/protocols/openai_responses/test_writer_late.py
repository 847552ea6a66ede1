"""What an upstream tells of a text after its message was closed: its sources, and the probabilities of its tokens."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemgate.hub.events import BlockDelta, BlockEnd, BlockStart, Citation, Citations, Event, Logprobs, TokenLogprob
from gemgate.hub.parts import Code, CodeResult, Inline, Media, Part, Text, ToolCall
from gemgate.protocols.openai_responses.style import Style
from tests.acceptance.responses_grammar import Json
from tests.protocols.openai_responses.replies import blocks, both, reply, sdk_response, strict, told, writer
from tests.protocols.replaying import events

CALL = ToolCall("c1", "f", "{}")
RAN: tuple[Part, ...] = (Code("x1", "python", "1"), CodeResult("x1", "ok", "1"))
IMAGE = Media("image/png", Inline("AAAA"))
SOUND = Media("audio/wav", Inline("AAAA"))


def cited(*spans: tuple[str, int, int]) -> Citations:
    return Citations(0, tuple(Citation(f"https://{name}.test", name, start, end) for name, start, end in spans))


def weighed(*tokens: str) -> Logprobs:
    return Logprobs(0, tuple(TokenLogprob(token, -0.5) for token in tokens))


def contents(made: Json) -> list[Json]:
    return [item["content"][0] for item in made["output"] if item["type"] == "message"]


def sources(made: Json) -> list[list[tuple[str, int, int]]]:
    return [
        [(found["title"], found["start_index"], found["end_index"]) for found in content["annotations"]]
        for content in contents(made)
    ]


def tokens(made: Json) -> list[list[str]]:
    return [[token["token"] for token in content["logprobs"]] for content in contents(made)]


def told_of(made: list[Event], name: str) -> list[Any]:
    return [event for kind, event in told(reply(*made)) if kind == f"response.{name}"]


# ── sources ──


def test_sources_go_to_the_message_in_which_they_begin() -> None:
    made = [*blocks(Text("Hello "), *RAN, Text("end")), cited(("a", 0, 5), ("b", 6, 9))]
    assert sources(both(reply(*made))) == [[("a", 0, 5)], [("b", 0, 3)]]


@pytest.mark.parametrize("after", [CALL, IMAGE])
def test_sources_of_a_text_that_something_else_follows(after: Part) -> None:
    made = [*blocks(Text("Hello"), after), cited(("a", 0, 5))]
    response = both(reply(*made))
    assert sources(response) == [[("a", 0, 5)]]
    strict(response)
    assert sdk_response(told(reply(*made))) == response


def test_what_reaches_into_another_message_is_cut_at_the_end() -> None:
    made = [*blocks(Text("first text "), CALL, Text("second")), cited(("a", 0, 12), ("b", 6, 99), ("c", 12, 99))]
    assert sources(both(reply(*made))) == [[("a", 0, 11), ("b", 6, 11)], [("c", 1, 6)]]


def test_what_is_the_same_when_it_is_cut_is_given_once() -> None:
    made = [*blocks(Text("first"), CALL, Text("second")), cited(("a", 0, 6), ("a", 0, 7), ("b", 6, 12), ("b", 6, 99))]
    assert sources(both(reply(*made))) == [[("a", 0, 5)], [("b", 1, 6)]]


def test_what_was_told_comes_first_and_is_not_told_again() -> None:
    made = [*blocks(Text("first")), cited(("b", 2, 4)), *blocks(CALL, Text("second"))]
    made += [cited(("a", 0, 5), ("b", 2, 4), ("c", 5, 8))]
    assert sources(both(reply(*made))) == [[("b", 2, 4), ("a", 0, 5)], [("c", 0, 3)]]
    told_sources = told_of(made, "output_text.annotation.added")
    assert [(event["output_index"], event["annotation"]["title"]) for event in told_sources] == [(0, "b"), (2, "c")]
    done = told_of(made, "output_item.done")
    assert [len(content["annotations"]) for content in contents({"output": [e["item"] for e in done]})] == [1, 1]


def test_what_comes_while_a_later_message_is_open_waits_for_its_own() -> None:
    made = [*blocks(Text("first"), CALL, Text("second")), cited(("a", 1, 7), ("b", 5, 8)), weighed("first", "second")]
    response = both(reply(*made, *blocks(CALL)))
    assert sources(response) == [[("a", 1, 5)], [("b", 0, 3)]]
    assert tokens(response) == [["first"], ["second"]]


def test_sources_beyond_the_end_stand_at_the_end_of_the_words() -> None:
    made = [*blocks(Text("first"), CALL, SOUND), cited(("a", 5, 9))]
    assert sources(both(reply(*made))) == [[("a", 5, 5)], []]
    response = both(reply(*blocks(SOUND), cited(("a", 0, 9))))
    end = len(contents(response)[0]["text"])
    assert sources(response) == [[("a", end, end)]]
    assert sources(both(reply(*blocks(CALL), cited(("a", 0, 9))))) == []


def test_offsets_count_what_stands_among_the_words_of_a_closed_message() -> None:
    made = [*blocks(Text("fir"), SOUND, Text("st"), CALL), cited(("a", 0, 5), ("b", 3, 5))]
    response = both(reply(*made))
    text = contents(response)[0]["text"]
    assert [text[start:end] for _, start, end in sources(response)[0]] == [text, "st"]


# ── probabilities ──


def test_probabilities_of_a_text_that_a_call_follows() -> None:
    """Whether they come with the text, with the call, or at the end."""
    text, call = blocks(Text("Hello")), blocks(CALL)
    for made in (
        [text[0], weighed("Hel", "lo"), text[1], *call],
        [*text, weighed("Hel", "lo"), *call],
        [*text, *call, weighed("Hel", "lo")],
        [*text, weighed("Hel"), *call, weighed("lo")],
    ):
        response = both(reply(*made))
        strict(response)
        assert tokens(response) == [["Hel", "lo"]]


def test_probabilities_are_dealt_out_by_the_length_of_the_texts() -> None:
    made = [*blocks(Text("AB"), *RAN, SOUND, Text("CD"), CALL), weighed("A", "B", "CD", "", "more")]
    assert tokens(both(reply(*made))) == [["A", "B"], ["CD", "", "more"]]
    made = [*blocks(Text("AB")), weighed("A"), *blocks(CALL, Text("CD")), weighed("B", "CD")]
    assert tokens(both(reply(*made))) == [["A", "B"], ["CD"]]
    done = told_of(made, "output_text.done")
    assert [[token["token"] for token in event["logprobs"]] for event in done] == [["A"], ["CD"]]


def test_probabilities_before_any_text_are_of_none() -> None:
    assert tokens(both(reply(weighed("x"), *blocks(CALL, Text("AB")), weighed("AB")))) == [["AB"]]


# ── whatever comes ──


PIECES = st.lists(
    st.one_of(
        st.sampled_from(["a", "bc", "defg"]).map(Text),
        st.sampled_from([CALL, IMAGE, SOUND, RAN[0], RAN[1]]),
        st.tuples(st.sampled_from("xyz"), st.integers(0, 12), st.integers(0, 12)),
        st.lists(st.sampled_from(["", "a", "bc"]), max_size=3),
    ),
    max_size=12,
)


@settings(max_examples=300, deadline=None)
@given(PIECES, st.sampled_from(["stop", "length", "content_filter", "malformed"]))
def test_nothing_is_lost(pieces: list[Any], reason: Any) -> None:
    """Streamed is whole, what is kept is what was shown, and every source and token stands in a message."""
    made: list[Event] = [BlockStart(0, Text("so")), BlockDelta(0, "!"), BlockEnd(0)]
    said: list[str] = []
    for piece in pieces:
        match piece:
            case tuple():
                made.append(cited(piece))
            case list():
                made.append(weighed(*piece))
                said += piece
            case _:
                made += blocks(piece)
    response = both(reply(*made, reason=reason))
    kept = writer(Style(stored=True, keeps_parts=True))
    kept.whole(events(reply(*made, reason=reason)))
    assert kept.finished is not None
    for content in contents(response):
        for source in content["annotations"]:
            assert 0 <= source["start_index"] <= source["end_index"] <= len(content["text"])
    assert [token for found in tokens(response) for token in found] == said
    names = {piece[0] for piece in pieces if isinstance(piece, tuple)}
    assert {title for found in sources(response) for title, _, _ in found} == names
    assert [item.item for item in kept.finished.output] == [item.item for item in _again(made, reason)]


def _again(made: list[Event], reason: Any) -> Any:
    streamed = writer(Style(stored=True, keeps_parts=True))
    for batch in reply(*made, reason=reason):
        streamed.stream(batch)
    streamed.end()
    assert streamed.finished is not None
    return streamed.finished.output
