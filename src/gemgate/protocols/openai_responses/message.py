"""A message of the output: text, with the sources it rests on."""

from collections.abc import Iterable
from typing import Literal

from msgspec import json

from gemgate.hub.events import Citation, TokenLogprob
from gemgate.protocols.openai_responses.annotations import annotation
from gemgate.protocols.openai_responses.output import OpenItem, Output
from gemgate.protocols.shared.logprobs import token_object
from gemgate.protocols.shared.track import ContentTrack

Status = Literal["completed", "incomplete"]

FIRST = b',"content_index":0'

encode = json.Encoder().encode


class Message:
    """A message that is being written; `begun` is how many characters the answer had said before.

    Sources and probabilities that it is given after its end are in the whole response alone.
    """

    __slots__ = ("_annotations", "_logprobs", "_open", "_steps", "_text", "_told", "_track", "add", "begun")

    def __init__(self, output: Output, item_id: str, begun: int) -> None:
        self._open = open_message(output, item_id)
        self._open.tell(b"response.content_part.added", BEGUN)
        self._open.deltas(b"response.output_text.delta", FIRST + b',"logprobs":[]')
        self._steps = output.steps
        self.add = output.steps.add
        """Adds the model's own words."""
        self.begun = begun
        self._track = ContentTrack()
        self._text: str | None = None
        self._annotations: dict[tuple[str | int, ...], dict[str, str | int]] = {}
        self._logprobs: list[dict[str, object]] = []
        self._told = 0
        """How many of both were there when it was closed."""

    @property
    def end(self) -> int:
        """How many characters the answer has said by its end; known when it has stopped."""
        return self.begun + self._track.visible

    def insert(self, text: str) -> None:
        """Add what stands for something else than words."""
        self._measure(self._steps.added())
        self._track.inserted(text)
        self.add(text)

    def stop(self) -> None:
        """Take no more text."""
        if self._text is None:
            self._text = self._steps.added()
            self._measure(self._text)

    def cite(self, citation: Citation, title: str) -> None:
        """Take a source. Several may be the same one, cut at the end of the text."""
        found = annotation(citation, title, self.begun, self._track)
        self._annotations.setdefault(tuple(found.values()), found)

    def weigh(self, tokens: Iterable[TokenLogprob]) -> None:
        """Take the probabilities of tokens."""
        self._logprobs += map(token_object, tokens)

    def close(self, status: Status) -> None:
        """End it, once it has stopped."""
        part = self._content()
        if self._steps.told:
            self._tell(part)
        self._open.close({"status": status, "content": [part]})
        self._told = len(self._annotations) + len(self._logprobs)

    def _tell(self, part: dict[str, object]) -> None:
        for index, found in enumerate(self._annotations.values()):
            more = b',"annotation_index":%d,"annotation":%b' % (index, encode(found))
            self._open.tell(b"response.output_text.annotation.added", FIRST + more)
        more = b',"text":%b,"logprobs":%b' % (encode(self._text), encode(self._logprobs))
        self._open.tell(b"response.output_text.done", FIRST + more)
        self._open.tell(b"response.content_part.done", FIRST + b',"part":' + encode(part))

    def amend(self) -> None:
        """Write it anew where it was given more since it was closed, amid the answer and so complete."""
        if self._told < len(self._annotations) + len(self._logprobs):
            self._open.amend({"status": "completed", "content": [self._content()]})

    def _content(self) -> dict[str, object]:
        return _part(self._text or "", list(self._annotations.values()), self._logprobs)

    def _measure(self, text: str) -> None:
        self._track.visible = len(text) - (self._track.length - self._track.visible)


def open_message(output: Output, item_id: str) -> OpenItem:
    """Open a message that has no content yet."""
    known: dict[str, object] = {"id": item_id, "type": "message", "role": "assistant"}
    return OpenItem(output, known, {"status": "in_progress", "content": []})


def _part(text: str, found: list[dict[str, str | int]], logprobs: list[dict[str, object]]) -> dict[str, object]:
    return {"type": "output_text", "annotations": found, "logprobs": logprobs, "text": text}


BEGUN = FIRST + b',"part":' + encode(_part("", [], []))
