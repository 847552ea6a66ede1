"""Errors as Anthropic writes them (notes §6.5)."""

from msgspec import json

from gemgate.errors import GemgateError

TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    405: "invalid_request_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
OVERLOADED = 529


def render(error: GemgateError) -> tuple[int, bytes]:
    """Write an error; gives the HTTP status and the body. Being overloaded has a status of its own."""
    status = OVERLOADED if error.status == 503 else error.status
    kind = TYPES.get(status, "invalid_request_error" if status < 500 else "api_error")
    return status, json.encode({"type": "error", "error": {"type": kind, "message": error.message}})
