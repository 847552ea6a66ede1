"""The same format on both sides: bytes go through as they are, and only the token counts are peeked at.

A relayed request may change its key, host, version and the model's name, and where the name asks for something by
suffix, that one field. After a refused thought signature it is sent once more without signatures. Nothing else.
"""

from collections.abc import Sequence
from mmap import mmap
from typing import Protocol

from gemgate.catalog.catalog import Catalog, Target
from gemgate.errors import GemgateError, Timeout, UpstreamError
from gemgate.hub.events import Usage
from gemgate.keys.pool import KeyPool, Lease
from gemgate.net.connection import Body, DeadlineError, Headers, NetworkError, Response
from gemgate.pipeline.attempt import Attempts
from gemgate.pipeline.contracts import Clock
from gemgate.pipeline.exchange import Exchange, error_headers
from gemgate.pipeline.preview import Preview
from gemgate.pipeline.pulse import EVENT_STREAM, Pulse
from gemgate.pipeline.send import STREAM_HEADERS
from gemgate.upstreams.base import Outgoing
from gemgate.upstreams.refusal import UpstreamRefusal


class Peek(Protocol):
    """Watches a reply go by."""

    def feed(self, chunk: bytes) -> None:
        """See the next bytes."""
        ...

    def usage(self) -> Usage | None:
        """Give the token counts seen last."""
        ...


class Readable(Protocol):
    """An answer that is read piece by piece, as `net` gives it."""

    status: int
    headers: Headers

    @property
    def exhausted(self) -> bool:
        """Whether everything there will ever be has been read."""
        ...

    def header(self, name: bytes, /) -> bytes:
        """Give a header, empty if absent."""
        ...

    async def read(self) -> bytes:
        """Give what has come; empty at the end."""
        ...

    async def aclose(self) -> None:
        """Let go of it."""
        ...


class RelayUpstream(Protocol):
    """An upstream that also takes requests in its own language.

    Every method that sends raises `UpstreamRefusal` for statuses of 400 and above.
    """

    name: str

    async def send_model_method(
        self,
        exchange: Exchange,
        version: str,
        target: Target,
        method: str,
        body: bytes | mmap,
        lease: Lease,
        *,
        bare: bool,
    ) -> Response:
        """Send a model method; `bare` takes the signatures out of the body."""
        ...

    def outgoing_method(self, version: str, target: Target, method: str, body: bytes) -> Outgoing:
        """Show what a model method would send."""
        ...

    async def send_resource(
        self, exchange: Exchange, path: str, lease: Lease, body: Body, *, length_bytes: int | None = None
    ) -> Response:
        """Send a request for a resource, whose path begins with the version and ends with the query."""
        ...

    async def send_on(
        self, exchange: Exchange, location: str, lease: Lease | None, body: Body, *, length_bytes: int | None
    ) -> Response:
        """Go on at an address that the upstream has named; the key goes along only if there is a lease."""
        ...

    def served_version(self, version: str) -> str:
        """Choose the version to ask instead of the one that the client named."""
        ...

    def answer_headers(self, headers: Headers) -> Headers:
        """Choose the headers of an answer that are the client's."""
        ...

    def peek(self) -> Peek:
        """Give what watches one reply."""
        ...


class Relay:
    """Relays model methods."""

    def __init__(
        self, upstream: RelayUpstream, pool: KeyPool, catalog: Catalog, clock: Clock, *, max_attempts: int
    ) -> None:
        self._upstream = upstream
        self._pool = pool
        self._catalog = catalog
        self._clock = clock
        self._max_attempts = max_attempts

    async def send(
        self, exchange: Exchange, version: str, model: str, method: str, body: bytes | mmap, pinned: Lease | None
    ) -> tuple[Response, Lease]:
        """Send a model method until somebody answers; gives the answer, not yet read, and whose it is.

        Raises `UpstreamRefusal` with what the upstream said last, or a `GemgateError`.
        """
        today = self._clock.today()
        target = self._catalog.route(model, today)
        exchange.asked_model = target.asked
        limit = self._max_attempts
        attempts = Attempts(
            exchange, self._upstream.name, self._pool, self._catalog, target, limit=limit, today=today, pinned=pinned
        )
        bare = False
        while True:
            lease = attempts.take()
            try:
                response = await self._upstream.send_model_method(
                    exchange, version, attempts.target, method, body, lease, bare=bare
                )
            except UpstreamRefusal as refusal:
                if refusal.signature and not bare:
                    bare = True
                else:
                    await attempts.refused(refusal)
                continue
            attempts.worked()
            return response, lease

    def preview(self, version: str, model: str, method: str, body: bytes) -> Preview:
        """Tell what would be sent for a model method."""
        target = self._catalog.route(model, self._clock.today())
        outgoing = self._upstream.outgoing_method(version, target, method, body)
        return Preview(self._upstream.name, target.asked, target.model, outgoing, [])


async def pass_on(
    exchange: Exchange,
    upstream: RelayUpstream,
    response: Readable,
    more: Sequence[tuple[bytes, bytes]] = (),
    pulse: Pulse | None = None,
) -> None:
    """Hand an upstream's answer to the client as it comes; a `pulse` may have begun it."""
    peek = upstream.peek()
    content_type = response.header(b"content-type")
    try:
        chunk = await response.read()
        headers = [*upstream.answer_headers(response.headers), *more]
        if content_type.startswith(EVENT_STREAM):
            headers += STREAM_HEADERS
        if response.exhausted and exchange.method != "HEAD" and not exchange.started:
            peek.feed(chunk)
            told = [(name, value) for name, value in headers if name != b"content-length"]
            await exchange.answer(response.status, chunk, content_type, told)
            return
        if not exchange.started:
            await exchange.start(response.status, content_type, headers)
        elif not content_type.startswith(EVENT_STREAM):
            raise NetworkError("The upstream's answer is no event stream.")
        while chunk:
            peek.feed(chunk)
            if response.exhausted:
                break
            await exchange.send(chunk if pulse is None else pulse.passed(chunk))
            chunk = await response.read()
        await exchange.send(chunk if pulse is None else pulse.passed(chunk), more=False)
    except NetworkError as fault:
        error = Timeout(str(fault)) if isinstance(fault, DeadlineError) else UpstreamError(str(fault))
        if not exchange.started:
            raise error from fault
        await break_off(exchange, error, EVENT_STREAM if pulse is not None else content_type, pulse)
    finally:
        exchange.count_usage = peek.usage
        await response.aclose()


async def break_off(
    exchange: Exchange, error: GemgateError, content_type: bytes = EVENT_STREAM, pulse: Pulse | None = None
) -> None:
    """End an answer that the upstream did not finish: with an error where that can be told, else by hanging up."""
    assert exchange.render_error is not None
    exchange.broke_off = error.message
    if content_type.startswith(EVENT_STREAM):
        event = b"data: " + exchange.render_error(error)[1] + b"\r\n\r\n"
        await exchange.send(event if pulse is None else pulse.passed(event), more=False)
    else:
        exchange.ended = True


async def pass_refusal_on(exchange: Exchange, upstream: RelayUpstream, refusal: UpstreamRefusal) -> None:
    """Hand the upstream's own error to the client; raises ours if it is about our key, or if there is none."""
    if refusal.kind == "key" or refusal.status == 0:
        raise refusal.error
    kept = upstream.answer_headers(refusal.headers)
    headers = [(name, value) for name, value in kept if name not in (b"content-length", b"retry-after")]
    content_type = next((value for name, value in refusal.headers if name == b"content-type"), b"application/json")
    await exchange.answer(refusal.status, refusal.body, content_type, [*headers, *error_headers(refusal.error)])
