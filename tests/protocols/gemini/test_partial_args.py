"""Arguments that come piece by piece."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemgate.hub.fold import fold
from gemgate.hub.parts import ToolCall
from gemgate.protocols.gemini.partial_args import Assembly
from tests.bed.recordings import conversations, needs_recordings
from tests.protocols.replaying import Json, chat_whole, chunk, events, read, replies


def call(**fields: Any) -> Json:
    return {"functionCall": fields}


def calls(*parts: Json) -> list[tuple[str, Any]]:
    payloads = [chunk(part) for part in parts] + [chunk(finishReason="STOP")]
    found = fold(events(read(payloads))).choices[0].parts
    return [(part.name, json.loads(part.arguments)) for part in found if isinstance(part, ToolCall)]


@needs_recordings
@pytest.mark.parametrize(
    ("row_id", "expected"),
    [
        (
            "g-c8e3f8e7be7d",
            [
                ("read_theme", {}),
                ("read_screen", {"id": "A"}),
                ("read_screen", {"id": "B"}),
                ("read_screen", {"id": "C"}),
            ],
        ),
        ("g-3b840afbd81d", [("getWeather", {"location": "Boston"}), ("getWeather", {"location": "San Francisco"})]),
        (
            "g-0e0b8c718bca",
            [
                (
                    "writeItems",
                    {
                        "operations": [
                            {"action": "add", "description": "Fresh red apple", "itemid": "apple_001", "price": 0.5},
                            {
                                "action": "add",
                                "description": "Ripe yellow banana",
                                "itemid": "banana_001",
                                "price": 0.3,
                            },
                        ]
                    },
                )
            ],
        ),
    ],
)
def test_recorded(row_id: str, expected: list[tuple[str, Any]]) -> None:
    row = next(row for row in conversations() if row.id == row_id)
    (choice,) = chat_whole(replies(row, "stream"))["choices"]
    found = choice["message"]["tool_calls"]
    assert [(each["function"]["name"], json.loads(each["function"]["arguments"])) for each in found] == expected
    assert choice["finish_reason"] == "tool_calls" and found[0]["extra_content"]


def test_all_kinds_of_values() -> None:
    pieces = [
        {"jsonPath": "$.a.b", "stringValue": "x", "willContinue": True},
        {"jsonPath": "$.a.b", "stringValue": "y"},
        {"jsonPath": "$.n", "numberValue": 1.5},
        {"jsonPath": "$.t", "boolValue": False},
        {"jsonPath": "$.z", "nullValue": "NULL_VALUE"},
        {"jsonPath": "$.list[1]", "stringValue": "second"},
        {"jsonPath": "$['odd key'].c", "numberValue": 2},
        {"jsonPath": "$.grid[0][1]", "numberValue": 3},
    ]
    found = calls(
        call(name="f", willContinue=True), *(call(partialArgs=[p], willContinue=True) for p in pieces), call()
    )
    assert found == [
        (
            "f",
            {
                "a": {"b": "xy"},
                "n": 1.5,
                "t": False,
                "z": None,
                "list": [None, "second"],
                "odd key": {"c": 2},
                "grid": [[None, 3]],
            },
        )
    ]


def test_a_complete_call_ends_an_open_one() -> None:
    """Its own arguments are not lost."""
    found = calls(call(name="f", willContinue=True), call(name="g", args={"a": 1}))
    assert found == [("f", {}), ("g", {"a": 1})]


def test_a_call_that_is_never_closed_ends_with_the_reply() -> None:
    found = calls(call(name="f", partialArgs=[{"jsonPath": "$.a", "stringValue": "x"}], willContinue=True))
    assert found == [("f", {"a": "x"})]


def test_all_in_one_part() -> None:
    assert calls(call(name="f", partialArgs=[{"jsonPath": "$.a", "numberValue": 1}])) == [("f", {"a": 1})]


@settings(deadline=None, max_examples=200)
@given(st.lists(st.text(alphabet="$.[]ab'0193", max_size=14), max_size=6))
def test_no_path_crashes(paths: list[str]) -> None:
    assembly = Assembly("", "f", None)
    assembly.add(json.dumps([{"jsonPath": path, "stringValue": "x"} for path in paths]).encode())
    assert isinstance(json.loads(assembly.json()), dict)
