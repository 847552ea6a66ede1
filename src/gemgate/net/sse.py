"""Server-sent events, byte by byte.

Works on bytes alone: a chunk may end anywhere, inside a character as well, and line ends are LF, CRLF or CR
(`str.splitlines` would also split at U+2028 inside JSON text).
"""

MAX_EVENT_BYTES = 64 * 1024 * 1024
"""A 4K image is one event of some 20 MB."""


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

    def end(self) -> list[bytes]:
        """Give a last event that has no empty line after it."""
        return self.feed(b"\n\n")

    def _keep(self, piece: bytes) -> None:
        if piece:
            self._pieces.append(piece)
            self._size += len(piece)
            if self._size > MAX_EVENT_BYTES:
                raise EventTooLarge(f"an event is longer than {MAX_EVENT_BYTES} bytes")
