"""The grammar checker itself: nothing to say about what the original service sent, much about what is spoilt."""

import json
from collections.abc import Callable

import pytest

from tests.acceptance.messages_grammar import Json, Told, check, message_of
from tests.bed.recordings import Recording, load_recordings, needs_recordings

WHOLE: list[Told] = [
    ("ping", {"type": "ping"}),
    (
        "message_start",
        {
            "type": "message_start",
            "message": {
                "id": "msg_1",
                "type": "message",
                "role": "assistant",
                "model": "m",
                "content": [],
                "stop_reason": None,
                "stop_sequence": None,
                "usage": {"input_tokens": 1, "output_tokens": 0},
            },
        },
    ),
    (
        "content_block_start",
        {
            "type": "content_block_start",
            "index": 0,
            "content_block": {"type": "thinking", "thinking": "", "signature": ""},
        },
    ),
    (
        "content_block_delta",
        {"type": "content_block_delta", "index": 0, "delta": {"type": "thinking_delta", "thinking": "hm"}},
    ),
    (
        "content_block_delta",
        {"type": "content_block_delta", "index": 0, "delta": {"type": "signature_delta", "signature": "s"}},
    ),
    ("content_block_stop", {"type": "content_block_stop", "index": 0}),
    (
        "content_block_start",
        {
            "type": "content_block_start",
            "index": 1,
            "content_block": {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {}},
        },
    ),
    (
        "content_block_delta",
        {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": '{"a":'}},
    ),
    (
        "content_block_delta",
        {"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": "1}"}},
    ),
    ("content_block_stop", {"type": "content_block_stop", "index": 1}),
    (
        "message_delta",
        {
            "type": "message_delta",
            "delta": {"stop_reason": "tool_use", "stop_sequence": None},
            "usage": {"output_tokens": 3},
        },
    ),
    ("message_stop", {"type": "message_stop"}),
]
ERROR: Told = ("error", {"type": "error", "error": {"type": "api_error", "message": "no"}})

Spoil = Callable[[list[Told]], object]


def place(events: list[Told], name: str, number: int = 0) -> int:
    return [index for index, (found, _) in enumerate(events) if found == name][number]


def event(events: list[Told], name: str, number: int = 0) -> Json:
    return events[place(events, name, number)][1]


def move(events: list[Told], start: int, to: int) -> None:
    events.insert(to, events.pop(start))


SPOILT: dict[str, Spoil] = {
    "a name that is not the type": lambda e: e.__setitem__(1, ("message_begin", e[1][1])),
    "an unknown event": lambda e: e.insert(2, ("response.created", {"type": "response.created"})),
    "no beginning": lambda e: e.pop(1),
    "two beginnings": lambda e: e.insert(2, e[1]),
    "no id": lambda e: e[1][1]["message"].pop("id"),
    "content at the beginning": lambda e: e[1][1]["message"].update(content=[{"type": "text", "text": "a"}]),
    "no usage at the beginning": lambda e: e[1][1]["message"].update(usage={}),
    "a negative count": lambda e: e[1][1]["message"]["usage"].update(input_tokens=-1),
    "a wrong index": lambda e: event(e, "content_block_start", 1).update(index=2),
    "a delta of another block": lambda e: event(e, "content_block_delta", 2).update(index=0),
    "a stop of another block": lambda e: event(e, "content_block_stop", 1).update(index=0),
    "a block within a block": lambda e: e.pop(place(e, "content_block_stop")),
    "a delta of the wrong kind": lambda e: event(e, "content_block_delta")["delta"].update(type="text_delta"),
    "a delta that holds nothing": lambda e: event(e, "content_block_delta")["delta"].pop("thinking"),
    "a delta without a block": lambda e: move(e, place(e, "content_block_delta"), 2),
    "thinking without a signature": lambda e: e.pop(place(e, "content_block_delta", 1)),
    "an empty signature": lambda e: event(e, "content_block_delta", 1)["delta"].update(signature=""),
    "thinking after its signature": lambda e: move(e, place(e, "content_block_delta"), place(e, "content_block_stop")),
    "thinking that begins with words": lambda e: event(e, "content_block_start")["content_block"].update(thinking="a"),
    "a call without a name": lambda e: event(e, "content_block_start", 1)["content_block"].pop("name"),
    "a call that begins with its input": lambda e: event(e, "content_block_start", 1)["content_block"].update(input=1),
    "input that is no JSON": lambda e: e.pop(place(e, "content_block_delta", 3)),
    "input that is no object": lambda e: (
        event(e, "content_block_delta", 2)["delta"].update(partial_json="[1"),
        event(e, "content_block_delta", 3)["delta"].update(partial_json="]"),
    ),
    "no end of the message": lambda e: e.pop(),
    "no reason": lambda e: e.pop(place(e, "message_delta")),
    "two reasons": lambda e: e.insert(place(e, "message_stop"), event_of(e, "message_delta")),
    "a reason within a block": lambda e: e.pop(place(e, "content_block_stop", 1)),
    "a call that is not told of": lambda e: event(e, "message_delta")["delta"].update(stop_reason="end_turn"),
    "a reason from elsewhere": lambda e: event(e, "message_delta")["delta"].update(stop_reason="stop"),
    "no usage at the end": lambda e: event(e, "message_delta").pop("usage"),
    "a delta after the end": lambda e: move(e, place(e, "content_block_delta"), len(e)),
    "a ping after the end": lambda e: e.append(e[0]),
    "a block after the reason": lambda e: (
        e.insert(-1, ("content_block_start", {**event(e, "content_block_start"), "index": 2})),
        e.insert(-1, ("content_block_stop", {"type": "content_block_stop", "index": 2})),
    ),
    "an error that says nothing": lambda e: e.__setitem__(slice(3, None), [("error", {"type": "error", "error": {}})]),
    "words after an error": lambda e: e.insert(5, ERROR),
}


def event_of(events: list[Told], name: str) -> Told:
    return events[place(events, name)]


def copied() -> list[Told]:
    return [(name, json.loads(json.dumps(told))) for name, told in WHOLE]


@pytest.mark.parametrize("fault", SPOILT)
def test_each_fault_is_found(fault: str) -> None:
    events = copied()
    SPOILT[fault](events)
    assert check(events)


def test_what_is_right_has_no_fault() -> None:
    assert check(WHOLE) == []
    assert check([*WHOLE[:4], ERROR]) == [] and check([ERROR]) == [], "an error may come at any time"
    assert check([told for told in WHOLE if told[0] != "ping"]) == []
    assert check([each for told in WHOLE[:-1] for each in (told, WHOLE[0])] + WHOLE[-1:]) == []


def test_a_call_without_a_call() -> None:
    events = copied()
    del events[place(events, "content_block_start", 1) : place(events, "message_delta")]
    assert check(events) == ["stop_reason tool_use without a call"]


def test_what_a_client_has_in_hand() -> None:
    assert message_of(WHOLE) == {
        **WHOLE[1][1]["message"],
        "content": [
            {"type": "thinking", "thinking": "hm", "signature": "s"},
            {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": 1}},
        ],
        "stop_reason": "tool_use",
        "usage": {"input_tokens": 1, "output_tokens": 3},
    }


def recorded(row: Recording) -> list[Told]:
    told: list[Told] = []
    for block in row.response_sse or ():
        lines = dict(line.rstrip("\r").split(": ", 1) for line in block.split("\n") if ": " in line)
        told.append((lines["event"], json.loads(lines["data"])))
    return told


@needs_recordings
def test_the_original_service_keeps_to_it() -> None:
    rows = [
        row
        for row in load_recordings("anthropic")
        if row.streamed and row.status == 200 and row.url.startswith("https://api.anthropic.com/v1/messages")
    ]
    assert len(rows) > 150
    assert {row.id: faults for row in rows if (faults := check(recorded(row)))} == {}
