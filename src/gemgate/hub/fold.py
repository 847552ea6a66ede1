"""Events → whole reply: the one place where a streamed answer becomes an unstreamed one."""

from collections.abc import Iterable
from typing import assert_never

from msgspec import Struct
from msgspec.structs import replace

from gemgate.errors import UpstreamError
from gemgate.hub.events import (
    BlockDelta,
    BlockEnd,
    BlockStart,
    Citation,
    Citations,
    Event,
    Failure,
    Finish,
    Logprobs,
    Page,
    PagesRead,
    ResponseStart,
    TokenLogprob,
    Usage,
)
from gemgate.hub.parts import Code, CodeResult, Media, Opaque, Part, Signature, Text, Thought, ToolCall, ToolResult


class Choice(Struct, frozen=True):
    """One finished alternative of a reply."""

    index: int
    parts: tuple[Part, ...]
    citations: tuple[Citations, ...]
    finish: Finish
    logprobs: tuple[TokenLogprob, ...] = ()
    pages: tuple[Page, ...] = ()


class Reply(Struct, frozen=True):
    """A whole reply; `choices` are in the order of their indices."""

    start: ResponseStart
    choices: tuple[Choice, ...]
    usage: Usage


class _Builder:
    """The growing state of one choice."""

    __slots__ = ("citations", "finish", "logprobs", "open", "pages", "parts", "pieces")

    def __init__(self) -> None:
        self.parts: list[Part] = []
        self.open: Part | None = None
        self.pieces: list[str] = []
        self.citations: list[Citations] = []
        self.logprobs: list[TokenLogprob] = []
        self.pages: list[Page] = []
        self.finish: Finish | None = None


def fold(events: Iterable[Event]) -> Reply:
    """Build the whole reply of a complete run of events.

    Raises the error of a `Failure` among them, and `UpstreamError` if they do not end with a finish.
    """
    start = ResponseStart("", "")
    usage = Usage()
    choices: dict[int, _Builder] = {}
    for event in events:
        match event:
            case ResponseStart():
                start = event
            case BlockStart():
                builder = choices.setdefault(event.choice, _Builder())
                builder.open, builder.pieces = event.part, []
            case BlockDelta():
                choices[event.choice].pieces.append(event.text)
            case BlockEnd():
                builder = choices[event.choice]
                if builder.open is not None:
                    builder.parts.append(closed(builder.open, "".join(builder.pieces), event.signature))
                    builder.open = None
            case Citations():
                choices.setdefault(event.choice, _Builder()).citations.append(event)
            case PagesRead():
                choices.setdefault(event.choice, _Builder()).pages += event.pages
            case Logprobs():
                choices.setdefault(event.choice, _Builder()).logprobs += event.tokens
            case Usage():
                usage = event
            case Finish():
                choices.setdefault(event.choice, _Builder()).finish = event
            case Failure():
                raise event.error
            case _:
                assert_never(event)
    return Reply(start, tuple(_choice(index, choices[index]) for index in sorted(choices)), usage)


def _choice(index: int, builder: _Builder) -> Choice:
    if builder.finish is None:
        raise UpstreamError("The upstream's answer broke off before its end. Try again.")
    return Choice(
        index=index,
        parts=tuple(builder.parts),
        citations=tuple(builder.citations),
        finish=builder.finish,
        logprobs=tuple(builder.logprobs),
        pages=tuple(builder.pages),
    )


def unfold(reply: Reply) -> list[Event]:
    """Give the events whose fold is `reply`."""
    events: list[Event] = [reply.start]
    for choice in reply.choices:
        for part in choice.parts:
            events += (BlockStart(choice.index, part), BlockEnd(choice.index))
        events += choice.citations
        if choice.pages:
            events.append(PagesRead(choice.index, choice.pages))
        if choice.logprobs:
            events.append(Logprobs(choice.index, choice.logprobs))
    events.append(reply.usage)
    events += (choice.finish for choice in reply.choices)
    return events


def closed(part: Part, more: str, signature: Signature | None) -> Part:
    """Give a started part with the text of its deltas appended and its late signature set."""
    match part:
        case Text() | Thought():
            part = replace(part, text=part.text + more) if more else part
        case ToolCall():
            part = replace(part, arguments=part.arguments + more) if more else part
        case Code():
            part = replace(part, code=part.code + more) if more else part
        case CodeResult():
            part = replace(part, output=part.output + more) if more else part
        case Media() | ToolResult():
            pass
        case Opaque():
            return part
        case _:
            assert_never(part)
    return replace(part, signature=signature) if signature else part


def citations_of(choice: Choice) -> tuple[Citation, ...]:
    """List all sources of a choice, in order."""
    return tuple(citation for group in choice.citations for citation in group.citations)
