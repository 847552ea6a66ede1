"""Errors in Gemini's form: `google.rpc.Status` as JSON (notes §2.7), read and written."""

import math
import re

import msgspec
from msgspec import Struct, json

from gemgate.errors import (
    ContextTooLong,
    GemgateError,
    InvalidRequest,
    ModelNotFound,
    NotFound,
    PermissionDenied,
    RateLimited,
    Timeout,
    TooLarge,
    Unavailable,
    UpstreamError,
)

STATUS_NAMES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    405: "UNIMPLEMENTED",
    409: "ABORTED",
    413: "INVALID_ARGUMENT",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    501: "UNIMPLEMENTED",
    502: "UNAVAILABLE",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}

RETRY_DELAY = re.compile(r"(-?[0-9]+(?:\.[0-9]+)?)s")
RETRY_TEXT = re.compile(r"retry in ([0-9]+(?:\.[0-9]+)?) ?s", re.IGNORECASE)
CONTEXT_TEXT = re.compile(r"exceeds the maximum number of tokens|input token count.*exceeds", re.IGNORECASE)
MODEL_TEXT = re.compile(r"^models/\S+ is not found|is no longer available|model.*not found", re.IGNORECASE)
SIGNATURE_TEXT = re.compile(r"thought.?signature", re.IGNORECASE)


class Violation(Struct, rename="camel"):
    """A quota that was exceeded."""

    quota_id: str = ""


class Detail(Struct, rename="camel"):
    """One of `details`; which fields it has depends on its type."""

    type: str = msgspec.field(default="", name="@type")
    reason: str = ""
    retry_delay: str = ""
    violations: list[Violation] = []


class Status(Struct):
    """What an error says; `code` is an HTTP status."""

    code: int = 0
    message: str = ""
    status: str = ""
    details: list[Detail] = []

    @property
    def reasons(self) -> set[str]:
        """`ErrorInfo.reason` of each detail."""
        return {detail.reason for detail in self.details if detail.reason}

    @property
    def retry_after_seconds(self) -> float | None:
        """How long to wait, from `RetryInfo` or else the message; there is no Retry-After header."""
        for detail in self.details:
            if found := RETRY_DELAY.fullmatch(detail.retry_delay):
                return max(0.0, float(found[1]))
        found = RETRY_TEXT.search(self.message)
        return float(found[1]) if found else None

    @property
    def daily(self) -> bool:
        """Whether a quota for the whole day is used up."""
        return any("PerDay" in violation.quota_id for detail in self.details for violation in detail.violations)


class _Envelope(Struct):
    error: Status


class _Words(Struct):
    message: str = ""


class _Worded(Struct):
    """What every form of an error has; the Interactions API has a string for a code."""

    error: _Words


def read_status(body: bytes, http_status: int) -> Status:
    """Read an error's body, also in a one-element array; anything else becomes a status without words."""
    for candidate in (body, _unwrapped(body)):
        try:
            found = json.decode(candidate, type=_Envelope, strict=False).error
        except msgspec.ValidationError:
            try:
                return Status(http_status, json.decode(candidate, type=_Worded).error.message)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                continue
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
            continue
        if not found.code:
            found.code = http_status
        return found
    return Status(code=http_status)


def _unwrapped(body: bytes) -> bytes:
    text = body.strip()
    return text[1:-1] if text[:1] == b"[" and text[-1:] == b"]" else text


def status_error(status: Status) -> GemgateError:
    """Translate what the upstream said into an error for the client; keys' own failures are not judged here."""
    message, code = status.message or f"The upstream answered with status {status.code}.", status.code
    retry_after = status.retry_after_seconds
    if CONTEXT_TEXT.search(message):
        return ContextTooLong(message)
    if code == 404:
        return ModelNotFound(message) if MODEL_TEXT.search(message) else NotFound(message)
    if code == 413:
        return TooLarge(message)
    if code == 403:
        return PermissionDenied(message)
    if code == 429:
        return RateLimited(message, retry_after_seconds=retry_after)
    if code == 503:
        return Unavailable(message, retry_after_seconds=retry_after)
    if code == 504:
        return Timeout(message)
    if 400 <= code < 500:
        return InvalidRequest(message)
    return UpstreamError(message, status=500 if code == 500 else 502)


def reply_error(payload: bytes) -> GemgateError:
    """Read an error that stands where a reply should be, as in a stream that has begun."""
    return status_error(read_status(payload, 500))


def is_signature_error(status: Status) -> bool:
    """Whether the upstream refused a thought signature (notes §5.1 rules 1 and 11)."""
    return status.code == 400 and bool(SIGNATURE_TEXT.search(status.message))


def render(error: GemgateError) -> tuple[int, bytes]:
    """Write an error as Gemini does; gives the HTTP status and the body."""
    details: list[dict[str, object]] = []
    if error.retry_after_seconds is not None:
        delay = f"{math.ceil(error.retry_after_seconds)}s"
        details.append({"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay})
    if isinstance(error, InvalidRequest) and error.param:
        violation = {"field": error.param, "description": error.message}
        details.append({"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": [violation]})
    if error.status == 401:
        info = {"reason": "API_KEY_INVALID", "domain": "gemgate"}
        details.append({"@type": "type.googleapis.com/google.rpc.ErrorInfo", **info})
    status = STATUS_NAMES.get(error.status, "UNKNOWN")
    body: dict[str, object] = {"code": error.status, "message": error.message, "status": status}
    if details:
        body["details"] = details
    return error.status, json.encode({"error": body})
