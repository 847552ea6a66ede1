"""Secrets in whatever shape."""

import pytest

from gemgate.observe.redact import redacted

BARE = (
    "AIza" + "Sy_-9" * 7,
    "AQ.Ab8RN6-x_y1234567890",
    "gg-" + "aB3_-" * 6,
    "sk-proj-abc_DEF-123",
    "sk-ant-api03-abcdefgh",
)


@pytest.mark.parametrize("secret", BARE)
@pytest.mark.parametrize(
    "around", ["{}", "key={}", "'{}'", '"{}",', "x-goog-api-key: {}\n", "({})", "Bearer {}", "a {} b", "/{}/"]
)
def test_keys_anywhere(secret: str, around: str) -> None:
    said = redacted(around.format(secret))
    assert "[redacted]" in said and secret not in said
    assert not any(secret[start : start + 8] in said for start in range(len(secret) - 8))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("/v1/x?key=hunter2&alt=sse", "/v1/x?key=[redacted]&alt=sse"),
        ("/v1/x?alt=sse&key=hunter2 failed", "/v1/x?alt=sse&key=[redacted] failed"),
        ("?access_token=ya29.abc&x", "?access_token=[redacted]&x"),
        ("upload_id=abc-DEF_1&upload_protocol=resumable", "upload_id=[redacted]&upload_protocol=resumable"),
        ("Authorization: bearer ya29.abcdefgh, next", "Authorization: [redacted], next"),
        ("BEARER  my-own-password", "[redacted]"),
        ('{"authorization":"Bearer my-own-password"}', '{"authorization":"[redacted]"}'),
    ],
)
def test_keys_by_their_place(text: str, said: str) -> None:
    assert redacted(text) == said


@pytest.mark.parametrize(
    "text",
    ["", "GET /v1/models 200", "task-12345678901", "gg-", "the bearer of news", "monkey=1&x", "flagged-12345678"],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redacted(text) == text


def test_several_in_one_text() -> None:
    assert redacted(" ".join(BARE)) == " ".join(["[redacted]"] * len(BARE))
