"""Signatures that come back in reasoning items."""

from typing import Any

from msgspec.structs import replace

from gemgate.hub.parts import Code, Part, Signature, Text, Thought, ToolCall
from tests.protocols.openai_responses.conversing import HI, MARK, call, messages, output, reasoning, talk

OTHER = Signature("gemini", "Yg==", "two")
CODE = {"type": "code_interpreter_call", "id": "ci_made_1", "code": "1+1", "outputs": []}


def marks(*items: Any) -> list[tuple[str, Signature | None]]:
    """The calls of a history, and their signatures."""
    parts = [part for message in messages(HI, *items) for part in message.parts]
    return [(part.id, part.signature) for part in parts if isinstance(part, ToolCall)]


def test_a_thought_with_its_signature() -> None:
    found = talk([HI, reasoning("thought", summary="hm"), {"role": "assistant", "content": "a"}])
    assert found.messages[1].parts == (Thought("hm", MARK), Text("a"))
    assert found.families == {"three"}


def test_the_parts_of_a_summary_are_one_thought() -> None:
    item = reasoning("thought") | {"summary": [{"text": "**A**\n\n"}, {"text": "b"}]}
    assert messages(HI, item)[1].parts == (Thought("**A**\n\nb", MARK),)


def test_foreign_and_empty_ones_are_left_out() -> None:
    shown = [{"type": "summary_text", "text": "hm"}]
    for sealed in ("gAAAAABo", "", None):
        item = {"type": "reasoning", "summary": shown, "content": None, "encrypted_content": sealed}
        found = talk([HI, item, {"role": "assistant", "content": "a"}])
        assert found.messages[1].parts == (Text("a"),) and found.families == frozenset() and found.dropped == ()
    assert [message.role for message in messages(HI, reasoning("thought", None, "hm"))] == ["user"]
    assert [message.role for message in messages(HI, {"type": "reasoning"})] == ["user"]


def test_the_signature_of_a_call_before_or_after_it() -> None:
    assert marks(reasoning("call-a"), call("a"), call("b")) == [("a", MARK), ("b", None)]
    assert marks(call("a"), call("b"), reasoning("call-a")) == [("a", MARK), ("b", None)]


def test_a_step_reaches_to_the_next_words_of_the_user() -> None:
    assert marks(call("a"), output("a"), reasoning("call-a"), call("b")) == [("a", MARK), ("b", None)]
    assert marks(call("a"), {"role": "user", "content": "so"}, reasoning("call-a")) == [("a", None)]
    assert marks(reasoning("call-a"), {"role": "user", "content": "so"}, call("a")) == [("a", None)]


def test_each_step_has_its_own() -> None:
    second = reasoning("call-b", OTHER)
    assert marks(reasoning("call-a"), call("a"), output("a"), second, call("b")) == [("a", MARK), ("b", OTHER)]
    assert talk([HI, reasoning("call-a"), second]).families == {"three", "two"}


def test_the_signature_of_code() -> None:
    def codes(*items: Any) -> list[Part]:
        return [part for part in messages(HI, *items)[1].parts if isinstance(part, Code)]

    plain = Code("", "python", "1+1")
    assert codes(reasoning("code-"), CODE) == [replace(plain, signature=MARK)]
    assert codes(reasoning("code-"), CODE, reasoning("code-", OTHER), CODE) == [
        replace(plain, signature=MARK),
        replace(plain, signature=OTHER),
    ]
    assert codes(reasoning("code-x"), CODE | {"id": "ci_x"}) == [Code("x", "python", "1+1", MARK)]
    assert codes(reasoning("code-y"), CODE) == [plain]


def test_a_target_that_nobody_knows_is_nothing() -> None:
    assert marks(reasoning("elsewhere"), call("a")) == [("a", None)]
