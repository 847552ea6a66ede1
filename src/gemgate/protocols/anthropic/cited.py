"""The sources of an answer, between the events that name them and the text they stand at."""

from gemgate.hub.events import Citation, Citations, Page

MAX_CITED = 500
"""Characters; sources of the whole answer would repeat it once each."""


class Sources:
    """What an answer rests on; `said` takes its visible text, which citations are cut from."""

    __slots__ = ("_given", "_waiting", "found", "pages", "queries", "said")

    def __init__(self) -> None:
        self.said: list[str] = []
        self.found: dict[str, str] = {}
        """Titles by URL."""
        self.queries: dict[str, None] = {}
        self.pages: dict[str, Page] = {}
        self._waiting: dict[tuple[str, int], dict[int, Citation]] = {}
        self._given: set[Citation] = set()

    def cite(self, event: Citations) -> None:
        """Keep sources for the text. Events repeat them, and what they cover grows: of one place the last holds."""
        self.queries.update(dict.fromkeys(event.queries))
        named: dict[tuple[str, int], dict[int, Citation]] = {}
        for citation in event.citations:
            self.found[citation.url] = self.found.get(citation.url) or citation.title
            named.setdefault((citation.url, citation.start), {})[citation.end] = citation
        self._waiting.update(named)

    def read(self, pages: tuple[Page, ...]) -> None:
        """Keep the pages that were read."""
        self.pages.update({page.url: page for page in pages})

    def due(self) -> list[dict[str, object]]:
        """Give the citations that wait for a text, each once in an answer."""
        waiting = [citation for ends in self._waiting.values() for citation in ends.values()]
        self._waiting.clear()
        if not waiting:
            return []
        text = "".join(self.said)
        self.said[:] = (text,)  # the same list: others add to it
        return [self._object(citation, text) for citation in waiting if self._is_new(citation)]

    def _is_new(self, citation: Citation) -> bool:
        place = Citation(citation.url, "", citation.start, citation.end)
        new = place not in self._given
        self._given.add(place)
        return new

    def _object(self, citation: Citation, text: str) -> dict[str, object]:
        end = min(citation.end, citation.start + MAX_CITED)
        return {
            "type": "web_search_result_location",
            "url": citation.url,
            "title": self.found[citation.url] or None,
            "cited_text": text[citation.start : end],
            "encrypted_index": "",
        }
