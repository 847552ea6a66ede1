"""One call at a time, for clients that can run no more."""

from gemgate.hub.events import BlockDelta, BlockEnd, BlockStart, Event
from gemgate.hub.parts import ToolCall


class SingleCall:
    """Leaves out every call of a choice after its first: the model asks again for what it still needs."""

    def __init__(self) -> None:
        self._called: set[int] = set()
        self._hidden: set[int] = set()

    def filtered(self, events: list[Event]) -> list[Event]:
        """Give the events of one batch without the calls that are too many."""
        return [event for event in events if not self._hides(event)]

    def _hides(self, event: Event) -> bool:
        if not isinstance(event, (BlockStart, BlockDelta, BlockEnd)):
            return False
        choice = event.choice
        if isinstance(event, BlockStart) and isinstance(event.part, ToolCall):
            if choice in self._called:
                self._hidden.add(choice)
            self._called.add(choice)
        hidden = choice in self._hidden
        if isinstance(event, BlockEnd):
            self._hidden.discard(choice)
        return hidden
