"""Steps → server-sent events, or lines of JSON."""

from typing import ClassVar

from msgspec import json

from gemgate.protocols.openai_responses.style import Framing

encode = json.Encoder().encode


class StreamedSteps:
    """Sends steps as they come, numbered. All deltas of a kind share one beginning, made once."""

    told: ClassVar[bool] = True
    __slots__ = ("_chunks", "_delta", "_end", "_events", "_number", "_pieces")

    def __init__(self, framing: Framing) -> None:
        self._events = framing == "events"
        self._end = b"}\n\n" if self._events else b"}\n"
        self._chunks: list[bytes] = []
        self._number = 0
        self._delta = b""
        self._pieces: list[str] = []

    def taken(self) -> bytes:
        """Give what has been written since the last time."""
        data = b"".join(self._chunks)
        self._chunks.clear()
        return data

    def tell(self, name: bytes, members: bytes) -> None:
        """Send an event."""
        self._chunks.append(b'%b"sequence_number":%d,%b%b' % (self._head(name), self._number, members, self._end))
        self._number += 1

    def begin(self, name: bytes, members: bytes) -> None:
        """Make what the next deltas begin with."""
        self._pieces.clear()
        self._delta = b'%b%b,"sequence_number":' % (self._head(name), members)

    def add(self, text: str) -> None:
        """Send a delta."""
        self._pieces.append(text)
        self._chunks += (self._delta, encode(self._number), b',"delta":', encode(text), self._end)
        self._number += 1

    def added(self) -> str:
        """Give the text of the deltas."""
        return "".join(self._pieces)

    def _head(self, name: bytes) -> bytes:
        return b'event: %b\ndata: {"type":"%b",' % (name, name) if self._events else b'{"type":"%b",' % name
