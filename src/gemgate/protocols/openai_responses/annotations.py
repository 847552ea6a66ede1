"""Sources of an answer, as annotations of the message they stand in."""

from gemgate.hub.events import Citation
from gemgate.protocols.shared.cited import Cited
from gemgate.protocols.shared.track import ContentTrack


def annotations(cited: Cited, begun: int, track: ContentTrack) -> list[dict[str, object]]:
    """Take what is due for a message that ends; it began at the character `begun` of all that the answer says.

    Offsets count characters of the message's own text.
    """
    return [_annotation(citation, cited.found[citation.url], begun, track) for citation in cited.due_after(begun)]


def _annotation(citation: Citation, title: str, begun: int, track: ContentTrack) -> dict[str, object]:
    start = min(max(citation.start - begun, 0), track.visible)
    end = min(max(citation.end - begun, start), track.visible)
    return {
        "type": "url_citation",
        "start_index": track.place(start),
        "end_index": track.place_end(start, end),
        "url": citation.url,
        "title": title,
    }
