"""Base64 of something that comes in pieces."""

from binascii import b2a_base64

STEP_BYTES = 3 * 64 * 1024
"""Encoded in one go; a multiple of three."""


class Encoded(bytearray):
    """Base64, of which can be known when nobody holds a piece of it any more (`weakref`)."""


def encoded_bytes(size_bytes: int) -> int:
    """Give the length of the base64 of so many bytes."""
    return (size_bytes + 2) // 3 * 4


class Base64:
    """Encodes pieces as they come: the base64 is kept, and never the whole of what it stands for."""

    def __init__(self) -> None:
        self.encoded = Encoded()
        self._rest = b""
        self.size = 0
        """Bytes taken so far."""

    def add(self, piece: bytes) -> None:
        """Take the next piece, of any length."""
        self.size += len(piece)
        start = (3 - len(self._rest)) % 3
        if self._rest:
            self._rest += piece[:start]
            if len(self._rest) < 3:
                return
            self.encoded += b2a_base64(self._rest, newline=False)
        view = memoryview(piece)
        end = start + (len(piece) - start) // 3 * 3
        for at in range(start, end, STEP_BYTES):
            self.encoded += b2a_base64(view[at : min(at + STEP_BYTES, end)], newline=False)
        self._rest = piece[end:]

    def end(self) -> memoryview:
        """Give the base64 of the whole, padded; nothing can be added afterwards."""
        self.encoded += b2a_base64(self._rest, newline=False)
        return memoryview(self.encoded).toreadonly()
