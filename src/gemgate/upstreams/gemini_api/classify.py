"""Whose fault is it? The Gemini API's errors, sorted (notes §2.7)."""

import re

from gemgate.errors import FailureKind, GemgateError, ModelNotFound, Timeout, Unavailable, UpstreamError
from gemgate.net.connection import ConnectError, DeadlineError, Headers, NetworkError
from gemgate.protocols.gemini.errors import Status, is_signature_error, read_status, status_error
from gemgate.upstreams.gemini_api.unsupported import unsupported
from gemgate.upstreams.refusal import UpstreamRefusal

KEY_REASONS = frozenset(
    {
        "API_KEY_INVALID",
        "API_KEY_SERVICE_BLOCKED",
        "API_KEY_HTTP_REFERRER_BLOCKED",
        "API_KEY_IP_ADDRESS_BLOCKED",
        "CONSUMER_SUSPENDED",
        "CONSUMER_INVALID",
        "SERVICE_DISABLED",
        "BILLING_DISABLED",
        "ACCESS_TOKEN_EXPIRED",
    }
)
KEY_TEXT = re.compile(r"api key|unregistered callers|reported as leaked|billing|suspended", re.IGNORECASE)
PLACE_TEXT = re.compile(r"location is not supported|billing", re.IGNORECASE)

KEY_MESSAGE = (
    "The upstream refused this server's own key. Your request and your key are fine: tell whoever runs this server to "
    "check the upstream keys (`gemgate doctor`)."
)


def refusal(status: int, headers: Headers, body: bytes) -> UpstreamRefusal:
    """Sort an HTTP error of the upstream."""
    said = read_status(body, status)
    kind = _kind(status, said)
    signature = is_signature_error(said)
    error: GemgateError = Unavailable(KEY_MESSAGE) if kind == "key" else status_error(said)
    return UpstreamRefusal(
        kind,
        error,
        retry_after_seconds=said.retry_after_seconds if kind == "quota" else None,
        daily=kind == "quota" and said.daily,
        signature=signature,
        unsupported=unsupported(said.message, body) if status == 400 and kind == "client" and not signature else "",
        status=status,
        headers=headers,
        body=body,
    )


def _kind(status: int, said: Status) -> FailureKind:
    if said.reasons & KEY_REASONS:
        return "key"
    match status:
        case 401:
            return "key"
        case 403:
            # A file or cache of another project is also a 403, and that is the client's own affair.
            return "key" if KEY_TEXT.search(said.message) or not said.message else "client"
        case 404:
            return "model" if isinstance(status_error(said), ModelNotFound) else "client"
        case 429:
            return "quota"
        case 400 if said.status == "FAILED_PRECONDITION" and PLACE_TEXT.search(said.message):
            return "key"
        case 408 | 500 | 502 | 503:
            return "service"
        case _:
            return "client"


def broken(fault: NetworkError) -> UpstreamRefusal:
    """Sort a failure of the network before the upstream answered."""
    if isinstance(fault, DeadlineError):
        # It may still be at work on the request; asking again would pay twice.
        return UpstreamRefusal("client", Timeout(str(fault)))
    code = "upstream_unreachable" if isinstance(fault, ConnectError) else None
    return UpstreamRefusal("network", UpstreamError(str(fault), code=code))


def early(error: GemgateError) -> UpstreamRefusal:
    """Sort an error that came as the first event of a stream, behind a status of 200."""
    match error.status:
        case 429:
            kind: FailureKind = "quota"
        case 401 | 403:
            kind = "key"
        case 500 | 502 | 503:
            kind = "service"
        case _:
            kind = "client"
    shown = Unavailable(KEY_MESSAGE) if kind == "key" else error
    return UpstreamRefusal(kind, shown, retry_after_seconds=error.retry_after_seconds if kind == "quota" else None)
