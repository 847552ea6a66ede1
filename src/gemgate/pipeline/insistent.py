"""An answer that is asked for once more if the model breaks it off before it has said anything."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from gemgate.errors import GemgateError
from gemgate.hub.events import BlockDelta, BlockStart, Event, Finish, ResponseStart
from gemgate.hub.parts import Media, Opaque, Part, Text, Thought
from gemgate.pipeline.contracts import Answer


class Heard:
    """What has been heard of one choice: whether it `said` anything, and whether it `broke` off without."""

    __slots__ = ("_in_text", "broke", "said")

    def __init__(self) -> None:
        self._in_text = False
        self.said = False
        self.broke = False

    def hear(self, events: Sequence[Event]) -> None:
        """Hear the next batch."""
        for event in events:
            if isinstance(event, BlockStart):
                self._in_text = isinstance(event.part, Text)
                self.said = self.said or _says(event.part)
            elif isinstance(event, BlockDelta):
                self.said = self.said or (self._in_text and bool(event.text))
            elif isinstance(event, Finish):
                self.broke = event.reason == "malformed" and not self.said


def _says(part: Part) -> bool:
    """Whether a part is something for the client; thoughts are not, nor is a text before its first letter."""
    match part:
        case Text():
            return bool(part.text)
        case Media():
            return not part.thought
        case Thought() | Opaque():
            return False
        case _:
            return True


class Insistent:
    """A reply of one choice that is asked for once more if it breaks off with nothing said.

    What was told of the first goes on with the second; the usage of both is told. If the second breaks off too, or
    cannot be had, that is the end.
    """

    def __init__(self, ask: Callable[[], Awaitable[Answer]]) -> None:
        self._ask = ask
        self._answer: Answer | None = None

    async def __aiter__(self) -> AsyncIterator[list[Event]]:
        """Give the batches of events."""
        answer, heard = await self._begun(), Heard()
        rest, batch = answer.rest(), answer.first
        while batch is not None:
            heard.hear(batch)
            if heard.broke:
                break
            yield batch
            batch = await anext(rest, None)
        if batch is None:
            return
        told: list[Event] = [event for event in batch if not isinstance(event, Finish)]
        if told:
            yield told
        try:
            answer = await self._begun()
        except GemgateError:
            yield [event for event in batch if isinstance(event, Finish)]
            return
        yield [event for event in answer.first if not isinstance(event, ResponseStart)]
        async for batch in answer.rest():
            yield batch

    async def aclose(self) -> None:
        """Stop the upstream's work."""
        answer, self._answer = self._answer, None
        if answer is not None:
            await answer.aclose()

    async def _begun(self) -> Answer:
        await self.aclose()
        self._answer = await self._ask()
        return self._answer
