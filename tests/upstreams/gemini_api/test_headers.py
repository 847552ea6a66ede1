"""What of a head goes through."""

import pytest

from gemgate.callers.auth import HEADERS
from gemgate.upstreams.gemini_api.headers import answer_headers, query_without_key, request_headers

HOP_BY_HOP = (
    b"connection",
    b"keep-alive",
    b"proxy-authenticate",
    b"proxy-authorization",
    b"te",
    b"trailer",
    b"transfer-encoding",
    b"upgrade",
)


@pytest.mark.parametrize(
    "name",
    [
        *HEADERS,
        *HOP_BY_HOP,
        b"cookie",
        b"host",
        b"content-length",
        b"accept-encoding",
        b"origin",
        b"referer",
        b"forwarded",
        b"x-forwarded-for",
        b"x-real-ip",
        b"expect",
        b"x-goog-user-project",
        b"x-goog-iam-authorization-token",
        b"x-stainless-lang",
        b"traceparent",
        b"x-gemgate-strict",
        b"x-goog",
    ],
)
def test_what_stays_here(name: bytes) -> None:
    assert request_headers([(name, b"value")]) == ((b"accept-encoding", b"identity"),)


@pytest.mark.parametrize(
    "name",
    [
        b"content-type",
        b"accept",
        b"user-agent",
        b"range",
        b"if-none-match",
        b"x-goog-api-client",
        b"x-goog-upload-command",
        b"x-goog-upload-offset",
        b"x-goog-fieldmask",
        b"x-gemini-anything",
        b"x-server-timeout",
        b"api-revision",
    ],
)
def test_what_goes_upstream(name: bytes) -> None:
    assert request_headers([(name, b"a"), (name, b"b")]) == (
        (name, b"a"),
        (name, b"b"),
        (b"accept-encoding", b"identity"),
    )


def test_no_value_of_a_credential_goes_upstream_wherever_it_stands() -> None:
    headers = [(name, b"canary") for name in HEADERS] + [(b"cookie", b"k=canary")]
    assert all(b"canary" not in value for _, value in request_headers(headers))


@pytest.mark.parametrize(
    "name",
    [
        b"connection",
        b"keep-alive",
        b"transfer-encoding",
        b"upgrade",
        b"trailer",
        b"proxy-authenticate",
        b"set-cookie",
        b"server",
        b"date",
        b"alt-svc",
        b"content-type",
        b"location",
        b"x-goog-upload-url",
        b"x-goog-upload-control-url",
        b"access-control-allow-origin",
        b"access-control-expose-headers",
    ],
)
def test_what_of_an_answer_stays_here(name: bytes) -> None:
    assert answer_headers([(name, b"x"), (b"etag", b"y")]) == [(b"etag", b"y")]


@pytest.mark.parametrize("encoding", [b"gzip", b"x-gzip", b"deflate", b"GZip"])
def test_a_compression_that_was_undone_is_not_told(encoding: bytes) -> None:
    length, told = (b"content-length", b"5"), (b"content-encoding", encoding)
    assert answer_headers([length, told, (b"etag", b"y")]) == [(b"etag", b"y")]
    assert answer_headers([told, length]) == []


@pytest.mark.parametrize("encoding", [b"identity", b"br", b"zstd", b"gzip, br"])
def test_a_compression_that_was_not_undone_is_told(encoding: bytes) -> None:
    headers = [(b"content-length", b"5"), (b"content-encoding", encoding)]
    assert answer_headers(headers) == headers
    assert answer_headers(headers[:1]) == headers[:1]


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        (b"", ""),
        (b"key=secret", ""),
        (b"alt=sse", "?alt=sse"),
        (b"key=secret&alt=sse", "?alt=sse"),
        (b"alt=sse&key=secret&access_token=t", "?alt=sse"),
        (b"&&a=1&", "?a=1"),
        (b"monkey=1&a=%20b", "?monkey=1&a=%20b"),
    ],
)
def test_queries_lose_their_key(query: bytes, kept: str) -> None:
    assert query_without_key(query) == kept
