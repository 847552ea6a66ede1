"""Client keys: finding them in a request, and telling whose they are."""

import hashlib
import hmac
from collections.abc import Iterable, Sequence

from msgspec import Struct

CALLER_ID_LENGTH = 16

HEADERS = (b"authorization", b"x-goog-api-key", b"x-api-key", b"api-key")
"""Headers that may hold a client key; all of them are stripped before anything goes upstream."""


class Caller(Struct, frozen=True):
    """One of our clients; `id` is safe to log and store."""

    id: str


class ClientKeys:
    """The keys that are let in."""

    def __init__(self, keys: Iterable[str]) -> None:
        self._callers = [(key.encode(), _caller(key)) for key in dict.fromkeys(keys)]

    def caller(self, candidates: Sequence[bytes]) -> Caller | None:
        """Tell who sent any of these credentials; `None` if none is valid.

        Every key is compared with every candidate in constant time, whatever matched before.
        """
        found: Caller | None = None
        for candidate in candidates:
            for key, caller in self._callers:
                if hmac.compare_digest(candidate, key):
                    found = caller
        return found


def _caller(key: str) -> Caller:
    return Caller(hashlib.sha256(b"gemgate caller " + key.encode()).hexdigest()[:CALLER_ID_LENGTH])


def credentials(headers: Iterable[tuple[bytes, bytes]], query_keys: Iterable[bytes]) -> list[bytes]:
    """List what a request offers as credentials, in every form that clients use.

    `Authorization` may have a scheme or hold the bare key; the others are bare.
    """
    found: list[bytes] = []
    for name, value in headers:
        if name in HEADERS:
            value = value.strip()
            if name == b"authorization" and value[:7].lower() == b"bearer ":
                value = value[7:].strip()
            if value:
                found.append(value)
    found += (key for key in query_keys if key)
    return found
