"""Looking into relayed bytes without touching them: what an answer cost."""

import re

import msgspec
from msgspec import Raw, json

from gemgate.hub.events import Usage
from gemgate.protocols.gemini.reader import usage_event

TAIL_BYTES = 16 * 1024
USAGE = re.compile(rb'"usageMetadata"\s*:\s*(\{(?:[^{}]|\{[^{}]*\})*\})')
"""The counts, an object of numbers and of lists of small objects."""

_decode = json.Decoder(dict[str, Raw]).decode


class UsagePeek:
    """Keeps the end of a reply, where the last running totals are; costs next to nothing a chunk."""

    __slots__ = ("_chunks", "_size")

    def __init__(self) -> None:
        self._chunks: list[bytes] = []
        self._size = 0

    def feed(self, chunk: bytes) -> None:
        """See the next bytes of the reply."""
        self._chunks.append(chunk)
        self._size += len(chunk)
        if self._size > 2 * TAIL_BYTES:
            tail = b"".join(self._chunks)[-TAIL_BYTES:]
            self._chunks, self._size = [tail], len(tail)

    def usage(self) -> Usage | None:
        """Give the last token counts that the reply held."""
        tail = b"".join(self._chunks)[-TAIL_BYTES:]
        start = tail.rfind(b'"usageMetadata"')
        while start >= 0:
            found = USAGE.match(tail, start)
            if found is not None:
                try:
                    return usage_event(_decode(found[1]))
                except msgspec.MsgspecError:
                    pass  # text that looks like counts
            start = tail.rfind(b'"usageMetadata"', 0, start)
        return None
