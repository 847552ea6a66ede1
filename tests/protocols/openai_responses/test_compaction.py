"""Summaries of compacted conversations."""

import zlib
from base64 import b64encode

import pytest

from gemgate.hub.parts import Text
from gemgate.protocols.openai_responses.compaction import MAX_BYTES, SUMMARY, opened_summary, sealed_summary
from tests.protocols.openai_responses.conversing import HI, lost, messages, talk


@pytest.mark.parametrize("text", ["", "We decided on blue.", "ü€😀\n" * 10_000])
def test_a_summary_comes_back(text: str) -> None:
    assert opened_summary(sealed_summary(text)) == text


def test_a_long_text_takes_little_room() -> None:
    assert len(sealed_summary("We decided on blue. " * 1_000)) < 1_000


@pytest.mark.parametrize(
    "text",
    ["", "gAAAAABp", "gemgate:1:gemini:three:thought:x", SUMMARY, f"{SUMMARY}%%", f"{SUMMARY}ü", f"{SUMMARY}AAAA"],
)
def test_what_is_foreign_or_spoilt_is_none(text: str) -> None:
    assert opened_summary(text) is None
    assert opened_summary(sealed_summary("We decided on blue.")[:-8]) is None


def test_it_must_be_text() -> None:
    assert opened_summary(SUMMARY + b64encode(zlib.compress(b"\xff")).decode()) is None


def test_it_cannot_unpack_to_anything_huge() -> None:
    assert opened_summary(sealed_summary("a" * MAX_BYTES)) == "a" * MAX_BYTES
    assert opened_summary(sealed_summary("a" * (MAX_BYTES + 1))) is None


@pytest.mark.parametrize("kind", ["compaction", "compaction_summary"])
def test_the_model_reads_it_as_what_it_is(kind: str) -> None:
    found = messages({"type": kind, "id": "cmp_1", "encrypted_content": sealed_summary("Blue it is.")}, HI)
    assert [message.role for message in found] == ["user", "user"]
    (text,) = found[0].parts
    assert isinstance(text, Text) and text.text.endswith("\n\nBlue it is.") and "summary" in text.text


def test_what_cannot_be_read_is_told() -> None:
    spoilt = f"{SUMMARY}%%"
    assert lost(*({"type": "compaction", "encrypted_content": text} for text in ("gAAAA", spoilt, None))) == [
        "input.0",
        "input.1",
        "input.2",
    ]


def test_many_cannot_unpack_to_anything_huge() -> None:
    item = {"type": "compaction", "encrypted_content": sealed_summary("a" * MAX_BYTES)}
    found = talk([item] * 20)
    assert len(found.messages) == 2 and len(found.dropped) == 18
