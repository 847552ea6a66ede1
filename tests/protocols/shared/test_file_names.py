"""Files told by their names."""

import pytest

from gemgate.protocols.shared.file_names import EXTENSIONS, by_name
from gemgate.protocols.shared.media_types import normal


@pytest.mark.parametrize(
    ("name", "mime"),
    [
        ("cat.png", "image/png"),
        ("CAT.JPG", "image/jpeg"),
        ("cat.heic", "image/heic"),
        ("a.b.webp", "image/webp"),
        ("dir.png/song.mp3", "audio/mp3"),
        ("C:\\Users\\me\\song.wav", "audio/wav"),
        ("song.m4a", "audio/mp4"),
        ("song.opus", "audio/ogg"),
        ("film.mov", "video/mov"),
        ("film.mpg", "video/mpg"),
        ("film.mpeg", "video/mpeg"),
        ("film.3gp", "video/3gpp"),
        ("film.flv", "video/x-flv"),
        ("film.mkv", "video/x-matroska"),
        ("paper.pdf", "application/pdf"),
        ("table.csv", "text/csv"),
        ("notes.md", "text/markdown"),
        ("data.json", "application/json"),
        ("page.html", "text/html"),
        ("index.php", "text/plain"),
        ("main.py", "text/plain"),
        ("main.ts", "text/plain"),
        ("C#.cs", "text/plain"),
        ("what?.png", "image/png"),
        ("Dockerfile", "text/plain"),
        ("src/Makefile", "text/plain"),
        ("", ""),
        ("noextension", ""),
        ("dir.png/file", ""),
        ("file.unheardof", ""),
        (".", ""),
        ("file.", ""),
    ],
)
def test_names(name: str, mime: str) -> None:
    assert by_name(name) == mime


@pytest.mark.parametrize(
    ("url", "mime"),
    [
        ("https://example.com/v.mp4", "video/mp4"),
        ("https://example.com/V.MP4?a=b.png#c.gif", "video/mp4"),
        ("https://example.com/dir/v%2Emov", "video/mov"),
        ("https://example.com/a%3Fb.pdf", "application/pdf"),
        ("gs://bucket/dir/song.flac", "audio/flac"),
        ("https://example.com/main.py", "text/plain"),
        ("https://example.com/page.html", "text/html"),
        ("https://example.com/get?file=v.mp4", ""),
        ("https://example.com/get#v.mp4", ""),
        ("https://example.com?x=/v.mp4", ""),
        ("https://example.pdf", ""),
        ("https://example.pdf/", ""),
        ("https://example.com/Makefile", ""),
        ("https://example.com/watch.php", ""),
        ("https://example.com/image.aspx?id=3", ""),
        ("https://[broken/v.png", "image/png"),
        ("https://", ""),
    ],
)
def test_urls(url: str, mime: str) -> None:
    assert by_name(url) == mime


def test_types_are_spelled_as_everywhere() -> None:
    assert {mime: normal(mime) for mime in EXTENSIONS.values() if normal(mime) != mime} == {}
    assert [extension for extension in EXTENSIONS if extension != extension.lower()] == []
