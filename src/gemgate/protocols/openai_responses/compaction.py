"""Summaries in the slot for compacted conversations: written by this server, known again when they come back."""

import zlib
from base64 import b64decode, b64encode

from gemgate.protocols.shared.seals import HEAD

SUMMARY = f"{HEAD}summary:"
"""How ours begin; zlib'd UTF-8 in base64 follows."""
MAX_BYTES = 2 << 20
"""Of one summary; a few letters can unpack to gigabytes."""

INTRODUCTION = (
    "The conversation before this point has been replaced by a summary, which you wrote to go on from. Treat what it "
    "says as known, and do not repeat work that it calls done. The summary:"
)


def sealed_summary(text: str) -> str:
    """Write a summary for the slot; nobody reads it but this server."""
    packed = zlib.compress(text.encode("utf-8", "replace"))
    return f"{SUMMARY}{b64encode(packed).decode()}"


def opened_summary(text: str) -> str | None:
    """Read a summary; `None` for what is foreign, spoilt, or longer than 2 MiB."""
    if not text.startswith(SUMMARY):
        return None
    unpacking = zlib.decompressobj()
    try:
        plain = unpacking.decompress(b64decode(text[len(SUMMARY) :], validate=True), MAX_BYTES)
        return plain.decode() if unpacking.eof else None
    except (ValueError, zlib.error):
        return None


def introduced(summary: str) -> str:
    """Say to the model what a summary is."""
    return f"{INTRODUCTION}\n\n{summary}"
