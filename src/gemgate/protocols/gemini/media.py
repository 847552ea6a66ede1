"""Media of a conversation as Gemini takes them: types that it reads, and how closely it shall look."""

from collections.abc import Sequence
from typing import get_args

from msgspec import Struct
from msgspec.structs import replace

from gemgate.errors import InvalidRequest
from gemgate.hub.parts import Detail, Inline, Media, Message, Part, ToolResult
from gemgate.protocols.gemini.accepted_media import accepted

LOOKED_AT = ("image/", "video/", "application/pdf")
"""What a resolution is for; media of a type that nobody knows may be such."""

CLOSENESS: tuple[Detail, ...] = get_args(Detail)


class Looked(Struct):
    """How closely media shall be looked at where a model takes one word for all: the details asked for."""

    details: set[Detail]

    @property
    def closest(self) -> Detail | None:
        """The closest look that was asked for."""
        return max(self.details, key=CLOSENESS.index, default=None)


def fitted(messages: Sequence[Message], *, detail_per_part: bool) -> tuple[Sequence[Message], Looked]:
    """Check the types of media and keep a detail only where it belongs.

    Raises `InvalidRequest` with the hub path of media that Gemini does not read.
    """
    looked = Looked(set())
    kept = looked.details if not detail_per_part else None
    made = [
        _message(message, f"messages.{number}", kept) if any(map(_has_media, message.parts)) else message
        for number, message in enumerate(messages)
    ]
    return made, looked


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
    mime_type, detail = media.mime_type, media.detail
    if isinstance(media.source, Inline):
        try:
            mime_type = accepted(mime_type)
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
