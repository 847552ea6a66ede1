"""Answers that this server has written, sent back to it: what the upstream insists on is there again."""

import json
from collections.abc import Sequence
from typing import Any

from gemgate.errors import BrokenAnswer
from gemgate.hub.fold import fold
from gemgate.hub.parts import Code, CodeResult, Part, Text, Thought, ToolCall
from gemgate.protocols.anthropic.writer import MessagesWriter
from tests.bed.recordings import conversations, needs_recordings
from tests.protocols.anthropic.asking import HI, parse
from tests.protocols.replaying import events, identity, replies


def calls(parts: Sequence[Part]) -> list[Any]:
    return [(part.name, json.loads(part.arguments), part.signature) for part in parts if isinstance(part, ToolCall)]


def code(parts: Sequence[Part]) -> list[Any]:
    """Code that ran, and what came of it; code without a result is told in words."""
    ran = [part for part in parts if isinstance(part, (Code, CodeResult))]
    whole = any(isinstance(part, CodeResult) for part in ran)
    return [(part.code, part.signature) if isinstance(part, Code) else part.output for part in ran if whole]


def thoughts(parts: Sequence[Part]) -> list[Thought]:
    return [part for part in parts if isinstance(part, Thought) and part.signature]


def words(parts: Sequence[Part]) -> str:
    return "".join(part.text for part in parts if isinstance(part, Text))


@needs_recordings
def test_recorded_answers_come_back() -> None:
    """Acceptance 1: calls with their signatures, code, signed thoughts and text, all in their order."""
    signed = 0
    for row in conversations():
        batches = events(replies(row, "stream" if row.streamed else "whole"))
        try:
            message = json.loads(MessagesWriter(identity()).whole(batches))
        except BrokenAnswer:
            continue
        given = next((choice.parts for choice in fold(batches).choices), ())
        parsed = parse(messages=[HI, {"role": "assistant", "content": message["content"]}, HI])
        back = parsed.call.messages[1].parts  # type: ignore[union-attr]
        assert not parsed.dropped, row.id
        assert calls(back) == calls(given), row.id
        assert code(back) == code(given), row.id
        assert thoughts(back) == thoughts(given), row.id
        if "](data:" not in words(back) and "[code_execution" not in words(back):  # images that were cut stay links
            assert words(back) == words(given), row.id
        signed += sum(mark is not None for _, _, mark in calls(back))
    assert signed > 100
