"""The contract of a wire format: four small pieces, all pure, none of which a format must have.

`Inbound` and `Writer` make a format a surface that clients speak to; `Outbound` and `Reader` make it a language that
upstreams understand. They know no clock, key or network.
"""

from collections.abc import Callable, Sequence
from typing import Protocol

from msgspec import Struct

from gemgate.errors import GemgateError
from gemgate.hub.abilities import Abilities
from gemgate.hub.call import Call, Generate
from gemgate.hub.events import Event, Usage


class Dropped(Struct, frozen=True):
    """Something that the client asked for and will not get; `path` is where, in the client's own request."""

    path: str
    why: str


class Identity(Struct, frozen=True):
    """What a reply is called: facts that a pure writer cannot make up itself.

    `response_id` is random and bare (each format adds its own prefix), `created` in Unix seconds, `model` the name to
    show, `new_id` gives a fresh random id, `family` names the models that will understand what is signed,
    `seconds` tells the time, also in Unix seconds, to formats that say when a reply was over.
    """

    response_id: str
    created: int
    model: str
    new_id: Callable[[], str]
    family: str = ""
    seconds: Callable[[], float] | None = None


class Writer(Protocol):
    """Events → their reply. One object serves one reply, streamed or whole."""

    content_type: bytes
    """Of a streamed reply; whole ones are JSON."""

    @property
    def keepalive(self) -> bytes:
        """What is to be sent next if nothing happens; empty if the format has no such thing."""
        ...

    def stream(self, events: Sequence[Event]) -> bytes:
        """Render the events of one upstream read, to be sent in one write; may be empty.

        Raises the error of a `Failure` among them.
        """
        ...

    def end(self) -> bytes:
        """Close a stream that came to its end."""
        ...

    def failure(self, error: GemgateError) -> bytes:
        """Close a stream that has already begun, with an error."""
        ...

    def whole(self, events: Sequence[Event]) -> bytes:
        """Render the complete run of events as one document; raises the error of a `Failure` among them."""
        ...


class Parsed(Struct, frozen=True):
    """A client's request, understood.

    `write` makes the writer of its reply. `paths` tells where a hub field stood in the request (`sampling.seed` →
    `generationConfig.seed`), so that what an upstream cannot do is reported in the client's own words.
    """

    call: Call
    write: Callable[[Identity], Writer]
    dropped: tuple[Dropped, ...] = ()
    paths: dict[str, str] = {}
    remote: bool = False
    """Whether any media of the call is at an address (`Remote`)."""
    families: frozenset[str] = frozenset()
    """The models whose signatures the client has brought along, as far as it is told."""


class Rendered(Struct, frozen=True):
    """A request for an upstream.

    `body` is its segments, to be sent one after the other (media are slices of the client's own request); `dropped`
    names hub fields, `names` maps renamed functions back.
    """

    body: tuple[bytes | memoryview, ...]
    dropped: tuple[Dropped, ...] = ()
    names: dict[str, str] = {}


class Inbound(Protocol):
    """Their request → `Call`."""

    def __call__(self, body: bytes | memoryview, /) -> Parsed:
        """Parse a request body; raises `InvalidRequest`."""
        ...


class Outbound(Protocol):
    """`Call` → their request."""

    def __call__(self, call: Generate, abilities: Abilities, /) -> Rendered:
        """Render a request body; raises `InvalidRequest` for what cannot be sent and must not be dropped."""
        ...


class Reader(Protocol):
    """Their reply → events. One object reads one reply."""

    @property
    def usage(self) -> Usage:
        """What is known so far, for replies that break off."""
        ...

    def feed(self, *payloads: bytes) -> list[Event]:
        """Read the events that one read of a stream held, or the body of a whole reply."""
        ...

    def end(self) -> list[Event]:
        """Close the reply: what is still open, then usage and finish, or a failure."""
        ...
