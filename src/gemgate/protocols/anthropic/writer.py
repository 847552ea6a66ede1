"""Events → messages, event by event or whole. Source: notes §6.4 and what the original was recorded to send."""

from collections.abc import Sequence

from msgspec import json

from gemgate.errors import GemgateError
from gemgate.hub.codec import Identity
from gemgate.hub.events import BlockDelta, Event, Failure, ResponseStart
from gemgate.protocols.anthropic.answer import Answer
from gemgate.protocols.anthropic.ending import Ending
from gemgate.protocols.anthropic.errors import render
from gemgate.protocols.anthropic.gathered import GatheredBlocks
from gemgate.protocols.anthropic.steps import Block, Steps
from gemgate.protocols.anthropic.stream import PING, StreamedBlocks, event
from gemgate.protocols.anthropic.style import Style
from gemgate.protocols.anthropic.usage import delta_usage, first_usage, usage_object

PLAIN = Style()
STOP = b'event: message_stop\ndata: {"type":"message_stop"}\n\n'

encode = json.Encoder().encode


class MessagesWriter:
    """Writes one reply."""

    content_type = b"text/event-stream; charset=utf-8"
    keepalive = PING

    def __init__(self, identity: Identity, *, style: Style = PLAIN) -> None:
        self._identity = identity
        self._style = style
        self._blocks = StreamedBlocks()
        self._streamed: Answer | None = None

    def stream(self, events: Sequence[Event]) -> bytes:
        """Render one batch of events."""
        if self._streamed is None:
            if not events:
                return b""
            self._streamed = self._begun(events[0])
        _tell(self._streamed, events)
        return self._blocks.taken()

    def end(self) -> bytes:
        """Give the reason and the counts, which are known only now, and the end mark."""
        answer = self._streamed or self._answer(self._blocks)
        ended: dict[str, object] = {"delta": _ended(answer.ending), "usage": delta_usage(answer.usage, answer.sources)}
        return event(b"message_delta", ended) + STOP

    def failure(self, error: GemgateError) -> bytes:
        """End with an error event, whatever is open: SDKs raise it."""
        return b"event: error\ndata: %s\n\n" % render(error)[1]

    def whole(self, events: Sequence[Event]) -> bytes:
        """Render a message."""
        gathered = GatheredBlocks()
        answer = self._answer(gathered)
        _tell(answer, events)
        usage = usage_object(answer.usage, answer.sources)
        return encode(self._message(gathered.blocks, usage) | _ended(answer.ending))

    def _answer(self, steps: Steps) -> Answer:
        return Answer(steps, self._identity.new_id, self._style, self._identity.family)

    def _begun(self, first: Event) -> Answer:
        if isinstance(first, Failure):
            raise first.error
        start = first if isinstance(first, ResponseStart) else ResponseStart("", "")
        self._blocks.send(event(b"message_start", {"message": self._message([], first_usage(start))}))
        return self._answer(self._blocks)

    def _message(self, content: list[Block], usage: dict[str, object]) -> dict[str, object]:
        return {
            "id": f"msg_{self._identity.response_id}",
            "type": "message",
            "role": "assistant",
            "model": self._identity.model,
            "content": content,
            "stop_reason": None,
            "stop_sequence": None,
            "stop_details": None,
            "usage": usage,
            "container": None,
        }


def _tell(answer: Answer, events: Sequence[Event]) -> None:
    for told in events:
        if type(told) is BlockDelta:  # by far the most frequent
            if told.choice == 0:
                answer.delta(told.text)
        else:
            answer.feed(told)


def _ended(ending: Ending) -> dict[str, object]:
    return {"stop_reason": ending.stop_reason, "stop_sequence": None, "stop_details": ending.details}
