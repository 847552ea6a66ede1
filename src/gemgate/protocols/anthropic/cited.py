"""The sources of an answer, as citations of the text they stand at."""

from collections.abc import Sequence

from gemgate.hub.events import Citation
from gemgate.protocols.shared.cited import Cited

MAX_CITED = 150
"""Characters, as in the original; sources of the whole answer would repeat it once each."""


class Sources(Cited):
    """What an answer rests on; `said` takes its visible text, which citations are cut from."""

    __slots__ = ("_begun", "said")

    def __init__(self) -> None:
        super().__init__()
        self.said: list[str] = []
        self._begun = 0

    def begin(self) -> None:
        """Begin a text; what is said from now on stands in it."""
        self._begun = len(self._text())

    def due(self) -> list[dict[str, object]]:
        """Give the citations of the text that ends now, each once in an answer."""
        return self._objects(self.due_after(self._begun))

    def rest(self) -> list[dict[str, object]]:
        """Give all that are waiting."""
        return self._objects(self.all_waiting())

    def _objects(self, taken: Sequence[Citation]) -> list[dict[str, object]]:
        text = self._text() if taken else ""
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
