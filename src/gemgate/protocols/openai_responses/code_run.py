"""Code that the upstream runs: a call of the interpreter, with what came of it."""

from msgspec import json

from gemgate.hub.parts import Media
from gemgate.protocols.openai_responses.output import OpenItem, Output
from gemgate.protocols.shared.media_text import media_url

STATUSES = {"ok": "completed", "": "completed", "deadline_exceeded": "incomplete"}
"""By the outcome; any other has failed."""

encode = json.Encoder().encode


class CodeRun:
    """A call that is being written, and waits for what comes of it."""

    __slots__ = ("_code", "_open", "_outputs", "_status", "_steps", "over")

    def __init__(self, output: Output, item_id: str, container_id: str) -> None:
        known: dict[str, object] = {"id": item_id, "type": "code_interpreter_call", "container_id": container_id}
        self._open = OpenItem(output, known, {"status": "in_progress", "code": "", "outputs": None})
        self._open.tell(b"response.code_interpreter_call.in_progress")
        self._open.deltas(b"response.code_interpreter_call_code.delta")
        self._steps = output.steps
        self._code = ""
        self._outputs: list[dict[str, str]] | None = None
        self._status = "incomplete"
        self.over = False
        """Whether it has a result."""

    def add(self, text: str) -> None:
        """Add to the code."""
        if text:
            self._steps.add(text)

    def run(self) -> None:
        """Say that the code is complete."""
        self._code = self._steps.added()
        self._open.tell(b"response.code_interpreter_call_code.done", b',"code":' + encode(self._code))
        self._open.tell(b"response.code_interpreter_call.interpreting")

    def result(self, outcome: str, printed: str) -> None:
        """Take what it has printed."""
        self.over = True
        self._status = STATUSES.get(outcome, "failed")
        self._outputs = [{"type": "logs", "logs": printed}] if printed else []

    def draw(self, image: Media) -> None:
        """Take an image that it has drawn."""
        self._outputs = [*(self._outputs or ()), {"type": "image", "url": media_url(image)}]

    def close(self) -> None:
        """End it; without a result it stays incomplete."""
        if self.over:
            self._open.tell(b"response.code_interpreter_call.completed")
        self._open.close({"status": self._status, "code": self._code, "outputs": self._outputs})
