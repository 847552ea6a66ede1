"""What WebSocket connections remember: the responses that their next turns may go on from."""

from collections import Counter
from collections.abc import Sequence

from gemgate.errors import Unavailable
from gemgate.protocols.openai_responses.kept import KeptItem, packed

MAX_RESPONSES = 64
MAX_BYTES = 64 << 20
MAX_PROCESS_BYTES = 256 << 20

HISTORY_BYTES = 500
ITEM_BYTES = 300
PLACE_BYTES = 8
"""What a history, an item and its place in a history take besides what they say."""


class SessionMemory:
    """Bounds the bytes that all sessions of a process remember, and what waits in their connections.

    Over the bound the session that was used least recently forgets its oldest history.
    """

    def __init__(self, max_bytes: int = MAX_PROCESS_BYTES) -> None:
        self._max_bytes = max_bytes
        self._sessions: dict[Session, None] = {}
        """Those that remember anything, the least recently used first."""
        self._waiting_bytes = 0
        self.bytes = 0
        """How much is held."""

    def use(self, session: "Session") -> None:
        """A session remembers something, and was used just now."""
        self._sessions.pop(session, None)
        self._sessions[session] = None

    def leave(self, session: "Session") -> None:
        """A session remembers nothing any more."""
        self._sessions.pop(session, None)

    def count(self, more: int) -> None:
        """Sessions remember so many bytes more, or fewer."""
        self.bytes += more

    def make_room(self) -> None:
        """Have sessions forget until all is within the bound."""
        while self.bytes > self._max_bytes and self._sessions:
            next(iter(self._sessions)).forget_oldest()

    def wait(self, size: int) -> None:
        """Hold what waits for its turn; raises `Unavailable` if too much waits already."""
        if self._waiting_bytes + size > self._max_bytes:
            raise Unavailable("Too much waits in the connections of this server. Try again.", retry_after_seconds=1)
        self._waiting_bytes += size
        self.bytes += size
        self.make_room()

    def waited(self, size: int) -> None:
        """Let go of what does not wait any more."""
        self._waiting_bytes -= size
        self.bytes -= size


class Session:
    """Remembers whole histories by the ids of their last responses, also of those that are not stored.

    The oldest is forgotten first; one that alone exceeds `max_bytes` is not remembered. Histories share their items:
    one that goes on from another costs what is new in it. All sessions that share a `memory` have its bound together.
    """

    def __init__(
        self, memory: SessionMemory | None = None, max_responses: int = MAX_RESPONSES, max_bytes: int = MAX_BYTES
    ) -> None:
        self._memory = memory or SessionMemory()
        self._max_responses = max_responses
        self._max_bytes = max_bytes
        self._histories: dict[str, Sequence[KeptItem]] = {}
        self._holders: Counter[int] = Counter()
        """In how many histories an item is, by its identity."""
        self._bytes = 0
        self._closed = False

    def history(self, response_id: str) -> Sequence[KeptItem] | None:
        """Give all that was said up to and with a response; `None` if it is not remembered."""
        found = self._histories.get(response_id)
        if found is not None:
            self._memory.use(self)
        return found

    def keep(self, response_id: str, items: Sequence[KeptItem]) -> None:
        """Remember all that was said up to and with a response."""
        self.forget(response_id)
        if self._closed:
            return
        self._histories[response_id] = items = tuple(items)
        self._count(_own_size(items))
        for item in items:
            if not self._holders[id(item)]:
                self._count(_size(item))
            self._holders[id(item)] += 1
        self._memory.use(self)
        while len(self._histories) > self._max_responses or self._bytes > self._max_bytes:
            self.forget_oldest()
        self._memory.make_room()

    def forget(self, response_id: str) -> None:
        """Forget a response, if it is remembered."""
        items = self._histories.pop(response_id, None)
        if items is None:
            return
        self._count(-_own_size(items))
        for item in items:
            self._holders[id(item)] -= 1
            if not self._holders[id(item)]:
                del self._holders[id(item)]
                self._count(-_size(item))
        if not self._histories:
            self._memory.leave(self)

    def forget_oldest(self) -> None:
        """Forget the response that was kept first; there is one."""
        self.forget(next(iter(self._histories)))

    def close(self) -> None:
        """Forget all, and remember nothing from now on."""
        self._closed = True
        while self._histories:
            self.forget_oldest()

    def _count(self, more: int) -> None:
        self._bytes += more
        self._memory.count(more)


def _own_size(items: Sequence[KeptItem]) -> int:
    return HISTORY_BYTES + PLACE_BYTES * len(items)


def _size(item: KeptItem) -> int:
    return ITEM_BYTES + len(item.item) + len(packed(item.parts))
