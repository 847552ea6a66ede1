"""Which media go to Gemini by address."""

import pytest

from gemgate.hub.parts import Media, Remote, Signature, Uri
from gemgate.protocols.gemini.addresses import by_address

FILES = "https://generativelanguage.googleapis.com"
EVERY = [(by_url, fetches) for by_url in (False, True) for fetches in (False, True)]


def found(url: str, hint: str = "", *, by_url: bool = False, fetches: bool = False) -> tuple[str, str] | None:
    media = by_address(Media(hint, Remote(url)), by_url=by_url, fetches=fetches)
    if media is None:
        return None
    assert isinstance(media.source, Uri)
    return media.source.uri, media.mime_type


WATCH = "https://www.youtube.com/watch?v=dQw4w9WgXcQ"


@pytest.mark.parametrize(
    ("url", "uri"),
    [
        (WATCH, WATCH),
        ("https://youtube.com/watch?list=x&v=dQw4w9WgXcQ&t=10s", None),
        ("https://m.youtube.com/watch?v=lCdaVNyHtjU", None),
        ("https://music.youtube.com/watch?v=lCdaVNyHtjU", None),
        ("https://WWW.YouTube.com/watch?v=lCdaVNyHtjU", None),
        ("http://www.youtube.com/watch/?v=lCdaVNyHtjU", None),
        ("https://youtu.be/lCdaVNyHtjU", None),
        ("https://youtu.be/lCdaVNyHtjU?si=abc", None),
        ("https://www.youtube.com/shorts/dQw4w9WgXcQ?feature=share", WATCH),
        ("https://youtube.com/live/dQw4w9WgXcQ", WATCH),
        ("https://www.youtube.com/embed/dQw4w9WgXcQ/", WATCH),
        ("https://www.youtube-nocookie.com/embed/dQw4w9WgXcQ", WATCH),
    ],
)
def test_youtube(url: str, uri: str | None) -> None:
    """Under every name and for every model; `None` here means as it came."""
    for by_url, fetches in EVERY:
        assert found(url, by_url=by_url, fetches=fetches) == (uri or url, "")


@pytest.mark.parametrize(
    ("hint", "mime"),
    [
        ("video/*", ""),
        ("video/webm", "video/webm"),
        ("image/*", ""),
        ("image/png", ""),
        ("video/quicktime", "video/mov"),
        ("video/x-matroska", ""),
    ],
)
def test_the_type_of_a_youtube_video(hint: str, mime: str) -> None:
    assert found(WATCH, hint) == (WATCH, mime)


@pytest.mark.parametrize(
    "url",
    [
        "https://www.youtube.com/",
        "https://www.youtube.com/watch",
        "https://www.youtube.com/watch?v=",
        "https://www.youtube.com/watch?list=PL0",
        "https://www.youtube.com/@channel",
        "https://www.youtube.com/embed/videoseries?list=PL0",
        "https://youtu.be/",
        "https://youtu.be/a/b",
        "https://youtube.com.example.com/watch?v=dQw4w9WgXcQ",
        "https://notyoutube.com/watch?v=dQw4w9WgXcQ",
        "https://youtube.com@example.com/watch?v=dQw4w9WgXcQ",
        "https://example.com/youtube.com/watch?v=dQw4w9WgXcQ",
    ],
)
def test_what_is_no_video_on_youtube(url: str) -> None:
    assert found(url, fetches=True) is None


@pytest.mark.parametrize(
    ("url", "uri"),
    [
        ("files/nvp2l539zsmd", f"{FILES}/v1beta/files/nvp2l539zsmd"),
        (f"{FILES}/v1beta/files/nvp2l539zsmd", f"{FILES}/v1beta/files/nvp2l539zsmd"),
        (f"{FILES}/v1/files/abc-1", f"{FILES}/v1/files/abc-1"),
        (f"{FILES}/v1alpha/files/abc", f"{FILES}/v1alpha/files/abc"),
        (f"{FILES}:443/v1beta/files/abc", f"{FILES}/v1beta/files/abc"),
        (f"{FILES}/v1beta/files/abc?key=secret#x", f"{FILES}/v1beta/files/abc"),
        ("HTTPS://GenerativeLanguage.GoogleAPIs.com/v1beta/files/abc", f"{FILES}/v1beta/files/abc"),
    ],
)
def test_files(url: str, uri: str) -> None:
    for by_url, fetches in EVERY:
        assert found(url, by_url=by_url, fetches=fetches) == (uri, "")
        assert found(url, "image/jpg", by_url=by_url, fetches=fetches) == (uri, "image/jpeg")
        assert found(url, "video/*", by_url=by_url, fetches=fetches) == (uri, "")


@pytest.mark.parametrize(
    "url",
    [
        f"{FILES}/v1beta/models/abc",
        f"{FILES}/v1beta/files/",
        f"{FILES}/v1beta/files/a/b",
        f"{FILES}/v1beta/files/..%2fmodels",
        f"{FILES}:8443/v1beta/files/abc",
        f"{FILES}.example.com/v1beta/files/abc",
        "https://generativelanguage.googleapis.com@example.com/v1beta/files/abc",
        "https://user:pw@generativelanguage.googleapis.com/v1beta/files/abc",
        "https://example.com/v1beta/files/abc",
        "https://xgenerativelanguage.googleapis.com/v1beta/files/abc",
        "files/",
        "files/a/b",
        "files/a b",
        "files/a\n",
    ],
)
def test_what_is_no_file_of_googles(url: str) -> None:
    assert found(url, fetches=True) is None


@pytest.mark.parametrize(
    ("url", "hint", "mime"),
    [
        ("gs://bucket/a.png", "", "image/png"),
        ("GS://bucket/a", "audio/x-wav", "audio/wav"),
        ("gs://bucket/a", "", "video/mp4"),
        ("gs://bucket/a.md", "", "text/plain"),
    ],
)
def test_buckets(url: str, hint: str, mime: str) -> None:
    assert found(url, hint) == (url, mime)


URLS: list[tuple[str, str, str]] = [
    ("https://example.com/v.mp4", "", "video/mp4"),
    ("https://example.com/v.mov?sig=x.png", "", "video/mov"),
    ("https://example.com/v.webm", "video/mp4", "video/webm"),
    ("https://example.com/v.MPG", "image/*", "video/mpg"),
    ("https://example.com/v", "video/*", "video/mp4"),
    ("https://example.com/v", "video/quicktime", "video/mov"),
    ("https://example.com/v.unheardof", "video/x-flv", "video/x-flv"),
    ("https://example.com/v.php?id=1", "VIDEO/webm", "video/webm"),
    ("https://example.com/stream.ts", "video/*", "video/mp4"),
    ("HTTP://example.com/v.avi", "", "video/avi"),
]
"""Videos: the address, what is said of it, and its type."""


@pytest.mark.parametrize(("url", "hint", "mime"), URLS)
def test_videos(url: str, hint: str, mime: str) -> None:
    assert found(url, hint, fetches=True) == (url, mime)
    assert found(url, hint, by_url=True) == (url, mime)
    assert found(url, hint) is None


@pytest.mark.parametrize(
    ("url", "hint", "mime"),
    [
        ("https://example.com/a.png", "", "image/png"),
        ("https://example.com/a.png", "image/*", "image/png"),
        ("https://example.com/a", "", "video/mp4"),
        ("https://example.com/a", "image/*", "image/jpeg"),
        ("https://example.com/a", "audio/*", "audio/mp3"),
        ("https://example.com/a", "application/octet-stream", "video/mp4"),
        ("https://example.com/a.pdf", "", "application/pdf"),
        ("https://example.com/a.json", "", "text/plain"),
        ("https://example.com/a.html", "text/html", "text/plain"),
        ("https://10.0.0.1/a.mp3?x#y", "", "audio/mp3"),
    ],
)
def test_everything_else_only_under_a_name_that_says_so(url: str, hint: str, mime: str) -> None:
    assert found(url, hint, by_url=True) == (url, mime)
    assert found(url, hint, fetches=True) is None


@pytest.mark.parametrize(
    "url", ["ftp://example.com/v.mp4", "file:///v.mp4", "https://", "v.mp4", "", "https://[x/v.mp4"]
)
def test_what_is_no_address(url: str) -> None:
    assert found(url, "video/mp4", by_url=True, fetches=True) is None


def test_the_rest_of_the_media_stays() -> None:
    media = Media("video/*", Remote("https://example.com/v.mp4"), signature=Signature("x", "y"), detail="low")
    sent = by_address(media, by_url=False, fetches=True)
    assert sent == Media("video/mp4", Uri("https://example.com/v.mp4"), signature=Signature("x", "y"), detail="low")
