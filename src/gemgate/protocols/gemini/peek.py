"""Looking into relayed bytes without touching them: what an answer cost."""

import re

import msgspec
from msgspec import json

from gemgate.hub.events import Usage
from gemgate.protocols.gemini.reader import usage_event
from gemgate.protocols.gemini.wire import UsageMetadata

TAIL_BYTES = 16 * 1024
USAGE = re.compile(rb'"usageMetadata"\s*:\s*')


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
        for found in reversed(list(USAGE.finditer(self._tail))):
            end = _object_end(self._tail, found.end())
            if end is None:
                continue
            try:
                return usage_event(json.decode(self._tail[found.end() : end], type=UsageMetadata, strict=False))
            except msgspec.MsgspecError:
                continue
        return None


def _object_end(data: bytes, start: int) -> int | None:
    """Find where the object that begins at `start` ends; counts hold no braces inside strings."""
    depth = 0
    for position in range(start, len(data)):
        if data[position] == 0x7B:
            depth += 1
        elif data[position] == 0x7D:
            depth -= 1
            if depth == 0:
                return position + 1
    return None
