"""What names a remembered part: whose it is, what it says, and what it answered.

Megabytes are told apart by their length and a few hundred characters, so a key costs the same for any size.
"""

from collections.abc import Sequence
from hashlib import blake2b
from typing import assert_never

from gemgate.hub.parts import Base64, Inline, Media, Message, Remote, Text, ToolResult, Uri

KEY_BYTES = 16
EDGE = 256
MIDDLE = 64
SAMPLED = 2 * EDGE + MIDDLE


def key(caller_id: str, kind: bytes, *fields: bytes) -> bytes:
    """Name something of a caller's."""
    return blake2b(_framed(caller_id.encode(), kind, *fields), digest_size=KEY_BYTES).digest()


def words(message: Message | None) -> bytes:
    """Tell what the user said, whether it came as one text or in parts; `None` is nothing."""
    texts: list[str] = []
    media: list[bytes] = []
    for part in message.parts if message is not None else ():
        if isinstance(part, Text):
            texts.append(part.text)
        elif isinstance(part, Media):
            media.append(_source(part))
    return _framed(sample("".join(texts)), *media)


def is_speech(message: Message) -> bool:
    """Whether this is the user speaking, not only functions giving back their results."""
    if message.role == "user":
        for part in message.parts:
            if not isinstance(part, ToolResult):
                return True
    return False


def last_speech(messages: Sequence[Message]) -> Message | None:
    """Find what the user said last."""
    return next((message for message in reversed(messages) if is_speech(message)), None)


def sample(data: Base64) -> bytes:
    """Take what tells a text or media apart: its length, both ends and the middle."""
    size = len(data)
    if size <= SAMPLED:
        return _raw(data)
    middle = (size - MIDDLE) // 2
    start, core, end = data[:EDGE], data[middle : middle + MIDDLE], data[-EDGE:]
    if isinstance(start, str) and isinstance(core, str) and isinstance(end, str):
        return b"%d:%b" % (size, _raw(start + core + end))
    return b"%d:%b%b%b" % (size, start, core, end)


def _source(media: Media) -> bytes:
    match media.source:
        case Inline(data=data):
            return sample(data)
        case Uri(uri=address) | Remote(url=address):
            return sample(address)
        case _:
            assert_never(media.source)


def _raw(piece: Base64) -> bytes:
    return piece.encode("utf-8", "surrogatepass") if isinstance(piece, str) else bytes(piece)


def _framed(*fields: bytes) -> bytes:
    """Join fields so that none can pass for another."""
    return b"%b:%b" % (b",".join([b"%d" % len(field) for field in fields]), b"".join(fields))
