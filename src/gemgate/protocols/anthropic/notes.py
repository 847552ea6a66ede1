"""What reading a conversation brings to light beside its parts."""

from msgspec import Raw

from gemgate.hub.codec import Dropped

MAX_TOLD = 100
"""Of one conversation; more help nobody."""


class Notes:
    """Collects what is lost, and what is said about tools in mid-conversation.

    `defined` are tools that are defined there, with their paths; `withdrawn` the names of those that are taken away,
    `named` of all that are added, found or called. `families` are the models whose signatures came along.
    """

    __slots__ = ("_cited", "defined", "dropped", "families", "named", "withdrawn")

    def __init__(self) -> None:
        self.dropped: list[Dropped] = []
        self.defined: list[tuple[str, Raw]] = []
        self.withdrawn: set[str] = set()
        self.named: set[str] = set()
        self.families: set[str] = set()
        self._cited = False

    def lose(self, path: str, why: str) -> None:
        """Record what will not reach the model; of very much only the beginning is told."""
        if len(self.dropped) < MAX_TOLD:
            self.dropped.append(Dropped(path, why))

    def lose_citations(self, path: str) -> None:
        """Record that a document shall be cited; once, however many of them there are."""
        if not self._cited:
            self._cited = True
            self.lose(path, "the model cannot cite documents by place")
