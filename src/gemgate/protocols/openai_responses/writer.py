"""Events → a response, event by event or whole. Source: notes §6.3 and what the original was recorded to send."""

from collections.abc import Sequence

from gemgate.errors import GemgateError
from gemgate.hub.codec import Identity
from gemgate.hub.events import BlockDelta, Event, Failure
from gemgate.protocols.openai_responses.answer import Answer
from gemgate.protocols.openai_responses.compacting import Compacting
from gemgate.protocols.openai_responses.kept import Finished
from gemgate.protocols.openai_responses.output import Output
from gemgate.protocols.openai_responses.response import BEGUN, QUEUED, ResponseFrame, State, broken, ended
from gemgate.protocols.openai_responses.steps import Steps, Untold
from gemgate.protocols.openai_responses.stream import StreamedSteps
from gemgate.protocols.openai_responses.style import Style

PLAIN = Style()
Machine = Answer | Compacting


class ResponsesWriter:
    """Writes one reply.

    `finished` is set as soon as it is over: by `whole`, `end` or `failure`.
    """

    def __init__(self, identity: Identity, *, style: Style = PLAIN) -> None:
        in_events = style.framing == "events"
        self.content_type = b"text/event-stream; charset=utf-8" if in_events else b"application/jsonl"
        self.finished: Finished | None = None
        self._identity = identity
        self._style = style
        self._frame = ResponseFrame(identity, style)
        self._steps = StreamedSteps(style.framing)
        self._streamed: tuple[Machine, Output] | None = None

    @property
    def keepalive(self) -> bytes:
        """An event, for the timers of clients see no comments (nor pings); one that every client knows."""
        if self._streamed is None:
            self._begun()
        else:
            self._steps.tell(b"response.in_progress", b'"response":' + self._frame.document(BEGUN))
        return self._steps.taken()

    def stream(self, events: Sequence[Event]) -> bytes:
        """Render one batch of events."""
        if self._streamed is None:
            if not events:
                return b""
            if isinstance(events[0], Failure):
                raise events[0].error
        answer, _ = self._begun()
        _tell(answer, events)
        return self._steps.taken()

    def end(self) -> bytes:
        """Give the whole response, whose status and counts are known only now."""
        answer, output = self._begun()
        name = b"response." + answer.ending.status.encode()
        self._finish(
            answer.ending.status,
            name,
            ended(answer.ending, output.documents(), answer.usage, self._identity.seconds),
            output,
        )
        return self._steps.taken()

    def failure(self, error: GemgateError) -> bytes:
        """End with a response that has failed, whatever is open: clients do without the unfinished item."""
        _, output = self._begun()
        self._finish("failed", b"response.failed", broken(error, output.documents()), output)
        return self._steps.taken()

    def whole(self, events: Sequence[Event]) -> bytes:
        """Render a response."""
        answer, output = self._answer(Untold())
        _tell(answer, events)
        state = ended(answer.ending, output.documents(), answer.usage, self._identity.seconds)
        return self._settled(answer.ending.status, self._frame.document(state), output)

    def _answer(self, steps: Steps) -> tuple[Machine, Output]:
        style, identity = self._style, self._identity
        if style.compacts:
            output = Output(steps, keeps_parts=False)  # all is in its one item
            return Compacting(output, identity.new_id), output
        output = Output(steps, keeps_parts=style.keeps_parts)
        container_id = f"cntr_{self._frame.id.removeprefix('resp_')}"
        return Answer(output, identity.new_id, style, family=identity.family, container_id=container_id), output

    def _begun(self) -> tuple[Machine, Output]:
        if self._streamed is None:
            self._streamed = self._answer(self._steps)
            begun = self._frame.document(BEGUN)
            if self._style.queued:
                queued = self._frame.document(QUEUED)
                self._steps.tell(b"response.created", b'"response":' + queued)
                self._steps.tell(b"response.queued", b'"response":' + queued)
            else:
                self._steps.tell(b"response.created", b'"response":' + begun)
            self._steps.tell(b"response.in_progress", b'"response":' + begun)
        return self._streamed

    def _finish(self, status: str, name: bytes, state: State, output: Output) -> None:
        document = self._settled(status, self._frame.document(state), output)
        self._steps.tell(name, b'"response":' + document)

    def _settled(self, status: str, document: bytes, output: Output) -> bytes:
        self.finished = Finished(self._frame.id, status, document, output.kept())
        return document


def queued(identity: Identity, style: Style) -> bytes:
    """Write the response that waits for its turn in the background."""
    return ResponseFrame(identity, style).document(QUEUED)


def _tell(answer: Machine, events: Sequence[Event]) -> None:
    for told in events:
        if type(told) is BlockDelta:  # by far the most frequent
            if told.choice == 0:
                answer.delta(told.text)
        else:
            answer.feed(told)
