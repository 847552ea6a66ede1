"""Where a URL that somebody sent leads, read in one way only.

What is checked is what is connected to. A spelling that another reader might take for something else is refused.
"""

import re
from ipaddress import IPv4Address, IPv6Address
from typing import Literal
from urllib.parse import urljoin, urlsplit

from msgspec import Struct

from gemgate.errors import InvalidRequest
from gemgate.net.url import Origin

MAX_URL_LENGTH = 16 * 1024
MAX_NAME_LENGTH = 253

AUTHORITY = re.compile(r"(?:\[(?P<v6>[0-9a-fA-F:.]+)\]|(?P<name>[^\[\]:@\\/%\s]+))(?::(?P<port>[0-9]{0,5}))?")
LABEL = re.compile(r"[a-z0-9_-]{1,63}")
NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*")
"""As a last label, it makes the whole an IPv4 address to some readers, in any of a dozen spellings."""


class Location(Struct, frozen=True):
    """Where something is: the origin to connect to, and the path and query to ask for."""

    origin: Origin
    target: str

    def moved(self, to: bytes) -> "Location":
        """Follow a redirect, relative or not; raises `InvalidRequest` if it must not be followed."""
        host = self.origin.host
        if not to:
            raise InvalidRequest(f"{host} redirects to nowhere. Send the media as data.", code="media_unreachable")
        try:
            url = urljoin(f"{self.origin}{self.target}", to.decode("utf-8", "replace"))
        except ValueError:
            raise refused(f"{host} redirects to something that is not a URL. Send the media as data.") from None
        moved = locate(url)
        if self.origin.scheme == "https" and moved.origin.scheme == "http":
            raise refused(f"{host} redirects from https to http, which is not followed. Send the media as data.")
        return moved


def refused(message: str) -> InvalidRequest:
    """Make the error for a URL that is not fetched at all; the message must not hold its query or credentials."""
    return InvalidRequest(message, code="media_refused")


def locate(url: str) -> Location:
    """Read a URL; raises `InvalidRequest` unless it is an http or https one that leaves nothing open."""
    if len(url) > MAX_URL_LENGTH:
        raise refused(f"The URL of the media is longer than {MAX_URL_LENGTH} characters. Send the media as data.")
    try:
        parts = urlsplit(url)
    except ValueError:
        raise refused("The URL of the media cannot be read. Write it as https://host/path.") from None
    if parts.scheme not in ("http", "https"):
        kind = f"of the kind {parts.scheme[:20]!r}" if parts.scheme else "without a scheme"
        raise refused(f"Media are not fetched from URLs {kind}. Give an http or https URL, or send them as data.")
    if "@" in parts.netloc:
        raise refused("The URL of the media holds a user name or password. Give one without, or send the data itself.")
    scheme: Literal["http", "https"] = "https" if parts.scheme == "https" else "http"
    try:
        host, port = authority(parts.netloc)
    except ValueError as error:
        raise refused(f"The URL of the media names {error}. Give a host name or a plain IP address.") from None
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Location(Origin(scheme, host, port or (443 if scheme == "https" else 80)), target)


def authority(text: str) -> tuple[str, int | None]:
    """Read `host` or `host:port`; gives the host in its one spelling, lower-case, in ASCII, without a final dot.

    Raises `ValueError`, its message saying what the text is instead.
    """
    found = AUTHORITY.fullmatch(text)
    if found is None:
        raise ValueError("no host that can be read")
    port = int(found["port"]) if found["port"] else None
    if port == 0 or (port or 0) > 65535:
        raise ValueError("a port that does not exist")
    if found["v6"]:
        try:
            return str(IPv6Address(found["v6"])), port
        except ValueError:
            raise ValueError("an IPv6 address that cannot be read") from None
    return _name(found["name"]), port


def _name(text: str) -> str:
    """Give a host name in ASCII, or an IPv4 address; compatible characters (such as wide digits) become plain ones."""
    if len(text) > MAX_NAME_LENGTH + 1:
        raise ValueError("a host with too long a name")
    try:
        name = text.encode("idna").decode("ascii").lower().removesuffix(".")
    except UnicodeError:
        raise ValueError("a host with an impossible name") from None
    labels = name.split(".")
    if len(name) > MAX_NAME_LENGTH or not all(LABEL.fullmatch(label) for label in labels):
        raise ValueError("a host with an impossible name")
    if not NUMBER.fullmatch(labels[-1]):
        return name
    try:
        return str(IPv4Address(name))
    except ValueError:
        raise ValueError("an IPv4 address that is not four decimal numbers") from None
