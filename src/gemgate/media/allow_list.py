"""Hosts and networks that the operator lets media come from though they are private."""

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from gemgate.media.location import authority


class AllowList:
    """What may be private. Raises `ValueError`, naming the entry that cannot be read.

    An entry is a host (`files.internal`), a host at one port (`files.internal:9000`), all names below one
    (`*.files.internal`, also with a port), or a network (`10.0.0.0/8`): then any name may lead there.
    """

    def __init__(self, entries: Iterable[str] = ()) -> None:
        self._hosts: set[tuple[str, int | None]] = set()
        self._domains: set[tuple[str, int | None]] = set()
        self._networks: list[IPv4Network | IPv6Network] = []
        for entry in entries:
            try:
                self._add(entry.strip())
            except ValueError as error:
                raise ValueError(f"{entry!r} is not a host, a host:port, a *.domain or a network: {error}") from None

    def _add(self, entry: str) -> None:
        if "/" in entry:
            self._networks.append(ip_network(entry, strict=False))
        elif entry.startswith("*."):
            self._domains.add(authority(entry[2:]))
        elif entry.count(":") > 1 and not entry.startswith("["):
            self._hosts.add((str(ip_address(entry)), None))
        else:
            self._hosts.add(authority(entry))

    def has_host(self, host: str, port: int) -> bool:
        """Tell whether a host, spelled as `authority` gives it, is allowed by name."""
        if not self._hosts.isdisjoint(((host, None), (host, port))):
            return True
        labels = host.split(".")
        above = (".".join(labels[start:]) for start in range(1, len(labels)))
        return any((name, None) in self._domains or (name, port) in self._domains for name in above)

    def has_address(self, address: str) -> bool:
        """Tell whether an IP address is in a network that is allowed; what is no address is not."""
        try:
            parsed = ip_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in self._networks)
