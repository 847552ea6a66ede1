"""Errors as Responses write them: over HTTP, within a stream, and on a WebSocket."""

import math

from msgspec import json

from gemgate.errors import ContextTooLong, GemgateError
from gemgate.protocols.shared.error_object import error_message, error_object, render

__all__ = ["failed", "render", "render_frame"]

CODES = {
    400: "invalid_prompt",
    402: "insufficient_quota",
    429: "rate_limit_exceeded",
    503: "slow_down",
}
"""What an answer has failed of, by status. Coding agents come back after the third and the fourth; being overloaded has
a word of its own, but they give up at that."""
KEPT_CODES = frozenset({"insufficient_quota", "previous_response_not_found"})
"""Codes that they act on."""


def failed(error: GemgateError) -> dict[str, object]:
    """Give the `error` of a response that has failed."""
    return {"code": _code(error), "message": _message(error)}


def render_frame(error: GemgateError) -> tuple[int, bytes]:
    """Write an error as one text frame of a WebSocket, with its status; it has no line ends."""
    frame: dict[str, object] = {"type": "error", "status": error.status, "error": error_object(error)}
    if error.retry_after_seconds is not None:
        frame["headers"] = {"retry-after": str(math.ceil(error.retry_after_seconds))}
    return error.status, json.encode(frame)


def _code(error: GemgateError) -> str:
    if isinstance(error, ContextTooLong) or error.code in KEPT_CODES:
        return error.code
    return CODES.get(error.status, "server_error")


def _message(error: GemgateError) -> str:
    if error.status == 503 and error.retry_after_seconds is not None:
        return f"{error.message} Please try again in {math.ceil(error.retry_after_seconds)}s."
    return error_message(error)
