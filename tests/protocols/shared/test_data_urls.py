"""Data URLs and bare base64."""

from base64 import b64decode, b64encode, urlsafe_b64encode
from collections.abc import Callable
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemgate.hub.parts import Base64
from gemgate.protocols.shared import data_urls
from gemgate.protocols.shared.data_urls import SLICE, looks_like_base64, parse

Form = Callable[[str], Base64]
FORMS: dict[str, Form] = {"str": lambda text: text, "memoryview": lambda text: memoryview(text.encode())}
each_form = pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)


def text(data: Base64) -> str:
    return data if isinstance(data, str) else str(data, "ascii")


def split(url: Base64) -> tuple[str, str] | None:
    found = parse(url)
    return None if found is None else (found[0], text(found[1]))


@each_form
@pytest.mark.parametrize(
    ("url", "mime", "data"),
    [
        ("data:image/png;base64,AAAA", "image/png", "AAAA"),
        ("DATA:Image/PNG;BASE64,AAAA", "Image/PNG", "AAAA"),
        ("data:image/png;charset=utf-8;base64,AA==", "image/png", "AA=="),
        ("data:audio/L16;codec=pcm;rate=24000;base64,AA==", "audio/L16", "AA=="),
        ("data: image/png ; base64 ,AAAA", "image/png", "AAAA"),
        ("data:;base64,AAAA", "", "AAAA"),
        ("data:base64,AAAA", "", "AAAA"),
        ("data:image/png;base64,", "image/png", ""),
        ("data:image/png;base64,-_-_", "image/png", "-_-_"),
        ("data:image/png;base64,AA AA\r\n\tBB==\n", "image/png", "AAAABB=="),
        ("data:image/png;base64,AA%2BA%2F8%3D%0A", "image/png", "AA+A/8="),
        ("data:image/png;base64,AA,BB", "image/png", "AA,BB"),
        ("data:text/plain,a%20b,c", "text/plain", b64encode(b"a b,c").decode()),
        ("data:text/html;charset=utf-8,<p>%C3%A4</p>", "text/html", b64encode("<p>ä</p>".encode()).decode()),
        ("data:text/plain,größe", "text/plain", b64encode("größe".encode()).decode()),
        ("data:,hi", "text/plain", b64encode(b"hi").decode()),
    ],
)
def test_parsing(form: Form, url: str, mime: str, data: str) -> None:
    assert split(form(url)) == (mime, data)


@each_form
@pytest.mark.parametrize(
    "url",
    [
        "",
        "data",
        "data:",
        "data:image/png;base64",
        "https://example.com/data:image/png;base64,AAAA",
        " data:image/png;base64,AAAA",
        "iVBORw0KGgo=",
        "data:" + "x" * 5000 + ";base64,AAAA",
    ],
)
def test_what_is_no_data_url(form: Form, url: str) -> None:
    assert parse(form(url)) is None


@pytest.mark.parametrize("make", [bytes, bytearray])
@pytest.mark.parametrize("size", [0, 4, 3 * SLICE + 8])
def test_a_slice_of_the_same_buffer(make: Callable[[bytes], bytes | bytearray], size: int) -> None:
    body = make(b'{"url":"data:image/png;base64,' + b"A" * size + b'"}')
    found = parse(memoryview(body)[8:-2])
    assert found is not None and isinstance(found[1], memoryview)
    assert found[1].obj is body and len(found[1]) == size


def test_strings_keep_their_data() -> None:
    assert split("data:image/png;base64," + "A" * 9999) == ("image/png", "A" * 9999)
    assert split("data:image/\ud800;base64,AAAA") == ("image/?", "AAAA")
    assert split("data:text/plain,\ud800") == ("text/plain", b64encode(b"?").decode())


@pytest.mark.parametrize("mark", [" ", "\n", "%3D"])
@pytest.mark.parametrize("place", [0, SLICE - 1, SLICE, 2 * SLICE + 5])
def test_mending_finds_the_mark_anywhere(mark: str, place: int) -> None:
    data = "A" * place + mark + "A" * (3 * SLICE - place)
    found = parse(memoryview(f"data:;base64,{data}".encode()))
    assert found is not None and found[1] == data.replace(mark, "=" if mark == "%3D" else "")


@given(st.binary(max_size=300), st.booleans(), st.booleans())
def test_every_content(content: bytes, as_base64: bool, as_view: bool) -> None:
    data = ";base64," + b64encode(content).decode() if as_base64 else "," + quote(content)
    url = "data:image/png" + data
    found = split(memoryview(url.encode()) if as_view else url)
    assert found is not None and found[0] == "image/png" and b64decode(found[1], validate=True) == content


@given(st.text(max_size=100).map(lambda tail: "data:" + tail) | st.binary(max_size=100).map(memoryview))
def test_anything_at_all(url: Base64) -> None:
    found = parse(url)
    assert found is None or isinstance(found[0], str)
    assert looks_like_base64(url) in (True, False)


@each_form
@pytest.mark.parametrize(
    ("given_text", "like"),
    [
        (b64encode(bytes(range(256)) * 4).decode(), True),
        (urlsafe_b64encode(bytes(range(256)) * 4).decode(), True),
        (b64encode(b"\xfb\xff" * 20).decode().rstrip("="), True),
        ("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ", True),
        ("AAAAIGZ0eXBpc29tAAACAGlzb21pc28yYXZjMW1wNDE=", True),
        ("iVBORw0KGgoAAAAN\nSUhEUgAAAAEAAAABCAYA\n", True),
        ("QUJD" * 100 + "==\n", True),
        ("", False),
        ("cat", False),
        ("image", False),
        ("files/nvp2l539zsmdnvp2l539zsmdnvp2l539", False),
        ("https://example.com/" + "a" * 100, False),
        ("example.com/pictures/of/cats/one", False),
        ("What do you see in this picture?", False),
        ("data:image/png;base64," + "A" * 100, False),
        ("QUJD" * 100 + ".", False),
        ("QUJD" * 100 + "===", False),
        ("=" + "QUJD" * 100, False),
        ("QUJD==" + "QUJD" * 100, False),
        ("ä" * 100, False),
        ("+-+-" * 100, False),
    ],
)
def test_bare_base64(form: Form, given_text: str, like: bool) -> None:
    assert looks_like_base64(form(given_text)) is like


def test_megabytes_are_not_read_for_that(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    def measured(piece: Base64) -> bytes:
        seen.append(len(piece))
        return piece.encode() if isinstance(piece, str) else bytes(piece)

    monkeypatch.setattr(data_urls, "_bytes", measured)
    assert looks_like_base64(memoryview(b"A" * 1_000_000))
    assert seen and sum(seen) < 400
