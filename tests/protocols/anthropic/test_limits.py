"""Requests of a megabyte take a time that grows with their length alone, whatever their shape."""

import contextlib
import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from gemgate.errors import InvalidRequest
from gemgate.protocols.anthropic.inbound import inbound

MAX_SECONDS = 2.5
"""Of CPU for a megabyte, on any machine; what grew with the square took from 2 to 10 s on the fastest."""

Json = dict[str, Any]


def nested(depth: int, words: int) -> Any:
    made: Any = ["a"] * words
    for _ in range(depth):
        made = [made]
    return made


SHAPES: dict[str, Callable[[], list[Json]]] = {
    "deep results": lambda: [
        {"role": "assistant", "content": [{"type": "x_tool_result", "content": nested(900, 250_000)}]}
    ],
    "deep objects": lambda: [
        {"role": "assistant", "content": [{"type": "x_tool_result", "content": {"a": nested(400, 250_000)}}]}
    ],
    "system messages for one turn": lambda: (
        [{"role": "system", "clear_at": "next_user_message", "content": "a"}] * 15_000
    ),
    "messages of blocks": lambda: [{"role": "user", "content": [{"type": "text", "text": "a"}]}] * 15_000,
    "empty messages": lambda: [{"role": "user", "content": []}] * 27_000,
    "empty blocks": lambda: [{"role": "user", "content": [{}] * 330_000}],
    "unknown blocks": lambda: [{"role": "assistant", "content": [{"type": "x"}] * 75_000}],
    "calls": lambda: [
        {"role": "assistant", "content": [{"type": "tool_use", "id": f"c{number}", "name": "f", "input": {}}]}
        for number in range(9_000)
    ],
    "seals": lambda: [
        {
            "role": "assistant",
            "content": [
                {"type": "thinking", "thinking": "", "signature": f"gemgate:1:gemini::call-{number}:AAAA"}
                for number in range(10_000)
            ],
        }
    ],
}


@pytest.mark.parametrize("shape", SHAPES)
def test_time_grows_with_the_length(shape: str) -> None:
    messages = [{"role": "user", "content": "hi"}, *SHAPES[shape](), {"role": "user", "content": "so"}]
    body = json.dumps({"model": "m", "max_tokens": 9, "messages": messages}).encode()
    began = time.process_time()
    with contextlib.suppress(InvalidRequest):
        inbound(body)
    assert time.process_time() - began < MAX_SECONDS
