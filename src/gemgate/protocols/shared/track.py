"""Offsets: the model's own words within everything that `content` shows."""


class ContentTrack:
    """Where the visible text stands within `content`, which also holds code, images and their fences."""

    __slots__ = ("_inserted", "_insertions", "visible")

    def __init__(self) -> None:
        self.visible = 0
        """How many characters of the model's own words were written; whoever writes them adds to it."""
        self._inserted = 0
        self._insertions: list[tuple[int, int]] = []

    @property
    def opening(self) -> bool:
        """Whether nothing has been written yet."""
        return self.length == 0

    @property
    def length(self) -> int:
        """How long `content` is by now, in characters."""
        return self.visible + self._inserted

    def inserted(self, text: str) -> None:
        """Something else was written among the model's words."""
        self._insertions.append((self.visible, len(text)))
        self._inserted += len(text)

    def place(self, offset: int) -> int:
        """Turn an offset in the visible text into one in `content`."""
        return offset + sum(length for position, length in self._insertions if position <= offset)

    def place_end(self, start: int, end: int) -> int:
        """Turn the end of a piece of the visible text into one in `content`, without what was written right after."""
        if end <= start:
            return self.place(start)
        return end + sum(length for position, length in self._insertions if position < end)
