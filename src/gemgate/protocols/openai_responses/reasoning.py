"""A reasoning item: what the model thought, in summary, and the seal of what it thinks on from."""

import re

from msgspec import json

from gemgate.protocols.openai_responses.output import OpenItem, Output

HEADING = re.compile(r"(?<=\n\n)\*\*")
"""Each heading begins a part of its own, as in the original: clients show the newest as what is being done."""

encode = json.Encoder().encode


class Reasoning:
    """A reasoning item that is being written."""

    __slots__ = ("_begun", "_held", "_open", "_parts", "_steps", "_tail")

    def __init__(self, output: Output, item_id: str) -> None:
        self._open = OpenItem(output, {"id": item_id, "type": "reasoning"}, {"summary": []})
        self._steps = output.steps
        self._parts: list[dict[str, str]] = []
        self._begun = False
        """Whether a part is open."""
        self._tail = ""
        """How the open part ends."""
        self._held = ""
        """What may be half of a heading's mark."""

    def add(self, text: str) -> None:
        """Add to the summary."""
        if "*" not in text and not self._held:
            self._tell(text)
            return
        text = self._held + text
        self._held = "*" if (self._tail + text).endswith("\n\n*") else ""
        before = len(self._tail)
        seen = self._tail + (text[:-1] if self._held else text)
        start = before
        for heading in HEADING.finditer(seen):
            self._tell(seen[start : heading.start()])
            self._end_part()
            start = heading.start()
        self._tell(seen[start:])

    def next_thought(self) -> None:
        """Say that what comes next is another thought: a heading there begins a part."""
        if self._begun and not self._held:
            self._tail = "\n\n"

    def close(self, encrypted: str | None) -> None:
        """End it; a seal goes along."""
        self._tell(self._held)
        self._end_part()
        become: dict[str, object] = {"summary": self._parts}
        if encrypted is not None:
            become["encrypted_content"] = encrypted
        self._open.close(become)

    def _tell(self, text: str) -> None:
        if not text:
            return
        if not self._begun:
            self._begin_part()
        self._tail = (self._tail + text)[-2:] if len(text) < 2 else text[-2:]
        self._steps.add(text)

    def _begin_part(self) -> None:
        self._begun = True
        more = b',"summary_index":%d' % len(self._parts)
        self._open.tell(b"response.reasoning_summary_part.added", more + b',"part":{"type":"summary_text","text":""}')
        self._open.deltas(b"response.reasoning_summary_text.delta", more)

    def _end_part(self) -> None:
        if not self._begun:
            return
        text = self._steps.added()
        part = {"type": "summary_text", "text": text}
        more = b',"summary_index":%d' % len(self._parts)
        self._open.tell(b"response.reasoning_summary_text.done", more + b',"text":' + encode(text))
        self._open.tell(b"response.reasoning_summary_part.done", more + b',"part":' + encode(part))
        self._parts.append(part)
        self._begun, self._tail = False, ""
