"""Errors as OpenAI writes them, for all of its formats (notes §6.5)."""

import math

from msgspec import json

from gemgate.errors import GemgateError, InvalidRequest

TYPES = {
    400: "invalid_request_error",
    401: "invalid_request_error",
    403: "permission_error",
    404: "invalid_request_error",
    405: "invalid_request_error",
    413: "invalid_request_error",
    429: "rate_limit_error",
}


def error_object(error: GemgateError) -> dict[str, object]:
    """Give the object that stands under `error`."""
    message = error.message
    if error.status == 429 and error.retry_after_seconds is not None:
        # Coding agents read the delay from this text.
        message += f" Please try again in {math.ceil(error.retry_after_seconds)}s."
    return {
        "message": message,
        "type": TYPES.get(error.status, "server_error"),
        "param": error.param if isinstance(error, InvalidRequest) else None,
        "code": error.code,
    }


def render(error: GemgateError) -> tuple[int, bytes]:
    """Write an error; gives the HTTP status and the body."""
    return error.status, json.encode({"error": error_object(error)})
