"""The answer of countTokens."""

from msgspec import json


def write_count(total_tokens: int) -> bytes:
    """Write the count of a prompt's tokens."""
    return json.encode({"totalTokens": total_tokens})
