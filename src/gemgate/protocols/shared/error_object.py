"""Errors as OpenAI writes them, in all of its formats (notes §6.5)."""

import math

from msgspec import json

from gemgate.errors import GemgateError, InvalidRequest, NotFound

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
    return {
        "message": error_message(error),
        "type": TYPES.get(error.status, "server_error"),
        "param": error.param if isinstance(error, (InvalidRequest, NotFound)) else None,
        "code": error.code,
    }


def error_message(error: GemgateError) -> str:
    """Say what happened, and when to come back: coding agents read the delay from this text."""
    if error.status == 429 and error.retry_after_seconds is not None:
        return f"{error.message} Please try again in {math.ceil(error.retry_after_seconds)}s."
    return error.message


def render(error: GemgateError) -> tuple[int, bytes]:
    """Write an error; gives the HTTP status and the body."""
    return error.status, json.encode({"error": error_object(error)})
