"""The parts of a message's content → the hub's.

Clients put any media into any slot: sound and video arrive as `image_url`, base64 without its data URL, addresses
where data belong. What counts is what is there, not what the slot is called (notes §1.4, §8). Base64 is never copied:
it stays a slice of the request's own buffer.
"""

from collections.abc import Callable
from typing import cast, get_args

import msgspec
from msgspec import UNSET, Raw, json

from gemgate.errors import InvalidRequest
from gemgate.hub.parts import Detail, Media, Part, Remote, Text, Vendor
from gemgate.protocols.openai_chat import wire
from gemgate.protocols.openai_chat.marks import GOOGLE, signature
from gemgate.protocols.shared import media_types
from gemgate.protocols.shared.located import is_address, located
from gemgate.protocols.shared.raw_json import JsonField, decode_string, is_given, is_object, is_string, string

TEXT_TYPES = frozenset({"text", "input_text", "output_text", "refusal"})
THOUGHT_TYPES = frozenset({"thinking", "redacted_thinking", "reasoning", "reasoning_content"})
"""Thoughts in histories; without a signature of its own upstream a thought is of no use there."""
HINTS = {"video_url": "video/*", "audio_url": "audio/*"}
"""What a slot's name says of media whose own type is not told."""
DETAILS: dict[str, Detail | None] = {"auto": None, "original": "ultra_high", "high": "high", "low": "low"}

Split = Callable[[str], list[Part]]
"""What becomes of a text; an assistant's may show images."""


def whole(text: str) -> list[Part]:
    """Take a text as it is."""
    return [Text(text)]


def parts(content: wire.Content, path: str, places: list[str], split: Split = whole) -> list[Part]:
    """Translate a message's content, which stands at `path`; raises `InvalidRequest`.

    `places` grows by the path of each of the media.
    """
    if isinstance(content, str):
        return split(content) if content else []
    if content is None:
        return []
    listed = content if isinstance(content, list) else [content]
    made: list[Part] = []
    for number, part in enumerate(listed):
        place = f"{path}.content.{number}"
        found = _part(part, place, split)
        made += found
        places += [place for one in found if isinstance(one, Media)]
    return made


def _part(part: wire.ContentPart, path: str, split: Split) -> list[Part]:
    text = part.text if part.text is not None else part.refusal
    if text is not None and (part.type is None or part.type in TEXT_TYPES):
        mark = signature(part.extra_content)
        if mark is not None:
            return [Text(text, mark)]
        return split(text) if text else []
    if part.type in THOUGHT_TYPES:
        return []
    try:
        media = _media(part, path)
        vendor = _clipped(part) if media is not None else None
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"This part cannot be read: {error}.", param=path) from error
    if media is None and part.type in TEXT_TYPES:
        return []
    if media is None:
        kind = part.type or "unknown"
        raise InvalidRequest(
            f"Content of type {kind[:80]!r} is not known. Send text, image_url, input_audio, video_url or file.",
            param=path,
            code="unsupported_content",
        )
    mark = signature(part.extra_content)
    return [msgspec.structs.replace(media, signature=mark, vendor=vendor) if mark or vendor else media]


def _clipped(part: wire.ContentPart) -> Vendor | None:
    """Say which stretch of a video is meant and how often it is looked at, in the upstream's own words."""
    video = part.video_url
    within = wire.decode_clip(video) if is_given(video) and is_object(video) else part
    clip: dict[str, Raw] = {}
    for raw in (part.video_metadata, part.videoMetadata, within.video_metadata, within.videoMetadata):
        if is_given(raw):
            clip |= wire.decode_members(raw)
    if within.fps is not None:
        clip.setdefault("fps", Raw(json.encode(within.fps)))
    return Vendor(GOOGLE, json.encode({"videoMetadata": clip}).decode()) if clip else None


def _media(part: wire.ContentPart, path: str) -> Media | None:
    """Find the media in whatever slot they are; `None` if there are none."""
    if is_given(part.input_audio):
        return _sound(part.input_audio, path)
    if is_given(part.file):
        return _file(wire.decode_file(part.file), path)
    for slot in ("image_url", "video_url", "audio_url", "image"):
        raw = getattr(part, slot)
        if is_given(raw):
            return address(raw, path, hint=HINTS.get(slot, ""), detail=part.detail)
    native = part.inlineData if part.inlineData is not UNSET else part.inline_data
    if is_given(native):
        return _native(native, path)
    own = part.fileData if part.fileData is not UNSET else part.file_data
    if is_given(own) and is_object(own):
        return _native(own, path)
    if is_given(part.file_data) or is_given(part.file_url) or part.file_id:
        return _file(wire.File(part.file_data, part.file_url, part.file_id, part.filename), path)
    return None


def address(raw: JsonField, path: str, *, hint: str = "", detail: str | None = None) -> Media:
    """Translate an address, plain or within an object, that may as well be the media themselves."""
    if not is_given(raw):
        raise InvalidRequest("There is no url here.", param=path)
    found = wire.Address(raw) if is_string(raw) else wire.decode_address(raw)
    if not is_given(found.url):
        raise InvalidRequest("There is no url here.", param=path)
    return _located(found.url, path, found.mime_type or hint, detail=found.detail or detail)


def _sound(raw: Raw, path: str) -> Media:
    sound = wire.Sound(raw) if is_string(raw) else wire.decode_sound(raw)
    data = sound.data if is_given(sound.data) else sound.url
    if not is_given(data):
        raise InvalidRequest("There is no sound here. Put its base64 into `data`.", param=path)
    label = media_types.by_name(f"x.{sound.format}") or f"audio/{sound.format}" if sound.format else "audio/*"
    return _located(data, path, label, carried=True)


def _file(file: wire.File, path: str) -> Media:
    name = file.filename or ""
    label = file.mime_type or ""
    if is_given(file.file_data):
        return _located(file.file_data, path, label, name=name, carried=True)
    if is_given(file.file_url):
        return _located(file.file_url, path, label, name=name)
    if file.file_id:
        # Files are Gemini's own, named files/…; OpenAI's names lack the collection.
        given = file.file_id if "/" in file.file_id else f"files/{file.file_id}"
        if not is_address(given):
            raise InvalidRequest("This is no id of a file, such as files/abc-123.", param=path)
        return Media(media_types.normal(label), Remote(given))
    raise InvalidRequest("There is no file here. Send file_data, file_url or file_id.", param=path)


def _native(raw: Raw, path: str) -> Media:
    """Read media as Gemini's own parts hold them, in either spelling."""
    members = {key.replace("_", "").lower(): value for key, value in wire.decode_members(raw).items()}
    label = decode_string(members["mimetype"]) if "mimetype" in members else ""
    for key in ("data", "fileuri"):
        if key in members:
            return _located(members[key], path, label, carried=key == "data")
    raise InvalidRequest("There is neither data nor a file's address here.", param=path)


def _located(
    raw: Raw, path: str, label: str, *, name: str = "", detail: str | None = None, carried: bool = False
) -> Media:
    """Read what stands in a slot; `carried` says that it is made for media in the request itself."""
    return located(string(raw), path, label=label, name=name, detail=_detail(detail, path), for_data=carried)


def _detail(detail: str | None, path: str) -> Detail | None:
    if not detail:
        return None
    word = detail.lower()
    if word in DETAILS:
        return DETAILS[word]
    if word in get_args(Detail):
        return cast("Detail", word)
    raise InvalidRequest(f"{detail[:80]!r} is no detail. It is low, high, auto or original.", param=path)
