"""Steps → the blocks of a whole message."""

from msgspec import Raw

from gemgate.protocols.anthropic.steps import Block


class GatheredBlocks:
    """Gathers steps into `blocks`."""

    __slots__ = ("_citations", "_pieces", "blocks")

    def __init__(self) -> None:
        self.blocks: list[Block] = []
        self._pieces: list[str] = []
        self._citations: list[dict[str, object]] = []

    def open(self, block: Block) -> None:
        """Begin a block."""
        self.blocks.append(block)
        self._pieces, self._citations = [], []

    def add(self, text: str) -> None:
        """Keep a piece."""
        self._pieces.append(text)

    def sign(self, signature: str) -> None:
        """Set the signature."""
        self.blocks[-1]["signature"] = signature

    def cite(self, citation: dict[str, object]) -> None:
        """Keep a source."""
        self._citations.append(citation)

    def close(self) -> None:
        """Put the pieces where they belong."""
        block, text = self.blocks[-1], "".join(self._pieces)
        match block["type"]:
            case "text":
                block["text"] = text
            case "thinking":
                block["thinking"] = text
            case "tool_use" | "server_tool_use" if text:
                block["input"] = Raw(text.encode())
            case _:
                pass  # complete when it began
        if self._citations:
            block["citations"] = self._citations
