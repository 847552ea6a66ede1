"""What every upstream is, on one screen."""

from collections.abc import AsyncIterator, Sequence
from typing import Protocol, TypeVar

from msgspec import Struct

from gemgate.catalog.catalog import Target
from gemgate.hub.call import Generate
from gemgate.hub.codec import Dropped
from gemgate.hub.events import Event
from gemgate.hub.parts import Media
from gemgate.keys.pool import Lease


class Reply(Protocol):
    """An answer that the upstream has accepted to give.

    Iterating gives batches of events, each batch what one read of the upstream held; the last batch ends the reply
    with `Finish` or `Failure`. Leaving early without `aclose` would keep the upstream at work.
    """

    def __aiter__(self) -> AsyncIterator[list[Event]]:
        """Give the batches, once."""
        ...

    async def aclose(self) -> None:
        """Stop the upstream's work; safe to call at any time, more than once."""
        ...


class Prepared(Protocol):
    """A call fitted to an upstream, before anything is sent."""

    @property
    def dropped(self) -> tuple[Dropped, ...]:
        """What the upstream cannot do, by hub field (`sampling.seed`, `reasoning`, `tools.0`)."""
        ...

    @property
    def references(self) -> Sequence[str]:
        """What the upstream keeps that the call refers to (`files/abc`): it belongs to one key and one caller."""
        ...


class Outgoing(Struct, frozen=True, kw_only=True):
    """A request as an upstream would be sent it, without its credential.

    `body` is its segments, `renamed` maps the client's names of functions to those that are sent.
    """

    method: str
    url: str
    body: tuple[bytes | memoryview, ...]
    renamed: dict[str, str] = {}


PreparedT = TypeVar("PreparedT", bound=Prepared)


class Upstream(Protocol[PreparedT]):
    """Something that answers calls.

    `generate` and `count_tokens` raise a `GemgateError`, or an `UpstreamRefusal` when another attempt might do better.
    """

    name: str
    """As the `x-gemgate-upstream` header tells it."""

    @property
    def model_name(self) -> str | None:
        """Its one model, if it answers every name with it."""
        ...

    def by_address(self, media: Media, target: Target) -> Media | None:
        """Give media at an address as the upstream takes them itself; `None` if they shall be fetched for it."""
        ...

    def prepare(self, call: Generate, target: Target) -> PreparedT:
        """Fit a call to a target; pure. Raises `InvalidRequest` for what cannot be sent and must not be dropped."""
        ...

    def outgoing(self, prepared: PreparedT) -> Outgoing:
        """Show what `generate` would send."""
        ...

    async def generate(self, prepared: PreparedT, target: Target, lease: Lease | None) -> Reply:
        """Begin an answer; returns when the upstream has accepted the request."""
        ...

    async def count_tokens(self, prepared: PreparedT, target: Target, lease: Lease | None) -> int:
        """Count the tokens of the prompt."""
        ...
