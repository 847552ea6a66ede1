"""What the head of an answer tells."""

import pytest

from gemgate.errors import (
    GemgateError,
    InvalidRequest,
    MethodNotAllowed,
    RateLimited,
    Unauthenticated,
    Unavailable,
    Unsupported,
)
from gemgate.hub.codec import Dropped
from gemgate.pipeline.exchange import MAX_DROPPED_BYTES, Cors, dropped_header, error_headers, header_text
from tests.pipeline.client import Client


def listed(*paths: str) -> bytes:
    return dropped_header([Dropped(path, "why") for path in paths])


def test_dropped_paths_are_listed_once() -> None:
    assert listed("seed", "tools.0", "seed") == b"seed, tools.0"


def test_dropped_paths_are_safe_for_a_header() -> None:
    assert listed("a,b", "é✓", "x\r\ny: z") == b"a?b, ??, x??y: z"


def test_a_long_list_is_cut_between_paths() -> None:
    paths = [f"messages.{number}.content" for number in range(200)]
    found = listed(*paths)
    text = found.decode()
    assert text.endswith(", …") and len(found) <= MAX_DROPPED_BYTES + 5
    assert text.removesuffix(", …").split(", ") == paths[: text.count(",")]
    exact = ["x" * 510, "y" * 512]
    assert listed(*exact) == ", ".join(exact).encode()


def test_one_path_that_is_too_long() -> None:
    assert len(listed("x" * 2000)) <= MAX_DROPPED_BYTES + 5


def test_header_text() -> None:
    assert header_text("models/é\n~ x") == b"models/??~ x"


async def test_the_head_of_an_answer() -> None:
    client = Client()
    exchange = client.exchange()
    exchange.upstream, exchange.attempts = "up", 2
    exchange.asked_model, exchange.sent_model = "asked", "sent✓"
    exchange.dropped = [Dropped("n", "why")]
    await exchange.answer(200, b"body", more=[(b"x-more", b"1")])
    assert client.headers == {
        b"content-type": b"application/json",
        b"x-request-id": b"req_1",
        b"x-gemgate-upstream": b"up",
        b"x-gemgate-attempts": b"2",
        b"x-gemgate-model": b"sent?",
        b"x-gemgate-dropped": b"n",
        b"content-length": b"4",
        b"x-more": b"1",
    }
    assert client.body == b"body" and exchange.ended and exchange.started and exchange.status == 200


async def test_a_model_that_is_what_was_asked_for_is_not_told() -> None:
    client = Client()
    exchange = client.exchange()
    exchange.asked_model = exchange.sent_model = "m"
    exchange.attempts = 3  # none of which reached an upstream
    await exchange.answer(404, b"")
    assert b"x-gemgate-model" not in client.headers and b"x-gemgate-dropped" not in client.headers
    assert (client.headers[b"x-gemgate-upstream"], client.headers[b"x-gemgate-attempts"]) == (b"none", b"0")


async def test_head_is_answered_without_a_body() -> None:
    client = Client()
    await client.exchange(method="HEAD").answer(200, b"body")
    assert client.headers[b"content-length"] == b"4" and client.body == b""


LASTING = (b"x-should-retry", b"false")


@pytest.mark.parametrize(
    ("error", "headers"),
    [
        (GemgateError("x"), []),
        (RateLimited("x", retry_after_seconds=0.0), [(b"retry-after", b"1")]),
        (RateLimited("x", retry_after_seconds=34.0), [(b"retry-after", b"34")]),
        (RateLimited("x", retry_after_seconds=34.1), [(b"retry-after", b"35")]),
        (MethodNotAllowed("x", allow=("GET", "HEAD")), [(b"allow", b"GET, HEAD"), LASTING]),
        (Unauthenticated("x"), [(b"www-authenticate", b"Bearer"), LASTING]),
        # Claude Code asks again for a minute unless it is told that nothing will change.
        (InvalidRequest("x"), [LASTING]),
        (Unsupported("x"), [LASTING]),
        (Unavailable("x"), []),
    ],
)
def test_headers_of_errors(error: GemgateError, headers: list[tuple[bytes, bytes]]) -> None:
    assert error_headers(error) == headers


def test_cors() -> None:
    everyone, some = Cors(frozenset({b"*"})), Cors(frozenset({b"https://a"}))
    assert everyone.headers(b"") == [] == some.headers(b"")
    assert (b"access-control-allow-origin", b"*") in everyone.headers(b"https://b")
    assert (b"access-control-allow-origin", b"https://a") in some.headers(b"https://a")
    assert some.headers(b"https://b") == [(b"vary", b"origin")]
