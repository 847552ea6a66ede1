"""The sources of an answer, between the events that name them and the text they stand at."""

from collections.abc import Sequence

from gemgate.hub.events import Citation, Citations, Page


class Cited:
    """What an answer rests on: `found` (titles by URL), what was searched for, and which pages were read."""

    __slots__ = ("_given", "_waiting", "found", "pages", "queries")

    def __init__(self) -> None:
        self.found: dict[str, str] = {}
        self.queries: dict[str, None] = {}
        self.pages: dict[str, Page] = {}
        self._waiting: dict[tuple[str, int], dict[int, Citation]] = {}
        self._given: set[tuple[str, int, int]] = set()

    @property
    def are_waiting(self) -> bool:
        """Whether some stand at no text yet."""
        return bool(self._waiting)

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

    def due_after(self, begun: int) -> list[Citation]:
        """Take those that reach beyond this place of the answer, each once."""
        waiting = self._waiting.items()
        return self._taken([place for place, ends in waiting if max(*ends, place[1] + 1) > begun])

    def all_waiting(self) -> list[Citation]:
        """Take all that are left."""
        return self._taken(list(self._waiting))

    def _taken(self, places: Sequence[tuple[str, int]]) -> list[Citation]:
        taken = [citation for place in places for citation in self._waiting.pop(place).values()]
        self._given.update((citation.url, citation.start, citation.end) for citation in taken)
        return taken
