"""The request that goes on with a long answer (notes §2.8)."""

from msgspec import json


def continued(body: tuple[bytes | memoryview, ...], token: str) -> tuple[bytes | memoryview, ...]:
    """Give the same request with the token of the answer so far; no segment is copied."""
    first, *rest = body
    assert first[:1] == b"{", "a rendered request is an object"
    return (b'{"continuationToken":%s,' % json.encode(token), memoryview(first)[1:], *rest)
