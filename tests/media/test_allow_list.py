"""What an operator writes into the allow list, and what it covers."""

import pytest

from gemgate.media.allow_list import AllowList


@pytest.mark.parametrize(
    ("entry", "host", "port", "allowed"),
    [
        ("files.internal", "files.internal", 80, True),
        ("files.internal", "files.internal", 9000, True),
        (" Files.Internal. ", "files.internal", 80, True),
        ("files.internal", "sub.files.internal", 80, False),
        ("files.internal", "internal", 80, False),
        ("files.internal", "xfiles.internal", 80, False),
        ("files.internal:9000", "files.internal", 9000, True),
        ("files.internal:9000", "files.internal", 80, False),
        ("*.internal", "files.internal", 80, True),
        ("*.internal", "a.b.internal", 80, True),
        ("*.internal", "internal", 80, False),
        ("*.internal", "filesinternal", 80, False),
        ("*.internal", "files.internal.evil.test", 80, False),
        ("*.internal:81", "files.internal", 81, True),
        ("*.internal:81", "files.internal", 80, False),
        ("127.0.0.1", "127.0.0.1", 8080, True),
        ("127.0.0.1", "127.0.0.2", 8080, False),
        ("127.0.0.1:81", "127.0.0.1", 80, False),
        ("::1", "::1", 80, True),
        ("0:0::1", "::1", 80, True),
        ("[::1]:81", "::1", 81, True),
        ("[::1]:81", "::1", 80, False),
        ("bücher.internal", "xn--bcher-kva.internal", 80, True),
        ("10.0.0.0/8", "10.0.0.1", 80, False),  # a network is a matter of addresses
    ],
)
def test_hosts(entry: str, host: str, port: int, allowed: bool) -> None:
    assert AllowList([entry]).has_host(host, port) is allowed


def test_networks() -> None:
    allow = AllowList(["10.1.2.3/8", "fd00::/8", "192.168.1.7/32"])
    assert all(map(allow.has_address, ("10.0.0.1", "10.255.255.255", "fd12::1", "192.168.1.7")))
    assert not any(map(allow.has_address, ("11.0.0.1", "fe80::1", "192.168.1.8", "::ffff:10.0.0.1", "", "10.0.0")))


def test_nothing_is_allowed_by_itself() -> None:
    allow = AllowList()
    assert not allow.has_host("localhost", 80) and not allow.has_address("127.0.0.1")


@pytest.mark.parametrize(
    "entry",
    ["", "*", "*.", "http://files.internal", "files.internal/path", "10.0.0.0/33", "files.internal:0", "a b", "127.1"],
)
def test_what_cannot_be_read_is_named(entry: str) -> None:
    with pytest.raises(ValueError, match="is not a host, a host:port") as caught:
        AllowList(["fine.internal", entry])
    assert repr(entry) in str(caught.value)
