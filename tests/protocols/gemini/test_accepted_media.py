"""What Gemini reads, and the words for what it does not (notes §1.4, §8)."""

import pytest

from gemgate.errors import InvalidRequest
from gemgate.protocols.gemini.accepted_media import accepted

LISTED = {
    "image": "png jpeg webp heic heif",
    "audio": "wav mp3 aiff aac ogg flac",
    "video": "mp4 mpeg mov avi x-flv mpg webm wmv 3gpp",
}
"""The lists of notes §1.4, word for word."""


@pytest.mark.parametrize("mime", [f"{kind}/{name}" for kind, names in LISTED.items() for name in names.split()])
def test_what_is_listed_goes_as_it_is(mime: str) -> None:
    assert accepted(mime) == mime


@pytest.mark.parametrize(
    ("mime", "sent"),
    [
        ("IMAGE/PNG", "image/png"),
        ("image/jpg", "image/jpeg"),
        ("audio/x-wav", "audio/wav"),
        ("audio/mpeg", "audio/mpeg"),
        ("audio/x-m4a", "audio/mp4"),
        ("audio/webm;codecs=opus", "audio/webm"),
        ("audio/opus", "audio/ogg"),
        ("video/quicktime", "video/mov"),
        ("application/pdf", "application/pdf"),
        ("text/plain; charset=utf-8", "text/plain"),
        ("text/csv", "text/plain"),
        ("text/markdown", "text/plain"),
        ("text/html", "text/plain"),
        ("application/json", "text/plain"),
        ("application/x-python", "text/plain"),
        ("application/atom+xml", "text/plain"),
        ("text/*", "text/plain"),
    ],
)
def test_what_is_accepted(mime: str, sent: str) -> None:
    assert accepted(mime) == sent


@pytest.mark.parametrize(
    ("mime", "instead"),
    [
        ("image/gif", "Send PNG, JPEG, WebP, HEIC or HEIF."),
        ("image/svg+xml", "Send PNG"),
        ("image/bmp", "Send PNG"),
        ("image/tiff", "Send PNG"),
        ("image/avif", "Send PNG"),
        ("audio/midi", "Send WAV, MP3"),
        ("audio/x-ms-wma", "Send WAV, MP3"),
        ("audio/l16", "Send WAV, MP3"),
        ("video/x-matroska", "Send MP4"),
        ("video/ogg", "Send MP4"),
        ("application/zip", "Send a PDF, or the text itself."),
        ("application/vnd.openxmlformats-officedocument.wordprocessingml.document", "Send a PDF"),
        ("font/woff2", "Send a PDF"),
    ],
)
def test_what_is_refused_by_name(mime: str, instead: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        accepted(mime)
    assert mime in caught.value.message and instead in caught.value.message
    assert caught.value.code == "unsupported_media"


@pytest.mark.parametrize("mime", ["", "image/*", "*/*", "application/octet-stream", "nonsense"])
def test_an_unknown_type(mime: str) -> None:
    with pytest.raises(InvalidRequest, match="cannot be told: use a data URL with a type") as caught:
        accepted(mime)
    assert caught.value.code == "unsupported_media"
