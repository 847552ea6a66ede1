"""A call of a function, told while its arguments come."""

from msgspec import json

from gemgate.protocols.openai_responses.output import OpenItem, Output
from gemgate.protocols.shared.arguments import Arguments

encode = json.Encoder().encode


class FunctionCall:
    """A call that is being written."""

    __slots__ = ("_arguments", "_name", "_open", "_steps")

    def __init__(self, output: Output, known: dict[str, object], begun: str) -> None:
        """`known` are the members of the item beside its arguments, `begun` is what is known of those."""
        self._open = OpenItem(output, known, {"arguments": "", "status": "in_progress"})
        self._open.deltas(b"response.function_call_arguments.delta")
        self._steps = output.steps
        self._name = known["name"]
        self._arguments = Arguments("")
        self.add(begun)

    def add(self, text: str) -> None:
        """Add to the arguments; raises nothing, they are looked at in the end."""
        if piece := self._arguments.add(text):
            self._steps.add(piece)

    def end(self) -> None:
        """Close it; raises `UpstreamError` where arguments have been told that make no object."""
        rest = self._arguments.rest() or ("" if self._steps.added() else "{}")
        if rest:
            self._steps.add(rest)
        arguments = self._steps.added()
        more = b',"name":%b,"arguments":%b' % (encode(self._name), encode(arguments))
        self._open.tell(b"response.function_call_arguments.done", more)
        self._open.close({"arguments": arguments, "status": "completed"})
