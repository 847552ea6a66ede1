"""Sources of images and documents → the hub's media; base64 stays a slice of the request's own buffer (notes §8)."""

import re

from gemgate.errors import InvalidRequest
from gemgate.hub.parts import Base64, Inline, Media, Remote
from gemgate.protocols.anthropic import wire
from gemgate.protocols.shared import data_urls, media_types
from gemgate.protocols.shared.raw_json import JsonField, is_given, is_string, string

ADDRESS = re.compile(r"(?:https?|gs)://", re.IGNORECASE)
FILE = re.compile(r"files/[a-z0-9-]{1,40}|[a-z0-9-]{1,40}")
LONGEST_ADDRESS = 8 * 1024
BASE64 = re.compile(rb"[A-Za-z0-9+/_\-\s]*={0,2}\s*")

NO_FILE = (
    "This is no file that the model can read: those are Gemini's own, named files/…. Upload it there, or send its "
    "base64 or its address."
)
FORGOTTEN_KIND = "The type of this media cannot be told from its first bytes. Name it in media_type, such as image/png."


def media(source: wire.Source, path: str, name: str = "") -> Media:
    """Translate a source, whatever its type says: what counts is what is there.

    `name` may tell the type of a document by its ending. Raises `InvalidRequest`.
    """
    label = source.media_type or ""
    for key, given in (("data", source.data), ("url", source.url)):
        if is_given(given):
            return _located(given, f"{path}.{key}", label, name)
    if source.file_id:
        return Media(media_types.normal(label), Remote(_file(source.file_id, f"{path}.file_id")))
    raise InvalidRequest("There is nothing here. Send data, url or file_id.", param=path, code="unsupported_content")


def _file(given: str, path: str) -> str:
    """Give the address of a file by its id: Gemini's own name of it, with or without the collection, or a URL."""
    if ADDRESS.match(given) and len(given) <= LONGEST_ADDRESS:
        return given
    if not FILE.fullmatch(given):
        raise InvalidRequest(NO_FILE, param=path, code="unsupported_media")
    return given if "/" in given else f"files/{given}"


def _located(raw: JsonField, path: str, label: str, name: str) -> Media:
    if not is_given(raw) or not is_string(raw):
        raise InvalidRequest("This must be a string.", param=path)
    text = string(raw)
    found = data_urls.parse(text)
    if found is not None:
        told, data = found
        return _inline(data, told or label, path, name)
    if len(text) <= LONGEST_ADDRESS:
        plain = text if isinstance(text, str) else str(text, "utf-8")
        if ADDRESS.match(plain):
            return Media(media_types.normal(label), Remote(plain))
        if plain.startswith("files/") and FILE.fullmatch(plain):
            return Media(media_types.normal(label), Remote(plain))
    return _inline(text, label, path, name)


def _inline(data: Base64, label: str, path: str, name: str) -> Media:
    data = _without_blanks(data)
    if not _is_base64(data):
        raise InvalidRequest(
            "This is neither base64 nor an address (http, https, gs).", param=path, code="unsupported_media"
        )
    kind = media_types.decided(label, data, name)
    if not data or not kind:
        words = FORGOTTEN_KIND if data else "There are no data here."
        raise InvalidRequest(words, param=path, code="unsupported_media")
    return Media(kind, Inline(data))


def _without_blanks(data: Base64) -> Base64:
    """Take line breaks out; they come escaped, so that only data that were copied anyway can hold any."""
    return "".join(data.split()) if isinstance(data, str) else data


def _is_base64(data: Base64) -> bool:
    """Tell whether data can be base64, long ones by their beginning and end alone."""
    if len(data) >= data_urls.SHORTEST:
        return data_urls.looks_like_base64(data)
    return BASE64.fullmatch(data.encode("utf-8", "replace") if isinstance(data, str) else data) is not None
