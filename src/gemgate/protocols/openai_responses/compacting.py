"""Events → a response whose one item is the conversation made short: what the model says is a summary of it."""

from collections.abc import Callable
from typing import assert_never

from gemgate.errors import BrokenAnswer, UpstreamError
from gemgate.hub.events import (
    BlockDelta,
    BlockEnd,
    BlockStart,
    Citations,
    Event,
    Failure,
    Finish,
    Logprobs,
    PagesRead,
    ResponseStart,
    Usage,
)
from gemgate.hub.parts import Text
from gemgate.protocols.openai_responses.compaction import sealed_summary
from gemgate.protocols.openai_responses.ending import Ending
from gemgate.protocols.openai_responses.output import OpenItem, Output

FINISHED = frozenset({"stop", "length"})
"""A summary that a limit cut off is still worth having."""


class Compacting:
    """The state of a summary; it takes the place of an `Answer`."""

    __slots__ = ("_in_text", "_new_id", "_output", "_over", "_pieces", "usage")

    def __init__(self, output: Output, new_id: Callable[[], str]) -> None:
        self._output = output
        self._new_id = new_id
        self._pieces: list[str] = []
        self._in_text = False
        self._over = False
        self.usage = Usage()

    @property
    def ending(self) -> Ending:
        """How it has ended; raises `UpstreamError` if it has not."""
        if not self._over:
            raise UpstreamError("The upstream's answer broke off before its end. Try again.")
        return Ending()

    def feed(self, event: Event) -> None:
        """Take an event; raises the error of a `Failure`."""
        match event:
            case Usage():
                self.usage = event
            case Failure():
                raise event.error
            case BlockStart(choice=0, part=part):
                self._in_text = isinstance(part, Text)
                if isinstance(part, Text):
                    self._pieces.append(part.text)
            case BlockDelta(choice=0, text=text):
                self.delta(text)
            case Finish(choice=0):
                self._finish(event)
            case (
                ResponseStart()
                | BlockStart()
                | BlockDelta()
                | BlockEnd()
                | Citations()
                | PagesRead()
                | Logprobs()
                | Finish()
            ):
                pass  # nothing of the summary
            case _:
                assert_never(event)

    def delta(self, text: str) -> None:
        """Add to the part that has begun."""
        if self._in_text:
            self._pieces.append(text)

    def _finish(self, finish: Finish) -> None:
        text = "".join(self._pieces).strip()
        if not text or finish.reason not in FINISHED:
            self._pieces.clear()  # another may follow in the place of one that broke off
            message = f"The model wrote no summary ({finish.detail}). {finish.message}".rstrip()
            raise UpstreamError(message) if finish.reason == "content_filter" else BrokenAnswer(message)
        known: dict[str, object] = {"id": f"cmp_{self._new_id()}", "type": "compaction"}
        item = OpenItem(self._output, known, {"encrypted_content": ""})
        item.close({"encrypted_content": sealed_summary(text)})
        self._over = True
