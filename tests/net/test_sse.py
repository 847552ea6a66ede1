"""Server-sent events: what is read does not depend on how the bytes were cut."""

import json
import re
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemgate.net import sse
from gemgate.net.sse import EventTooLarge, SseParser
from tests.bed.recordings import conversations, needs_recordings

LINES = st.sampled_from(
    [b"data: a", b"data:b", b"data:  two", b"data: ", b"data:", b": note", b"event: x", b"id: 7", b"", b"", b"nonsense"]
)
ENDS = st.sampled_from([b"\n", b"\r\n", b"\r"])


def reference(stream: bytes) -> list[bytes]:
    """The standard's algorithm, on the whole stream; a last event needs no empty line."""
    found: list[bytes] = []
    data: list[bytes] = []
    for line in [*re.split(rb"\r\n|\n|\r", stream), b""]:
        if line.startswith(b"data:"):
            data.append(line[5:].removeprefix(b" "))
        elif not line and data:
            found.append(b"\n".join(data))
            data = []
    return found


def parsed(pieces: list[bytes]) -> list[bytes]:
    parser = SseParser()
    return [event for piece in pieces for event in parser.feed(piece)] + parser.end()


def cut(stream: bytes, places: set[int]) -> list[bytes]:
    edges = [0, *sorted(place % (len(stream) + 1) for place in places), len(stream)]
    return [stream[start:end] for start, end in pairwise(edges)]


@settings(deadline=None, max_examples=400)
@given(st.lists(st.tuples(LINES, ENDS), max_size=14), st.sets(st.integers(0, 400), max_size=8), LINES)
def test_any_cut_gives_the_same_events(lines: list[tuple[bytes, bytes]], places: set[int], tail: bytes) -> None:
    """Acceptance 23: lines of several data fields, comments, all three line ends, even mixed, and a missing end."""
    stream = b"".join(line + end for line, end in lines) + tail
    assert parsed(cut(stream, places)) == reference(stream)


@settings(deadline=None, max_examples=150)
@given(
    st.lists(st.text(max_size=12).filter(lambda text: not re.search("[\r\n]", text)), min_size=1, max_size=5),
    ENDS,
    st.booleans(),
)
def test_every_cut_of_real_events(texts: list[str], end: bytes, closed: bool) -> None:
    """Cut at every single offset, inside characters too; U+2028 and its like are no line ends."""
    payloads = [json.dumps({"text": f"\u2028\x85\u2029\x0b{text}"}, ensure_ascii=False).encode() for text in texts]
    stream = (end * 2).join(b"data: " + payload for payload in payloads) + (end * 2 if closed else b"")
    assert parsed([stream[offset : offset + 1] for offset in range(len(stream))]) == payloads
    for offset in range(len(stream) + 1):
        assert parsed([stream[:offset], stream[offset:]]) == payloads


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\r"])
def test_several_lines_of_data_are_one_event(end: bytes) -> None:
    stream = end.join([b": hello", b"event: message", b"data: [1,", b"data: 2]", b"", b"data: x", b"", b""])
    assert parsed([stream]) == [b"[1,\n2]", b"x"]


def test_events_come_out_as_soon_as_they_are_complete() -> None:
    parser = SseParser()
    assert parser.feed(b"data: 1\n") == []
    assert parser.feed(b"\ndata: 2\r\n\r") == [b"1", b"2"]
    assert parser.feed(b"\n") == []
    assert parser.feed(b"data: 3") == []
    assert parser.end() == [b"3"]
    assert parser.end() == []


def test_a_huge_event_in_small_reads() -> None:
    """Acceptance 23 and 26: 20 MB in reads of 16 KB, and no quadratic cost."""
    payload = b'{"data":"' + b"A" * 20_000_000 + b'"}'
    stream = b"data: " + payload + b"\r\n\r\n"
    assert parsed([stream[start : start + 16384] for start in range(0, len(stream), 16384)]) == [payload]


def test_an_endless_event_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "MAX_EVENT_BYTES", 1000)
    parser = SseParser()
    parser.feed(b"data: " + b"x" * 900)
    with pytest.raises(EventTooLarge):
        parser.feed(b"x" * 900)


@needs_recordings
def test_recorded_streams_at_every_cut() -> None:
    rows = sorted((row for row in conversations() if row.streamed), key=lambda row: len(row.sse()))
    for row in rows[:60]:
        stream, payloads = row.sse(), row.payloads()
        assert parsed([stream]) == payloads
        for offset in range(0, len(stream), max(1, len(stream) // 300)):
            assert parsed([stream[:offset], stream[offset:]]) == payloads
    for row in rows:
        stream = row.sse()
        assert parsed([stream[start : start + 7] for start in range(0, len(stream), 7)]) == row.payloads()
