"""Errors of Gemini's form, read and written; and the other formats' ways of writing the same."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemgate import errors
from gemgate.errors import ContextTooLong, GemgateError, InvalidRequest, RateLimited, Unavailable
from gemgate.protocols.anthropic.errors import render as render_anthropic
from gemgate.protocols.gemini.errors import (
    STATUS_NAMES,
    is_signature_error,
    read_status,
    render,
    status_error,
)
from gemgate.protocols.openai_chat.errors import render as render_openai
from tests.bed.recordings import load_recordings, needs_recordings
from tests.protocols.fuzzing import documents

EVERY: list[tuple[GemgateError, int, str, str]] = [
    (errors.InvalidRequest("m", param="a.b"), 400, "INVALID_ARGUMENT", "invalid_request_error"),
    (errors.ContextTooLong("m"), 400, "INVALID_ARGUMENT", "invalid_request_error"),
    (errors.Unauthenticated("m"), 401, "UNAUTHENTICATED", "invalid_request_error"),
    (errors.PermissionDenied("m"), 403, "PERMISSION_DENIED", "permission_error"),
    (errors.NotFound("m"), 404, "NOT_FOUND", "invalid_request_error"),
    (errors.ModelNotFound("m"), 404, "NOT_FOUND", "invalid_request_error"),
    (errors.MethodNotAllowed("m", allow=("GET",)), 405, "UNIMPLEMENTED", "invalid_request_error"),
    (errors.TooLarge("m"), 413, "INVALID_ARGUMENT", "invalid_request_error"),
    (errors.RateLimited("m", retry_after_seconds=11.05), 429, "RESOURCE_EXHAUSTED", "rate_limit_error"),
    (errors.UpstreamError("m", status=500), 500, "INTERNAL", "server_error"),
    (errors.UpstreamError("m"), 502, "UNAVAILABLE", "server_error"),
    (errors.Unsupported("m"), 501, "UNIMPLEMENTED", "server_error"),
    (errors.Unavailable("m", retry_after_seconds=2), 503, "UNAVAILABLE", "server_error"),
    (errors.Timeout("m"), 504, "DEADLINE_EXCEEDED", "server_error"),
]
each_error = pytest.mark.parametrize(("error", "status", "name", "kind"), EVERY)


@each_error
def test_gemini(error: GemgateError, status: int, name: str, kind: str) -> None:
    """Notes §6.5; what is written can be read back, delay and all."""
    code, body = render(error)
    found = json.loads(body)["error"]
    assert (code, found["code"], found["status"], found["message"]) == (status, status, name, "m")
    read = read_status(body, status)
    assert (read.code, read.message, read.status) == (status, "m", name)
    if error.retry_after_seconds is not None:
        assert read.retry_after_seconds == -(-error.retry_after_seconds // 1), "rounded up"


@each_error
def test_openai(error: GemgateError, status: int, name: str, kind: str) -> None:
    code, body = render_openai(error)
    found = json.loads(body)["error"]
    assert code == status and set(found) == {"message", "type", "param", "code"}
    assert found["type"] == kind and found["code"] == error.code
    assert found["param"] == (error.param if isinstance(error, InvalidRequest) else None)
    expected = "m Please try again in 12s." if isinstance(error, RateLimited) else "m"
    assert found["message"] == expected, "Codex reads the delay from the text"


@each_error
def test_anthropic(error: GemgateError, status: int, name: str, kind: str) -> None:
    code, body = render_anthropic(error)
    found = json.loads(body)
    assert code == (529 if status == 503 else status), "being overloaded has a status of its own"
    types = {400: "invalid_request_error", 401: "authentication_error", 403: "permission_error", 404: "not_found_error"}
    types |= {405: "invalid_request_error", 413: "request_too_large", 429: "rate_limit_error", 504: "timeout_error"}
    types |= {529: "overloaded_error"}
    words = "m"  # this format has no other place for the field at fault, nor for the code
    if isinstance(error, InvalidRequest) and error.param:
        words = f"{error.param}: m"
    if isinstance(error, ContextTooLong):
        words = "prompt is too long: m"
    assert found == {"type": "error", "error": {"type": types.get(code, "api_error"), "message": words}}


def test_codes_that_clients_read() -> None:
    assert json.loads(render_openai(errors.ContextTooLong("m"))[1])["error"]["code"] == "context_length_exceeded"
    assert json.loads(render_openai(errors.Unauthenticated("m"))[1])["error"]["code"] == "invalid_api_key"
    assert json.loads(render_openai(errors.ModelNotFound("m"))[1])["error"]["code"] == "model_not_found"
    details = json.loads(render(errors.Unauthenticated("m"))[1])["error"]["details"]
    assert details[0]["reason"] == "API_KEY_INVALID"
    violation = json.loads(render(InvalidRequest("m", param="a.b"))[1])["error"]["details"][0]
    assert violation["fieldViolations"] == [{"field": "a.b", "description": "m"}]


def envelope(code: int, message: str, *details: object) -> bytes:
    return json.dumps({"error": {"code": code, "message": message, "status": "X", "details": details}}).encode()


RETRY = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.4s"}


@pytest.mark.parametrize(
    ("body", "delay"),
    [
        (envelope(429, "m", RETRY), 34.4),
        (b"[" + envelope(429, "m", RETRY) + b"]", 34.4),
        (envelope(429, "Quota. Please retry in 8.25s."), 8.25),
        (envelope(429, "Quota. Please retry in 8s.", RETRY), 34.4),
        (envelope(429, "m", RETRY | {"retryDelay": "soon"}), None),
        (envelope(429, "Please retry in ...s."), None),
        (envelope(429, "Please retry in 1.2.3s."), None),
        (envelope(429, "m", RETRY | {"retryDelay": "infs"}), None),
        (envelope(429, "m", RETRY | {"retryDelay": "nans"}), None),
        (envelope(429, "m", RETRY | {"retryDelay": "-3s"}), 0.0),
        (envelope(429, "m"), None),
    ],
)
def test_how_long_to_wait(body: bytes, delay: float | None) -> None:
    """Acceptance 33: there is no header; the body says it."""
    status = read_status(body, 429)
    assert status.retry_after_seconds == delay
    error = status_error(status)
    assert isinstance(error, RateLimited) and error.retry_after_seconds == delay
    render(error)


def test_quotas_of_the_day() -> None:
    def of(quota: str) -> bytes:
        return envelope(429, "m", {"@type": "QuotaFailure", "violations": [{"quotaId": quota}]})

    assert read_status(of("GenerateRequestsPerDayPerProjectPerModel-FreeTier"), 429).daily
    assert not read_status(of("GenerateRequestsPerMinutePerProjectPerModel"), 429).daily


@pytest.mark.parametrize(
    ("code", "message", "kind"),
    [
        (400, "bad", errors.InvalidRequest),
        (400, "The input token count (1) exceeds the maximum number of tokens allowed (0).", errors.ContextTooLong),
        (500, "input token count of 9 exceeds it", errors.ContextTooLong),
        (403, "m", errors.PermissionDenied),
        (404, "models/x is not found for API version v1beta", errors.ModelNotFound),
        (404, "This model models/x is no longer available", errors.ModelNotFound),
        (404, "File not found", errors.NotFound),
        (409, "m", errors.InvalidRequest),
        (413, "m", errors.TooLarge),
        (429, "m", errors.RateLimited),
        (500, "m", errors.UpstreamError),
        (502, "m", errors.UpstreamError),
        (503, "m", errors.Unavailable),
        (504, "m", errors.Timeout),
    ],
)
def test_what_the_client_is_told(code: int, message: str, kind: type[GemgateError]) -> None:
    error = status_error(read_status(envelope(code, message), code))
    assert type(error) is kind and error.message == message


def test_signature_errors() -> None:
    text = "Function call `f` in the `2.` content block is missing a `thought_signature`."
    assert is_signature_error(read_status(envelope(400, text), 400))
    assert is_signature_error(read_status(envelope(400, "Corrupted thought signature."), 400))
    assert not is_signature_error(read_status(envelope(400, "bad"), 400))
    assert not is_signature_error(read_status(envelope(500, text), 500))


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>413</html>", b"[]", b"[1,2]", b"null", b"\xff", b'{"error":null}', b'{"error":"no"}', b"[" * 100_000],
)
def test_what_is_no_error_has_no_words(body: bytes) -> None:
    status = read_status(body, 503)
    assert (status.code, status.message) == (503, "")
    assert isinstance(status_error(status), Unavailable)


@pytest.mark.parametrize(
    "error",
    [
        {"code": "invalid_request", "message": "m"},
        {"code": 400, "message": "m", "status": None, "details": None},
        {"code": 400, "message": "m", "details": [{"@type": "x", "reason": None, "violations": [{"quotaId": None}]}]},
    ],
)
def test_other_forms_keep_their_message(error: object) -> None:
    """Notes §2.7: the Interactions API has a string for a code."""
    status = read_status(json.dumps({"error": error}).encode(), 400)
    assert (status.code, status.message) == (400, "m")


@settings(deadline=None, max_examples=150)
@given(documents(["error", "code", "message", "status", "details", "retryDelay", "@type", "violations"]), st.booleans())
def test_no_body_crashes(document: object, listed: bool) -> None:
    body = json.dumps([document] if listed else document).encode()
    render(status_error(read_status(body, 500)))


@needs_recordings
def test_recorded_errors() -> None:
    rows = [row for row in load_recordings("gemini") if row.status >= 400]
    assert len(rows) >= 15
    for row in rows:
        status = read_status(row.body(), row.status)
        given_error = json.loads(row.body())
        given_error = given_error[0] if isinstance(given_error, list) else given_error
        assert status.code == row.status and status.message == given_error["error"]["message"], row.id
        error = status_error(status)
        assert error.message == status.message
        if "error-detail:RetryInfo" in row.tags:
            assert status.retry_after_seconds is not None
        assert render(error)[0] in STATUS_NAMES
