"""A request in segments: large media go from the client's own request to the socket without a copy."""

from collections.abc import Sequence
from typing import cast

from msgspec import Raw

from gemgate.errors import InvalidRequest
from gemgate.hub.parts import Base64

LARGE_BYTES = 64 * 1024
"""Below this a copy costs less than a segment of its own."""

MARK = b"\x00"
"""Stands where media belong while the rest is encoded: no JSON text holds this character as it is."""

# An encoder writes raw JSON where it meets it; the type of the field need not know.
_PLACE = cast("str", Raw(b'"%s"' % MARK))


def placed(data: Base64, large: list[memoryview] | None) -> str:
    """Give what to encode in place of base64: the text itself, or a mark for a large slice, which joins `large`."""
    if isinstance(data, str):
        return data
    if large is None or data.nbytes < LARGE_BYTES:
        return str(data, "ascii")
    large.append(data)
    return _PLACE


def segments(body: bytes, large: Sequence[memoryview]) -> tuple[bytes | memoryview, ...]:
    """Put large slices back where their marks are; both are in the same order."""
    if not large:
        return (body,)
    pieces = body.split(MARK)
    if len(pieces) != len(large) + 1:
        words = "The extension's `contents` would replace the messages, which hold large media. Send one of the two."
        raise InvalidRequest(words, param="messages")
    made: list[bytes | memoryview] = [pieces[0]]
    for slice_, piece in zip(large, pieces[1:], strict=True):
        made += (slice_, piece)
    return tuple(made)
