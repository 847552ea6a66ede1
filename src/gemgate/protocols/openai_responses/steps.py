"""The steps in which an answer is told: events that stand alone, and deltas of one kind that follow each other."""

from typing import ClassVar, Protocol


class Steps(Protocol):
    """Takes the steps of one answer; a stream sends them as they come, a whole answer has no use for them."""

    told: ClassVar[bool]
    """Whether anybody is told: nothing large need be written for nobody."""

    def tell(self, name: bytes, members: bytes, /) -> None:
        """Tell an event of this type; `members` are what else it holds, JSON without the braces."""
        ...

    def begin(self, name: bytes, members: bytes, /) -> None:
        """Say which deltas are to follow, and what they all hold beside their text."""
        ...

    def add(self, text: str, /) -> None:
        """Tell one delta."""
        ...

    def added(self) -> str:
        """Give all that was added since the last beginning."""
        ...


class Untold:
    """Takes the steps of an answer that is not streamed."""

    told: ClassVar[bool] = False
    __slots__ = ("_pieces", "add")

    def __init__(self) -> None:
        self._pieces: list[str] = []
        self.add = self._pieces.append

    def tell(self, name: bytes, members: bytes, /) -> None:
        """Tell nobody."""

    def begin(self, name: bytes, members: bytes, /) -> None:
        """Begin to gather."""
        self._pieces.clear()

    def added(self) -> str:
        """Give what was gathered."""
        return "".join(self._pieces)
