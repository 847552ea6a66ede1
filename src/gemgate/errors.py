"""Everything that can go wrong, in words that are safe to show to a client.

    GemgateError
    ├── InvalidRequest          400  the request is wrong; `param` names the field
    │   └── ContextTooLong      400  the prompt does not fit the model
    ├── Unauthenticated         401  no valid client key
    ├── PermissionDenied        403  this caller may not do that
    ├── NotFound                404  no such route or resource
    │   └── ModelNotFound       404  the upstream knows no such model
    ├── MethodNotAllowed        405
    ├── TooLarge                413  the body exceeds a limit
    ├── RateLimited             429  the upstream's quota is used up, or the caller's own
    ├── UpstreamError           500, 502  the upstream failed or answered with something unreadable
    │   └── BrokenAnswer        502  the model broke off before it said anything; asking again may help
    ├── Unsupported             501  this server, as it is set up, cannot do that
    ├── Unavailable             503  busy, starting, draining, or no usable upstream key
    ├── Timeout                 504  the upstream took too long
    └── SettingsError           (start-up) a setting is wrong; `key` names it

Raised where the fault is noticed, rendered once, by the `errors` module of the client's own format. An upstream key's
failure is never an `Unauthenticated`: the client's own key is fine.
"""

from typing import Literal

FailureKind = Literal[
    "client",  # the request itself is at fault: no other key would help
    "model",  # the upstream knows no such model
    "quota",  # this key's quota for the model is used up
    "key",  # the key is invalid, blocked, or of the wrong region
    "service",  # the upstream is overloaded or broken
    "network",  # it could not be reached, or the connection broke
]
"""Whose fault an upstream's refusal is; that decides who retries and who rests."""


class GemgateError(Exception):
    """An answer other than success: `status` is the HTTP status, `message` is safe to show."""

    status = 500
    code = "internal_error"

    def __init__(self, message: str, *, code: str | None = None, retry_after_seconds: float | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.retry_after_seconds = retry_after_seconds
        if code is not None:
            self.code = code


class InvalidRequest(GemgateError):
    """The request cannot be understood or served as it is; `param` is the dotted path of the field at fault."""

    status = 400
    code = "invalid_value"

    def __init__(self, message: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message, code=code)
        self.param = param


class ContextTooLong(InvalidRequest):
    """The prompt does not fit the model's context window."""

    code = "context_length_exceeded"


class Unauthenticated(GemgateError):
    """No credential of the request is a client key of this server."""

    status = 401
    code = "invalid_api_key"


class PermissionDenied(GemgateError):
    """The caller is known but may not do this."""

    status = 403
    code = "permission_denied"


class NotFound(GemgateError):
    """There is no such route or resource, or it belongs to somebody else; `param` is the field that names it."""

    status = 404
    code = "not_found"

    def __init__(self, message: str, *, param: str | None = None, code: str | None = None) -> None:
        super().__init__(message, code=code)
        self.param = param


class ModelNotFound(NotFound):
    """The upstream knows no model of this name."""

    code = "model_not_found"


class MethodNotAllowed(GemgateError):
    """The route exists, but not for this HTTP method; `allow` lists those it has."""

    status = 405
    code = "method_not_allowed"

    def __init__(self, message: str, *, allow: tuple[str, ...]) -> None:
        super().__init__(message)
        self.allow = allow


class TooLarge(GemgateError):
    """The body exceeds a limit of this server."""

    status = 413
    code = "request_too_large"


class RateLimited(GemgateError):
    """A quota is used up for now."""

    status = 429
    code = "rate_limit_exceeded"


class UpstreamError(GemgateError):
    """The upstream failed, or answered with something that cannot be read."""

    status = 502
    code = "upstream_error"

    def __init__(
        self, message: str, *, status: int = 502, code: str | None = None, retry_after_seconds: float | None = None
    ) -> None:
        super().__init__(message, code=code, retry_after_seconds=retry_after_seconds)
        self.status = status


class BrokenAnswer(UpstreamError):
    """The model broke off its answer before it said anything."""

    code = "broken_answer"


class Unsupported(GemgateError):
    """This server, as it is set up, cannot do that; the message says what would make it able."""

    status = 501
    code = "unsupported"


class Unavailable(GemgateError):
    """Nothing can answer right now."""

    status = 503
    code = "unavailable"


class Timeout(GemgateError):
    """The upstream took too long."""

    status = 504
    code = "timeout"


class SettingsError(Exception):
    """A setting is wrong; the message names it, where it came from, and the cure."""

    def __init__(self, key: str, message: str) -> None:
        super().__init__(f"{key}: {message}")
        self.key = key
