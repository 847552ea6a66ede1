"""The steps in which an answer is written: a block is opened, added to, and closed; one is open at a time."""

from typing import Protocol

Block = dict[str, object]


class Steps(Protocol):
    """Takes the steps of one answer; a stream sends them as they come, a whole answer gathers them."""

    def open(self, block: Block, /) -> None:
        """Begin a block with what is known of it; `text`, `thinking` and `input` are still empty then."""
        ...

    def add(self, text: str, /) -> None:
        """Add to the open block's text or thinking, or to its input, which is JSON."""
        ...

    def sign(self, signature: str, /) -> None:
        """Set the signature of the open thinking."""
        ...

    def cite(self, citation: dict[str, object], /) -> None:
        """Name a source of the open text."""
        ...

    def close(self) -> None:
        """End the open block."""
        ...
