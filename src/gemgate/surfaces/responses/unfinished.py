"""Documents and events of responses that no writer has written: those that wait, are cancelled, or were given up."""

from msgspec import json

from gemgate.errors import GemgateError
from gemgate.protocols.openai_responses.errors import failed
from gemgate.protocols.shared.raw_json import decode_members

OPENING = ("response.created", "response.queued")
"""What is told of a response before the work on it begins."""


def with_status(document: bytes, status: str) -> bytes:
    """Give a response's document with another status."""
    return json.encode({**decode_members(document), "status": status})


def with_failure(document: bytes, error: GemgateError) -> bytes:
    """Give the document of a response that failed of this."""
    return json.encode({**decode_members(document), "status": "failed", "error": failed(error)})


def opening_events(document: bytes) -> list[bytes]:
    """Give the first events of a response in the background, each a line of JSON; they are numbered from 0."""
    return [_event(kind, number, document) for number, kind in enumerate(OPENING)]


def last_event(status: str, document: bytes, number: int) -> bytes:
    """Give the event that tells how a response has ended."""
    return _event(f"response.{status}", number, document)


def _event(kind: str, number: int, document: bytes) -> bytes:
    # What is echoed of a request may be spread over lines; within strings none can break.
    line = document.replace(b"\n", b" ").replace(b"\r", b" ")
    return b'{"type":"%s","sequence_number":%d,"response":%s}' % (kind.encode(), number, line)
