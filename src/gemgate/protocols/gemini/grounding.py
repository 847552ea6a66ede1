"""Sources of an answer: grounding metadata → citations and queries."""

import msgspec
from msgspec import Struct, json

from gemgate.hub.events import Citation
from gemgate.hub.parts import JsonText


class _Source(Struct, frozen=True):
    uri: str = ""
    title: str = ""


class _Chunk(Struct, rename="camel"):
    web: _Source | None = None
    maps: _Source | None = None
    retrieved_context: _Source | None = None


class _Segment(Struct, rename="camel", frozen=True):
    start_index: int = 0
    end_index: int = 0
    text: str = ""


class _Support(Struct, rename="camel"):
    segment: _Segment = _Segment()
    grounding_chunk_indices: list[int] = []


class _Grounding(Struct, rename="camel"):
    web_search_queries: list[str] = []
    grounding_chunks: list[_Chunk] = []
    grounding_supports: list[_Support] = []


_decode = json.Decoder(_Grounding, strict=False).decode


class Grounded(Struct, frozen=True):
    """What an answer rests on, and what was searched for to find it."""

    citations: tuple[Citation, ...] = ()
    queries: tuple[str, ...] = ()


def grounded(raw: JsonText, said: str) -> Grounded:
    """Read grounding metadata; `said` is the visible text so far.

    Gemini's offsets count UTF-8 bytes, citations count characters. Sources that support no segment come last and stand
    for the whole text.
    """
    try:
        found = _decode(raw)
    except msgspec.MsgspecError:
        return Grounded()
    sources = [chunk.web or chunk.maps or chunk.retrieved_context or _Source() for chunk in found.grounding_chunks]
    encoded = said.encode()
    cited: set[int] = set()
    listed: list[Citation] = []
    for support in found.grounding_supports:
        start, end = _characters(support.segment, said, encoded)
        for index in support.grounding_chunk_indices:
            if 0 <= index < len(sources) and sources[index].uri:
                cited.add(index)
                listed.append(Citation(sources[index].uri, sources[index].title, start, end))
    listed += [
        Citation(source.uri, source.title, 0, len(said))
        for index, source in enumerate(sources)
        if source.uri and index not in cited
    ]
    return Grounded(tuple(listed), tuple(found.web_search_queries))


def _characters(segment: _Segment, said: str, encoded: bytes) -> tuple[int, int]:
    """Turn a segment's byte offsets into characters; where they miss its text (they count per part), search for it."""
    chosen = encoded[segment.start_index : segment.end_index]
    if not segment.text or chosen == segment.text.encode():
        start = len(encoded[: segment.start_index].decode(errors="ignore"))
        return start, start + len(chosen.decode(errors="ignore"))
    start = max(said.find(segment.text), 0)
    return start, min(start + len(segment.text), len(said))
