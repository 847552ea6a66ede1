"""Sources of an answer, as annotations of the message they stand in."""

from gemgate.hub.events import Citation
from gemgate.protocols.shared.cited import Cited
from gemgate.protocols.shared.track import ContentTrack


class Sources(Cited):
    """The sources of an answer, taken by where they begin."""

    def starting_in(self, begun: int, end: int) -> list[Citation]:
        """Take those that begin in this piece of the answer."""
        return self._taken([place for place in self._waiting if begun <= place[1] < end])


def annotation(citation: Citation, title: str, begun: int, track: ContentTrack) -> dict[str, str | int]:
    """Give a source of a message that began at the character `begun` of all that the answer says.

    Offsets count characters of the message's own text; what reaches out of it is cut off.
    """
    start = min(max(citation.start - begun, 0), track.visible)
    end = min(max(citation.end - begun, start), track.visible)
    return {
        "type": "url_citation",
        "start_index": track.place(start),
        "end_index": track.place_end(start, end),
        "url": citation.url,
        "title": title,
    }
