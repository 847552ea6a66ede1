"""Whatever the input is: an answer or a clear refusal, in a time that grows with its length alone."""

import contextlib
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given, settings
from msgspec import UNSET, Raw

from gemgate.errors import InvalidRequest, NotFound
from gemgate.protocols.openai_responses.compaction import MAX_BYTES, sealed_summary
from gemgate.protocols.openai_responses.conversation import Past, conversation, listed_items, references
from gemgate.protocols.openai_responses.kept import KeptItem
from tests.protocols.fuzzing import documents, mutated
from tests.protocols.openai_responses.conversing import HI, PNG, Json, call, output, raw, reasoning

MAX_SECONDS = 2.5
"""Of CPU for a megabyte, on any machine."""

VALID: list[Any] = [
    "hi",
    [HI, {"role": "assistant", "content": f"![a](data:image/png;base64,{PNG})"}],
    [HI, reasoning("call-a", summary="hm"), call("a", arguments='{"a":1}'), output("a", [{"type": "input_text"}])],
    [
        {"type": "message", "role": "user", "content": [{"type": "input_image", "image_url": PNG, "detail": "low"}]},
        {"role": "user", "content": [{"type": "input_file", "file_data": PNG, "filename": "a.png"}]},
        {"role": "user", "content": [{"type": "input_audio", "input_audio": {"data": PNG, "format": "wav"}}]},
    ],
    [
        {"type": "custom_tool_call", "call_id": "a", "name": "p", "input": "x", "namespace": "n"},
        {"type": "shell_call", "call_id": "b", "action": {"commands": ["ls"]}},
        {"type": "apply_patch_call", "call_id": "c", "operation": {"type": "delete_file", "path": "a"}},
        {"type": "computer_call", "call_id": "d", "action": {"type": "wait"}, "actions": None},
        {"type": "apply_patch_call_output", "call_id": "c", "status": "failed", "output": "no"},
        {"type": "computer_call_output", "call_id": "d", "output": {"type": "computer_screenshot", "image_url": PNG}},
    ],
    [
        {"type": "mcp_call", "id": "m", "server_label": "s", "name": "f", "output": "x", "error": None},
        {"type": "tool_search_call", "execution": "client", "call_id": "s", "arguments": {}},
        {"type": "tool_search_output", "execution": "client", "call_id": "s", "tools": [{"name": "a"}]},
        {"type": "code_interpreter_call", "id": "ci_1", "code": "1", "outputs": [{"type": "logs", "logs": "1"}]},
        {"type": "image_generation_call", "id": "ig_1", "result": PNG, "output_format": "png"},
        {"type": "compaction", "encrypted_content": sealed_summary("a")},
        {"type": "item_reference", "id": "a"},
        {"type": "program", "code": "x"},
        {"type": "program_output", "result": "x"},
    ],
]
KEYS = sorted({key for valid in VALID if isinstance(valid, list) for item in valid for key in item})


def survive(body: bytes) -> None:
    """Read an input in every way; only refusals are allowed, and they say what is wrong."""
    past = Past((KeptItem(b'{"id":"z","role":"user","content":"x"}'),), {"a": KeptItem(body)})
    for raised, act in (
        ((InvalidRequest, NotFound), lambda: conversation(Raw(body), past, UNSET)),
        ((InvalidRequest, NotFound), lambda: conversation(UNSET, Past([KeptItem(body)]), Raw(body))),
        ((InvalidRequest,), lambda: listed_items(Raw(body))),
        ((), lambda: references(Raw(body))),
    ):
        try:
            act()
        except raised as error:
            assert error.message


@given(documents(KEYS))
@settings(max_examples=60, deadline=None)
def test_any_json(document: Any) -> None:
    survive(json.dumps(document).encode())


@given(mutated(VALID, KEYS))
@settings(max_examples=60, deadline=None)
def test_something_wrong_in_a_good_one(document: Any) -> None:
    survive(json.dumps(document).encode())


@pytest.mark.parametrize(
    "body",
    [
        b'["\xff"]',
        b'[{"type":"\xff","id":1}]',
        b'[{"type":"function_call","name":"f","arguments":{"a":"\xff"}}]',
        b'[{"type":"function_call_output","output":{"a":"\xff"}}]',
        b'[{"type":"computer_call","action":"\xff"}]',
        b'[{"type":"code_interpreter_call","code":"\xff"}]',
        b'[{"type":"image_generation_call","result":"\xff\xff\xff\xff"}]',
        b'["\\ud800"]',
        b'[{"type":"function_call","name":"f","arguments":"\\ud800"}]',
        b"[" * 100_000,
        b'[{"role":"user","content":' + b"[" * 100_000,
        b'[{"type":"function_call","name":"f","arguments":' + b'{"a":' * 100_000,
        b'[{"type":"function_call_output","output":' + b"[" * 900 + b"]" * 900 + b"}]",
        b"nonsense",
        b'[{"role":"user",',
    ],
)
def test_broken_text(body: bytes) -> None:
    survive(body)


SHAPES: dict[str, Callable[[], Any]] = {
    "texts": lambda: ["a"] * 80_000,
    "empty messages": lambda: [{"role": "user"}] * 50_000,
    "messages of parts": lambda: [{"role": "user", "content": [{"type": "input_text", "text": "a"}]}] * 14_000,
    "parts": lambda: [{"role": "user", "content": [{"text": "a"}] * 70_000}],
    "unknown items": lambda: [{"type": "x"}] * 70_000,
    "unknown items with something wrong": lambda: [{"type": "x", "id": 1}] * 45_000,
    "one wrong item at the end": lambda: [*[{"type": "x"}] * 70_000, {"role": 1}],
    "calls": lambda: [call(f"c{number}") for number in range(10_000)],
    "seals": lambda: [reasoning(f"call-{number}") for number in range(8_000)],
    "seals of one call": lambda: [*[reasoning("call-a")] * 8_000, *[call("a")] * 2_000],
    "calls and results": lambda: [each for number in range(6_000) for each in (call(f"c{number}"), output("a"))],
    "turns": lambda: [HI, reasoning("call-a"), call("a")] * 3_000,
    "drawings": lambda: [{"type": "code_interpreter_call", "code": "x", "outputs": [{"url": f"data:,{PNG}"}] * 7_000}],
    "images": lambda: [{"role": "assistant", "content": "![a](data:image/png;base64,iVBORw0KGgo=)" * 20_000}],
    "references": lambda: [{"type": "item_reference", "id": "z"}] * 20_000,
    "summaries": lambda: [{"type": "compaction", "encrypted_content": sealed_summary("a" * MAX_BYTES)}] * 300,
    "tools": lambda: [{"type": "tool_search_output", "execution": "client", "tools": [{"name": "a"}] * 60_000}],
    "nested output": lambda: [output("a", [[[["a"]]]] * 60_000)],
}


@pytest.mark.parametrize("shape", SHAPES)
def test_time_grows_with_the_length(shape: str) -> None:
    given: Json | list[Any] = SHAPES[shape]()
    body = raw(given)
    began = time.process_time()
    with contextlib.suppress(InvalidRequest, NotFound):
        references(body)
        conversation(body, Past((KeptItem(b'{"id":"z","role":"user"}'),)), UNSET)
    assert time.process_time() - began < MAX_SECONDS
