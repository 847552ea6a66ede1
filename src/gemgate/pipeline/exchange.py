"""One request and its answer: what is known of it, and the one way to answer it."""

from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from typing import Any

from msgspec import Struct

from gemgate.callers.auth import Caller
from gemgate.errors import GemgateError, MethodNotAllowed
from gemgate.hub.codec import Dropped
from gemgate.hub.events import Usage

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Headers = list[tuple[bytes, bytes]]
RenderError = Callable[[GemgateError], tuple[int, bytes]]

WriteAtOnce = Callable[[int, Headers, bytes], bool]
"""Writes a whole answer, if the connection can take it right now."""

LASTING = frozenset({*range(400, 500), 501}) - {408, 409, 429}
"""Statuses of what fails the same way again; some clients ask again for a minute unless they are told."""
MAX_DROPPED_BYTES = 1024
JSON = b"application/json"


class Cors(Struct, frozen=True):
    """Which web pages may read our answers; `*` for all."""

    origins: frozenset[bytes]

    def headers(self, origin: bytes) -> Headers:
        """Give the headers for a page's origin, empty if the request came from no page."""
        if not origin:
            return []
        exposed = (b"access-control-expose-headers", b"*")
        if b"*" in self.origins:
            return [(b"access-control-allow-origin", b"*"), exposed]
        if origin in self.origins:
            return [(b"access-control-allow-origin", origin), (b"vary", b"origin"), exposed]
        return [(b"vary", b"origin")]


class ClientGone(Exception):
    """The client has left; nothing more can be said to it."""


class Leaving:
    """Where a connection tells that it is lost."""

    __slots__ = ("callback",)

    def __init__(self) -> None:
        self.callback: Callable[[], None] | None = None


class Exchange:
    """One request under way, and what its answer's headers will tell."""

    __slots__ = (
        "_by_name",
        "_send",
        "asked_model",
        "at_once",
        "attempts",
        "broke_off",
        "caller",
        "cors",
        "count_usage",
        "dropped",
        "ended",
        "error",
        "headers",
        "leaving",
        "method",
        "path",
        "query",
        "receive",
        "render_error",
        "request_id",
        "request_id_headers",
        "sent_model",
        "started",
        "status",
        "strict",
        "upstream",
        "usage",
    )

    def __init__(
        self,
        *,
        method: str,
        path: str,
        query: bytes,
        headers: Sequence[tuple[bytes, bytes]],
        receive: Receive,
        send: Send,
        request_id: str,
    ) -> None:
        self.method = method
        self.path = path
        self.query = query
        self.headers = headers
        self._by_name = dict(headers)
        self.receive = receive
        self._send = send
        self.request_id = request_id
        self.request_id_headers: tuple[bytes, ...] = (b"x-request-id",)
        self.leaving: Leaving | None = None
        self.at_once: WriteAtOnce | None = None
        self.cors: Headers = []
        self.strict = False
        self.render_error: RenderError | None = None
        self.caller: Caller | None = None
        self.upstream = "none"
        self.attempts = 0
        self.asked_model = ""
        self.sent_model = ""
        self.dropped: list[Dropped] = []
        self.usage: Usage | None = None
        self.count_usage: Callable[[], Usage | None] | None = None
        """Finds the usage of a relayed answer, for who wants to know."""
        self.broke_off = ""
        """Why an answer that had begun was not finished; the client has been told in its stream."""
        self.error: GemgateError | None = None
        """What was answered instead."""
        self.status = 0
        self.started = False
        self.ended = False

    def header(self, name: bytes) -> bytes:
        """Give a request header by its lower-case name, empty if absent."""
        return self._by_name.get(name, b"")

    async def start(self, status: int, content_type: bytes, more: Sequence[tuple[bytes, bytes]] = ()) -> None:
        """Send the head of the answer."""
        headers = self._head(status, content_type, more)
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    def _head(self, status: int, content_type: bytes, more: Sequence[tuple[bytes, bytes]]) -> Headers:
        self.started = True
        self.status = status
        headers: Headers = [(b"content-type", content_type)] if content_type else []
        headers += ((name, self.request_id.encode()) for name in self.request_id_headers)
        headers.append((b"x-gemgate-upstream", self.upstream.encode()))
        headers.append((b"x-gemgate-attempts", b"%d" % (0 if self.upstream == "none" else self.attempts)))
        if self.sent_model and self.sent_model != self.asked_model:
            headers.append((b"x-gemgate-model", header_text(self.sent_model)))
        if self.dropped:
            headers.append((b"x-gemgate-dropped", dropped_header(self.dropped)))
        headers += self.cors
        headers += more
        return headers

    async def send(self, body: bytes, *, more: bool = True) -> None:
        """Send a piece of the body, waiting until the client takes it."""
        if not more:
            self.ended = True
        await self._send({"type": "http.response.body", "body": body, "more_body": more})

    async def answer(
        self, status: int, body: bytes, content_type: bytes = JSON, more: Sequence[tuple[bytes, bytes]] = ()
    ) -> None:
        """Send a whole answer."""
        headers = self._head(status, content_type, [(b"content-length", b"%d" % len(body)), *more])
        if self.at_once is not None and self.method != "HEAD" and self.at_once(status, headers, body):
            self.ended = True
            return
        await self._send({"type": "http.response.start", "status": status, "headers": headers})
        await self.send(b"" if self.method == "HEAD" else body, more=False)

    async def fail(self, error: GemgateError) -> None:
        """Answer with an error, in the client's own format."""
        assert self.render_error is not None
        self.error = error
        status, body = self.render_error(error)
        await self.answer(status, body, more=error_headers(error))


def error_headers(error: GemgateError) -> Headers:
    """Give the headers that go with an error."""
    headers: Headers = []
    if error.retry_after_seconds is not None:
        headers.append((b"retry-after", b"%d" % max(1, -int(-error.retry_after_seconds // 1))))
    if isinstance(error, MethodNotAllowed):
        headers.append((b"allow", ", ".join(error.allow).encode()))
    if error.status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    if error.status in LASTING:
        headers.append((b"x-should-retry", b"false"))
    return headers


def header_text(text: str) -> bytes:
    """Make text safe for a header: visible ASCII, anything else as a question mark."""
    return "".join(char if " " <= char <= "~" else "?" for char in text).encode()


def dropped_header(dropped: Sequence[Dropped]) -> bytes:
    """List what was dropped, each path once, cut where it gets too long."""
    paths = [header_text(path).replace(b",", b"?") for path in dict.fromkeys(item.path for item in dropped)]
    listed = b", ".join(paths)
    if len(listed) <= MAX_DROPPED_BYTES:
        return listed
    cut = listed.rfind(b",", 0, MAX_DROPPED_BYTES)
    return (listed[:cut] + b", " if cut > 0 else b"") + "…".encode()
