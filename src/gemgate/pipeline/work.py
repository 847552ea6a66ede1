"""What is to be done about one request, and what has been learnt on the way."""

from collections.abc import Awaitable, Callable
from typing import Any, Generic, TypeVar

from msgspec import Struct
from msgspec.structs import replace

from gemgate.catalog.catalog import Target
from gemgate.hub.call import Generate
from gemgate.hub.codec import Parsed
from gemgate.hub.events import Event, Usage
from gemgate.hub.usage import total
from gemgate.keys.pool import Lease
from gemgate.upstreams.refusal import Parameter, UpstreamRefusal

T = TypeVar("T")


class Learnt(Struct, frozen=True):
    """What the upstream's refusals have taught.

    `bare`: it refuses a signature, so the history goes without. `without`: a parameter that it does not support.
    """

    bare: bool = False
    without: Parameter | None = None


NOTHING = Learnt()


class Work(Generic[T]):
    """What is to be done about a request: ask the upstream for an answer, or for a count.

    `recalled` names what was put back into its history. `usage` is what answers have cost that broke off before
    anything was said.
    """

    __slots__ = ("_heeded", "_school", "ask", "call", "completed", "insists", "parsed", "recalled", "usage")

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
        self.insists = True
        """Whether an answer that breaks off may be asked for again as a whole."""
        self.recalled: tuple[bytes, ...] = ()
        self.usage: Usage | None = None
        self._heeded = NOTHING
        self._school = [NOTHING]  # one for all the works that this one is split into

    @property
    def learnt(self) -> Learnt:
        """What refusals have taught so far, of this work or of one that it was split from."""
        return self._school[0]

    def split(self, call: Generate) -> "Work[T]":
        """Give the same work for another call; what one of them learns, all of them know."""
        made = Work(self.ask, self.parsed, call)
        made._school = self._school
        return made

    def heeded(self) -> Learnt:
        """Give what is learnt, to be heeded by the next request."""
        self._heeded = self.learnt
        return self._heeded

    def gives_in_to(self, refusal: UpstreamRefusal) -> bool:
        """Leave out what the upstream has refused, each kind of thing once; tells whether there was such a thing."""
        learnt, heeded = self.learnt, self._heeded
        if refusal.signature and not heeded.bare:
            # Signatures of another model, key or provider: once more without them (notes §5.1 rule 11).
            self._school[0] = replace(learnt, bare=True)
            return True
        if refusal.unsupported and heeded.without is None:
            self._school[0] = replace(learnt, without=learnt.without or refusal.unsupported)
            return True
        return False

    def may_try_again(self, usage: Usage | None) -> bool:
        """Whether an answer that broke off before anything was said is asked for once more; keeps what it has cost."""
        if self.usage is not None or not self.insists:
            return False
        self.usage = usage or Usage()
        return True

    def counted(self, batch: list[Event]) -> list[Event]:
        """Add what was spent before to the usage."""
        assert self.usage is not None
        spent = self.usage
        return [total((spent, event)) if isinstance(event, Usage) else event for event in batch]
