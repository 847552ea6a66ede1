"""Proxies towards the upstream, from the usual environment variables."""

import socket
from collections.abc import Mapping
from urllib.parse import urlsplit
from urllib.request import (
    getproxies_environment,
    proxy_bypass_environment,  # pyright: ignore[reportAttributeAccessIssue, reportUnknownVariableType]
)

from python_socks.async_.asyncio import Proxy

from gemgate.net.url import Origin

SCHEMES = ("http", "socks4", "socks5", "socks5h")


class Proxies:
    """Which proxy a connection takes: HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, except for NO_PROXY and this machine."""

    def __init__(self, variables: Mapping[str, str] | None = None) -> None:
        self._urls = dict(getproxies_environment() if variables is None else variables)

    def url(self, origin: Origin) -> str | None:
        """Give the URL of the proxy for an origin, if any."""
        found = self._urls.get(origin.scheme) or self._urls.get("all")
        if not found or origin.is_loopback or proxy_bypass_environment(origin.authority, self._urls):
            return None
        return found if "://" in found else f"http://{found}"

    def fault(self, origin: Origin) -> str | None:
        """Say what is wrong with the proxy for an origin, if anything."""
        url = self.url(origin)
        if url is None or urlsplit(url).scheme in SCHEMES:
            return None
        return f"proxies of the kind {urlsplit(url).scheme!r} are not supported; use one of {', '.join(SCHEMES)}"


async def tunnel(proxy_url: str, host: str, port: int) -> socket.socket:
    """Open a connection through a proxy to a name, which is resolved there, or to an IP address.

    An address that was checked must go into the tunnel itself: a name could be another address by the time the proxy
    looks it up. Raises what python-socks raises, all of it `Exception`, or `OSError`.
    """
    proxy = Proxy.from_url(proxy_url.replace("socks5h://", "socks5://"), rdns=True)
    return await proxy.connect(host, port)
