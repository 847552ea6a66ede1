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

    __slots__ = ("_tail",)

    def __init__(self) -> None:
        self._tail = b""

    def feed(self, chunk: bytes) -> None:
        """See the next bytes of the reply."""
        if len(chunk) >= TAIL_BYTES:
            self._tail = chunk[-TAIL_BYTES:]
        else:
            self._tail = (self._tail + chunk)[-TAIL_BYTES:]

    def usage(self) -> Usage | None:
        """Give the last token counts that the reply held."""
        start = self._tail.rfind(b'"usageMetadata"')
        while start >= 0:
            found = USAGE.match(self._tail, start)
            if found is not None:
                try:
                    return usage_event(_decode(found[1]))
                except msgspec.MsgspecError:
                    pass  # text that looks like counts
            start = self._tail.rfind(b'"usageMetadata"', 0, start)
        return None
