"""What is public and what is not, range by range: the first and the last address of each, and what lies beside it."""

from ipaddress import ip_address

import pytest

from gemgate.media.address_guard import is_public

CLOSED = {
    "this network": ("0.0.0.0", "0.255.255.255"),
    "private, class A": ("10.0.0.0", "10.255.255.255"),
    "carrier-grade NAT": ("100.64.0.0", "100.127.255.255"),
    "loopback": ("127.0.0.0", "127.255.255.255"),
    "a cloud's metadata": ("168.63.129.16", "168.63.129.16"),
    "link-local": ("169.254.0.0", "169.254.255.255"),
    "private, class B": ("172.16.0.0", "172.31.255.255"),
    "protocol assignments": ("192.0.0.0", "192.0.0.255"),
    "documentation 1": ("192.0.2.0", "192.0.2.255"),
    "6to4 relays": ("192.88.99.0", "192.88.99.255"),
    "private, class C": ("192.168.0.0", "192.168.255.255"),
    "benchmarks": ("198.18.0.0", "198.19.255.255"),
    "documentation 2": ("198.51.100.0", "198.51.100.255"),
    "documentation 3": ("203.0.113.0", "203.0.113.255"),
    "Teredo and other protocols": ("2001::", "2001:1ff:ffff:ffff:ffff:ffff:ffff:ffff"),
    "documentation 4": ("2001:db8::", "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff"),
    "6to4": ("2002::", "2002:ffff:ffff:ffff:ffff:ffff:ffff:ffff"),
    "the former test network, and documentation": ("3ffe::", "3fff:fff:ffff:ffff:ffff:ffff:ffff:ffff"),
    "NAT64 of private addresses": ("64:ff9b::10.0.0.0", "64:ff9b::10.255.255.255"),
}
"""Ranges with public neighbours."""

WITHOUT_NEIGHBOURS = [
    "224.0.0.1",  # multicast
    "239.255.255.255",
    "240.0.0.1",  # reserved
    "255.255.255.255",
    "169.254.169.254",  # metadata
    "100.100.100.200",
    "fd00:ec2::254",
    "::",
    "::1",
    "::8.8.8.8",  # compatible
    "::127.0.0.1",
    "::ffff:127.0.0.1",  # mapped
    "::ffff:8.8.8.8",
    "::ffff:0:8.8.8.8",  # translated
    "64:ff9b::127.0.0.1",
    "64:ff9b::169.254.169.254",
    "64:ff9b:1::8.8.8.8",  # NAT64 for local use
    "64:ff9b:0:1::8.8.8.8",
    "100::1",  # discarded
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",  # Teredo
    "2002:7f00:1::",  # 6to4 of 127.0.0.1
    "3fff::1",  # documentation
    "5f00::1",
    "fc00::1",  # unique-local
    "fdff:ffff::1",
    "fe80::1",  # link-local
    "fe80::1%lo",
    "febf::1",
    "fec0::1",  # site-local
    "ff02::1",  # multicast
    "ff0e::1",
    "2606:4700::1%eth0",  # a zone is for local addresses
]


@pytest.mark.parametrize("name", CLOSED)
def test_a_range_is_closed_from_end_to_end_and_no_further(name: str) -> None:
    first, last = (ip_address(end) for end in CLOSED[name])
    middle = first + (int(last) - int(first)) // 2
    assert not any(is_public(str(one)) for one in (first, middle, last))
    beside = [last + 1] if int(first) == 0 else [first - 1, last + 1]
    assert [str(one) for one in beside if not is_public(str(one))] == []


@pytest.mark.parametrize("address", WITHOUT_NEIGHBOURS)
def test_other_addresses_that_are_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address",
    ["8.8.8.8", "1.1.1.1", "93.184.215.14", "223.255.255.255", "2606:4700::1111", "2a00:1450:4001::200e", "2400::1"],
)
def test_public_addresses(address: str) -> None:
    assert is_public(address)


def test_a_public_address_behind_nat64() -> None:
    assert is_public("64:ff9b::8.8.8.8")


@pytest.mark.parametrize("text", ["", "localhost", "8.8.8", "08.8.8.8", "134744072", "8.8.8.8/32", "[::1]"])
def test_what_is_no_address_is_not_public(text: str) -> None:
    assert not is_public(text)


def test_our_list_is_never_wider_than_the_standard_librarys() -> None:
    """What Python itself calls private must be closed here as well, wherever one looks."""
    steps = [ip_address(f"{a}.{b}.{c}.1") for a in range(256) for b in range(0, 256, 9) for c in (0, 100)]
    assert [str(one) for one in steps if is_public(str(one)) and not one.is_global] == []
