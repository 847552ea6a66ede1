"""What of a relayed exchange's head goes through, and what stays here."""

from collections.abc import Sequence

from gemgate.net.connection import UNDONE, Headers

PASSED_ON = frozenset(
    {
        b"accept",
        b"accept-language",
        b"api-revision",
        b"content-type",
        b"if-match",
        b"if-modified-since",
        b"if-none-match",
        b"range",
        b"user-agent",
        b"x-server-timeout",
    }
)
"""Request headers that mean something to the upstream."""
PASSED_ON_PREFIXES = (b"x-goog-", b"x-gemini-")
SECRET = frozenset({b"x-goog-api-key", b"x-goog-user-project", b"x-goog-iam-authorization-token"})

KEPT_BACK = frozenset(
    {
        b"alt-svc",
        b"connection",
        b"content-type",
        b"date",
        b"keep-alive",
        b"location",
        b"proxy-authenticate",
        b"server",
        b"set-cookie",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
        b"x-goog-upload-url",
        b"x-goog-upload-control-url",
    }
)
"""Answer headers that concern the connection, or that are written anew."""

IDENTITY = (b"accept-encoding", b"identity")


def request_headers(headers: Sequence[tuple[bytes, bytes]]) -> tuple[tuple[bytes, bytes], ...]:
    """Choose the client's headers that go upstream: no credential is among them."""
    kept = [
        (name, value)
        for name, value in headers
        if name in PASSED_ON or (name.startswith(PASSED_ON_PREFIXES) and name not in SECRET)
    ]
    return (*kept, IDENTITY)


def answer_headers(response_headers: Headers) -> Headers:
    """Choose the upstream's headers that go to the client; those of a compression that was undone do not."""
    encoding = next((value.lower() for name, value in response_headers if name == b"content-encoding"), b"")
    undone = {b"content-encoding", b"content-length"} if encoding in UNDONE else frozenset[bytes]()
    return [
        (name, value)
        for name, value in response_headers
        if name not in KEPT_BACK and name not in undone and not name.startswith(b"access-control-")
    ]


def query_without_key(query: bytes) -> str:
    """Give the query, with its question mark, without the client's key."""
    if not query:
        return ""
    kept = [part for part in query.split(b"&") if part and not part.startswith((b"key=", b"access_token="))]
    return f"?{b'&'.join(kept).decode('latin-1')}" if kept else ""
