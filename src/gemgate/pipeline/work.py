"""What is to be done about one request, and what has been learnt on the way."""

from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar

from gemgate.catalog.catalog import Target
from gemgate.hub.call import Generate
from gemgate.hub.codec import Parsed
from gemgate.hub.events import Event, Usage
from gemgate.hub.usage import total
from gemgate.keys.pool import Lease
from gemgate.upstreams.refusal import Parameter, UpstreamRefusal

T = TypeVar("T")


class Work(Generic[T]):
    """What is to be done about a request: ask the upstream for an answer, or for a count.

    `bare` after it has refused a signature: the history goes without. `without` names a parameter that it does not
    support. `usage` is what answers have cost that broke off before anything was said.
    """

    __slots__ = ("ask", "bare", "call", "completed", "parsed", "usage", "without")

    def __init__(
        self,
        ask: Callable[[Any, Target, Lease | None], Awaitable[T]],
        parsed: Parsed,
        call: Generate,
    ) -> None:
        self.ask = ask
        self.parsed = parsed
        self.call = call
        self.completed = False
        self.bare = False
        self.without: Parameter | None = None
        self.usage: Usage | None = None

    def split(self, call: Generate) -> "Work[T]":
        """Give the same work for another call."""
        return Work(self.ask, self.parsed, call)

    def gives_in_to(self, refusal: UpstreamRefusal) -> bool:
        """Leave out what the upstream has refused, each kind of thing once; tells whether there was such a thing."""
        if refusal.signature and not self.bare:
            # Signatures of another model, key or provider: once more without them (notes §5.1 rule 11).
            self.bare = True
            return True
        if refusal.unsupported and self.without is None:
            self.without = refusal.unsupported
            return True
        return False

    def may_try_again(self, usage: Usage | None) -> bool:
        """Whether an answer that broke off before anything was said is asked for once more; keeps what it has cost."""
        if self.usage is not None:
            return False
        self.usage = usage or Usage()
        return True

    def counted(self, batch: list[Event]) -> list[Event]:
        """Add what was spent before to the usage."""
        assert self.usage is not None
        spent = self.usage
        return [total((spent, event)) if isinstance(event, Usage) else event for event in batch]
