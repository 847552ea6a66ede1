"""URLs and origins."""

import pytest

from gemgate.net.url import Origin, split


@pytest.mark.parametrize(
    ("url", "origin", "target"),
    [
        ("https://host", Origin("https", "host", 443), "/"),
        ("http://host", Origin("http", "host", 80), "/"),
        ("https://HOST:8443/a/b?c=d&e", Origin("https", "host", 8443), "/a/b?c=d&e"),
        ("https://host?x=1", Origin("https", "host", 443), "/?x=1"),
        ("https://host/a%2Fb#fragment", Origin("https", "host", 443), "/a%2Fb"),
        ("http://[::1]:8080/x", Origin("http", "::1", 8080), "/x"),
    ],
)
def test_splitting(url: str, origin: Origin, target: str) -> None:
    assert split(url) == (origin, target)


@pytest.mark.parametrize("url", ["", "host", "/path", "ftp://host", "https://", "http://host:99999", "http://[::1"])
def test_what_is_no_url(url: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        split(url)


@pytest.mark.parametrize(
    "url", ["https://user:hunter2@host", "https://hunter2@host", "ftp://user:hunter2@host", "user:hunter2@host"]
)
def test_a_password_is_refused_and_not_repeated(url: str) -> None:
    with pytest.raises(ValueError, match=r"URL") as caught:
        split(url)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize(
    ("origin", "text"),
    [
        (Origin("https", "host", 443), "https://host"),
        (Origin("http", "host", 443), "http://host:443"),
        (Origin("https", "host", 80), "https://host:80"),
        (Origin("http", "::1", 80), "http://[::1]"),
        (Origin("http", "::1", 81), "http://[::1]:81"),
    ],
)
def test_as_text(origin: Origin, text: str) -> None:
    assert str(origin) == text
    assert f"{origin.scheme}://{origin.authority}" == text


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("10.0.0.1", False),
        ("localhost.example", False),
        ("::2", False),
        ("0.0.0.0", False),
        ("host", False),
    ],
)
def test_this_machine(host: str, loopback: bool) -> None:
    assert Origin("http", host, 80).is_loopback is loopback
