"""Fetching media from the URLs that clients send, without being led into private networks.

Whoever may send a URL chooses where this server connects to. So a host is resolved here and once, every address it has
must be public, and the connection goes to an address that was checked; every redirect is a new URL and is treated so.
"""

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Sequence
from ipaddress import ip_address

from msgspec import Struct

from gemgate.errors import GemgateError, InvalidRequest, Unavailable
from gemgate.media.address_guard import is_public
from gemgate.media.allow_list import AllowList
from gemgate.media.base64_pieces import Base64, encoded_bytes
from gemgate.media.budget import Budget, Share
from gemgate.media.location import Location, locate, refused
from gemgate.media.names import Names
from gemgate.net.connection import UNDONE, ConnectError, DeadlineError, Deadlines, NetworkError, Response
from gemgate.net.http import HttpClient, Request
from gemgate.net.proxy import Proxies
from gemgate.net.url import Origin

MAX_BYTES = 100 * 1024 * 1024
TOTAL_SECONDS = 60.0
MAX_REDIRECTS = 5
MAX_TOTAL_BYTES = 512 * 1024 * 1024
MAX_TRIED = 4
"""How many of a host's addresses are tried."""
AT_ONCE = 32
"""How many fetches are under way in the whole process."""
SMALL_BYTES = 1024 * 1024
"""Room for media of unstated size, until they turn out to be larger."""
BUSY_SECONDS = 10.0
"""After which a client that found no room may come back."""
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
    """What was at a URL: what its server calls it (`content_type`, empty if nothing), and its base64."""

    content_type: str
    data: memoryview


class MediaFetcher:
    """Fetches what is public, or at a place that `allow` names (as an `AllowList`; raises its `ValueError`).

    Ports below 1024 other than 80 and 443 belong to other protocols and are refused, unless the host is allowed by
    name. Through a proxy, names are still resolved here: the proxy is given the address that was checked.

    The base64 of all that is fetched and still held by somebody takes at most `max_total_bytes` of memory, which has
    to be enough for one of `max_bytes`.
    """

    def __init__(
        self,
        *,
        allow: Iterable[str] = (),
        max_bytes: int = MAX_BYTES,
        max_total_bytes: int = MAX_TOTAL_BYTES,
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
        self._budget = Budget(max_total_bytes)
        self._gate = asyncio.Semaphore(AT_ONCE)
        self._names = Names()
        self._resolve = resolve or self._names.addresses
        # Connections are not kept: anybody could make us keep them to anywhere.
        self._client = HttpClient(deadlines, proxies, keep_connections=False)

    def check(self, url: str) -> Location:
        """Read a URL and refuse what is not fetched by its looks alone; raises `InvalidRequest` (`media_refused`)."""
        place = locate(url)
        self._check(place.origin)
        return place

    async def fetch(self, url: str) -> Fetched:
        """Fetch what is at an http or https URL.

        Raises `InvalidRequest`: `media_refused` if this server does not connect there, `media_unreachable` if there is
        nothing to be had, `media_too_large`. The messages name the host and nothing else of the URL. Raises
        `Unavailable` if others hold all the memory there is for media.
        """
        place = self.check(url)
        share = Share(self._budget)
        try:
            async with asyncio.timeout(self._total_seconds):
                share.waits = True
                async with self._gate:
                    share.waits = False
                    fetched = await self._follow(place, share)
        except TimeoutError:
            share.shrink(0)
            raise self._late(place.origin.host, waited=share.waits) from None
        except BaseException:
            share.shrink(0)
            raise
        share.shrink(len(fetched.data))
        share.belongs_to(fetched.data.obj)
        return fetched

    async def aclose(self) -> None:
        """Close what is idle; fetches under way end by themselves."""
        self._names.close()
        await self._client.aclose()

    async def _follow(self, place: Location, share: Share) -> Fetched:
        for _ in range(self._max_redirects + 1):
            try:
                response = await self._open(place)
                try:
                    if response.status not in (301, 302, 303, 307, 308):
                        return await self._take(response, place.origin.host, share)
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
        self._check(origin)
        host, port = origin.host, origin.port
        try:
            found = [host] if _is_address(host) else await self._resolve(host, port)
        except OSError as error:
            raise _unreachable(f"No host of the name {host} can be found.") from error
        if not self._allow.has_host(host, port):
            self._check_addresses(host, found)
        return list(dict.fromkeys(found))[:MAX_TRIED]

    def _check(self, origin: Origin) -> None:
        host, port = origin.host, origin.port
        if self._allow.has_host(host, port):
            return
        if port not in WEB_PORTS and port < FIRST_FREE_PORT:
            raise refused(f"Media are not fetched from port {port} of {host}. Use 80, 443, or one from 1024 on.")
        if _is_address(host):
            self._check_addresses(host, [host])

    def _check_addresses(self, host: str, addresses: Sequence[str]) -> None:
        if not all(is_public(address) or self._allow.has_address(address) for address in addresses):
            raise refused(
                f"{host} is not on the public internet, and this server does not fetch media from there. Send the media"
                " as data (base64), or let the operator allow the host."
            )

    async def _take(self, response: Response, host: str, share: Share) -> Fetched:
        if response.status not in (200, 203):
            raise _unreachable(f"{host} answered the request for the media with status {response.status}.")
        encoding = response.header(b"content-encoding").lower()
        if encoding not in UNDONE and encoding not in (b"", b"identity"):
            raise _unreachable(f"{host} sends the media in a compression that was not asked for.")
        # The parser has made sure that it is a number.
        size = int(response.header(b"content-length") or b"0")
        if size > self._max_bytes:
            raise self._too_large(host)
        await share.grow(encoded_bytes(size or min(SMALL_BYTES, self._max_bytes)))
        body = Base64()
        while piece := await response.read():
            if body.size + len(piece) > self._max_bytes:
                raise self._too_large(host)
            if encoded_bytes(body.size + len(piece)) > share.size:
                await share.grow(encoded_bytes(self._max_bytes))
            body.add(piece)
        return Fetched(response.header(b"content-type").decode("latin-1"), body.end())

    def _late(self, host: str, *, waited: bool) -> GemgateError:
        if waited:
            return Unavailable(
                "Too many media are being fetched for others just now. Try again, or send the media as data (base64).",
                retry_after_seconds=BUSY_SECONDS,
            )
        return _unreachable(f"The media at {host} did not come within {self._total_seconds:g} seconds.")

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
