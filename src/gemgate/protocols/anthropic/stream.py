"""Steps → server-sent events."""

from msgspec import json

from gemgate.protocols.anthropic.steps import Block

PING = b'event: ping\ndata: {"type":"ping"}\n\n'
DELTAS = {
    "text": b'"text_delta","text":',
    "thinking": b'"thinking_delta","thinking":',
    "tool_use": b'"input_json_delta","partial_json":',
    "server_tool_use": b'"input_json_delta","partial_json":',
}
"""What the deltas of a block hold; other blocks are complete when they begin."""
DELTA_END = b"}}\n\n"

encode = json.Encoder().encode


def event(name: bytes, members: dict[str, object]) -> bytes:
    """Write one event; its `type` is its name."""
    return b'event: %s\ndata: {"type":"%s",%s\n\n' % (name, name, encode(members)[1:])


class StreamedBlocks:
    """Sends steps as they come. Every delta of a block shares one prefix, made once."""

    __slots__ = ("_chunks", "_delta", "_index", "_prefix")

    def __init__(self) -> None:
        self._chunks: list[bytes] = []
        self._index = -1
        self._delta = b""
        self._prefix = b""

    def taken(self) -> bytes:
        """Give what has been written since the last time."""
        data = b"".join(self._chunks)
        self._chunks.clear()
        return data

    def send(self, data: bytes) -> None:
        """Put in an event that belongs to no block."""
        self._chunks.append(data)

    def open(self, block: Block) -> None:
        """Send the start of a block; a ping follows the first, as in the original."""
        self._index += 1
        self._chunks.append(event(b"content_block_start", {"index": self._index, "content_block": block}))
        if self._index == 0:
            self._chunks.append(PING)
        self._delta = (
            b'event: content_block_delta\ndata: {"type":"content_block_delta","index":%d,"delta":{"type":' % self._index
        )
        self._prefix = self._delta + DELTAS.get(str(block["type"]), b"")

    def add(self, text: str) -> None:
        """Send a piece of text, thinking or input."""
        self._chunks += (self._prefix, encode(text), DELTA_END)

    def sign(self, signature: str) -> None:
        """Send a signature."""
        self._chunks += (self._delta, b'"signature_delta","signature":', encode(signature), DELTA_END)

    def cite(self, citation: dict[str, object]) -> None:
        """Send a source."""
        self._chunks += (self._delta, b'"citations_delta","citation":', encode(citation), DELTA_END)

    def close(self) -> None:
        """Send the end of the block."""
        self._chunks.append(
            b'event: content_block_stop\ndata: {"type":"content_block_stop","index":%d}\n\n' % self._index
        )
