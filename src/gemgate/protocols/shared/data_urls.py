"""Data URLs, and base64 without one; megabytes of it are looked at, never copied."""

import re
from base64 import b64encode
from urllib.parse import unquote_to_bytes

from gemgate.hub.parts import Base64

LONGEST_HEAD = 4 * 1024
"""In characters: what stands before the comma."""
SLICE = 256 * 1024
"""How much is searched at a time, in bytes."""
BLANKS = b" \t\r\n"
UNWANTED = (b" ", b"\n", b"\r", b"\t", b"%")

SHORTEST = 24
"""In characters: what is shorter may be any word."""
HEAD = re.compile(rb"[A-Za-z0-9+/\s]*+={0,2}\s*|[A-Za-z0-9_\-\s]*+={0,2}\s*")
TAIL = re.compile(rb"[A-Za-z0-9+/_\-\s]*+={0,2}\s*")
HEAD_CHARACTERS, TAIL_CHARACTERS = 256, 16


def parse(url: Base64) -> tuple[str, Base64] | None:
    """Split a data URL into its type as given (may be "") and its base64; `None` if it is none.

    Base64 of a memoryview is a slice of it, unless it has to be mended: white space and percent signs are taken out.
    Data that are not base64 become it; where they name no type they are plain text.
    """
    if _bytes(url[:5]).lower() != b"data:":
        return None
    head, comma, _ = _bytes(url[:LONGEST_HEAD]).partition(b",")
    if not comma:
        return None
    mime, *parameters = (word.strip() for word in head[5:].decode("ascii", "replace").split(";"))
    data = url[len(head) + 1 :]
    if mime.lower() == "base64":
        return "", _mended(data)
    if any(parameter.lower() == "base64" for parameter in parameters):
        return mime, _mended(data)
    plain = data.encode("utf-8", "replace") if isinstance(data, str) else bytes(data)
    return mime or "text/plain", b64encode(unquote_to_bytes(plain)).decode()


def looks_like_base64(text: Base64) -> bool:
    """Tell whether a text may be bare base64, by its length, its beginning and its end."""
    if len(text) < SHORTEST or _bytes(text[:6]) == b"files/":
        return False
    head, tail = _bytes(text[:HEAD_CHARACTERS]), _bytes(text[-TAIL_CHARACTERS:])
    return HEAD.fullmatch(head) is not None and TAIL.fullmatch(tail) is not None


def _bytes(text: Base64) -> bytes:
    """Give one byte for each character, or the bytes as they are."""
    return text.encode("ascii", "replace") if isinstance(text, str) else bytes(text)


def _mended(data: Base64) -> Base64:
    if not _has_unwanted(data):
        return data
    return unquote_to_bytes(_bytes(data)).translate(None, BLANKS).decode("ascii", "replace")


def _has_unwanted(data: Base64) -> bool:
    for start in range(0, len(data), SLICE):
        piece = _bytes(data[start : start + SLICE])
        if any(mark in piece for mark in UNWANTED):
            return True
    return False
