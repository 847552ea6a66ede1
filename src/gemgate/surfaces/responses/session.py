"""What a WebSocket connection remembers: the responses that its next turns may go on from."""

from collections import Counter
from collections.abc import Sequence

from gemgate.protocols.openai_responses.kept import KeptItem, packed

MAX_RESPONSES = 64
MAX_BYTES = 64 << 20


class Session:
    """Remembers whole histories by the ids of their last responses, also of those that are not stored.

    The oldest is forgotten first; one that alone exceeds `max_bytes` is not remembered. Histories share their items:
    one that goes on from another costs what is new in it.
    """

    def __init__(self, max_responses: int = MAX_RESPONSES, max_bytes: int = MAX_BYTES) -> None:
        self._max_responses = max_responses
        self._max_bytes = max_bytes
        self._histories: dict[str, Sequence[KeptItem]] = {}
        self._holders: Counter[int] = Counter()
        """In how many histories an item is, by its identity."""
        self._bytes = 0

    def history(self, response_id: str) -> Sequence[KeptItem] | None:
        """Give all that was said up to and with a response; `None` if it is not remembered."""
        return self._histories.get(response_id)

    def keep(self, response_id: str, items: Sequence[KeptItem]) -> None:
        """Remember all that was said up to and with a response."""
        self.forget(response_id)
        self._histories[response_id] = items = tuple(items)
        for item in items:
            if not self._holders[id(item)]:
                self._bytes += _size(item)
            self._holders[id(item)] += 1
        while len(self._histories) > self._max_responses or self._bytes > self._max_bytes:
            self.forget(next(iter(self._histories)))

    def forget(self, response_id: str) -> None:
        """Forget a response, if it is remembered."""
        for item in self._histories.pop(response_id, ()):
            self._holders[id(item)] -= 1
            if not self._holders[id(item)]:
                del self._holders[id(item)]
                self._bytes -= _size(item)


def _size(item: KeptItem) -> int:
    return len(item.item) + len(packed(item.parts))
