"""What media are: spelling, labels, and who is believed."""

from base64 import b64encode, urlsafe_b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemgate.hub.parts import Base64
from gemgate.protocols.shared.media_types import ALIASES, LIKELY, assumed, decided, is_text, normal, specific
from tests.protocols.shared.samples import HEADS

DOCX = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"


def encoded(head: bytes) -> str:
    return b64encode(head.ljust(400, b"\x00")).decode()


@pytest.mark.parametrize(
    ("label", "mime"),
    [
        ("image/png", "image/png"),
        (" Image/PNG ; charset=x", "image/png"),
        ("image/jpg", "image/jpeg"),
        ("audio/x-wav", "audio/wav"),
        ("audio/wave", "audio/wav"),
        ("audio/vnd.wave", "audio/wav"),
        ("audio/wav", "audio/wav"),
        ("audio/mp3", "audio/mp3"),
        ("audio/mpeg", "audio/mpeg"),
        ("audio/x-m4a", "audio/mp4"),
        ("audio/m4a", "audio/mp4"),
        ("audio/opus", "audio/ogg"),
        ("audio/webm;codecs=opus", "audio/webm"),
        ("audio/L16;codec=pcm;rate=24000", "audio/l16"),
        ("video/quicktime", "video/mov"),
        ("video/mov", "video/mov"),
        ("video/mpg", "video/mpg"),
        ("video/x-msvideo", "video/avi"),
        ("video/flv", "video/x-flv"),
        ("video/x-ms-wmv", "video/wmv"),
        ("video/3gp", "video/3gpp"),
        ("application/x-pdf", "application/pdf"),
        ("video/*", "video/*"),
        ("", ""),
        ("png", ""),
        ("image/", ""),
        ("/png", ""),
        ("image/png/x", ""),
        ("image/p ng", ""),
        ("image/png\nx: y", ""),
        ("bild/größe", ""),
        ("x/" + "y" * 200, ""),
    ],
)
def test_spelling(label: str, mime: str) -> None:
    assert normal(label) == mime


def test_an_alias_is_not_another_aliases_name() -> None:
    assert [alias for alias in ALIASES if not normal(normal(alias)) == normal(alias) != alias] == []


@pytest.mark.parametrize(
    ("label", "told", "likely"),
    [
        ("image/jpg", "image/jpeg", "image/jpeg"),
        ("video/*", "", "video/mp4"),
        ("image/*", "", "image/jpeg"),
        ("audio/*", "", "audio/mp3"),
        ("text/*", "", "text/plain"),
        ("application/*", "", "application/pdf"),
        ("*/*", "", ""),
        ("", "", ""),
        ("application/octet-stream", "", ""),
        ("binary/octet-stream; x=y", "", ""),
        ("application/force-download", "", ""),
    ],
)
def test_labels_that_tell_nothing(label: str, told: str, likely: str) -> None:
    assert (specific(label), assumed(label)) == (told, likely)
    assert all(specific(mime) == mime for mime in LIKELY.values())


@pytest.mark.parametrize("label", ["", "application/octet-stream", "*/*", "nonsense"])
def test_bytes_alone(label: str) -> None:
    found = {kind: decided(label, encoded(head)) for kind, (head, _) in HEADS.items()}
    assert found == {kind: mime for kind, (_, mime) in HEADS.items()}


@pytest.mark.parametrize("kind", HEADS)
def test_every_way_of_writing_base64(kind: str) -> None:
    head, mime = HEADS[kind]
    whole = head.ljust(400, b"\xff")
    standard, safe = b64encode(whole), urlsafe_b64encode(whole)
    lines = b"\r\n".join(standard[start : start + 20] for start in range(0, len(standard), 20))
    short = b64encode(head)
    for data in (standard, safe, lines, b"  " + standard, short, short.rstrip(b"=")):
        for form in (data.decode(), memoryview(data), memoryview(bytearray(data))):
            assert decided("", form) == mime, data


@pytest.mark.parametrize(
    ("label", "kind", "mime"),
    [
        # The bytes are believed.
        ("image/png", "jpeg", "image/jpeg"),
        ("image/jpeg", "webp", "image/webp"),
        ("image/png", "gif 89", "image/gif"),
        ("text/plain", "png", "image/png"),
        ("application/pdf", "png", "image/png"),
        ("image/png", "pdf", "application/pdf"),
        ("audio/mp3", "wav", "audio/wav"),
        ("audio/wav", "mp3", "audio/mp3"),
        ("audio/wav", "mp3 with a tag", "audio/mp3"),
        ("audio/aac", "mp3", "audio/mp3"),
        ("video/mp4", "mov", "video/mov"),
        ("video/mp4", "m4a", "audio/mp4"),
        ("video/mp4", "webm", "video/webm"),
        ("video/webm", "mkv", "video/x-matroska"),
        ("image/heif", "heic", "image/heic"),
        ("image/png", "html", "text/html"),
        ("image/png", "zip", "application/zip"),
        ("text/plain", "docx", DOCX),
        # The label says more.
        ("audio/mpeg", "mp3", "audio/mpeg"),
        ("audio/mp3", "mp3", "audio/mp3"),
        ("audio/mpeg", "mp3 with a tag", "audio/mpeg"),
        ("audio/aac", "mp3 with a tag", "audio/aac"),
        ("audio/x-flac", "mp3 with a tag", "audio/flac"),
        ("video/mov", "mp4 isom", "video/mov"),
        ("video/quicktime", "mp4 isom", "video/mov"),
        ("video/3gpp", "mp4 isom", "video/3gpp"),
        ("audio/mp4", "mp4 mp42", "audio/mp4"),
        ("audio/x-m4a", "3gp", "audio/mp4"),
        ("audio/webm;codecs=opus", "webm", "audio/webm"),
        ("video/ogg", "ogg", "video/ogg"),
        ("video/mpg", "mpeg program", "video/mpg"),
        ("image/heic", "heif", "image/heic"),
        ("text/plain", "html", "text/plain"),
        ("text/markdown", "svg", "text/markdown"),
        (DOCX, "zip", DOCX),
        ("application/msword", "doc", "application/msword"),
        ("application/epub+zip", "zip", "application/epub+zip"),
    ],
)
def test_bytes_and_label(label: str, kind: str, mime: str) -> None:
    assert decided(label, encoded(HEADS[kind][0])) == mime


@pytest.mark.parametrize(
    ("label", "name", "mime"),
    [
        ("text/csv", "x.png", "text/csv"),
        ("", "table.csv", "text/csv"),
        ("application/octet-stream", "main.py", "text/plain"),
        ("text/*", "https://example.com/a.json?x", "application/json"),
        ("image/*", "", ""),
        ("", "", ""),
    ],
)
def test_label_and_name_where_bytes_tell_nothing(label: str, name: str, mime: str) -> None:
    assert decided(label, b64encode(b"a,b,c\n1,2,3\n").decode(), name) == mime
    assert decided(label, "", name) == mime


def test_the_name_of_an_archive_says_more() -> None:
    assert decided("", encoded(HEADS["zip"][0]), "letter.docx") == DOCX
    assert decided("", encoded(HEADS["zip"][0]), "photo.png") == "application/zip"


def test_the_recorded_calls() -> None:
    """The three pieces of media that the examples of users hold."""
    png = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
    assert decided("image/png", png) == "image/png"
    wav = "UklGRiQAAABXQVZFZm10IBAAAAABAAEAQB8AAIA+AAACABAAZGF0YQAAAAA="
    assert decided("audio/wav", wav) == "audio/wav"
    assert decided("video/mp4", "AAAAIGZ0eXBpc29tAAACAGlzb21pc28yYXZjMW1wNDE=") == "video/mp4"


@given(st.text(max_size=300) | st.binary(max_size=300).map(memoryview), st.text(max_size=20), st.text(max_size=20))
def test_anything_at_all(data: Base64, label: str, name: str) -> None:
    assert normal(decided(label, data, name)) == decided(label, data, name)


class _Counted(str):
    """A text that tells how much of it was taken."""

    taken = 0

    def __getitem__(self, key: object) -> str:
        found = super().__getitem__(key)  # pyright: ignore[reportArgumentType,reportCallIssue]
        type(self).taken += len(found)
        return found

    def encode(self, *_: object) -> bytes:  # pyright: ignore[reportIncompatibleMethodOverride]
        raise AssertionError("the whole is encoded")


def test_only_the_head_is_looked_at() -> None:
    data = _Counted(encoded(HEADS["png"][0]) + "A" * 100_000)
    assert decided("", data) == "image/png"
    assert 0 < _Counted.taken < 1000


@pytest.mark.parametrize(
    ("mime", "text"),
    [
        ("text/plain", True),
        ("TEXT/CSV; charset=utf-8", True),
        ("text/x-python", True),
        ("text/*", True),
        ("application/json", True),
        ("application/ld+json", True),
        ("application/atom+xml", True),
        ("application/yaml", True),
        ("application/x-httpd-php", True),
        ("application/javascript", True),
        ("message/rfc822", True),
        ("image/svg+xml", False),
        ("image/png", False),
        ("text/pdf", False),
        ("application/pdf", False),
        ("application/zip", False),
        (DOCX, False),
        ("application/octet-stream", False),
        ("", False),
        ("nonsense", False),
    ],
)
def test_what_is_read_as_text(mime: str, text: bool) -> None:
    assert is_text(mime) is text
