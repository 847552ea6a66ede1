"""Media of a conversation as Gemini takes them: types that it reads, and how closely it shall look."""

from collections.abc import Sequence
from typing import assert_never, get_args

from msgspec import Struct
from msgspec.structs import replace

from gemgate.errors import InvalidRequest
from gemgate.hub.parts import Detail, Inline, Media, Message, Part, Remote, ToolResult, Uri
from gemgate.protocols.gemini.accepted_media import accepted, check_base64
from gemgate.protocols.shared.media_types import specific

LOOKED_AT = ("image/", "video/", "application/pdf")
"""What a resolution is for; media of a type that nobody knows may be such."""

CLOSENESS: tuple[Detail, ...] = get_args(Detail)


class Fitted(Struct):
    """A conversation whose media Gemini reads.

    `details`: how closely media shall be looked at where a model takes one word for all.
    """

    messages: Sequence[Message]
    system: tuple[Part, ...]
    details: set[Detail]

    @property
    def closest(self) -> Detail | None:
        """The closest look that was asked for."""
        return max(self.details, key=CLOSENESS.index, default=None)


def fitted(messages: Sequence[Message], system: tuple[Part, ...], *, detail_per_part: bool) -> Fitted:
    """Check media, keep a detail only where it belongs, and move media of the system text, which takes none.

    Raises `InvalidRequest` with the hub path of media that Gemini does not read.
    """
    details: set[Detail] = set()
    kept = None if detail_per_part else details
    told = tuple(_part(part, f"system.{number}", kept) for number, part in enumerate(system))
    made = [
        _message(message, f"messages.{number}", kept) if any(map(_has_media, message.parts)) else message
        for number, message in enumerate(messages)
    ]
    shown = tuple(part for part in told if isinstance(part, Media))
    if shown:
        made = _with_first(made, shown)
        told = tuple(part for part in told if not isinstance(part, Media))
    return Fitted(made, told, details)


def _with_first(messages: list[Message], media: tuple[Media, ...]) -> list[Message]:
    """Put media in front of what the user says first; results are no words of the user's."""
    for number, message in enumerate(messages):
        if message.role == "user" and not any(isinstance(part, ToolResult) for part in message.parts):
            return [*messages[:number], Message("user", (*media, *message.parts)), *messages[number + 1 :]]
    return [Message("user", media), *messages]


def _has_media(part: Part) -> bool:
    return isinstance(part, Media) or (isinstance(part, ToolResult) and bool(part.media))


def _message(message: Message, path: str, details: set[Detail] | None) -> Message:
    parts = (_part(part, f"{path}.parts.{number}", details) for number, part in enumerate(message.parts))
    return Message(message.role, tuple(parts))


def _part(part: Part, path: str, details: set[Detail] | None) -> Part:
    if isinstance(part, Media):
        return _media(part, path, details)
    if isinstance(part, ToolResult):
        return replace(part, media=tuple(_media(media, path, details) for media in part.media))
    return part


def _media(media: Media, path: str, details: set[Detail] | None) -> Media:
    """Fit one medium; its detail is moved to `details`, if given."""
    detail = media.detail
    try:
        mime_type = _checked_type(media)
    except InvalidRequest as error:
        error.param = path
        raise
    if detail is not None and mime_type and not mime_type.startswith(LOOKED_AT):
        detail = None
    if detail is not None and details is not None:
        details.add(detail)
        detail = None
    if mime_type == media.mime_type and detail == media.detail:
        return media
    return replace(media, mime_type=mime_type, detail=detail)


def _checked_type(media: Media) -> str:
    """Give the type under which to send media; what stands at an address keeps its own, or none."""
    match media.source:
        case Inline(data=data):
            if isinstance(data, memoryview):  # it is written as it is, and must not break the document
                check_base64(data)
            return accepted(media.mime_type)
        case Uri():
            if specific(media.mime_type):
                accepted(media.mime_type)
        case Remote():
            pass
        case _:
            assert_never(media.source)
    return media.mime_type
