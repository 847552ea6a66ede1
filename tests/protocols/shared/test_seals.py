import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemgate.hub.parts import Code, Signature, Thought, ToolCall
from gemgate.protocols.shared.seals import UNSIGNED, Seal, opened, sealed, target

BASE64 = st.text("ABCxyz019+/=", min_size=1, max_size=60)
TARGETS = st.sampled_from(["thought", "code-1", "call-call_0a9", "call-a-b_c"])


@given(TARGETS, BASE64)
def test_what_is_sealed_is_known_again(part: str, value: str) -> None:
    seal = Seal(part, Signature("gemini", value, "a-family.1"))
    text = sealed(seal)
    assert opened(text) == seal and re.fullmatch(r"[\w.:+/=-]+", text)


def test_an_unsigned_thought_is_sealed_too() -> None:
    assert sealed(UNSIGNED) and opened(sealed(UNSIGNED)) == UNSIGNED


@given(st.text(st.characters(codec="utf-8"), max_size=60))
def test_a_signature_of_any_characters_survives(value: str) -> None:
    seal = Seal("code-1", Signature("gemini", value) if value else None)
    assert opened(sealed(seal)) == seal


@pytest.mark.parametrize(
    "foreign",
    ["", "EqQBCkYIBRgCKkBd", "gemgate", "gemgate.", "gemgate.1.", "gemgate.1.gemini", "gemgate.2.gemini.text.A"],
)
def test_what_is_foreign_is_told_apart(foreign: str) -> None:
    assert opened(foreign) is None


def test_parts_are_named() -> None:
    parts = (Thought("b"), ToolCall("id-1", "f", "{}"), Code("id-2", "python", "1"))
    assert [target(part) for part in parts] == ["thought", "call-id-1", "code-id-2"]
