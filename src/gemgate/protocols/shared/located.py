"""Media in requests: at an address, or carried in the request itself; what counts is what is there (notes §1.4, §8)."""

import re
from string import whitespace

from gemgate.errors import InvalidRequest
from gemgate.hub.parts import Base64, Detail, Inline, Media, Remote, ToolResult
from gemgate.protocols.shared import data_urls, media_types

ADDRESS = re.compile(r"(?:https?|gs)://|files/[\w-]{1,64}\Z", re.IGNORECASE)
LONGEST_ADDRESS = 8 * 1024
"""In characters."""
FILE = re.compile(r"files/[a-z0-9-]{1,40}|(?!file-)[a-z0-9-]{1,40}")
SHORT_BASE64 = re.compile(rb"[A-Za-z0-9+/_\-\s]*={0,2}\s*")
"""Base64 in a slot that is made for it, however short it is."""
WITHOUT_BLANKS = str.maketrans("", "", whitespace)

NEITHER = "This is neither an address (http, https, gs) nor a data URL nor base64."
NO_FILE = (
    "This is no file that the model can read: those are Gemini's own, named files/…. Upload it there, or send its "
    "base64 or its address."
)
FORGOTTEN_KIND = (
    "The type of this media cannot be told from its first bytes. Name it beside them, such as image/png, or in a "
    "data URL, such as data:image/png;base64,…"
)


def located(
    text: Base64, path: str, *, label: str, name: str = "", detail: Detail | None = None, for_data: bool = False
) -> Media:
    """Tell an address from media carried in the request, and decide the type of these.

    `label` is the type as the client names it, `name` a file's; `for_data` says that the slot is made for base64, so
    that it may be short. What a data URL calls base64 is believed. Raises `InvalidRequest` for what is neither, for
    media that are empty and for those of no known type.
    """
    found = data_urls.parse(text)
    if found is not None:
        told, data = found
        return _inline(data, path, told or label, name, detail)
    where = _address(text)
    if where is not None:
        return Media(media_types.normal(label), Remote(where), detail=detail)
    data = _without_blanks(text)
    refuse_other_than_base64(data, path, for_data=for_data)
    return _inline(data, path, label, name, detail)


def is_address(text: str) -> bool:
    """Tell whether a text is an address that media can be at: a URL (http, https, gs), or a file's name `files/…`."""
    return len(text) <= LONGEST_ADDRESS and ADDRESS.match(text) is not None


def named_file(given: str, path: str) -> Remote:
    """Give the address of a file by its id: Gemini's own name of it, with or without the collection, or a URL.

    Raises `InvalidRequest` for the ids of others.
    """
    if FILE.fullmatch(given):
        return Remote(given if "/" in given else f"files/{given}")
    if "://" in given and is_address(given):
        return Remote(given)
    raise InvalidRequest(NO_FILE, param=path, code="unsupported_media")


def is_remote(part: Media | ToolResult) -> bool:
    """Whether a part is, or a result holds, media at an address."""
    media = part.media if isinstance(part, ToolResult) else (part,)
    return any(isinstance(item.source, Remote) for item in media)


def refuse_other_than_base64(data: Base64, path: str, *, for_data: bool) -> None:
    """Raise `InvalidRequest` for data that cannot be base64, told by their beginning and end where they are long."""
    if data_urls.looks_like_base64(data) or (for_data and _is_short_base64(data)):
        return
    raise InvalidRequest(NEITHER, param=path, code="unsupported_media")


def _address(text: Base64) -> str | None:
    if len(text) > LONGEST_ADDRESS:
        return None
    plain = text if isinstance(text, str) else str(text, "utf-8")
    return plain if is_address(plain) else None


def _inline(data: Base64, path: str, label: str, name: str, detail: Detail | None) -> Media:
    kind = media_types.decided(label, data, name)
    if not data or not kind:
        words = FORGOTTEN_KIND if data else "There are no data here."
        raise InvalidRequest(words, param=path, code="unsupported_media")
    return Media(kind, Inline(data), detail=detail)


def _is_short_base64(data: Base64) -> bool:
    if len(data) >= data_urls.SHORTEST:
        return False
    return SHORT_BASE64.fullmatch(data.encode("utf-8", "replace") if isinstance(data, str) else data) is not None


def _without_blanks(data: Base64) -> Base64:
    """Take line breaks out; they come escaped, so that only data that were copied anyway can hold any."""
    # Beyond ASCII it is no base64, and translating would leave its fast path.
    if not isinstance(data, str) or not data.isascii() or not any(blank in data for blank in whitespace):
        return data
    return data.translate(WITHOUT_BLANKS)
