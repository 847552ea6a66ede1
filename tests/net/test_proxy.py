"""Through proxies, and past them; TLS on the way."""

import asyncio
import base64
import socket
import ssl
from pathlib import Path
from typing import Any

import pytest

from gemgate.net.connection import ConnectError, Deadlines
from gemgate.net.proxy import Proxies
from gemgate.net.url import Origin
from tests.net.certificates import HOST
from tests.net.proxies import HttpProxy, SocksProxy
from tests.net.server import Peer, asking, client, fetched, serving


async def answering(peer: Peer) -> None:
    while True:
        await peer.answer()


# TLS.


async def test_tls(trusted: ssl.SSLContext) -> None:
    async with serving(answering, tls=trusted) as served, client() as http:
        for _ in range(2):
            assert await fetched(http, asking(served.origin, "POST", body=bytes(1000))) == (200, b"ok")
        assert served.connections == 1


async def test_tls_with_a_big_answer(trusted: ssl.SSLContext) -> None:
    async def script(peer: Peer) -> None:
        await peer.answer(bytes(3_000_000))

    async with serving(script, tls=trusted) as served, client() as http:
        response = await http.open(asking(served.origin))
        await asyncio.sleep(0.05)
        assert len(await response.read_all(4_000_000)) == 3_000_000


async def test_a_certificate_of_nobody(authority: tuple[ssl.SSLContext, Path]) -> None:
    async with serving(answering, tls=authority[0]) as served, client() as http:
        with pytest.raises(ConnectError, match=r"No safe connection to https://127.0.0.1:.*CERTIFICATE_VERIFY_FAILED"):
            await fetched(http, asking(served.origin, headers=[(b"x-goog-api-key", b"AIzaSecret")]))


async def test_a_certificate_for_another_name(trusted: ssl.SSLContext) -> None:
    async with serving(answering, tls=trusted, host="localhost") as served, client() as http:
        with pytest.raises(ConnectError, match="No safe connection to https://localhost") as caught:
            await fetched(http, asking(served.origin, headers=[(b"x-goog-api-key", b"AIzaSecret")]))
        assert "AIza" not in repr(caught.value)


async def test_a_server_without_tls(trusted: ssl.SSLContext) -> None:
    async def script(peer: Peer) -> None:
        await peer.reader.read(1)
        await peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async with serving(script) as served, client() as http:
        with pytest.raises(ConnectError, match="No safe connection"):
            await fetched(http, asking(Origin("https", "127.0.0.1", served.port)))


# No connection.


async def test_nobody_listens() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
        async with client() as http:
            with pytest.raises(ConnectError, match=f"No connection to http://127.0.0.1:{port}: ."):
                await http.open(asking(Origin("http", "127.0.0.1", port)))


async def test_no_such_host(monkeypatch: pytest.MonkeyPatch) -> None:
    async def unknown(*_: Any, **__: Any) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(asyncio, "get_running_loop", _patched("create_connection", unknown))
    async with client() as http:
        with pytest.raises(ConnectError, match="No connection to https://nobody: Name or service not known"):
            await http.open(asking(Origin("https", "nobody", 443)))


async def test_a_connection_that_does_not_come_about(monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(*_: Any, **__: Any) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(asyncio, "get_running_loop", _patched("create_connection", never))
    async with client(Deadlines(connect_seconds=0.05)) as http:
        with pytest.raises(ConnectError, match=r"No connection to https://far within 0.05 s"):
            await http.open(asking(Origin("https", "far", 443)))


def _patched(name: str, replacement: Any) -> Any:
    """Make the running loop, which cannot be changed itself, look different by one method."""
    loop = asyncio.get_running_loop()

    class Loop:
        def __getattr__(self, wanted: str) -> Any:
            return replacement if wanted == name else getattr(loop, wanted)

    return Loop


# Proxies.


async def test_http_proxy() -> None:
    async with serving(answering) as served:
        proxy = HttpProxy(served.port)
        async with serving(proxy) as standing, client(proxies={"http": f"http://127.0.0.1:{standing.port}"}) as http:
            for _ in range(2):
                assert await fetched(http, asking(Origin("http", HOST, 8080))) == (200, b"ok")
            await http.aclose()
    assert len(proxy.heads) == 1
    assert proxy.heads[0].startswith(f"CONNECT {HOST}:8080 HTTP/1.1\r\n".encode())


async def test_http_proxy_with_tls_and_password(trusted: ssl.SSLContext) -> None:
    async with serving(answering, tls=trusted) as served:
        proxy = HttpProxy(served.port)
        async with (
            serving(proxy) as standing,
            client(proxies={"https": f"http://user:hunter2@127.0.0.1:{standing.port}"}) as http,
        ):
            secret = [(b"x-goog-api-key", b"AIzaSecret")]
            assert await fetched(http, asking(Origin("https", HOST, 443), headers=secret)) == (200, b"ok")
            await http.aclose()
    assert base64.b64encode(b"user:hunter2") in proxy.heads[0]
    assert b"AIza" not in b"".join(proxy.heads)  # what the proxy sees is the name, and no more


async def test_a_proxy_that_refuses_shows_no_password() -> None:
    async with serving(HttpProxy(0, "407 Proxy Authentication Required")) as standing:
        url = f"http://user:hunter2@127.0.0.1:{standing.port}"
        async with client(proxies={"all": url}) as http:
            with pytest.raises(ConnectError, match=f"No connection to https://{HOST} through the proxy") as caught:
                await http.open(asking(Origin("https", HOST, 443)))
    assert "hunter2" not in str(caught.value)


async def test_a_proxy_that_is_not_there_shows_no_password_nor_where_it_is() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"socks5://user:hunter2@127.0.0.1:{free.getsockname()[1]}"
        async with client(proxies={"all": url}) as http:
            with pytest.raises(ConnectError, match=f"No connection to http://{HOST}") as caught:
                await http.open(asking(Origin("http", HOST, 80)))
    assert "hunter2" not in str(caught.value) and "127.0.0.1" not in str(caught.value)


@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
@pytest.mark.parametrize("password", [b"", b"hunter2"])
async def test_socks_proxy(scheme: str, password: bytes) -> None:
    async with serving(answering) as served:
        proxy = SocksProxy(served.port, password)
        async with serving(proxy) as standing:
            user = f"user:{password.decode()}@" if password else ""
            async with client(proxies={"http": f"{scheme}://{user}127.0.0.1:{standing.port}"}) as http:
                assert await fetched(http, asking(Origin("http", HOST, 81))) == (200, b"ok")
                await http.aclose()
    assert proxy.asked == [(HOST.encode(), 81)]  # the name is resolved there
    assert proxy.offered == ([b"user", password] if password else [])


async def test_socks_proxy_with_tls(trusted: ssl.SSLContext) -> None:
    async with (
        serving(answering, tls=trusted) as served,
        serving(SocksProxy(served.port)) as standing,
        client(proxies={"all": f"socks5://127.0.0.1:{standing.port}"}) as http,
    ):
        assert await fetched(http, asking(Origin("https", HOST, 443))) == (200, b"ok")
        with pytest.raises(ConnectError, match="No safe connection"):
            await fetched(http, asking(Origin("https", "other.test", 443)))
        await http.aclose()


@pytest.mark.parametrize("past", ["loopback", "NO_PROXY"])
async def test_past_the_proxy(past: str, monkeypatch: pytest.MonkeyPatch) -> None:
    loop = asyncio.get_running_loop()
    proxies = {"all": "http://127.0.0.1:1", "no": "other.test, .sub.test,upstream.test"}
    async with serving(answering) as served, client(proxies=proxies) as http:
        if past == "loopback":
            assert await fetched(http, asking(served.origin)) == (200, b"ok")
            return
        reached: list[str] = []

        async def connect(protocol: Any, host: str, port: int, **how: Any) -> Any:
            reached.append(host)
            return await loop.create_connection(protocol, "127.0.0.1", served.port, **how)

        monkeypatch.setattr(asyncio, "get_running_loop", _patched("create_connection", connect))
        assert await fetched(http, asking(Origin("http", HOST, 8080))) == (200, b"ok")
        assert reached == [HOST]


def test_which_proxy() -> None:
    variables = {"http": "one:1", "https": "http://two:2", "no": "direct.test,.inner.test,10.0.0.7"}
    proxies = Proxies(variables)
    assert proxies.url(Origin("http", "host", 80)) == "http://one:1"
    assert proxies.url(Origin("https", "host", 443)) == "http://two:2"
    for host in ("direct.test", "a.inner.test", "10.0.0.7", "localhost", "127.0.0.1", "::1"):
        assert proxies.url(Origin("https", host, 8443)) is None
    assert proxies.url(Origin("https", "notdirect.test.example", 443)) == "http://two:2"
    assert Proxies({}).url(Origin("https", "host", 443)) is None
    assert Proxies({"all": "socks5://s:1"}).url(Origin("http", "host", 80)) == "socks5://s:1"


def test_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "https_proxy", "all_proxy", "no_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HTTPS_PROXY", "http://p:3128")
    monkeypatch.setenv("NO_PROXY", "x.test")
    proxies = Proxies()
    assert proxies.url(Origin("https", "host", 443)) == "http://p:3128"
    assert proxies.url(Origin("https", "x.test", 443)) is None
    assert proxies.url(Origin("http", "host", 80)) is None


def test_what_is_wrong_with_a_proxy() -> None:
    origin = Origin("https", "host", 443)
    fault = Proxies({"https": "ftp://u:hunter2@p"}).fault(origin)
    assert fault and "'ftp'" in fault and "socks5" in fault and "hunter2" not in fault
    assert Proxies({"https": "socks5h://p"}).fault(origin) is None
    assert Proxies({}).fault(origin) is None
