"""Signatures of an assistant's message, out and in.

Google's own Chat layer has one slot a message. That says all while the whole content is one signed part. Where it is
not (a text whose signature stands on an empty part after it, an image and the text beside it), `gemgate` tells which
stretch of `content` each signature belongs to; the last one is not repeated there.
"""

from collections.abc import Sequence

from msgspec import Struct
from msgspec.structs import replace

from gemgate.hub.parts import Media, Part, Signature, Text
from gemgate.protocols.openai_chat import wire
from gemgate.protocols.shared.images import pieces
from gemgate.protocols.shared.native import GOOGLE


class Mark(Struct, frozen=True, order=True):
    """The signature of the part that is `content[start:end]`, in characters; an empty part is signed too."""

    start: int
    end: int
    value: str


def google(signature: Signature) -> dict[str, object]:
    """Give `extra_content` with one signature."""
    return _google(signature.value)


def _google(value: str) -> dict[str, object]:
    return {"google": {"thought_signature": value}}


def message_extra(marks: Sequence[Mark], length: int) -> dict[str, object] | None:
    """Give a message's `extra_content`; `length` is that of its content."""
    if not marks:
        return None
    *others, last = marks
    extra = _google(last.value)
    if others or (last.start, last.end) != (0, length):
        listed: list[dict[str, object]] = [
            {"start": mark.start, "end": mark.end, "signature": mark.value} for mark in others
        ]
        extra["gemgate"] = {"signatures": [*listed, {"start": last.start, "end": last.end}]}
    return extra


def signature(extra: wire.ExtraContent | None) -> Signature | None:
    """Take the signature of Google's slot."""
    if extra is None or extra.google is None or not extra.google.thought_signature:
        return None
    return Signature(GOOGLE, extra.google.thought_signature)


def signed(content: str, extra: wire.ExtraContent | None) -> list[Part]:
    """Split an assistant's content into its parts, each with its own signature."""
    found = pieces(content)
    if extra is None:
        return [part for _, part in found]
    marks = _marks(extra, len(content))
    if not marks:
        return last_signed([part for _, part in found], signature(extra))
    parts: list[Part] = []
    start = done = 0
    for end, part in found:
        first = done
        while done < len(marks) and marks[done].end <= end:
            done += 1
        if isinstance(part, Text):
            _cut(content, start, end, marks[first:done], parts)
        else:
            _sign(part, start, end, marks[first:done], parts)
        start = end
    parts += (_text("", mark) for mark in marks[done:])
    return parts


def _cut(content: str, start: int, end: int, marks: Sequence[Mark], parts: list[Part]) -> None:
    """Cut a text into signed parts and what is left between them."""
    for mark in marks:
        first = max(start, mark.start)
        if first > start:
            parts.append(Text(content[start:first]))
        parts.append(_text(content[first : mark.end], mark))
        start = max(first, mark.end)
    if start < end:
        parts.append(Text(content[start:end]))


def _sign(media: Media, start: int, end: int, marks: Sequence[Mark], parts: list[Part]) -> None:
    """Sign media; marks that end where they begin, or begin where they end, are those of empty texts beside them."""
    within = [mark for mark in marks if mark.end > start and mark.start < end]
    parts += (_text("", mark) for mark in marks if mark.end <= start)
    parts.append(replace(media, signature=Signature(GOOGLE, within[0].value)) if within else media)
    parts += (_text("", mark) for mark in marks if mark.start >= end)


def _text(text: str, mark: Mark) -> Text:
    return Text(text, Signature(GOOGLE, mark.value))


def _marks(extra: wire.ExtraContent, length: int) -> list[Mark]:
    """Read the marks; none if there are none, or if they cannot be those of this content.

    Clients trim the end of an answer: the last part may reach beyond what is left of it.
    """
    if extra.gemgate is None or not extra.gemgate.signatures:
        return []
    last = signature(extra)
    found: list[Mark] = []
    for mark in extra.gemgate.signatures:
        value = mark.signature or (last.value if last is not None and mark is extra.gemgate.signatures[-1] else "")
        if not 0 <= mark.start <= mark.end or not value:
            return []
        found.append(Mark(mark.start, mark.end, value))
    found.sort(key=lambda mark: (mark.end, mark.start))
    if any(mark.end > length for mark in found[:-1]):
        return []
    found[-1] = Mark(min(found[-1].start, length), min(found[-1].end, length), found[-1].value)
    return found


def last_signed(parts: list[Part], mark: Signature | None) -> list[Part]:
    """Sign the last part of a content of which nothing more is known."""
    if mark is None:
        return parts
    if parts and isinstance(parts[-1], (Text, Media)) and parts[-1].signature is None:
        return [*parts[:-1], replace(parts[-1], signature=mark)]
    return [*parts, Text("", mark)]
