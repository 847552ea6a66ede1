"""A call of a tool whose item can be written only when all of its arguments are there."""

from msgspec import json

from gemgate.protocols.openai_responses.call_actions import ITEMS, action
from gemgate.protocols.openai_responses.output import OpenItem, Output
from gemgate.protocols.openai_responses.style import Called
from gemgate.protocols.shared.free_input import free_input

encode = json.Encoder().encode


class HeldCall:
    """A call that is held until its end."""

    __slots__ = ("_call_id", "_called", "_new_id", "_output", "_pieces")

    def __init__(self, output: Output, called: Called, ids: tuple[str, str], begun: str) -> None:
        """`ids` are a fresh one for the item and that of the call; `begun` is what is known of the arguments."""
        self._output = output
        self._called = called
        self._new_id, self._call_id = ids
        self._pieces = [begun]

    def add(self, text: str) -> None:
        """Add to the arguments."""
        self._pieces.append(text)

    def end(self) -> None:
        """Write the item."""
        arguments = "".join(self._pieces)
        kind = self._called.kind
        if kind is None or kind == "custom":
            self._custom(free_input(arguments))
            return
        kind_of_item, prefix = ITEMS[kind]
        known: dict[str, object] = {"id": f"{prefix}_{self._new_id}", "type": kind_of_item, "call_id": self._call_id}
        done = action(kind, arguments)
        item = OpenItem(self._output, known, done | {"status": "in_progress"})
        item.close(done | {"status": "completed"})

    def _custom(self, text: str) -> None:
        known: dict[str, object] = {
            "id": f"ctc_{self._new_id}",
            "type": "custom_tool_call",
            "call_id": self._call_id,
            "name": self._called.name,
        }
        if self._called.namespace:
            known["namespace"] = self._called.namespace
        item = OpenItem(self._output, known, {"input": "", "status": "in_progress"})
        item.deltas(b"response.custom_tool_call_input.delta")
        self._output.steps.add(text)
        item.tell(b"response.custom_tool_call_input.done", b',"input":' + encode(text))
        item.close({"input": text, "status": "completed"})
