"""Replies that sign, and what clients make of them."""

from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

from msgspec.structs import replace

from gemgate.hub.call import Generate
from gemgate.hub.events import BlockEnd, BlockStart, Event
from gemgate.hub.parts import (
    Base64,
    Inline,
    Media,
    Message,
    Opaque,
    Part,
    Signature,
    Text,
    Thought,
    ToolCall,
    Vendor,
)
from gemgate.pipeline.recall.recall import Recall
from gemgate.store.sqlite import SqliteStore

ME, FAMILY = "me", "the-third"
ASK = Message("user", (Text("draw a cat"),))


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@asynccontextmanager
async def opened(path: Path, clock: Callable[[], float]) -> AsyncIterator[SqliteStore]:
    store = SqliteStore(path, clock)
    await store.open()
    try:
        yield store
    finally:
        await store.aclose()


def sig(value: str) -> Signature:
    return Signature("gemini", value)


def opaque(name: str) -> Opaque:
    return Opaque(Vendor("gemini", f'{{"toolCall":{{"id":"{name}"}}}}'))


def image(data: Base64, signature: Signature | None = None, *, draft: bool = False) -> Media:
    return Media("image/png", Inline(data), draft, signature)


def ask(*messages: Message) -> Generate:
    return Generate(model="m", messages=messages)


def model(parts: Iterable[Part]) -> Message:
    return Message("model", tuple(parts))


def spoken(parts: Iterable[Part], choice: int = 0) -> list[Event]:
    """The events of a reply, as whole blocks."""
    return [event for part in parts for event in (BlockStart(choice, part), BlockEnd(choice))]


def signed(recall: Recall, parts: Iterable[Part], *before: Message, caller: str = ME, family: str = FAMILY) -> None:
    """A reply of these parts is given and remembered."""
    watch = recall.watch(ask(*(before or (ASK,))), caller, family)
    watch.see(spoken(parts))
    watch.keep()


async def refilled(
    recall: Recall,
    parts: Iterable[Part],
    *before: Message,
    caller: str = ME,
    family: str = FAMILY,
    everything: bool = True,
) -> tuple[Part, ...]:
    """The client comes back with these parts; gives what the upstream gets to see instead."""
    messages = *(before or (ASK,)), model(parts), Message("user", (Text("go on"),))
    filled = (await recall.filled(ask(*messages), caller, family, everything=everything)).call
    *same, made, last = filled.messages
    assert (*same, last) == (*messages[:-2], messages[-1]) and made.role == "model"
    return made.parts


# ── what a client makes of it ──


def bare(part: Part) -> Part:
    return part if isinstance(part, Opaque) else replace(part, signature=None)


def is_thought(part: Part) -> bool:
    return isinstance(part, Thought) or (isinstance(part, Media) and part.thought)


def lost(part: Part) -> bool:
    return is_thought(part) or isinstance(part, Opaque) or (isinstance(part, Text) and not part.text)


def merged(parts: Iterable[Part]) -> list[Part]:
    """Unsigned texts beside each other are one."""
    made: list[Part] = []
    for part in parts:
        last = made[-1] if made else None
        if isinstance(part, Text) and isinstance(last, Text) and part.signature is last.signature is None:
            made[-1] = Text(last.text + part.text)
        else:
            made.append(part)
    return made


def stripped(parts: Iterable[Part]) -> list[Part]:
    """What is left of a reply: texts joined, no signatures, no thoughts, nothing that has no name in the format."""
    return merged(bare(part) for part in parts if not lost(part))


def sorted_out(parts: Iterable[Part]) -> list[Part]:
    """The same as a format has it that keeps text, images and calls apart."""
    order: dict[type[Part], int] = {Text: 0, Media: 1, ToolCall: 2}
    return merged(sorted(stripped(parts), key=lambda part: order[type(part)]))


def expected(parts: Iterable[Part]) -> tuple[Part, ...]:
    """The reply without its thoughts."""
    return tuple(merged(part for part in parts if not is_thought(part) and part != Text("")))
