"""Requests to an address that somebody has checked: the name is for the server alone."""

import contextlib
import ssl
from collections.abc import AsyncIterator

import pytest

from gemgate.net.connection import ConnectError
from gemgate.net.url import Origin
from tests.net.certificates import HOST
from tests.net.proxies import HttpProxy, SocksProxy
from tests.net.server import Peer, Served, asking, client, fetched, serving

HERE = "127.0.0.1"
FAR = "8.8.4.4"


class Heads:
    """Answers every request, and keeps their heads."""

    def __init__(self) -> None:
        self.heads: list[bytes] = []

    async def __call__(self, peer: Peer) -> None:
        while True:
            self.heads.append(await peer.answer())


@contextlib.asynccontextmanager
async def named(tls: ssl.SSLContext | None = None) -> AsyncIterator[tuple[Served, Heads]]:
    heads = Heads()
    async with serving(heads, tls=tls, host=HOST) as served:
        yield served, heads


async def test_the_connection_goes_to_the_address_and_the_host_stays() -> None:
    async with named() as (served, heads), client() as http:
        assert await fetched(http, asking(served.origin, address=HERE)) == (200, b"ok")
        assert f"host: {HOST}:{served.port}\r\n".encode() in heads.heads[0]


async def test_the_certificate_is_that_of_the_host(trusted: ssl.SSLContext) -> None:
    async with named(trusted) as (served, _), client() as http:
        assert await fetched(http, asking(served.origin, address=HERE)) == (200, b"ok")
        other = Origin("https", "other.test", served.port)
        with pytest.raises(ConnectError, match=r"No safe connection to https://other\.test"):
            await fetched(http, asking(other, address=HERE))


async def test_the_server_is_told_the_name_in_tls(trusted: ssl.SSLContext) -> None:
    names: list[str | None] = []
    trusted.sni_callback = lambda _socket, name, _context: names.append(name)
    async with named(trusted) as (served, _), client() as http:
        await fetched(http, asking(served.origin, address=HERE))
    assert names == [HOST]


async def test_kept_connections_are_not_shared_between_addresses() -> None:
    async with named() as (served, _), client() as http:
        local = Origin("http", "localhost", served.port)
        for _ in range(3):
            await fetched(http, asking(local, address=HERE))
        assert served.connections == 1
        await fetched(http, asking(local))
        assert served.connections == 2  # where the name leads is another matter
        with pytest.raises(ConnectError):
            await fetched(http, asking(local, address="127.0.0.77"))  # nobody listens there
        await fetched(http, asking(local, address=HERE))
        await fetched(http, asking(local))
        assert served.connections == 2


async def test_no_connection_is_kept_where_none_shall_be() -> None:
    async with named() as (served, _), client(keep_connections=False) as http:
        for _ in range(3):
            await fetched(http, asking(served.origin, address=HERE))
        assert served.connections == 3
        await served.all_ended()


async def test_an_http_proxy_is_given_the_address(trusted: ssl.SSLContext) -> None:
    async with named(trusted) as (served, heads):
        proxy = HttpProxy(served.port)
        async with serving(proxy) as standing, client(proxies={"all": f"http://{HERE}:{standing.port}"}) as http:
            for address in (FAR, FAR, "2001:4860:4860::8844"):
                assert await fetched(http, asking(Origin("https", HOST, 443), address=address)) == (200, b"ok")
            await http.aclose()
    assert [head.split()[1] for head in proxy.heads] == [f"{FAR}:443".encode(), b"[2001:4860:4860::8844]:443"]
    assert f"host: {HOST}\r\n".encode() in heads.heads[0]
    assert HOST.encode() not in b"".join(proxy.heads)


async def test_a_socks_proxy_is_given_the_address() -> None:
    async with named() as (served, _):
        proxy = SocksProxy(served.port)
        async with serving(proxy) as standing, client(proxies={"all": f"socks5://{HERE}:{standing.port}"}) as http:
            assert await fetched(http, asking(Origin("http", HOST, 80), address=FAR)) == (200, b"ok")
            await http.aclose()
    assert proxy.asked == [(bytes([8, 8, 4, 4]), 80)]


async def test_an_address_of_this_machine_is_none_of_the_proxys() -> None:
    async with named() as (served, _), client(proxies={"all": f"http://{HERE}:1"}) as http:
        assert await fetched(http, asking(served.origin, address=HERE)) == (200, b"ok")


@pytest.mark.parametrize("past", [HOST, HERE, "other.test"])
async def test_past_the_proxy_by_name_or_by_address(past: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Origin, "is_loopback", False)
    async with named() as (served, _), client(proxies={"all": f"http://{HERE}:1", "no": past}) as http:
        if past == "other.test":
            with pytest.raises(ConnectError, match="through the proxy"):
                await fetched(http, asking(served.origin, address=HERE))
        else:
            assert await fetched(http, asking(served.origin, address=HERE)) == (200, b"ok")
