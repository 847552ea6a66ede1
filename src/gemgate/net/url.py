"""The part of a URL that a connection is made to, and the part that is asked for there."""

from ipaddress import ip_address
from typing import Literal
from urllib.parse import urlsplit

from msgspec import Struct


class Origin(Struct, frozen=True):
    """Where a connection goes."""

    scheme: Literal["http", "https"]
    host: str
    port: int

    @property
    def authority(self) -> str:
        """As the Host header has it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        default = 443 if self.scheme == "https" else 80
        return host if self.port == default else f"{host}:{self.port}"

    def __str__(self) -> str:
        return f"{self.scheme}://{self.authority}"

    @property
    def is_loopback(self) -> bool:
        """Whether the host is this machine, by name or address."""
        if self.host == "localhost":
            return True
        try:
            return ip_address(self.host).is_loopback
        except ValueError:
            return False


def split(url: str) -> tuple[Origin, str]:
    """Split an http or https URL into its origin and target (path and query); raises `ValueError`."""
    parts = urlsplit(url)
    if parts.username or parts.password:
        raise ValueError("a URL must not hold a user name or password")
    if parts.scheme not in ("http", "https") or not parts.hostname:
        # What stands before an @ may be a password.
        raise ValueError(f"not an http or https URL: {url.rpartition('@')[2]!r}")
    scheme: Literal["http", "https"] = "https" if parts.scheme == "https" else "http"
    port = parts.port or (443 if scheme == "https" else 80)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Origin(scheme, parts.hostname, port), target
