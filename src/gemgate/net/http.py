"""An HTTP client for upstreams: `open` a request, `read` its answer, `aclose` it.

Our own, because the hot path is what gemgate exists for (`docs/decisions/0002-own-http-client.md`). It speaks HTTP/1.1
over TCP and TLS, keeps connections, and goes through proxies. Nothing else needs to know how.
"""

import asyncio
import ssl
from collections.abc import Sequence
from mmap import mmap
from string import punctuation
from urllib.parse import quote

from msgspec import Struct

from gemgate.net.body import Body, length
from gemgate.net.connection import (
    ConnectError,
    Connection,
    DeadlineError,
    Deadlines,
    NetworkError,
    Response,
)
from gemgate.net.proxy import Proxies, tunnel
from gemgate.net.url import Origin

MAX_IDLE_CONNECTIONS = 256
MAX_IDLE_SECONDS = 50.0
STALE_WITHIN_SECONDS = 1.0


class Request(Struct, frozen=True, kw_only=True):
    """What to ask for. `headers` are complete but for Host and the body's length; `target` is path and query.

    A body of bytes or segments can be sent again when a kept connection turns out to be dead; a stream of
    `length_bytes`, or of unknown length, cannot. `address` is the IP address to connect to, where somebody has checked
    it; nobody resolves the host then, while the Host header and the certificate stay the origin's.
    """

    origin: Origin
    method: str
    target: str
    headers: Sequence[tuple[bytes, bytes]]
    body: Body = b""
    length_bytes: int | None = None
    address: str | None = None


Destination = Origin | tuple[Origin, str]
"""What a kept connection leads to: an origin, wherever that is, or at one address."""


class HttpClient:
    """Connections to any number of origins; without `keep_connections`, each serves one request."""

    def __init__(
        self, deadlines: Deadlines | None = None, proxies: Proxies | None = None, *, keep_connections: bool = True
    ) -> None:
        self._deadlines = deadlines or Deadlines()
        self._proxies = proxies or Proxies({})
        self._idle: dict[Destination, list[Connection]] = {}
        self._tls: ssl.SSLContext | None = None
        self._keeping = keep_connections

    async def open(self, request: Request) -> Response:
        """Send a request and give its answer once the head has come.

        Raises `ConnectError` if nothing was sent, `DeadlineError`, or another `NetworkError`.
        """
        replayable = isinstance(request.body, (bytes, mmap, tuple))
        chunked = not replayable and request.length_bytes is None
        head = self._head(request, chunked=chunked)
        head_only = request.method == "HEAD"
        connection = self._reused(request.origin if request.address is None else (request.origin, request.address))
        if connection is not None:
            began = asyncio.get_running_loop().time()
            try:
                return await connection.exchange(head, request.body, head_only=head_only, chunked=chunked)
            except DeadlineError:
                raise
            except NetworkError:
                # The upstream may close a kept connection just as we use it; that says nothing about this request. One
                # that breaks later may have been at work on it, and is not asked twice.
                late = asyncio.get_running_loop().time() - began > STALE_WITHIN_SECONDS
                if connection.answered or late or not replayable:
                    raise
        connection = await self._connect(request.origin, request.address)
        return await connection.exchange(head, request.body, head_only=head_only, chunked=chunked)

    async def aclose(self) -> None:
        """Close what is idle, and what is under way as soon as it is done."""
        self._keeping = False
        idle, self._idle = self._idle, {}
        for connections in idle.values():
            for connection in connections:
                connection.abort()

    def _head(self, request: Request, *, chunked: bool) -> bytes:
        target = request.target
        if not (target.isascii() and target.isprintable() and " " not in target):
            target = quote(target, safe=punctuation)  # nothing in it may end the line
        lines = [f"{request.method} {target} HTTP/1.1\r\nhost: {request.origin.authority}\r\n".encode("ascii")]
        lines += (b"%b: %b\r\n" % header for header in request.headers)
        body = request.body
        size = length(body) if isinstance(body, (bytes, mmap, tuple)) else request.length_bytes
        if chunked:
            lines.append(b"transfer-encoding: chunked\r\n")
        elif size or request.method not in ("GET", "HEAD", "DELETE"):
            lines.append(b"content-length: %d\r\n" % (size or 0))
        lines.append(b"\r\n")
        return b"".join(lines)

    def _reused(self, destination: Destination) -> Connection | None:
        idle = self._idle.get(destination)
        oldest = asyncio.get_running_loop().time() - MAX_IDLE_SECONDS
        while idle:
            connection = idle.pop()
            if connection.alive and connection.idle_since >= oldest:
                return connection
            connection.abort()
        return None

    async def _connect(self, origin: Origin, address: str | None) -> Connection:
        loop = asyncio.get_running_loop()
        host = address or origin.host
        destination = origin if address is None else (origin, address)
        idle = self._idle.setdefault(destination, []) if self._keeping else []

        def release(connection: Connection) -> None:
            if len(idle) < MAX_IDLE_CONNECTIONS and self._keeping:
                idle.append(connection)
            else:
                connection.abort()

        def protocol() -> Connection:
            return Connection(release, self._deadlines)

        tls = self._context() if origin.scheme == "https" else None
        server = origin.host if tls else None
        # An address of this machine is none of the proxy's, whatever its name.
        proxy = self._proxies.url(origin) and self._proxies.url(Origin(origin.scheme, host, origin.port))
        try:
            async with asyncio.timeout(self._deadlines.connect_seconds):
                if proxy is None:
                    _, made = await loop.create_connection(protocol, host, origin.port, ssl=tls, server_hostname=server)
                else:
                    sock = await tunnel(proxy, host, origin.port)
                    _, made = await loop.create_connection(protocol, sock=sock, ssl=tls, server_hostname=server)
        except TimeoutError as error:
            raise ConnectError(f"No connection to {origin} within {self._deadlines.connect_seconds:g} s.") from error
        except ssl.SSLError as error:
            raise ConnectError(f"No safe connection to {origin}: {error.reason or 'TLS failed'}.") from error
        except Exception as error:
            if proxy is not None:  # whose address is nobody's business
                raise ConnectError(f"No connection to {origin} through the proxy: {type(error).__name__}.") from error
            if not isinstance(error, OSError):
                raise
            raise ConnectError(f"No connection to {origin}: {error.strerror or type(error).__name__}.") from error
        return made

    def _context(self) -> ssl.SSLContext:
        if self._tls is None:
            self._tls = ssl.create_default_context()
        return self._tls
