import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from gemgate.hub.events import Citation
from gemgate.protocols.gemini.grounding import grounded
from tests.protocols.replaying import chat_stream, chat_whole, chunk, read

WEB = {"web": {"uri": "https://a", "title": "A"}}
MAPS = {"maps": {"uri": "https://m", "title": "M"}}


def citations(raw: str, said: str) -> tuple[Citation, ...]:
    return grounded(raw, said).citations


def grounding(supports: list[dict[str, Any]], chunks: list[Any] | None = None) -> str:
    return json.dumps({"groundingChunks": chunks or [WEB, MAPS], "groundingSupports": supports})


def support(start: int, end: int, text: str = "", *indices: int) -> dict[str, Any]:
    segment = {"startIndex": start, "endIndex": end, "text": text}
    return {"segment": {key: value for key, value in segment.items() if value}, "groundingChunkIndices": list(indices)}


def test_offsets_are_bytes_there_and_characters_here() -> None:
    """Notes §2.6."""
    said = "é天𝄞 end"
    found = citations(grounding([support(2, 5, "天", 0), support(0, 9, "", 0), support(0, 2, "é", 1)]), said)
    assert found == (
        Citation("https://a", "A", 1, 2),
        Citation("https://a", "A", 0, 3),
        Citation("https://m", "M", 0, 1),
    )


def test_a_segment_of_a_later_part_is_found_by_its_text() -> None:
    assert citations(grounding([support(0, 3, "two", 0)], [WEB]), "one two") == (Citation("https://a", "A", 4, 7),)


def test_sources_without_a_segment_stand_for_the_whole() -> None:
    assert citations(grounding([], [WEB]), "abc") == (Citation("https://a", "A", 0, 3),)
    assert citations(grounding([support(0, 1, "a", 7)], [WEB, {"image": {}}, {}]), "abc") == (
        Citation("https://a", "A", 0, 3),
    )


@settings(deadline=None, max_examples=150)
@given(st.text(max_size=8), st.integers(-9, 40), st.integers(-9, 40), st.text(max_size=3), st.integers(-3, 3))
def test_offsets_are_always_within_the_text(said: str, start: int, end: int, text: str, index: int) -> None:
    for found in citations(grounding([support(start, end, text, index)]), said):
        assert 0 <= found.start <= found.end <= len(said)


def test_garbage_is_no_source() -> None:
    for raw in ("5", "[]", '{"groundingChunks":5}', '{"groundingSupports":[5]}', "{}", "null"):
        assert citations(raw, "abc") == ()


def test_what_was_searched_for_is_kept() -> None:
    assert grounded('{"webSearchQueries":["a","b c"]}', "").queries == ("a", "b c")


def annotations(message: dict[str, Any]) -> list[str]:
    return [
        message["content"][note["url_citation"]["start_index"] : note["url_citation"]["end_index"]]
        for note in message["annotations"]
    ]


def test_code_among_the_words_moves_the_offsets() -> None:
    """Acceptance 22: offsets point into `content` as the client has it, before and after what was inserted."""
    code = {"executableCode": {"language": "PYTHON", "code": "1"}}
    meta = json.loads(grounding([support(0, 3, "one", 0), support(3, 6, "two", 1)]))
    payloads = [
        chunk({"text": "one"}),
        chunk(code),
        chunk({"text": "two"}, groundingMetadata=meta),
        chunk(finishReason="STOP"),
    ]
    batches = read(payloads)
    assert annotations(chat_whole(batches)["choices"][0]["message"]) == ["one", "two"]
    assert any("annotations" in item["choices"][0]["delta"] for item in chat_stream(batches, usage=False))


def test_code_after_the_sources() -> None:
    code = {"executableCode": {"language": "PYTHON", "code": "1"}}
    meta = json.loads(grounding([support(0, 3, "one", 0)], [WEB]))
    batches = read([chunk({"text": "one"}, groundingMetadata=meta), chunk(code), chunk(finishReason="STOP")])
    whole = chat_whole(batches)["choices"][0]["message"]
    streamed = [
        note
        for item in chat_stream(batches, usage=False)
        for note in item["choices"][0]["delta"].get("annotations") or []
    ]
    assert annotations(whole) == ["one"] and streamed == whole["annotations"]
