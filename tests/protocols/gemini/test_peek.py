"""Usage seen in bytes that go by, however they are cut."""

import json
from itertools import pairwise

from hypothesis import given, settings
from hypothesis import strategies as st

from gemgate.hub.events import Usage
from gemgate.protocols.gemini.peek import TAIL_BYTES, UsagePeek
from gemgate.protocols.gemini.reader import GeminiReader
from tests.bed.recordings import conversations, needs_recordings

COUNTS = {"promptTokenCount": 7, "candidatesTokenCount": 5, "thoughtsTokenCount": 3, "totalTokenCount": 15}
EVENTS = [
    {"candidates": [{"content": {"parts": [{"text": 'say "usageMetadata": {"totalTokenCount": 9}'}]}}]},
    {"usageMetadata": {"promptTokenCount": 7, "totalTokenCount": 7}},
    {"candidates": [{"finishReason": "STOP"}], "usageMetadata": COUNTS, "modelVersion": "m"},
]
SSE = b"".join(b"data: " + json.dumps(event).encode() + b"\r\n\r\n" for event in EVENTS)
ARRAY = json.dumps(EVENTS, indent=2).encode()


def peeked(pieces: list[bytes]) -> Usage | None:
    peek = UsagePeek()
    for piece in pieces:
        peek.feed(piece)
    return peek.usage()


def numbers(usage: Usage | None) -> tuple[int, ...]:
    assert usage
    return usage.input_tokens, usage.output_tokens, usage.thought_tokens, usage.total_tokens


@settings(deadline=None, max_examples=150)
@given(st.sampled_from([SSE, ARRAY, json.dumps(EVENTS[-1]).encode()]), st.sets(st.integers(0, 700), max_size=6))
def test_at_any_cut(stream: bytes, places: set[int]) -> None:
    edges = [0, *sorted(min(place, len(stream)) for place in places), len(stream)]
    assert numbers(peeked([stream[a:b] for a, b in pairwise(edges)])) == (7, 5, 3, 15)


def test_the_end_of_a_long_reply() -> None:
    long = b'data: {"x":"' + b"A" * (3 * TAIL_BYTES) + b'"}\r\n\r\n'
    assert numbers(peeked([long + SSE])) == (7, 5, 3, 15)
    assert numbers(peeked([long, SSE])) == (7, 5, 3, 15)
    assert numbers(peeked([(long + SSE)[n : n + 1000] for n in range(0, len(long + SSE), 1000)])) == (7, 5, 3, 15)
    assert peeked([SSE, long]) is None


def test_nothing_to_see() -> None:
    for stream in (b"", b"{}", SSE[:60], b'{"usageMetadata": 5}', b'{"usageMetadata": {"promptTokenCount": "x"}}'):
        usage = peeked([stream])
        assert usage is None or usage.total_tokens == 0
    cut = SSE[: SSE.rindex(b"totalTokenCount")]
    assert numbers(peeked([cut])) == (7, 0, 0, 7)


@needs_recordings
def test_recorded_replies() -> None:
    """The peek and the reader agree on what a reply cost."""
    for row in conversations():
        reader = GeminiReader()
        for payload in row.payloads():
            reader.feed(payload)
        body = row.body()
        usage = peeked([body[start : start + 500] for start in range(0, len(body), 500)])
        if usage is not None:
            assert usage.total_tokens == reader.usage.total_tokens, row.id
            assert usage.input_tokens == reader.usage.input_tokens, row.id
        else:
            assert not row.usage, row.id
