"""What messages and results say → the hub's parts.

What counts is what is there, not what its type says (`media_slots`).
"""

from collections.abc import Callable, Sequence

from gemgate.errors import InvalidRequest
from gemgate.hub.parts import Media, Part, Text
from gemgate.protocols.openai_responses import wire
from gemgate.protocols.shared import media_slots
from gemgate.protocols.shared.images import text_and_images
from gemgate.protocols.shared.located import named_file
from gemgate.protocols.shared.media_slots import address, spoken
from gemgate.protocols.shared.nested import read
from gemgate.protocols.shared.raw_json import is_given

TEXTS = frozenset({"input_text", "output_text", "text", "refusal", "summary_text", None})
THOUGHTS = frozenset({"reasoning_text", "thinking", "redacted_thinking"})
"""A thought without its signature is of no use to the model that had it."""
HINTS = {"video_url": "video/*", "input_video": "video/*", "audio_url": "audio/*"}
"""What a slot's name says of media whose own type is not told."""
ADDRESSES = ("image_url", "video_url", "input_video", "audio_url", "image")

Lose = Callable[[str, str], None]
"""Records what will not reach the model, by its path, and why."""


def listed(content: wire.Content) -> Sequence[wire.ContentPart | str]:
    """Give content as a list."""
    if content is None:
        return ()
    return content if isinstance(content, list) else (content,)


def told(content: wire.Content, path: str) -> list[tuple[Part, str]]:
    """Translate what a client says; `path` is that of the content. Each part comes with its own path.

    Raises `InvalidRequest` for what is not known, and for media that cannot be sent.
    """
    made: list[tuple[Part, str]] = []
    for number, part in enumerate(listed(content)):
        text = plain(part)
        if text is not None:
            if text:
                made.append((Text(text), path))
            continue
        place = f"{path}.{number}" if isinstance(content, list) else path
        assert isinstance(part, wire.ContentPart)
        found = part_of(part, place)
        if found is not None:
            made.append((found, place))
        elif part.type is None or part.type not in TEXTS:
            raise InvalidRequest(_unknown(part), param=place, code="unsupported_content")
    return made


def answered(content: wire.Content, path: str, lose: Lose) -> list[tuple[Part, str]]:
    """Translate what the model said, and the images that it showed; what is unknown there is recorded as lost."""
    made: list[tuple[Part, str]] = []
    for number, part in enumerate(listed(content)):
        if isinstance(part, wire.ContentPart) and part.type in THOUGHTS:
            continue
        place = f"{path}.{number}" if isinstance(content, list) else path
        text = plain(part)
        if text is not None:
            made += ((one, place) for one in text_and_images(text))
            continue
        assert isinstance(part, wire.ContentPart)
        found = part_of(part, place)
        if found is not None:
            made.append((found, place))
        elif part.type not in TEXTS:
            lose(place, "there is nothing in it that the model could read")
    return made


def plain(part: wire.ContentPart | str) -> str | None:
    """Give the text of a part; `None` if it is none, or may hold something else."""
    if isinstance(part, str):
        return part
    text = part.text if part.text is not None else part.refusal
    return text if part.type in TEXTS or part.type in THOUGHTS else None


def part_of(part: wire.ContentPart, path: str) -> Part | None:
    """Translate a part that is no plain text; `None` if nothing in it is known. Raises `InvalidRequest`."""
    found = _media(part, path)
    if found is None and part.text:
        return Text(part.text)
    return found


def _media(part: wire.ContentPart, path: str) -> Media | None:
    """Find the media in whatever slot they are; `None` if there are none."""
    if is_given(part.input_audio):
        return media_slots.sound(part.input_audio, f"{path}.input_audio")
    if is_given(part.file):
        return _file(read(media_slots.decode_file, part.file, f"{path}.file"), f"{path}.file", part.detail)
    for slot in ADDRESSES:
        raw = getattr(part, slot)
        if is_given(raw):
            return address(raw, f"{path}.{slot}", hint=HINTS.get(slot, ""), detail=part.detail)
    if is_given(part.data):
        return spoken(media_slots.Sound(part.data, format=part.format), f"{path}.data")
    if is_given(part.file_data) or is_given(part.file_url) or part.file_id:
        given = media_slots.File(part.file_data, part.file_url, part.file_id, part.filename)
        return _file(given, path, part.detail)
    return None


def _file(given: media_slots.File, path: str, detail: str | None) -> Media:
    where = "file_data" if is_given(given.file_data) else "file_url"
    found = media_slots.file(given, f"{path}.{where}", detail=detail)
    if found is not None:
        return found
    if given.file_id:
        return Media("", named_file(given.file_id, f"{path}.file_id"), detail=media_slots.closeness(detail, path))
    raise InvalidRequest("There is no file here. Send file_data or file_url.", param=path)


def _unknown(part: wire.ContentPart) -> str:
    kind = part.type or ""
    if kind.startswith("input_"):
        return f"There is nothing in this part of type {kind[:80]!r}."
    words = f"Content of type {kind[:80]!r} is not known" if kind else "A part must say its type"
    return f"{words}. Send input_text, input_image, input_file or input_audio."
