"""A message of the output: text, with the sources it rests on."""

from collections.abc import Sequence
from typing import Literal

from msgspec import json

from gemgate.hub.events import TokenLogprob
from gemgate.protocols.openai_responses.annotations import annotations
from gemgate.protocols.openai_responses.output import OpenItem, Output
from gemgate.protocols.shared.cited import Cited
from gemgate.protocols.shared.logprobs import token_object
from gemgate.protocols.shared.track import ContentTrack

Status = Literal["completed", "incomplete"]

FIRST = b',"content_index":0'

encode = json.Encoder().encode


class Message:
    """A message that is being written; `begun` is how many characters the answer had said before."""

    __slots__ = ("_begun", "_logprobs", "_open", "_steps", "_track", "add")

    def __init__(self, output: Output, item_id: str, begun: int) -> None:
        known: dict[str, object] = {"id": item_id, "type": "message", "role": "assistant"}
        self._open = OpenItem(output, known, {"status": "in_progress", "content": []})
        self._open.tell(b"response.content_part.added", FIRST + b',"part":' + encode(_part("", [], [])))
        self._open.deltas(b"response.output_text.delta", FIRST + b',"logprobs":[]')
        self._steps = output.steps
        self.add = output.steps.add
        """Adds the model's own words."""
        self._begun = begun
        self._track = ContentTrack()
        self._logprobs: list[dict[str, object]] = []

    def insert(self, text: str) -> None:
        """Add what stands for something else than words."""
        self._track.visible = self._visible()
        self._track.inserted(text)
        self.add(text)

    def weigh(self, tokens: Sequence[TokenLogprob]) -> None:
        """Keep the probabilities of tokens."""
        self._logprobs += map(token_object, tokens)

    def close(self, status: Status, cited: Cited) -> int:
        """End it, and give how many characters the answer has said by now."""
        text = self._steps.added()
        self._track.visible = self._visible()
        found = annotations(cited, self._begun, self._track)
        for index, annotation in enumerate(found):
            more = b',"annotation_index":%d,"annotation":%b' % (index, encode(annotation))
            self._open.tell(b"response.output_text.annotation.added", FIRST + more)
        more = b',"text":%b,"logprobs":%b' % (encode(text), encode(self._logprobs))
        self._open.tell(b"response.output_text.done", FIRST + more)
        part = _part(text, found, self._logprobs)
        self._open.tell(b"response.content_part.done", FIRST + b',"part":' + encode(part))
        self._open.close({"status": status, "content": [part]})
        return self._begun + self._track.visible

    def _visible(self) -> int:
        return len(self._steps.added()) - (self._track.length - self._track.visible)


def _part(text: str, found: list[dict[str, object]], logprobs: list[dict[str, object]]) -> dict[str, object]:
    return {"type": "output_text", "annotations": found, "logprobs": logprobs, "text": text}
