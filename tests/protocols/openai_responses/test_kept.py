"""What is kept of answers comes back from the store as it was."""

import pytest

from gemgate.hub.parts import (
    Code,
    CodeResult,
    Inline,
    Media,
    Opaque,
    Part,
    Remote,
    Signature,
    Text,
    Thought,
    ToolCall,
    Uri,
    Vendor,
)
from gemgate.protocols.openai_responses.kept import packed, unpacked

MARK = Signature("gemini", "c2ln", "a family")
VENDOR = Vendor("gemini", '{"a":1}')


@pytest.mark.parametrize(
    "part",
    [
        Text("a", MARK, VENDOR),
        Text("a"),
        Thought("a", MARK, VENDOR),
        *(
            Media("image/png", source, True, MARK, VENDOR, "high")
            for source in (Inline("YQ=="), Uri("files/a"), Remote("https://x.test/a"))
        ),
        Media("image/png", Inline("YQ==")),
        ToolCall("c", "f", '{"q": 1}', MARK, VENDOR),
        Code("i", "python", "print()", MARK, VENDOR),
        CodeResult("i", "ok", "1", MARK, VENDOR),
        Opaque(VENDOR),
    ],
)
def test_every_part_comes_back(part: Part) -> None:
    assert unpacked(packed((part, Text("b")))) == (part, Text("b"))


def test_no_parts_are_not_the_same_as_none() -> None:
    assert unpacked(packed(())) == ()
    assert unpacked(packed(None)) is None
