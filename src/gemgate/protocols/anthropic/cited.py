"""The sources of an answer, between the events that name them and the text they stand at."""

from collections.abc import Sequence

from gemgate.hub.events import Citation, Citations, Page

MAX_CITED = 150
"""Characters, as in the original; sources of the whole answer would repeat it once each."""


class Sources:
    """What an answer rests on; `said` takes its visible text, which citations are cut from."""

    __slots__ = ("_begun", "_given", "_waiting", "found", "pages", "queries", "said")

    def __init__(self) -> None:
        self.said: list[str] = []
        self.found: dict[str, str] = {}
        """Titles by URL."""
        self.queries: dict[str, None] = {}
        self.pages: dict[str, Page] = {}
        self._begun = 0
        self._waiting: dict[tuple[str, int], dict[int, Citation]] = {}
        self._given: set[tuple[str, int, int]] = set()

    @property
    def are_waiting(self) -> bool:
        """Whether some stand at no text yet."""
        return bool(self._waiting)

    def begin(self) -> None:
        """Begin a text; what is said from now on stands in it."""
        self._begun = len(self._text())

    def cite(self, event: Citations) -> None:
        """Keep sources for the text. Events repeat them, and what they cover grows: of one place the last holds."""
        self.queries.update(dict.fromkeys(event.queries))
        named: dict[tuple[str, int], dict[int, Citation]] = {}
        for citation in event.citations:
            self.found[citation.url] = self.found.get(citation.url) or citation.title
            if (citation.url, citation.start, citation.end) not in self._given:
                named.setdefault((citation.url, citation.start), {})[citation.end] = citation
        self._waiting.update(named)

    def read(self, pages: tuple[Page, ...]) -> None:
        """Keep the pages that were read."""
        self.pages.update({page.url: page for page in pages})

    def due(self) -> list[dict[str, object]]:
        """Give the citations of the text that ends now, each once in an answer."""
        waiting = self._waiting.items()
        return self._taken([place for place, ends in waiting if max(*ends, place[1] + 1) > self._begun])

    def rest(self) -> list[dict[str, object]]:
        """Give all that are waiting."""
        return self._taken(list(self._waiting))

    def _taken(self, places: Sequence[tuple[str, int]]) -> list[dict[str, object]]:
        if not places:
            return []
        text = self._text()
        taken = [citation for place in places for citation in self._waiting.pop(place).values()]
        self._given.update((citation.url, citation.start, citation.end) for citation in taken)
        return [self._object(citation, text) for citation in taken]

    def _text(self) -> str:
        text = "".join(self.said)
        self.said[:] = (text,)  # the same list: others add to it
        return text

    def _object(self, citation: Citation, text: str) -> dict[str, object]:
        end = min(citation.end, citation.start + MAX_CITED)
        return {
            "type": "web_search_result_location",
            "url": citation.url,
            "title": self.found[citation.url] or None,
            "cited_text": text[citation.start : end],
            "encrypted_index": "",
        }
