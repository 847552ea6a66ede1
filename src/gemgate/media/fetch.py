"""Fetching media from the URLs that clients send, without being led into private networks.

Whoever may send a URL chooses where this server connects to. So a host is resolved here and once, every address it has
must be public, and the connection goes to an address that was checked; every redirect is a new URL and is treated so.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from ipaddress import ip_address

from msgspec import Struct

from gemgate.errors import InvalidRequest
from gemgate.media.address_guard import is_public
from gemgate.media.allow_list import AllowList
from gemgate.media.base64_pieces import Base64
from gemgate.media.location import Location, locate, refused
from gemgate.media.names import Names
from gemgate.net.connection import UNDONE, ConnectError, DeadlineError, Deadlines, NetworkError, Response
from gemgate.net.http import HttpClient, Request
from gemgate.net.proxy import Proxies
from gemgate.net.url import Origin

MAX_BYTES = 100 * 1024 * 1024
TOTAL_SECONDS = 60.0
MAX_REDIRECTS = 5
MAX_ADDRESSES = 4
"""How many of a host's addresses are tried."""
HEAD_BYTES = 64
WEB_PORTS = frozenset({80, 443})
FIRST_FREE_PORT = 1024
DEADLINES = Deadlines(connect_seconds=10.0, first_byte_seconds=30.0, silence_seconds=15.0)

HEADERS = (
    (b"accept", b"*/*"),
    (b"accept-encoding", b"identity"),
    (b"user-agent", b"gemgate"),
    (b"connection", b"close"),
)

SEND_DATA = "Check the URL, or send the media as data (base64)."

Resolve = Callable[[str, int], Awaitable[Sequence[str]]]
"""Gives the IP addresses of a host (and port), the best first; raises `OSError`."""


class Fetched(Struct, frozen=True):
    """What was at a URL: what its server calls it (`content_type`, empty if nothing), its first bytes, and its base64.

    `head` holds up to `HEAD_BYTES` as they are, to tell what it really is.
    """

    content_type: str
    head: bytes
    data: memoryview


class MediaFetcher:
    """Fetches what is public, or at a place that `allow` names (as an `AllowList`; raises its `ValueError`).

    Ports below 1024 other than 80 and 443 belong to other protocols and are refused, unless the host is allowed by
    name. Through a proxy, names are still resolved here: the proxy is given the address that was checked.
    """

    def __init__(
        self,
        *,
        allow: Iterable[str] = (),
        max_bytes: int = MAX_BYTES,
        deadlines: Deadlines = DEADLINES,
        total_seconds: float = TOTAL_SECONDS,
        max_redirects: int = MAX_REDIRECTS,
        resolve: Resolve | None = None,
        proxies: Proxies | None = None,
    ) -> None:
        self._allow = AllowList(allow)
        self._max_bytes = max_bytes
        self._total_seconds = total_seconds
        self._max_redirects = max_redirects
        self._names = Names()
        self._resolve = resolve or self._names.addresses
        # Connections are not kept: anybody could make us keep them to anywhere.
        self._client = HttpClient(deadlines, proxies, keep_connections=False)

    async def fetch(self, url: str) -> Fetched:
        """Fetch what is at an http or https URL.

        Raises `InvalidRequest`: `media_refused` if this server does not connect there, `media_unreachable` if there is
        nothing to be had, `media_too_large`. The messages name the host and nothing else of the URL.
        """
        place = locate(url)
        try:
            async with asyncio.timeout(self._total_seconds):
                return await self._follow(place)
        except TimeoutError:
            raise _unreachable(
                f"The media at {place.origin.host} did not come within {self._total_seconds:g} seconds."
            ) from None

    async def aclose(self) -> None:
        """Close what is idle; fetches under way end by themselves."""
        self._names.close()
        await self._client.aclose()

    async def _follow(self, place: Location) -> Fetched:
        for _ in range(self._max_redirects + 1):
            try:
                response = await self._open(place)
                try:
                    if response.status not in (301, 302, 303, 307, 308):
                        return await self._take(response, place.origin.host)
                    place = place.moved(response.header(b"location"))
                finally:
                    await response.aclose()
            except NetworkError as error:
                raise _unreachable(_what_went_wrong(error, place.origin.host)) from error
        raise _unreachable(
            f"The media are behind more than {self._max_redirects} redirects, now at {place.origin.host}."
        )

    async def _open(self, place: Location) -> Response:
        """Ask at the first address that takes a connection."""
        failure: ConnectError | None = None
        for address in await self._addresses(place.origin):
            request = Request(origin=place.origin, method="GET", target=place.target, headers=HEADERS, address=address)
            try:
                return await self._client.open(request)
            except ConnectError as error:
                failure = error
        raise failure or ConnectError(f"{place.origin.host} has no address.")

    async def _addresses(self, origin: Origin) -> list[str]:
        """Resolve a host and check all that comes of it; an address that is given is its own."""
        host, port = origin.host, origin.port
        allowed = self._allow.has_host(host, port)
        if not allowed and port not in WEB_PORTS and port < FIRST_FREE_PORT:
            raise refused(f"Media are not fetched from port {port} of {host}. Use 80, 443, or one from 1024 on.")
        try:
            found = [host] if _is_address(host) else await self._resolve(host, port)
        except OSError as error:
            raise _unreachable(f"No host of the name {host} can be found.") from error
        if not allowed and not all(is_public(address) or self._allow.has_address(address) for address in found):
            raise refused(
                f"{host} is not on the public internet, and this server does not fetch media from there. Send the media"
                " as data (base64), or let the operator allow the host."
            )
        return list(dict.fromkeys(found))[:MAX_ADDRESSES]

    async def _take(self, response: Response, host: str) -> Fetched:
        if response.status not in (200, 203):
            raise _unreachable(f"{host} answered the request for the media with status {response.status}.")
        encoding = response.header(b"content-encoding").lower()
        if encoding not in UNDONE and encoding not in (b"", b"identity"):
            raise _unreachable(f"{host} sends the media in a compression that was not asked for.")
        # The parser has made sure that it is a number.
        if int(response.header(b"content-length") or b"0") > self._max_bytes:
            raise self._too_large(host)
        head, body = b"", Base64()
        while piece := await response.read():
            if body.size + len(piece) > self._max_bytes:
                raise self._too_large(host)
            if len(head) < HEAD_BYTES:
                head += piece[: HEAD_BYTES - len(head)]
            body.add(piece)
        return Fetched(response.header(b"content-type").decode("latin-1"), head, body.end())

    def _too_large(self, host: str) -> InvalidRequest:
        return InvalidRequest(
            f"The media at {host} are larger than {self._max_bytes} bytes. Send something smaller, or upload the file"
            " and refer to it.",
            code="media_too_large",
        )


def _is_address(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return True


def _unreachable(what: str) -> InvalidRequest:
    return InvalidRequest(f"{what} {SEND_DATA}", code="media_unreachable")


def _what_went_wrong(error: NetworkError, host: str) -> str:
    match error:
        case ConnectError():
            return str(error)
        case DeadlineError():
            return f"{host} was silent for too long when it was asked for the media."
        case _:
            return f"The answer of {host}, which was asked for the media, broke off or cannot be read."
