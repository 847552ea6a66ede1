"""The parts of a message's content → the hub's.

What counts is what is there, not what the slot is called (`media_slots`).
"""

from collections.abc import Callable

import msgspec
from msgspec import UNSET, Raw, json

from gemgate.errors import InvalidRequest
from gemgate.hub.parts import Media, Part, Remote, Text, Vendor
from gemgate.protocols.openai_chat import wire
from gemgate.protocols.openai_chat.marks import signature
from gemgate.protocols.shared import media_slots, media_types
from gemgate.protocols.shared.located import is_address
from gemgate.protocols.shared.media_slots import address, in_slot, sound
from gemgate.protocols.shared.native import GOOGLE
from gemgate.protocols.shared.nested import read
from gemgate.protocols.shared.raw_json import decode_string, is_given, is_object

TEXT_TYPES = frozenset({"text", "input_text", "output_text", "refusal"})
THOUGHT_TYPES = frozenset({"thinking", "redacted_thinking", "reasoning", "reasoning_content"})
"""Thoughts in histories; without a signature of its own upstream a thought is of no use there."""
HINTS = {"video_url": "video/*", "audio_url": "audio/*"}
"""What a slot's name says of media whose own type is not told."""

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
        return sound(part.input_audio, path)
    if is_given(part.file):
        return _file(read(media_slots.decode_file, part.file, path), path)
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
        return _file(media_slots.File(part.file_data, part.file_url, part.file_id, part.filename), path)
    return None


def _file(given: media_slots.File, path: str) -> Media:
    found = media_slots.file(given, path)
    if found is not None:
        return found
    if given.file_id:
        # Files are Gemini's own, named files/…; OpenAI's names lack the collection.
        name = given.file_id if "/" in given.file_id else f"files/{given.file_id}"
        if not is_address(name):
            raise InvalidRequest("This is no id of a file, such as files/abc-123.", param=path)
        return Media(media_types.normal(given.mime_type or ""), Remote(name))
    raise InvalidRequest("There is no file here. Send file_data, file_url or file_id.", param=path)


def _native(raw: Raw, path: str) -> Media:
    """Read media as Gemini's own parts hold them, in either spelling."""
    members = {key.replace("_", "").lower(): value for key, value in wire.decode_members(raw).items()}
    label = decode_string(members["mimetype"]) if "mimetype" in members else ""
    for key in ("data", "fileuri"):
        if key in members:
            return in_slot(members[key], path, label, carried=key == "data")
    raise InvalidRequest("There is neither data nor a file's address here.", param=path)
