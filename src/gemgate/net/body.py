"""What a request carries, and how it is cut for the socket."""

from collections.abc import AsyncIterable, Iterator, Sequence
from mmap import mmap

SLICE_BYTES = 256 * 1024

Segments = tuple[bytes | memoryview, ...]
"""A body in pieces that were never put together; views are contiguous."""

Body = bytes | mmap | Segments | AsyncIterable[bytes]
"""All but the last can be sent again, and tell their length themselves."""


def length(body: bytes | mmap | Segments) -> int:
    """Count the bytes of a body."""
    if isinstance(body, tuple):
        return sum(segment.nbytes if isinstance(segment, memoryview) else len(segment) for segment in body)
    return len(body)


def slices(segments: Sequence[bytes | mmap | memoryview]) -> Iterator[bytes]:
    """Give segments as pieces of `SLICE_BYTES`, the last one shorter: small neighbours together, large ones cut.

    No more than one piece is ever copied.
    """
    begun: list[bytes] = []
    room = SLICE_BYTES
    for segment in segments:
        view = memoryview(segment).cast("B")
        start = 0
        while len(view) - start >= room:
            begun.append(bytes(view[start : start + room]))
            start += room
            yield begun[0] if len(begun) == 1 else b"".join(begun)
            begun, room = [], SLICE_BYTES
        if start < len(view):
            begun.append(bytes(view[start:]))
            room -= len(view) - start
    if begun:
        yield b"".join(begun)
