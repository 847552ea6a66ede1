"""Server-sent events, byte by byte.

Works on bytes alone: a chunk may end anywhere, inside a character as well, and line ends are LF, CRLF or CR
(`str.splitlines` would also split at U+2028 inside JSON text).
"""

MAX_EVENT_BYTES = 64 * 1024 * 1024
"""A 4K image is one event of some 20 MB."""

LF, CR = 10, 13
BOUNDARIES = (b"\r\n\r\n", b"\n\n")


class EventTooLarge(ValueError):
    """One event exceeds `MAX_EVENT_BYTES`."""


class SseParser:
    """Cuts a stream into the data of its events; names, ids and comments are passed over."""

    __slots__ = ("_data", "_pieces", "_size", "_swallow_lf")

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._size = 0
        self._data: list[bytes] = []
        self._swallow_lf = False

    def feed(self, chunk: bytes) -> list[bytes]:
        """Take the next bytes and give the data of each event that they complete."""
        if self._swallow_lf and chunk:
            self._swallow_lf = False
            if chunk[:1] == b"\n":
                chunk = chunk[1:]
        if b"\n" not in chunk and b"\r" not in chunk:
            self._keep(chunk)
            return []
        if self._pieces:
            chunk = b"".join((*self._pieces, chunk))
            self._pieces, self._size = [], 0
        return self._lines(chunk) if self._data else self._events(chunk)

    def end(self) -> list[bytes]:
        """Give a last event that has no empty line after it."""
        return self.feed(b"\n\n")

    def _events(self, chunk: bytes) -> list[bytes]:
        """Cut at empty lines, as nearly every stream can be: one line of data an event."""
        boundary = BOUNDARIES[0] if BOUNDARIES[0] in chunk else BOUNDARIES[1]
        blocks = chunk.split(boundary)
        tail = blocks.pop()
        events: list[bytes] = []
        for block in blocks:
            if not block.startswith(b"data: ") or block.find(LF) >= 0 or block.find(CR) >= 0:
                return self._lines(chunk)
            events.append(block[6:])
        if tail:
            if b"\r" in tail or b"\n" in tail:
                return self._lines(chunk)
            self._keep(tail)
        return events

    def _lines(self, chunk: bytes) -> list[bytes]:
        """Go line by line, as the standard has it."""
        if b"\r" in chunk:
            # Half of a CRLF at the end: the LF that may follow belongs to it.
            self._swallow_lf = chunk.endswith(b"\r")
            chunk = chunk.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        lines = chunk.split(b"\n")
        self._keep(lines.pop())
        events: list[bytes] = []
        data = self._data
        for line in lines:
            if line.startswith(b"data:"):
                data.append(line[6:] if line[5:6] == b" " else line[5:])
            elif not line and data:
                events.append(data[0] if len(data) == 1 else b"\n".join(data))
                data.clear()
        return events

    def _keep(self, piece: bytes) -> None:
        if piece:
            self._pieces.append(piece)
            self._size += len(piece)
            if self._size > MAX_EVENT_BYTES:
                raise EventTooLarge(f"an event is longer than {MAX_EVENT_BYTES} bytes")
