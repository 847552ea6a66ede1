"""Whose fault it is, for every row of the table of errors and every recorded one."""

import json
from typing import Any

import pytest
from tests.bed.recordings import Recording, load_recordings, needs_recordings
from tests.bed.upstream import error_document

from gemgate.errors import (
    ContextTooLong,
    FailureKind,
    GemgateError,
    InvalidRequest,
    ModelNotFound,
    NotFound,
    PermissionDenied,
    RateLimited,
    Timeout,
    TooLarge,
    Unauthenticated,
    Unavailable,
    UpstreamError,
)
from gemgate.net.connection import ConnectError, DeadlineError, NetworkError
from gemgate.upstreams.gemini_api.classify import KEY_MESSAGE, KEY_REASONS, broken, early, refusal

GONE = "models/m is not found for API version v1beta, or is not supported for generateContent."
PER_MINUTE = "GenerateRequestsPerMinutePerProjectPerModel-FreeTier"
PER_DAY = "GenerateRequestsPerDayPerProjectPerModel-FreeTier"


def body(code: int, message: str = "It failed.", **how: Any) -> bytes:
    return json.dumps(error_document(code, message, **how)).encode()


@pytest.mark.parametrize(
    ("status", "said", "kind", "shown"),
    [
        (400, body(400, "Unknown field"), "client", InvalidRequest),
        (400, body(400, "API key not valid.", reason="API_KEY_INVALID"), "key", Unavailable),
        (400, body(400, "API key expired.", reason="API_KEY_INVALID"), "key", Unavailable),
        (400, body(400, "User location is not supported", status="FAILED_PRECONDITION"), "key", Unavailable),
        (400, body(400, "Please enable billing", status="FAILED_PRECONDITION"), "key", Unavailable),
        (400, body(400, "The file is not ACTIVE", status="FAILED_PRECONDITION"), "client", InvalidRequest),
        (400, body(400, "The location is odd"), "client", InvalidRequest),
        (
            400,
            body(400, "The input token count (9) exceeds the maximum number of tokens (8)."),
            "client",
            ContextTooLong,
        ),
        (401, body(401), "key", Unavailable),
        (403, body(403, "Method doesn't allow unregistered callers"), "key", Unavailable),
        (403, body(403, "Your API key was reported as leaked."), "key", Unavailable),
        (403, body(403, "Consumer has been suspended", reason="CONSUMER_SUSPENDED"), "key", Unavailable),
        (403, body(403, "You do not have permission to access the File x"), "client", PermissionDenied),
        (403, b"", "key", Unavailable),
        (404, body(404, GONE), "model", ModelNotFound),
        (404, body(404, "This model is no longer available."), "model", ModelNotFound),
        (404, body(404, "File x was not found"), "client", NotFound),
        (409, body(409), "client", InvalidRequest),
        (413, b"<html>too large</html>", "client", TooLarge),
        (429, body(429, quota_id=PER_MINUTE, retry_delay="34.4s"), "quota", RateLimited),
        (429, b"", "quota", RateLimited),
        (499, body(499), "client", InvalidRequest),
        (500, body(500), "service", UpstreamError),
        (500, b"<html>", "service", UpstreamError),
        (502, b"", "service", UpstreamError),
        (503, body(503, "The model is overloaded."), "service", Unavailable),
        (504, body(504), "client", Timeout),
    ],
)
def test_the_table(status: int, said: bytes, kind: FailureKind, shown: type[GemgateError]) -> None:
    found = refusal(status, [(b"content-type", b"application/json")], said)
    assert found.kind == kind
    assert type(found.error) is shown
    assert (found.status, found.body) == (status, said)
    if kind == "key":
        assert found.error.message == KEY_MESSAGE
    assert found.trouble.kind == kind


@pytest.mark.parametrize("reason", sorted(KEY_REASONS))
@pytest.mark.parametrize("status", [400, 403, 429])
def test_every_reason_that_means_the_key(reason: str, status: int) -> None:
    assert refusal(status, [], body(status, "Something else", reason=reason)).kind == "key"


def test_how_long_to_wait() -> None:
    found = refusal(429, [], body(429, quota_id=PER_MINUTE, retry_delay="34.4s"))
    assert found.trouble.retry_after_seconds == 34.4 and not found.trouble.daily
    assert found.error.retry_after_seconds == 34.4
    found = refusal(429, [], body(429, "Quota exceeded. Please retry in 7.5s."))
    assert found.trouble.retry_after_seconds == 7.5
    found = refusal(429, [], body(429, quota_id=PER_DAY, retry_delay="1s"))
    assert found.trouble.daily
    # What the service says of itself holds for no key.
    assert refusal(503, [], body(503, retry_delay="9s")).trouble.retry_after_seconds is None
    assert not refusal(400, [], body(400, quota_id=PER_DAY)).trouble.daily


@pytest.mark.parametrize(
    ("message", "signature"),
    [
        ("Function call `f` in the `2.` content block is missing a `thought_signature`.", True),
        ("Corrupted thought signature.", True),
        ("Thought signature is not valid.", True),
        ('Unknown name "signature".', False),
    ],
)
def test_signatures(message: str, signature: bool) -> None:
    assert refusal(400, [], body(400, message)).signature is signature
    assert not refusal(403, [], body(403, message)).signature


def test_an_error_in_an_array() -> None:
    found = refusal(429, [], b"[" + body(429, retry_delay="5s") + b"\n]")
    assert (found.kind, found.trouble.retry_after_seconds) == ("quota", 5.0)


@pytest.mark.parametrize(
    "said", [b"", b"null", b"[]", b"{}", b'{"error":"x"}', b'{"error":{"code":"x"}}', b"\xff\xfe", b"[" * 9]
)
def test_bodies_that_cannot_be_read(said: bytes) -> None:
    assert refusal(429, [], said).kind == "quota"
    assert refusal(500, [], said).kind == "service"
    assert refusal(400, [], said).kind == "client"


def test_the_network() -> None:
    found = broken(ConnectError("No connection."))
    assert (found.kind, found.error.code, found.status) == ("network", "upstream_unreachable", 0)
    found = broken(NetworkError("It broke off."))
    assert (found.kind, found.error.code, found.error.status) == ("network", "upstream_error", 502)
    found = broken(DeadlineError("It took too long."))
    assert found.kind == "client" and type(found.error) is Timeout  # asking again would pay twice


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (RateLimited("x", retry_after_seconds=3.0), "quota"),
        (Unauthenticated("x"), "key"),
        (PermissionDenied("x"), "key"),
        (UpstreamError("x", status=500), "service"),
        (UpstreamError("x"), "service"),
        (Unavailable("x", retry_after_seconds=3.0), "service"),
        (InvalidRequest("x"), "client"),
        (Timeout("x"), "client"),
    ],
)
def test_errors_as_the_first_event(error: GemgateError, kind: FailureKind) -> None:
    found = early(error)
    assert found.kind == kind
    assert found.error.message == (KEY_MESSAGE if kind == "key" else "x")
    assert found.trouble.retry_after_seconds == (3.0 if kind == "quota" else None)


def _recorded() -> list[Recording]:
    try:
        return [row for row in load_recordings("gemini") if row.status >= 400]
    except (OSError, pytest.skip.Exception):
        return []


@needs_recordings
def test_every_recorded_error() -> None:
    rows = _recorded()
    assert len(rows) >= 15
    for row in rows:
        found = refusal(row.status, [], row.body())
        text = row.body().decode().lower()
        if "api key not valid" in text or "api_key_invalid" in text:
            expected = "key"
        elif row.status == 429:
            expected = "quota"
        elif row.status >= 500:
            expected = "client" if row.status == 504 else "service"
        elif row.status == 404 and "is not found for api version" in text:
            expected = "model"
        else:
            expected = None
        assert expected in (None, found.kind), (row.id, found.kind)
        assert found.kind in ("client", "key", "quota", "service", "model")
        assert found.error.message and found.error.status < 600
