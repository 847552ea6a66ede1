"""Errors as Anthropic writes them (notes §6.5)."""

import re

from msgspec import json

from gemgate.errors import ContextTooLong, GemgateError, InvalidRequest

TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    409: "conflict_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
OVERLOADED = 529
TOO_LONG = "prompt is too long"
PUNCTUATION = ".,:;?!'\"`()"
COUNTS = re.compile(r"\d{4,}")


def render(error: GemgateError, request_id: str = "") -> tuple[int, bytes]:
    """Write an error; gives the HTTP status and the body. Being overloaded has a status of its own."""
    status = OVERLOADED if error.status == 503 else error.status
    kind = TYPES.get(status, "invalid_request_error" if status < 500 else "api_error")
    document: dict[str, object] = {"type": "error", "error": {"type": kind, "message": _words(error)}}
    if request_id:
        document["request_id"] = request_id
    return status, json.encode(document)


def _words(error: GemgateError) -> str:
    """Say what happened, and where in the request: this format has no field for that."""
    if isinstance(error, ContextTooLong):
        return _too_long(error.message)
    if isinstance(error, InvalidRequest) and error.param and not _names(error.message, error.param):
        return f"{error.param}: {error.message}"
    return error.message


def _names(message: str, path: str) -> bool:
    return path in (word.strip(PUNCTUATION) for word in message.split())


def _too_long(message: str) -> str:
    """Say it in the words by which clients know that they must shorten the conversation (notes §10.1)."""
    if message.startswith(TOO_LONG):
        return message
    counts = COUNTS.findall(message)
    if len(counts) == 2 and int(counts[0]) > int(counts[1]):
        return f"{TOO_LONG}: {counts[0]} tokens > {counts[1]} maximum"
    return f"{TOO_LONG}: {message}"
