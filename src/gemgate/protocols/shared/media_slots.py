"""The slots in which parts of a message hold media: an address, a sound, a file.

Clients put any media into any slot: sound and video arrive as `image_url`, base64 without its data URL, addresses
where data belong. What counts is what is there, not what the slot is called (notes §1.4, §8). Base64 is never copied:
it stays a slice of the request's own buffer.
"""

from typing import cast, get_args

from msgspec import UNSET, Raw, Struct, json

from gemgate.errors import InvalidRequest
from gemgate.hub.parts import Detail, Media
from gemgate.protocols.shared import media_types
from gemgate.protocols.shared.located import located
from gemgate.protocols.shared.nested import read
from gemgate.protocols.shared.raw_json import JsonField, is_given, is_string, string

DETAILS: dict[str, Detail | None] = {"auto": None, "original": "ultra_high", "high": "high", "low": "low"}


class Address(Struct):
    """Media by URL: http, data or bare base64; undecoded, because it can be most of the request."""

    url: JsonField = UNSET
    detail: str | None = None
    mime_type: str | None = None


class Sound(Struct):
    """Spoken input; `format` is a bare word such as `wav`."""

    data: JsonField = UNSET
    url: JsonField = UNSET
    format: str | None = None


class File(Struct):
    """A file in the request, by address, or by the id that an upload gave it."""

    file_data: JsonField = UNSET
    file_url: JsonField = UNSET
    file_id: str | None = None
    filename: str | None = None
    mime_type: str | None = None


decode_address = json.Decoder(Address, strict=False).decode
decode_sound = json.Decoder(Sound, strict=False).decode
decode_file = json.Decoder(File, strict=False).decode


def address(raw: JsonField, path: str, *, hint: str = "", detail: str | None = None) -> Media:
    """Translate an address, plain or within an object, that may as well be the media themselves.

    `hint` is their type where nothing else tells it, `detail` how closely to look where the object does not say.
    Raises `InvalidRequest`.
    """
    if not is_given(raw):
        raise InvalidRequest("There is no url here.", param=path)
    found = Address(raw) if is_string(raw) else read(decode_address, raw, path)
    if not is_given(found.url):
        raise InvalidRequest("There is no url here.", param=path)
    return in_slot(found.url, path, found.mime_type or hint, detail=found.detail or detail)


def sound(raw: Raw, path: str) -> Media:
    """Translate spoken input: an object, or its base64 or address alone; raises `InvalidRequest`."""
    return spoken(Sound(raw) if is_string(raw) else read(decode_sound, raw, path), path)


def spoken(found: Sound, path: str) -> Media:
    """Translate spoken input that is read; raises `InvalidRequest`."""
    data = found.data if is_given(found.data) else found.url
    if not is_given(data):
        raise InvalidRequest("There is no sound here. Put its base64 into `data`.", param=path)
    label = media_types.by_name(f"x.{found.format}") or f"audio/{found.format}" if found.format else "audio/*"
    return in_slot(data, path, label, carried=True)


def file(given: File, path: str, *, detail: str | None = None) -> Media | None:
    """Translate a file that is in the request or at an address; `None` for one by its id, and for none.

    Raises `InvalidRequest`.
    """
    name = given.filename or ""
    label = given.mime_type or ""
    if is_given(given.file_data):
        return in_slot(given.file_data, path, label, name=name, detail=detail, carried=True)
    if is_given(given.file_url):
        return in_slot(given.file_url, path, label, name=name, detail=detail)
    return None


def in_slot(
    raw: Raw, path: str, label: str, *, name: str = "", detail: str | None = None, carried: bool = False
) -> Media:
    """Read the string that stands in a slot; `carried` says that it is made for media in the request itself."""
    text = read(string, raw, path)
    return located(text, path, label=label, name=name, detail=closeness(detail, path), for_data=carried)


def closeness(detail: str | None, path: str) -> Detail | None:
    """Translate how closely the model shall look; raises `InvalidRequest`."""
    if not detail:
        return None
    word = detail.lower()
    if word in DETAILS:
        return DETAILS[word]
    if word in get_args(Detail):
        return cast("Detail", word)
    raise InvalidRequest(f"{detail[:80]!r} is no detail. It is low, high, auto or original.", param=path)
