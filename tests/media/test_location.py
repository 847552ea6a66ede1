"""Reading URLs, the way an attacker would write them."""

import re

import pytest

from gemgate.errors import InvalidRequest
from gemgate.media.location import MAX_URL_LENGTH, Location, locate


def refusal(url: str) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        locate(url)
    assert caught.value.code == "media_refused"
    return caught.value


@pytest.mark.parametrize(
    ("url", "origin", "target"),
    [
        ("https://example.com/a.png", "https://example.com", "/a.png"),
        ("HTTPS://EXAMPLE.com./a.png", "https://example.com", "/a.png"),
        ("http://example.com", "http://example.com", "/"),
        ("http://example.com?a=b", "http://example.com", "/?a=b"),
        ("http://example.com:/x", "http://example.com", "/x"),
        ("http://example.com:8080/x?y=1&z#part", "http://example.com:8080", "/x?y=1&z"),
        ("https://example.com:80/", "https://example.com:80", "/"),
        ("https://sub_domain.r3---sn.example.com/", "https://sub_domain.r3---sn.example.com", "/"),
        ("http://127.0.0.1:81/", "http://127.0.0.1:81", "/"),
        ("http://127.0.0.1./", "http://127.0.0.1", "/"),
        ("http://[2606:4700:0:0::1]:81/", "http://[2606:4700::1]:81", "/"),
        ("http://[::FFFF:127.0.0.1]/", "http://[::ffff:7f00:1]", "/"),
        ("http://bücher.example/ü", "http://xn--bcher-kva.example", "/ü"),
        ("http://１２７。０。０。１/", "http://127.0.0.1", "/"),  # wide digits, ideographic stops
        ("http://ⓛocalhost/", "http://localhost", "/"),
        (" https://example.com/\n", "https://example.com", "/"),
    ],
)
def test_one_reading(url: str, origin: str, target: str) -> None:
    place = locate(url)
    assert (str(place.origin), place.target) == (origin, target)


@pytest.mark.parametrize(
    "host",
    [
        "127.1",
        "127.0.1",
        "2130706433",
        "0x7f000001",
        "0x7f.0.0.1",
        "0x7f.1",
        "0X7F.1",
        "0177.0.0.1",
        "017700000001",
        "127.0.0.01",
        "127.0.0.0x1",
        "127.0.0.0x",
        "127.1.",
        "１２７.1",
        "①②⑦.0.0.0x1",
        "256.256.256.256",
        "1.2.3.4.5",
        "4294967297",
        "example.1",
    ],
)
def test_odd_spellings_of_ipv4_are_refused(host: str) -> None:
    assert "four decimal numbers" in refusal(f"http://{host}/").message


@pytest.mark.parametrize(
    "url",
    [
        "http://",
        "http:///path",
        "http://:80/",
        "http://./",
        "http://a..b/",
        "http://.a/",
        "http://exa mple.com/",
        "http://example.com:0/",
        "http://example.com:65536/",
        "http://example.com:123456/",
        "http://example.com:8a/",
        "http://example.com:-1/",
        "http://example.com:８０/",
        "http://example.com:80:80/",
        "http://127%2e0.0.1/",
        "http://example.com%00.evil.test/",
        "http://exam\\ple.com/",
        "http://example.com\\.evil.test/",
        "http://[::1/",
        "http://::1/",
        "http://[::1]x/",
        "http://x[::1]/",
        "http://[fe80::1%25eth0]/",
        "http://[fe80::1%eth0]/",
        "http://[v1.x]/",
        "http://[127.0.0.1]/",
        "http://exam!ple/",
        "http://example.com,evil.test/",
        "http://*.example.com/",
        "http://a℀b.example/",  # becomes a/c under compatibility
        f"http://{'a' * 64}.example/",
        f"http://{'a.' * 127}example/",
        f"http://{'ü' * 300}/",
        "http://\u0007bell.example/",
    ],
)
def test_hosts_that_cannot_be_read_are_refused(url: str) -> None:
    refusal(url)


@pytest.mark.parametrize("url", ["http://user@h/", "http://:secret@h/", "http://@h/", "http://good.test\\@evil.test/"])
def test_credentials_are_refused_and_not_repeated(url: str) -> None:
    message = refusal(url).message
    assert "user name or password" in message and "secret" not in message


@pytest.mark.parametrize(
    "url",
    [
        "file:///etc/passwd",
        "ftp://example.com/x",
        "gopher://example.com/x",
        "data:image/png;base64,c2VjcmV0",
        "gs://bucket/secret",
        "//example.com/secret",
        "example.com/secret",
        "/secret",
        "",
        "javascript:secret",
        "http",
        "jar:http://example.com/secret",
    ],
)
def test_other_schemes_are_refused_and_the_rest_not_repeated(url: str) -> None:
    message = refusal(url).message
    assert re.search("of the kind '|without a scheme", message) and "secret" not in message and "c2Vj" not in message


def test_a_url_without_end() -> None:
    assert locate(f"https://h/{'x' * (MAX_URL_LENGTH - 10)}")
    assert len(refusal(f"https://h/{'x' * MAX_URL_LENGTH}").message) < 200


# Redirects.

START = "https://example.com/a/b.png?x=1"


@pytest.mark.parametrize(
    ("to", "origin", "target"),
    [
        (b"https://other.test/x", "https://other.test", "/x"),
        (b"//other.test/x", "https://other.test", "/x"),
        (b"/x", "https://example.com", "/x"),
        (b"c.png", "https://example.com", "/a/c.png"),
        (b"../c.png?y#z", "https://example.com", "/c.png?y"),
        (b"?y", "https://example.com", "/a/b.png?y"),
        ("/ü".encode(), "https://example.com", "/ü"),
    ],
)
def test_redirects_are_followed_from_where_they_are(to: bytes, origin: str, target: str) -> None:
    place = locate(START).moved(to)
    assert (str(place.origin), place.target) == (origin, target)


@pytest.mark.parametrize(
    "to",
    [
        b"http://example.com/a",  # down from https
        b"ftp://example.com/a",
        b"file:///etc/passwd",
        b"https://user:secret@example.com/",
        b"https://127.1/",
        b"//[::1",
    ],
)
def test_redirects_that_are_refused(to: bytes) -> None:
    with pytest.raises(InvalidRequest) as caught:
        locate(START).moved(to)
    assert caught.value.code == "media_refused" and "secret" not in caught.value.message


def test_a_redirect_up_to_https() -> None:
    assert locate("http://example.com/").moved(b"https://example.com/x") == locate("https://example.com/x")


def test_a_redirect_to_nowhere() -> None:
    with pytest.raises(InvalidRequest, match=r"example\.com redirects to nowhere") as caught:
        locate(START).moved(b"")
    assert caught.value.code == "media_unreachable"


def test_a_redirect_at_an_ipv6_address() -> None:
    place = locate("http://[2606:4700::1]:8080/a").moved(b"b")
    assert isinstance(place, Location) and str(place.origin) == "http://[2606:4700::1]:8080" and place.target == "/b"
