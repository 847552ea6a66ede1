import json
from typing import Any

import pytest

from gemgate.errors import (
    ContextTooLong,
    GemgateError,
    InvalidRequest,
    ModelNotFound,
    RateLimited,
    TooLarge,
    Unauthenticated,
    Unavailable,
    Unsupported,
    UpstreamError,
)
from gemgate.errors import Timeout as TookTooLong
from gemgate.protocols.anthropic.errors import render


def shown(error: GemgateError, request_id: str = "") -> tuple[int, Any]:
    status, body = render(error, request_id)
    return status, json.loads(body)


@pytest.mark.parametrize(
    ("error", "status", "kind"),
    [
        (InvalidRequest("x"), 400, "invalid_request_error"),
        (Unauthenticated("x"), 401, "authentication_error"),
        (ModelNotFound("x"), 404, "not_found_error"),
        (TooLarge("x"), 413, "request_too_large"),
        (RateLimited("x"), 429, "rate_limit_error"),
        (UpstreamError("x", status=500), 500, "api_error"),
        (UpstreamError("x"), 502, "api_error"),
        (Unsupported("x"), 501, "api_error"),
        (Unavailable("x"), 529, "overloaded_error"),
        (TookTooLong("x"), 504, "timeout_error"),
    ],
)
def test_statuses_and_types(error: GemgateError, status: int, kind: str) -> None:
    assert shown(error) == (status, {"type": "error", "error": {"type": kind, "message": "x"}})


def test_the_request_is_named() -> None:
    assert shown(RateLimited("x"), "req_1")[1]["request_id"] == "req_1"


def test_the_field_at_fault_is_named() -> None:
    error = InvalidRequest("There is nothing here.", param="messages.0.content")
    assert shown(error)[1]["error"]["message"] == "messages.0.content: There is nothing here."


@pytest.mark.parametrize(
    "message", ["max_tokens must be more.", "Wrong type for max_tokens: it is text.", "Leave `max_tokens` out."]
)
def test_a_message_that_names_the_field_is_left_as_it_is(message: str) -> None:
    assert shown(InvalidRequest(message, param="max_tokens"))[1]["error"]["message"] == message


@pytest.mark.parametrize(
    ("said", "words"),
    [
        (
            "The input token count (1178012) exceeds the maximum number of tokens allowed (1048576).",
            "prompt is too long: 1178012 tokens > 1048576 maximum",
        ),
        (
            "prompt is too long: 9999 tokens > 8192 maximum. Ask.",
            "prompt is too long: 9999 tokens > 8192 maximum. Ask.",
        ),
        ("It does not fit.", "prompt is too long: It does not fit."),
        ("At most 1048576, not 1178012.", "prompt is too long: At most 1048576, not 1178012."),
    ],
)
def test_a_prompt_that_is_too_long_is_told_in_the_words_that_clients_know(said: str, words: str) -> None:
    """Claude Code begins to compact the conversation on seeing them (notes §10.1)."""
    status, document = shown(ContextTooLong(said))
    assert (status, document["error"]) == (400, {"type": "invalid_request_error", "message": words})
