"""The grammar checker itself: nothing to say about what the original service sent, much about what is spoilt."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from gemgate.hub.events import Citation, Citations, Logprobs, TokenLogprob
from gemgate.hub.parts import Code, CodeResult, Inline, Media, Text, Thought, ToolCall
from tests.acceptance.responses_grammar import Json, Told, check
from tests.bed.recordings import Recording, load_recordings, needs_recordings
from tests.protocols.openai_responses.replies import MARK, blocks, echoing, reply, told

DRAWN = echoing(tools=[{"type": "image_generation", "partial_images": 2}])
WHOLE = told(
    reply(
        *blocks(
            Thought("**A**\n\nhm\n\n**B**\n\nso"),
            ToolCall("c1", "f", '{"a":1}', MARK),
            Media("image/png", Inline("AA"), thought=True),
            Media("image/png", Inline("AAAA")),
            Code("x1", "python", "1"),
            CodeResult("x1", "ok", "1"),
            Text("hello"),
        )
    ),
    DRAWN,
)
"""A stream with all kinds of items."""

LATE = told(
    reply(
        *blocks(Text("hello"), ToolCall("c1", "f", "{}")),
        Citations(0, (Citation("https://x.test", "X", 0, 5),)),
        Logprobs(0, (TokenLogprob("hello", -0.5),)),
    )
)
"""A stream whose message was closed before its source was known."""
CUT = told(reply(*blocks(Code("x1", "python", "1")), reason="length"))
"""A stream whose code has no result."""
REFUSED = told(reply(reason="content_filter", message="No."))

Spoil = Callable[[list[Told]], object]


def place(events: list[Told], name: str, number: int = 0) -> int:
    return [index for index, (found, _) in enumerate(events) if found == f"response.{name}"][number]


def event(events: list[Told], name: str, number: int = 0) -> Json:
    return events[place(events, name, number)][1]


def renumbered(events: list[Told]) -> None:
    for number, (_, found) in enumerate(events):
        found["sequence_number"] = number


def lost(events: list[Told], name: str, number: int = 0) -> None:
    del events[place(events, name, number)]
    renumbered(events)


def swapped(events: list[Told], name: str, other: str) -> None:
    first, second = place(events, name), place(events, other)
    events[first], events[second] = events[second], events[first]
    renumbered(events)


def again(events: list[Told], name: str, after: str) -> None:
    found = json.loads(json.dumps(events[place(events, name)]))
    events.insert(place(events, after) + 1, (found[0], found[1]))
    renumbered(events)


def put(document: Any, *path_and_value: Any) -> None:
    *path, last, value = path_and_value
    for key in path:
        document = document[key]
    document[last] = value


SPOILT: dict[str, Spoil] = {
    "not number": lambda events: put(event(events, "output_text.delta"), "sequence_number", 99),
    "is named": lambda events: put(event(events, "output_text.delta"), "type", "response.x"),
    "response.in_progress out of order": lambda events: swapped(events, "created", "in_progress"),
    "before response.in_progress": lambda events: lost(events, "in_progress"),
    "after the end": lambda events: again(events, "output_text.delta", "completed"),
    "no end": lambda events: lost(events, "completed"),
    "the status": lambda events: put(event(events, "created"), "response", "status", "completed"),
    "the id": lambda events: put(event(events, "completed"), "response", "id", "resp_other"),
    "with output": lambda events: put(event(events, "created"), "response", "output", [{}]),
    "no tools": lambda events: put(event(events, "created"), "response", "tools", None),
    "the output is not": lambda events: event(events, "completed")["response"]["output"].pop(),
    "item 1 at": lambda events: put(event(events, "output_item.added", 1), "output_index", 5),
    "function_call_arguments.delta: the index": lambda events: put(
        event(events, "function_call_arguments.delta"), "output_index", 0
    ),
    "the item": lambda events: put(event(events, "output_text.delta"), "item_id", "msg_other"),
    "within another": lambda events: lost(events, "output_item.done"),
    "without an item": lambda events: lost(events, "output_item.added"),
    "name was": lambda events: put(event(events, "output_item.done", 1), "item", "name", "g"),
    "is done and in progress": lambda events: put(
        event(events, "output_item.done", 1), "item", "status", "in_progress"
    ),
    "lacks": lambda events: event(events, "output_item.done", 1)["item"].pop("call_id"),
    "with a part open": lambda events: lost(events, "content_part.done"),
    "the content_index": lambda events: put(event(events, "output_text.delta"), "content_index", 1),
    "a part within another": lambda events: lost(events, "reasoning_summary_part.done"),
    "part 1 at": lambda events: put(event(events, "reasoning_summary_part.added", 1), "summary_index", 0),
    "after the text was done": lambda events: again(events, "output_text.delta", "output_text.done"),
    "done with 'other'": lambda events: put(event(events, "output_text.done"), "text", "other"),
    "done with '{}'": lambda events: put(event(events, "function_call_arguments.done"), "arguments", "{}"),
    "after it was done": lambda events: again(events, "function_call_arguments.delta", "function_call_arguments.done"),
    "without its arguments": lambda events: lost(events, "function_call_arguments.done"),
    "arguments is": lambda events: put(event(events, "output_item.done", 1), "item", "arguments", "{}"),
    "a part with": lambda events: put(event(events, "content_part.done"), "part", "text", "other"),
    "other content": lambda events: put(event(events, "output_item.done", 4), "item", "content", []),
    "another summary": lambda events: put(event(events, "output_item.done"), "item", "summary", []),
    "went through": lambda events: lost(events, "image_generation_call.generating"),
    "out of order": lambda events: swapped(
        events, "image_generation_call.in_progress", "image_generation_call.completed"
    ),
    "a draft without": lambda events: put(
        event(events, "image_generation_call.partial_image"), "partial_image_b64", ""
    ),
    "before it is complete": lambda events: swapped(
        events, "code_interpreter_call_code.done", "code_interpreter_call.interpreting"
    ),
    "no logprobs": lambda events: event(events, "output_text.delta").pop("logprobs"),
    "no reasoning_tokens": lambda events: put(
        event(events, "completed"), "response", "usage", "output_tokens_details", {}
    ),
    "no usage": lambda events: put(event(events, "completed"), "response", "usage", None),
    "the error": lambda events: put(event(events, "completed"), "response", "error", {"code": "x"}),
    "incomplete_details": lambda events: put(
        event(events, "completed"), "response", "incomplete_details", {"reason": "x"}
    ),
    "in function_call": lambda events: events.insert(
        place(events, "function_call_arguments.delta"),
        ("response.nonsense", {"type": "response.nonsense", "output_index": 1}),
    ),
}
"""What spoils the stream, by a piece of what must be said of it."""


@pytest.mark.parametrize("events", [WHOLE, LATE, CUT, REFUSED])
def test_a_stream_without_faults(events: list[Told]) -> None:
    assert check(events) == []


def message_of(events: list[Told]) -> Json:
    return event(events, "completed")["response"]["output"][0]


OTHERWISE: list[tuple[str, list[Told], Spoil]] = [
    ("the output is not", LATE, lambda events: put(message_of(events), "content", 0, "text", "other")),
    ("the output is not", LATE, lambda events: put(message_of(events), "status", "incomplete")),
    ("the output is not", LATE, lambda events: put(message_of(events), "content", [])),
    (
        "the output is not",
        LATE,
        lambda events: put(event(events, "output_item.done"), "item", "content", 0, "annotations", [{"type": "x"}]),
    ),
    ("went through", CUT, lambda events: put(event(events, "output_item.done"), "item", "status", "completed")),
    ("has outputs", CUT, lambda events: put(event(events, "output_item.done"), "item", "outputs", [])),
    ("in another part", REFUSED, lambda events: put(event(events, "content_part.added"), "part", "type", "x")),
]
"""What spoils streams that end in another way."""


@pytest.mark.parametrize(("fault", "events", "spoil"), OTHERWISE)
def test_what_is_spoilt_otherwise_is_found(fault: str, events: list[Told], spoil: Spoil) -> None:
    events = [(name, json.loads(json.dumps(found))) for name, found in events]
    spoil(events)
    assert any(fault in found for found in check(events)), check(events)


@pytest.mark.parametrize("fault", SPOILT)
def test_what_is_spoilt_is_found(fault: str) -> None:
    events: list[Told] = [(name, json.loads(json.dumps(found))) for name, found in WHOLE]
    SPOILT[fault](events)
    assert any(fault in found for found in check(events)), check(events)


@needs_recordings
def test_the_original_has_no_faults() -> None:
    """Three things are levelled: numbers and logprobs, which the first version of the service had not, and encrypted
    content, which it encrypts anew each time that it tells an item."""
    streams = [row for row in load_recordings("openai") if row.streamed and row.path == "/v1/responses"]
    assert len(streams) > 100
    for row in streams:
        assert check(_levelled(row)) == [], row.id


def _levelled(row: Recording) -> list[Told]:
    events: list[Told] = []
    for number, payload in enumerate(row.payloads()):
        found = json.loads(payload, object_hook=_without_encrypted)
        found.setdefault("sequence_number", number)
        if found["type"] == "response.output_text.delta":
            found.setdefault("logprobs", [])
        events.append((found["type"], found))
    return events


def _without_encrypted(document: Json) -> Json:
    return {key: value for key, value in document.items() if key != "encrypted_content"}
