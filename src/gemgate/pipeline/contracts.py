"""What the pipeline needs of others: the time, answers, a memory, and who owns what."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import date
from typing import Protocol

from msgspec import Struct

from gemgate.callers.auth import Caller
from gemgate.hub.call import Generate
from gemgate.hub.events import Event
from gemgate.keys.pool import Lease


class Clock(Struct, frozen=True):
    """Where time and randomness come from: Unix seconds, today's date, and fresh ids of `[A-Za-z0-9]`."""

    seconds: Callable[[], float]
    today: Callable[[], date]
    new_id: Callable[[], str]


class Answer(Protocol):
    """A reply that has begun."""

    @property
    def first(self) -> list[Event]:
        """Its first batch of events."""
        ...

    def rest(self) -> AsyncIterator[list[Event]]:
        """Give the batches after the first."""
        ...

    async def aclose(self) -> None:
        """Stop the upstream's work, if it is not done."""
        ...


class Watching(Protocol):
    """Sees a reply go by and keeps what it has to be remembered for."""

    def see(self, events: list[Event]) -> None:
        """See the next batch."""
        ...

    def keep(self) -> None:
        """The reply is over, or broke off."""
        ...


class Filled(Struct, frozen=True):
    """A call with what was missing in its history; `names` are those of what was put back."""

    call: Generate
    names: tuple[bytes, ...] = ()


class Memory(Protocol):
    """What clients lose of their histories, and get back."""

    async def filled(self, call: Generate, caller_id: str, family: str, *, everything: bool) -> Filled:
        """Put back what is missing in a call's history."""
        ...

    def forget(self, names: Sequence[bytes]) -> None:
        """Put these back no more: the upstream has refused them."""
        ...

    def watch(self, call: Generate, caller_id: str, family: str) -> Watching:
        """Watch the reply to a call."""
        ...


KeyOf = Callable[[Caller, Sequence[str]], Awaitable[Lease | None]]
"""Finds the key that owns what a caller's request refers to; raises `NotFound` for what is somebody else's."""
