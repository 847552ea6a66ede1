"""What signatures hold on to in a message, and how they are taken off and put back.

A piece is a call, an image, code that was run, or a run of neighbouring texts, with the loose parts around it: empty
texts that carry a signature, and parts that only the upstream's own format knows. Clients give calls, media, code and
texts back, and lose the loose parts; thoughts are theirs to lose and no part of this.
"""

from collections.abc import Iterable, Sequence
from typing import assert_never

from msgspec import Struct
from msgspec.structs import replace

from gemgate.hub.parts import (
    Code,
    CodeResult,
    Inline,
    Media,
    Opaque,
    Part,
    Signature,
    Text,
    Thought,
    ToolCall,
    ToolResult,
    Vendor,
)
from gemgate.pipeline.recall.keys import key, sample


class Mark(Struct, frozen=True, array_like=True):
    """Where a part of a text ends, in characters, with its signature; or a loose part that stands there."""

    end: int
    signature: Signature | None = None
    opaque: Vendor | None = None


class Record(Struct, frozen=True, array_like=True):
    """What is remembered of a piece: the `family` of models that signed it, and its marks.

    Of a call or media: its own signature, and what stood directly before and after. Of a text: marks within it.
    """

    family: str
    signature: Signature | None = None
    before: tuple[Mark, ...] = ()
    marks: tuple[Mark, ...] = ()


class Piece:
    """A call, media, code, or (without `anchor`) a run of texts; `start` and `stop` are its place in the message.

    `parts` are the texts and loose parts of the run, or the loose parts after the anchor.
    """

    __slots__ = ("anchor", "before", "parts", "start", "stop")

    def __init__(self, anchor: ToolCall | Media | Code | None, start: int, before: list[Text | Opaque]) -> None:
        self.anchor = anchor
        self.start = start
        self.stop = start + 1
        self.before = before
        self.parts: list[Text | Opaque] = []

    @property
    def text(self) -> str:
        """The text of a run."""
        return "".join([part.text for part in self.parts if isinstance(part, Text)])

    @property
    def bare(self) -> bool:
        """Whether nothing of it is signed, or known to the upstream's own format alone."""
        if self.anchor is not None:
            return self.anchor.signature is None
        return all(isinstance(part, Text) and part.signature is None for part in self.parts)

    def key(self, caller_id: str, said: bytes) -> bytes:
        """Name it; `said` is what the user said before it."""
        match self.anchor:
            case ToolCall(id=call_id):
                return key(caller_id, b"call", call_id.encode("utf-8", "surrogatepass"))
            case Media(source=Inline(data=data)):
                return key(caller_id, b"media", said, sample(data))
            case Code(id=code_id, code=code):
                return key(caller_id, b"code", said, code_id.encode("utf-8", "surrogatepass"), sample(code))
            case _:
                # Clients trim texts, and break lines around images on their own.
                return key(caller_id, b"text", said, sample(self.text.strip()))

    def record(self, family: str) -> Record | None:
        """Take off what is to be remembered; `None` if that is nothing."""
        signature = self.anchor.signature if self.anchor is not None else None
        before, marks = _marks(self.before), _marks(self.parts)
        if signature is None and not before and not marks:
            return None
        return Record(family, signature, before, marks)


def pieces(parts: Sequence[Part]) -> list[Piece]:
    """Find the pieces of a message.

    Loose parts between two pieces belong to the first up to the last signed text among them, then to the second.
    """
    found: list[Piece] = []
    last: Piece | None = None
    loose: list[Text | Opaque] = []
    for index, part in enumerate(parts):
        match part:
            case Text() if part.text:
                if last is None or last.anchor is not None:
                    loose = _settled(loose, last)
                    last = Piece(None, index, [])
                    found.append(last)
                last.parts += (*loose, part)
                last.stop = index + 1
            case Text():
                if part.signature is not None:
                    loose.append(part)
                continue
            case Opaque():
                loose.append(part)
                continue
            case Thought():
                continue
            case Media() if part.thought:
                continue
            case ToolCall() | Media() | Code() if _has_name(part):
                last = Piece(part, index, _settled(loose, last))
                found.append(last)
            case ToolCall() | Media() | ToolResult() | Code() | CodeResult():
                if last is not None:
                    last.parts += loose
                last = None
            case _:
                assert_never(part)
        loose = []
    if last is not None:
        last.parts += loose
    return found


def is_thought(part: Part) -> bool:
    """Whether a part is thinking, not answer."""
    return isinstance(part, Thought) or (isinstance(part, Media) and part.thought)


def _has_name(part: ToolCall | Media | Code) -> bool:
    """Whether it can be found again when it comes back."""
    match part:
        case ToolCall():
            return bool(part.id)
        case Media():
            return isinstance(part.source, Inline)
        case Code():
            return bool(part.code)
        case _:
            assert_never(part)


def _settled(loose: list[Text | Opaque], last: Piece | None) -> list[Text | Opaque]:
    """Give the piece before its share of loose parts; returns that of the piece after."""
    if last is None:
        return loose
    share = max((number for number, part in enumerate(loose, start=1) if isinstance(part, Text)), default=0)
    last.parts += loose[:share]
    return loose[share:]


def joined(runs: Iterable[Piece]) -> Piece:
    """Make one run of all the texts of a message, as clients do that keep texts apart from all else."""
    made = Piece(None, 0, [])
    for run in runs:
        made.parts += run.parts
    return made


def restored(piece: Piece, record: Record, parts: Sequence[Part]) -> list[Part]:
    """Give what stood in the place of a piece of a message; `parts` are all that the message holds."""
    if piece.anchor is None:
        hidden = [part for part in parts[piece.start : piece.stop] if is_thought(part)]
        return [*hidden, *_split(piece.text, record.marks)]
    there = [_unmarked(part) for part in parts]
    before = [part for part in _split("", record.before) if part not in there]
    after = [part for part in _split("", record.marks) if part not in there]
    if piece.bare:
        return [*before, replace(piece.anchor, signature=record.signature), *after]
    # What the client signed itself stays as it is.
    opaque = [[part for part in side if isinstance(part, Opaque)] for side in (before, after)]
    return [*opaque[0], piece.anchor, *opaque[1]]


def _unmarked(part: Part) -> Part:
    """Leave out who understands the signature of a text: a format that keeps parts may say so, a record does not."""
    if not isinstance(part, Text) or part.signature is None:
        return part
    return replace(part, signature=replace(part.signature, family=""))


def _marks(parts: Iterable[Text | Opaque]) -> tuple[Mark, ...]:
    """Note what joining the texts would lose: signatures, where signed texts begin and end, and opaque parts."""
    marks: list[Mark] = []
    cut = end = 0
    for part in parts:
        if isinstance(part, Opaque):
            marks.append(Mark(end, opaque=part.vendor))
        else:
            start, end = end, end + len(part.text)
            if part.signature is None:
                continue
            if start > cut:
                marks.append(Mark(start))
            marks.append(Mark(end, part.signature))
        cut = end
    return tuple(marks)


def _split(text: str, marks: Iterable[Mark]) -> list[Part]:
    """Undo the joining; marks that do not fit the text are passed over."""
    parts: list[Part] = []
    at = 0
    for mark in marks:
        if not at <= mark.end <= len(text):
            continue
        piece, at = text[at : mark.end], mark.end
        if piece or mark.signature is not None:
            parts.append(Text(piece, mark.signature))
        if mark.opaque is not None:
            parts.append(Opaque(mark.opaque))
    if at < len(text):
        parts.append(Text(text[at:]))
    return parts
