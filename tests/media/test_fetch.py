"""Fetching media over real sockets; names lead where the test says."""

import asyncio
import base64
import contextlib
import gc
import gzip
import random
import socket
import ssl
import sys
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from gemgate.errors import InvalidRequest, Unavailable
from gemgate.media import fetch as fetch_module
from gemgate.media.fetch import MediaFetcher
from gemgate.net.connection import Deadlines
from gemgate.net.proxy import Proxies
from tests.net.certificates import HOST, issue
from tests.net.proxies import HttpProxy
from tests.net.server import Peer, Script, Served, reply, serving

HERE = "127.0.0.1"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))
PUBLIC = "8.8.8.8"
PRIVATE = "10.0.0.1"


class Names:
    """Resolves as the test says; a list of lists is a name that leads elsewhere each time."""

    def __init__(self, **known: Sequence[str] | list[list[str]]) -> None:
        self.known = {name.replace("_", "."): list(found) for name, found in known.items()}
        self.asked: list[tuple[str, int]] = []

    async def __call__(self, host: str, port: int) -> Sequence[str]:
        self.asked.append((host, port))
        found: Any = self.known.get(host)
        if found is None:
            raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")
        return found.pop(0) if found and isinstance(found[0], list) else found


@contextlib.asynccontextmanager
async def fetching(**how: Any) -> AsyncIterator[MediaFetcher]:
    how.setdefault("allow", [HERE])
    made = MediaFetcher(**how)
    try:
        async with asyncio.timeout(20):
            yield made
    finally:
        await made.aclose()
        await asyncio.sleep(0)  # aborted transports close in the loop's next turn
        await asyncio.sleep(0)


def saying(*pieces: bytes) -> Script:
    """Answer one request with these bytes, and close."""

    async def script(peer: Peer) -> None:
        await peer.head()
        for piece in pieces:
            await peer.send(piece)

    return script


def at(served: Served, path: str = "/a.png") -> str:
    return f"http://{HERE}:{served.port}{path}"


async def png(fetcher: MediaFetcher, url: str) -> bool:
    """Whether the picture is there."""
    return base64.b64decode((await fetcher.fetch(url)).data) == PNG


async def refusal(fetcher: MediaFetcher, url: str, code: str) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        await fetcher.fetch(url)
    assert caught.value.code == code, caught.value.message
    return caught.value


# What is fetched.


async def test_what_is_there_comes_as_base64() -> None:
    heads: list[bytes] = []

    async def script(peer: Peer) -> None:
        heads.append(await peer.answer(PNG, "Content-Type: image/png; x=1\r\n"))

    async with serving(script) as served, fetching() as fetcher:
        fetched = await fetcher.fetch(at(served, "/a.png?sig=1#part"))
    assert fetched.content_type == "image/png; x=1"
    assert base64.b64decode(fetched.data) == PNG and fetched.data.readonly
    assert heads == [
        b"GET /a.png?sig=1 HTTP/1.1\r\n"
        + f"host: 127.0.0.1:{served.port}\r\n".encode()
        + b"accept: */*\r\naccept-encoding: identity\r\nuser-agent: gemgate\r\nconnection: close\r\n\r\n"
    ]


@pytest.mark.parametrize("size", [0, 1, 63, 64, 65, 1_000_003])
@pytest.mark.parametrize("framing", ["length", "chunked", "close"])
async def test_any_size_and_framing(size: int, framing: str) -> None:
    data = random.Random(size).randbytes(size)
    head = b"HTTP/1.1 200 OK\r\n"
    chunks = [data[start : start + 997] for start in range(0, size, 997)]
    pieces = {
        "length": [reply(data)],
        "close": [head + b"\r\n", data],
        "chunked": [
            head + b"Transfer-Encoding: chunked\r\n\r\n",
            b"".join(b"%x\r\n%b\r\n" % (len(chunk), chunk) for chunk in chunks),
            b"0\r\n\r\n",
        ],
    }[framing]
    async with serving(saying(*pieces)) as served, fetching() as fetcher:
        fetched = await fetcher.fetch(at(served))
    assert base64.b64decode(fetched.data) == data
    assert fetched.content_type == ""


async def test_small_pieces() -> None:
    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for byte in PNG:
            await peer.send(b"1\r\n%c\r\n" % byte)
            await asyncio.sleep(0)
        await peer.send(b"0\r\n\r\n")

    async with serving(script) as served, fetching() as fetcher:
        fetched = await fetcher.fetch(at(served))
    assert base64.b64decode(fetched.data) == PNG


async def test_connections_are_not_kept() -> None:
    async def script(peer: Peer) -> None:
        await peer.answer(PNG)
        assert await peer.gone() == b""

    async with serving(script) as served, fetching() as fetcher:
        for _ in range(2):
            await fetcher.fetch(at(served))
        await served.all_ended()
        assert served.connections == 2


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "identity"])
async def test_compression_that_was_not_asked_for_is_undone(encoding: str) -> None:
    data = PNG if encoding == "identity" else gzip.compress(PNG)
    async with (
        serving(saying(reply(data, f"Content-Encoding: {encoding}\r\n"))) as served,
        fetching() as fetcher,
    ):
        fetched = await fetcher.fetch(at(served))
    assert base64.b64decode(fetched.data) == PNG


async def test_unknown_compression_is_refused() -> None:
    async with serving(saying(reply(PNG, "Content-Encoding: br\r\n"))) as served, fetching() as fetcher:
        assert "compression" in (await refusal(fetcher, at(served), "media_unreachable")).message


async def test_two_at_once_do_not_mix() -> None:
    async def script(peer: Peer) -> None:
        path = (await peer.head()).split()[1]
        await peer.send(reply(path * 10_000))

    async with serving(script) as served, fetching() as fetcher:
        found = await asyncio.gather(*(fetcher.fetch(at(served, f"/{number}")) for number in range(10)))
    assert [base64.b64decode(one.data) for one in found] == [b"/%d" % number * 10_000 for number in range(10)]


async def test_names_are_resolved_by_the_system_when_nobody_says_otherwise() -> None:
    async with serving(saying(reply(PNG))) as served, fetching(allow=["localhost"]) as fetcher:
        fetched = await fetcher.fetch(f"http://localhost:{served.port}/")
        assert base64.b64decode(fetched.data) == PNG
        await refusal(fetcher, "http://localhost.invalid/", "media_unreachable")


# Where it does not go.


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/",
        "http://[::1]/",
        "http://[::ffff:127.0.0.1]/",
        "http://169.254.169.254/latest/meta-data?secret",
        "http://100.100.100.200/",
        "http://0.0.0.0/",
        "http://127.1/",
        "http://2130706433/",
        "file:///etc/passwd",
        "http://user:secret@8.8.8.8/",
    ],
)
async def test_addresses_that_are_not_public(url: str) -> None:
    names = Names()
    async with fetching(allow=[], resolve=names) as fetcher:
        assert "secret" not in (await refusal(fetcher, url, "media_refused")).message
    assert names.asked == []


@pytest.mark.parametrize(
    "found",
    [
        [PRIVATE],
        [PUBLIC, PRIVATE],
        [PRIVATE, PUBLIC],
        [PUBLIC] * 20 + ["::1"],
        [PUBLIC, "fe80::1%eth0"],
        ["::ffff:10.0.0.1"],
        [PUBLIC, "nonsense"],
    ],
)
async def test_one_address_that_is_not_public_is_enough(found: list[str]) -> None:
    async with fetching(allow=["other.test"], resolve=Names(media_test=found)) as fetcher:
        refused = await refusal(fetcher, "https://media.test/a?secret", "media_refused")
    assert "media.test is not on the public internet" in refused.message
    assert not any(part in refused.message for part in ("secret", "10.0.0.1", "::1"))


async def test_the_connection_goes_to_the_address_that_was_checked() -> None:
    """A name that leads elsewhere the second time it is asked is asked once."""
    names = Names(media_test=[[HERE], [PRIVATE]])
    async with (
        serving(saying(reply(PNG))) as served,
        fetching(allow=[f"{HERE}/32"], resolve=names) as fetcher,
    ):
        url = f"http://media.test:{served.port}/"
        assert await png(fetcher, url)
        assert names.asked == [("media.test", served.port)]
        await refusal(fetcher, url, "media_refused")
        assert served.connections == 1


async def test_a_host_may_be_private_by_name() -> None:
    names = Names(files_internal=[HERE], other_internal=[HERE])
    async with serving(saying(reply(PNG))) as served:
        async with fetching(allow=["*.internal", f"media.test:{served.port}"], resolve=names) as fetcher:
            assert await png(fetcher, f"http://FILES.internal.:{served.port}/")
        async with fetching(allow=["files.internal"], resolve=names) as fetcher:
            await refusal(fetcher, f"http://other.internal:{served.port}/", "media_refused")
        async with fetching(allow=["files.internal:81"], resolve=names) as fetcher:
            await refusal(fetcher, f"http://files.internal:{served.port}/", "media_refused")
        assert served.connections == 1


@pytest.mark.parametrize("port", [1, 22, 25, 445, 1023])
async def test_ports_of_other_protocols(port: int) -> None:
    names = Names(media_test=[PUBLIC])
    async with fetching(resolve=names) as fetcher:
        refused = await refusal(fetcher, f"http://media.test:{port}/", "media_refused")
    assert f"port {port} of media.test" in refused.message and names.asked == []


async def test_an_allowed_host_may_have_any_port() -> None:
    async with fetching(allow=["media.test:25"], resolve=Names(media_test=[])) as fetcher:
        await refusal(fetcher, "http://media.test:25/", "media_unreachable")


async def test_an_allow_list_that_cannot_be_read() -> None:
    with pytest.raises(ValueError, match=r"'http://x' is not a host"):
        MediaFetcher(allow=["http://x"])


# Redirects.


def moving(*to: str, status: str = "302 Found") -> list[Script]:
    """Answer one connection after the other with a redirect, and then with a picture."""
    moves = [saying(reply(b"ignored", f"Location: {one}\r\n", status)) for one in to]
    return [*moves, saying(reply(PNG))]


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"])
async def test_redirects_are_followed(status: str) -> None:
    async with serving(*moving("/b", "c?d", status=status)) as served, fetching() as fetcher:
        assert await png(fetcher, at(served))
        assert served.connections == 3


@pytest.mark.parametrize(
    ("to", "code"),
    [
        ("http://127.0.0.2:{port}/", "media_refused"),
        ("http://[::1]:{port}/", "media_refused"),
        ("http://169.254.169.254/latest/meta-data", "media_refused"),
        ("//private.test/", "media_refused"),
        ("http://2130706433:{port}/", "media_refused"),
        ("http://user:secret@127.0.0.1:{port}/", "media_refused"),
        ("ftp://127.0.0.1:{port}/", "media_refused"),
        ("http://public.test:25/", "media_refused"),
        ("http://unknown.test/", "media_unreachable"),
    ],
)
async def test_every_redirect_is_checked_anew(to: str, code: str) -> None:
    names = Names(private_test=[PRIVATE], public_test=[PUBLIC])

    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.send(reply(b"", f"Location: {to.format(port=served.port)}\r\n", "302 Found"))

    async with serving(script) as served, fetching(allow=[f"{HERE}:{served.port}"], resolve=names) as fetcher:
        assert "secret" not in (await refusal(fetcher, at(served), code)).message
        assert served.connections == 1


async def test_a_redirect_to_the_same_name_is_resolved_and_checked_again() -> None:
    names = Names(media_test=[[HERE], [PRIVATE]])
    async with (
        serving(*moving("/again")) as served,
        fetching(allow=[f"{HERE}/32"], resolve=names) as fetcher,
    ):
        await refusal(fetcher, f"http://media.test:{served.port}/", "media_refused")
        assert served.connections == 1 and len(names.asked) == 2


@pytest.mark.parametrize("most", [0, 1, 5])
async def test_so_many_redirects_and_no_more(most: int) -> None:
    async with serving(*moving(*["/x"] * most)) as served, fetching(max_redirects=most) as fetcher:
        assert await png(fetcher, at(served))
    async with serving(*moving(*["/x"] * (most + 1))) as served, fetching(max_redirects=most) as fetcher:
        refused = await refusal(fetcher, at(served), "media_unreachable")
        assert f"more than {most} redirects" in refused.message
        assert served.connections == most + 1


async def test_a_redirect_to_nowhere() -> None:
    async with serving(saying(reply(b"", status="302 Found"))) as served, fetching() as fetcher:
        await refusal(fetcher, at(served), "media_unreachable")


async def test_what_a_redirect_says_is_not_read() -> None:
    """A redirect whose body never ends is followed at once, and its connection closed."""

    async def endless(peer: Peer) -> None:
        await peer.head()
        await peer.send(b"HTTP/1.1 302 Found\r\nLocation: /b\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nx\r\n")
        assert await peer.gone() == b""

    async with serving(endless, saying(reply(PNG))) as served, fetching() as fetcher:
        assert await png(fetcher, at(served))
        await served.all_ended()


# Limits.


async def test_a_length_beyond_the_limit_is_refused_before_anything_is_read() -> None:
    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n")
        assert await peer.gone() == b""

    async with serving(script) as served, fetching(max_bytes=1000) as fetcher:
        refused = await refusal(fetcher, at(served, "/a?secret"), "media_too_large")
        assert "1000 bytes" in refused.message and HERE in refused.message and "secret" not in refused.message
        await served.all_ended()


@pytest.mark.parametrize("framing", ["chunked", "close"])
async def test_an_unknown_length_is_counted(framing: str) -> None:
    async def script(peer: Peer) -> None:
        await peer.head()
        more = "Transfer-Encoding: chunked\r\n" if framing == "chunked" else ""
        await peer.send(f"HTTP/1.1 200 OK\r\n{more}\r\n".encode())
        while True:
            await peer.send(b"190\r\n" + bytes(400) + b"\r\n")

    async with serving(script) as served, fetching(max_bytes=100_000) as fetcher:
        await refusal(fetcher, at(served), "media_too_large")
        await served.all_ended()


@pytest.mark.parametrize("framing", ["length", "close"])
async def test_exactly_the_limit_is_fetched(framing: str) -> None:
    whole = reply(bytes(1000)) if framing == "length" else b"HTTP/1.1 200 OK\r\n\r\n" + bytes(1000)
    async with serving(saying(whole)) as served:
        async with fetching(max_bytes=1000) as fetcher:
            assert len(base64.b64decode((await fetcher.fetch(at(served))).data)) == 1000
        async with fetching(max_bytes=999) as fetcher:
            await refusal(fetcher, at(served), "media_too_large")


async def test_what_is_compressed_counts_as_what_it_expands_to() -> None:
    packed = gzip.compress(bytes(10_000_000))
    async with (
        serving(saying(reply(packed, "Content-Encoding: gzip\r\n"))) as served,
        fetching(max_bytes=1_000_000) as fetcher,
    ):
        assert len(packed) < 1_000_000
        await refusal(fetcher, at(served), "media_too_large")


async def test_all_of_it_has_one_deadline() -> None:
    """A server that sends a byte now and then is never silent, and yet too slow."""

    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while True:
            await peer.send(b"x")
            await asyncio.sleep(0.01)

    async with serving(script) as served, fetching(total_seconds=0.2) as fetcher:
        refused = await refusal(fetcher, at(served), "media_unreachable")
        assert "within 0.2 seconds" in refused.message
        await served.all_ended()


async def test_redirects_do_not_begin_the_deadline_anew() -> None:
    async def script(peer: Peer) -> None:
        await peer.head()
        await asyncio.sleep(0.1)
        await peer.send(reply(b"", "Location: /again\r\n", "302 Found"))

    async with serving(script) as served, fetching(total_seconds=0.25, max_redirects=50) as fetcher:
        assert "within" in (await refusal(fetcher, at(served), "media_unreachable")).message
        assert served.connections <= 3


async def test_a_name_that_does_not_resolve_in_time() -> None:
    async def never(host: str, port: int) -> Sequence[str]:
        await asyncio.Event().wait()
        return []

    async with fetching(resolve=never, total_seconds=0.05) as fetcher:
        assert "media.test" in (await refusal(fetcher, "http://media.test/", "media_unreachable")).message


@pytest.mark.parametrize("begun", [False, True])
async def test_silence(begun: bool) -> None:
    async def script(peer: Peer) -> None:
        await peer.head()
        if begun:
            await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nbegin")
        await peer.gone()

    deadlines = Deadlines(first_byte_seconds=0.05, silence_seconds=0.05)
    async with serving(script) as served, fetching(deadlines=deadlines) as fetcher:
        refused = await refusal(fetcher, at(served), "media_unreachable")
        assert f"{HERE} was silent" in refused.message


# What goes wrong.


@pytest.mark.parametrize(
    "status", ["204 No Content", "206 Partial", "300 Many", "304 Not Modified", "400 Bad", "404 No", "500 Broken"]
)
async def test_statuses_without_media(status: str) -> None:
    async with serving(saying(reply(b"", status=status))) as served, fetching() as fetcher:
        refused = await refusal(fetcher, at(served, "/a?secret"), "media_unreachable")
    assert f"status {status[:3]}" in refused.message and "secret" not in refused.message


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nContent-Le",
        reply(PNG)[:-1],
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nnonsense",
        b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
        b"220 mail.test ESMTP\r\n",
        reply(PNG, "Content-Encoding: gzip\r\n"),
        reply(gzip.compress(PNG)[:-9], "Content-Encoding: gzip\r\n"),
    ],
)
async def test_answers_that_break_off_or_are_none(sent: bytes) -> None:
    async with serving(saying(sent)) as served, fetching() as fetcher:
        refused = await refusal(fetcher, at(served, "/a?secret"), "media_unreachable")
    assert HERE in refused.message and "secret" not in refused.message


async def test_nobody_listens() -> None:
    with socket.socket() as free:
        free.bind((HERE, 0))
        async with fetching() as fetcher:
            await refusal(fetcher, f"http://{HERE}:{free.getsockname()[1]}/", "media_unreachable")


async def test_the_next_address_is_tried_when_one_takes_no_connection() -> None:
    names = Names(media_test=["127.0.0.77", "127.0.0.78", HERE])
    async with serving(saying(reply(PNG))) as served, fetching(allow=["media.test"], resolve=names) as fetcher:
        assert await png(fetcher, f"http://media.test:{served.port}/")
        assert len(names.asked) == 1


async def test_only_so_many_addresses_are_tried() -> None:
    names = Names(media_test=[*(f"127.0.0.{70 + number}" for number in range(fetch_module.MAX_TRIED)), HERE])
    async with serving(saying(reply(PNG))) as served, fetching(allow=["media.test"], resolve=names) as fetcher:
        await refusal(fetcher, f"http://media.test:{served.port}/", "media_unreachable")
        assert served.connections == 0


async def test_who_was_asked_and_broke_off_is_not_asked_at_another_address() -> None:
    names = Names(media_test=[HERE, "127.0.0.1"])
    async with serving(saying(b""), saying(reply(PNG))) as served, fetching(allow=["media.test"], resolve=names) as f:
        await refusal(f, f"http://media.test:{served.port}/", "media_unreachable")
        assert served.connections == 1


async def test_a_name_without_addresses() -> None:
    async with fetching(resolve=Names(media_test=[])) as fetcher:
        assert "media.test" in (await refusal(fetcher, "http://media.test/", "media_unreachable")).message
        assert "unknown.test" in (await refusal(fetcher, "http://unknown.test/", "media_unreachable")).message


async def test_cancelling_hangs_up() -> None:
    asked = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.head()
        await peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nbegin")
        asked.set()
        assert await peer.gone() == b""

    async with serving(script) as served, fetching() as fetcher:
        task = asyncio.create_task(fetcher.fetch(at(served)))
        await asked.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await served.all_ended()


# TLS and proxies.


@pytest.fixture
def trusted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    context, pem = issue(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    return context


async def test_the_certificate_must_be_the_hosts(trusted: ssl.SSLContext) -> None:
    names = Names(upstream_test=[HERE], other_test=[HERE])
    async with (
        serving(saying(reply(PNG)), tls=trusted) as served,
        fetching(allow=["*.test"], resolve=names) as fetcher,
    ):
        assert await png(fetcher, f"https://{HOST.upper()}.:{served.port}/")
        refused = await refusal(fetcher, f"https://other.test:{served.port}/", "media_unreachable")
    assert "No safe connection to https://other.test" in refused.message


async def test_a_certificate_of_nobody(tmp_path: Path) -> None:
    context, _ = issue(tmp_path)
    async with serving(saying(reply(PNG)), tls=context) as served, fetching() as fetcher:
        refused = await refusal(fetcher, f"https://{HERE}:{served.port}/", "media_unreachable")
    assert "CERTIFICATE_VERIFY_FAILED" in refused.message


async def test_no_way_down_from_https(trusted: ssl.SSLContext) -> None:
    async with serving(saying(reply(PNG))) as plain:
        move = saying(reply(b"", f"Location: {at(plain)}\r\n", "302 Found"))
        async with serving(move, tls=trusted) as served, fetching() as fetcher:
            refused = await refusal(fetcher, f"https://{HERE}:{served.port}/", "media_refused")
            assert "from https to http" in refused.message
        assert plain.connections == 0


async def test_through_a_proxy_to_the_address_that_was_checked(trusted: ssl.SSLContext) -> None:
    """And so a public address, of which a test has none, is fetched from as well."""
    names = Names(upstream_test=[PUBLIC], private_test=[PRIVATE])
    async with serving(saying(reply(PNG)), tls=trusted) as served:
        proxy = HttpProxy(served.port)
        async with serving(proxy) as standing:
            proxies = Proxies({"all": f"http://{HERE}:{standing.port}"})
            async with fetching(allow=[], resolve=names, proxies=proxies) as fetcher:
                assert await png(fetcher, f"https://{HOST}:8443/")
                await refusal(fetcher, "https://private.test/", "media_refused")
    assert [head.split()[1] for head in proxy.heads] == [f"{PUBLIC}:8443".encode()]


async def test_where_the_proxy_is_stays_our_own_business() -> None:
    proxies = Proxies({"all": "http://user:hunter2@127.0.0.1:1"})
    async with fetching(allow=[], resolve=Names(media_test=[PUBLIC]), proxies=proxies) as fetcher:
        refused = await refusal(fetcher, "https://media.test/", "media_unreachable")
    assert "media.test" in refused.message
    assert "hunter2" not in refused.message and HERE not in refused.message


# Memory.

MEASURE = """
import asyncio, re, sys
from pathlib import Path
from gemgate.media.fetch import MediaFetcher

def peak():
    return int(re.search(r"VmHWM:\\s+(\\d+) kB", Path("/proc/self/status").read_text())[1]) * 1024

async def main(small, large):
    fetcher = MediaFetcher(allow=["127.0.0.1"])
    await fetcher.fetch(small)
    before = peak()
    fetched = await fetcher.fetch(large)
    print(len(fetched.data), peak() - before)
    await fetcher.aclose()

asyncio.run(main(*sys.argv[1:]))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads how much memory there was from /proc")
@pytest.mark.parametrize("known", [True, False])
async def test_memory_holds_the_base64_and_little_else(known: bool) -> None:
    size = 60_000_000

    async def large(peer: Peer) -> None:
        await peer.head()
        length = f"Content-Length: {size}\r\n" if known else ""
        await peer.send(f"HTTP/1.1 200 OK\r\n{length}\r\n".encode())
        for _ in range(size // 100_000):
            await peer.send(bytes(100_000))

    async with serving(saying(reply(PNG)), large) as served:
        command = [sys.executable, "-c", MEASURE, at(served), at(served)]
        child = await asyncio.create_subprocess_exec(*command, stdout=asyncio.subprocess.PIPE)
        printed, _ = await child.communicate()
    encoded, grown = map(int, printed.split())
    assert encoded == size // 3 * 4
    assert encoded <= grown < encoded + 8_000_000


# How much memory all of it may take.

HALF = 300_000
"""Bytes of which two fit."""
ROOM: dict[str, Any] = {"max_bytes": HALF, "max_total_bytes": 2 * HALF * 4 // 3 + 8}


def sized(data: bytes, *, stated: bool) -> bytes:
    return reply(data) if stated else b"HTTP/1.1 200 OK\r\n\r\n" + data


@pytest.mark.parametrize("stated", [True, False])
async def test_a_third_waits_until_one_of_two_is_let_go(stated: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch_module, "SMALL_BYTES", 1000)
    data = random.Random(1).randbytes(HALF)
    async with serving(saying(sized(data, stated=stated))) as served, fetching(**ROOM) as fetcher:
        held = [await fetcher.fetch(at(served)) for _ in range(2)]
        third = asyncio.create_task(fetcher.fetch(at(served)))
        done, _ = await asyncio.wait([third], timeout=0.1)
        assert not done and served.connections == 3
        held.pop()
        assert base64.b64decode((await third).data) == data


async def test_what_is_small_of_unstated_size_takes_little() -> None:
    """Twice as many as there is room for, were they as large as they may be."""
    room: dict[str, Any] = {"max_bytes": 10_000_000, "max_total_bytes": 14_000_000}
    async with serving(saying(sized(PNG, stated=False))) as served, fetching(**room) as fetcher:
        fetched = [await fetcher.fetch(at(served)) for _ in range(8)]
    assert all(base64.b64decode(one.data) == PNG for one in fetched)


async def test_who_finds_no_room_for_long_is_told_to_come_back() -> None:
    data = bytes(HALF)
    async with serving(saying(reply(data))) as served, fetching(**ROOM, total_seconds=0.1) as fetcher:
        held = [await fetcher.fetch(at(served)) for _ in range(2)]
        with pytest.raises(Unavailable) as caught:
            await fetcher.fetch(at(served))
        assert caught.value.retry_after_seconds and "Try again" in caught.value.message
        held.clear()
        assert len((await fetcher.fetch(at(served))).data) == HALF * 4 // 3


@pytest.mark.parametrize("script", [saying(reply(bytes(HALF + 1))), saying(reply(bytes(HALF))[:-1]), saying(b"x")])
async def test_what_fails_gives_its_room_back_at_once(script: Script) -> None:
    """Without waiting for the collector of garbage."""
    collects = gc.isenabled()
    gc.disable()
    try:
        good = saying(reply(bytes(HALF)))
        async with serving(script, script, script, good) as served, fetching(**ROOM) as fetcher:
            failures: list[BaseException] = []
            for _ in range(3):
                with pytest.raises(InvalidRequest) as caught:
                    await fetcher.fetch(at(served))
                failures.append(caught.value)
            both = await asyncio.gather(*(fetcher.fetch(at(served)) for _ in range(2)))
            assert len(both) == 2
    finally:
        if collects:
            gc.enable()


async def test_only_so_many_are_fetched_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fetch_module, "AT_ONCE", 2)
    gate = asyncio.Event()

    async def script(peer: Peer) -> None:
        await peer.head()
        await gate.wait()
        await peer.send(reply(PNG))

    async with serving(script) as served, fetching() as fetcher:
        fetches = [asyncio.create_task(fetcher.fetch(at(served))) for _ in range(5)]
        done, _ = await asyncio.wait(fetches, timeout=0.1)
        assert not done and served.connections == 2
        gate.set()
        assert len(await asyncio.gather(*fetches)) == 5


# What is refused by its looks alone.


@pytest.mark.parametrize(
    "url",
    [
        "ftp://x.test/",
        "x",
        "http://user:secret@x.test/",
        "http://127.0.0.2/",
        "http://[::1]/",
        "http://169.254.169.254/latest",
        "http://8.8.8.8:22/",
        "http://x.test:25/",
        "http://2130706433/",
    ],
)
async def test_looks_are_checked_without_asking_anybody(url: str) -> None:
    names = Names()
    async with fetching(resolve=names) as fetcher:
        with pytest.raises(InvalidRequest) as caught:
            fetcher.check(url)
        fetched = await refusal(fetcher, url, "media_refused")
    assert (caught.value.code, caught.value.message) == ("media_refused", fetched.message) and names.asked == []


@pytest.mark.parametrize("url", ["https://x.test/a", "http://8.8.8.8/", "http://127.0.0.1:25/", "http://x.test:8080/"])
async def test_what_may_be_fetched_passes_the_check(url: str) -> None:
    names = Names()
    async with fetching(resolve=names) as fetcher:
        fetcher.check(url)
    assert names.asked == []


async def test_a_redirect_is_checked_as_well() -> None:
    location = "http://8.8.8.8:22/"
    async with serving(saying(reply(b"", f"Location: {location}\r\n", "302 Found"))) as served, fetching() as fetcher:
        assert "port 22" in (await refusal(fetcher, at(served), "media_refused")).message
