"""Which IP addresses belong to the public internet.

A list of our own: what `ipaddress` calls global differs between releases of Python and leaves gaps.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

CLOSED_V4 = tuple(
    map(
        IPv4Network,
        (
            "0.0.0.0/8",  # this network
            "10.0.0.0/8",  # private
            "100.64.0.0/10",  # carrier-grade NAT, where some clouds keep their metadata
            "127.0.0.0/8",  # loopback
            "168.63.129.16/32",  # a cloud's metadata, at an address that looks public
            "169.254.0.0/16",  # link-local, and the metadata of most clouds
            "172.16.0.0/12",  # private
            "192.0.0.0/24",  # protocol assignments
            "192.0.2.0/24",  # documentation
            "192.88.99.0/24",  # 6to4 relays
            "192.168.0.0/16",  # private
            "198.18.0.0/15",  # benchmarks
            "198.51.100.0/24",  # documentation
            "203.0.113.0/24",  # documentation
            "224.0.0.0/4",  # multicast
            "240.0.0.0/4",  # reserved, and broadcast
        ),
    )
)
OPEN_V6 = IPv6Network("2000::/3")
"""All that is given out as global unicast; loopback, mapped, local and multicast addresses are outside."""
CLOSED_V6 = tuple(
    map(
        IPv6Network,
        (
            "2001::/23",  # Teredo, benchmarks, identifiers and other protocols
            "2001:db8::/32",  # documentation
            "2002::/16",  # 6to4, which hides an IPv4 address
            "3ffe::/16",  # the former test network
            "3fff::/20",  # documentation
        ),
    )
)
NAT64 = IPv6Network("64:ff9b::/96")
"""How networks without IPv4 reach an IPv4 address, which is the last 32 bits."""


def is_public(address: str) -> bool:
    """Tell whether an IP address is one that anybody on the internet could reach; what is no address is not."""
    try:
        parsed = ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, IPv6Address):
        if parsed in NAT64:
            return _is_public_v4(IPv4Address(int(parsed) & 0xFFFFFFFF))
        return parsed in OPEN_V6 and parsed.scope_id is None and not any(parsed in network for network in CLOSED_V6)
    return _is_public_v4(parsed)


def _is_public_v4(address: IPv4Address) -> bool:
    return not any(address in network for network in CLOSED_V4)
