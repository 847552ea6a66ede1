"""Media told by their first bytes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemgate.protocols.shared.magic_bytes import HEAD_BYTES, sniffed
from tests.protocols.shared.samples import HEADS


@pytest.mark.parametrize("kind", HEADS)
def test_every_kind(kind: str) -> None:
    head, mime = HEADS[kind]
    assert sniffed(head) == mime
    assert len(head) <= HEAD_BYTES and sniffed(head.ljust(HEAD_BYTES, b"\x00")) == mime


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"\xff",
        b"\x00\x00\x00\x18",
        b"BMW is a maker of cars.",
        b"ID3 is a tag.",
        b"FLV was a format.",
        b"GIF8 bit",
        b"RIFF and RAFF are words",
        b"The moovie is ftyped",
        b"123 wide open",
        b"PK is what mail is called",
        b"II*nd place",
        b"Hello, <html> is a tag.",
        b'<?xml version="1.0"?><feed/>',
        b'{"a": 1}',
        "\ufefftext".encode("utf-16-le"),
        "text".encode("utf-16"),
        "grüße".encode(),
        b"\xff\xff\xff\xff",
        b"\xff\xfb\xf0\x00",
        b"\xff\xfb\x9c\x00",
        b"\xff\xeb\x90\x00",
        b"RIFF\x24\x00\x00\x00ACON",
        b"FORM\x00\x00\x00\x2eILBM",
    ],
)
def test_what_tells_nothing(head: bytes) -> None:
    assert sniffed(head) == ""


@given(st.binary(max_size=80))
def test_any_bytes_give_an_answer(head: bytes) -> None:
    assert sniffed(head) == "" or "/" in sniffed(head)


@given(st.text(alphabet=st.characters(min_codepoint=32, exclude_categories=["Cs"]), min_size=1, max_size=40))
def test_prose_is_no_media(text: str) -> None:
    assert not sniffed(text.encode()).startswith(("audio/", "video/", "image/b", "image/t", "image/p", "image/j"))
