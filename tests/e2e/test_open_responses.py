"""The cases of the public suite of Open Responses (its specification of 2026-04-24), asked of a running gateway."""

from collections.abc import Sequence
from typing import Any

import pytest
from openresponses_types import types

from tests.acceptance.responses_grammar import check, events_of
from tests.bed.sent import check_sent
from tests.bed.upstream import json_reply, part_chunk, sse
from tests.bed.upstream.generate import PIXEL
from tests.e2e.bed import FLASH, OTHER, Bed
from tests.e2e.open_responses import (
    EVENTS,
    Check,
    Json,
    Socket,
    event_faults,
    faults,
    has,
    has_output,
    is_completed,
    response_faults,
    unmet,
)

PATH, COMPACT = "/v1/responses", "/v1/responses/compact"
NOT_FOUND = "previous_response_not_found"


def message(role: str, content: Any, **more: Any) -> Json:
    return {"type": "message", "role": role, "content": content} | more


WEATHER: Json = {
    "type": "function",
    "name": "get_weather",
    "description": "Get the current weather for a location",
    "parameters": {
        "type": "object",
        "properties": {"location": {"type": "string", "description": "The city and state, e.g. San Francisco, CA"}},
        "required": ["location"],
    },
}
ASKS_WEATHER: Json = {"input": [message("user", "What's the weather like in San Francisco?")], "tools": [WEATHER]}
IMAGE = [
    {"type": "input_text", "text": "What do you see in this image? Answer in one sentence."},
    {"type": "input_image", "image_url": f"data:image/png;base64,{PIXEL}"},
]
CALL = part_chunk(
    {"functionCall": {"id": "a1", "name": "get_weather", "args": {"location": "San Francisco, CA"}}}, finish="STOP"
)

CASES: dict[str, tuple[Json, Sequence[Check]]] = {
    "basic-response": ({"input": [message("user", "Say hello in exactly 3 words.")]}, [has_output, is_completed]),
    "assistant-phase": (
        {
            "input": [
                message("assistant", "I should answer with the saved number.", phase="commentary"),
                message("assistant", "The number is four.", phase="final_answer"),
                message("user", "Repeat only the number."),
            ]
        },
        [has_output, is_completed],
    ),
    "streaming-response": ({"input": [message("user", "Count from 1 to 5.")]}, [is_completed]),
    "system-prompt": (
        {"input": [message("system", "You are a pirate. Always speak as one."), message("user", "Say hello.")]},
        [has_output, is_completed],
    ),
    "tool-calling": (ASKS_WEATHER, [has_output, has("function_call")]),
    "image-input": ({"input": [message("user", IMAGE)]}, [has_output, is_completed]),
    "multi-turn": (
        {
            "input": [
                message("user", "My name is Alice."),
                message("assistant", "Hello Alice! Nice to meet you. How can I help you today?"),
                message("user", "What is my name?"),
            ]
        },
        [has_output, is_completed],
    ),
}


@pytest.mark.parametrize("case", CASES)
async def test_whole(bed: Bed, case: str) -> None:
    body, wanted = CASES[case]
    if "tools" in body:
        bed.up.answer(json_reply(CALL))
    answered = await bed.ask("POST", PATH, {"model": FLASH} | body)
    assert answered.status == 200, answered.body
    assert unmet(answered.json, wanted) == []
    assert check_sent(bed.up.requests, canonical=True) == 1


@pytest.mark.parametrize("case", CASES)
async def test_streamed(bed: Bed, case: str) -> None:
    body, wanted = CASES[case]
    if "tools" in body:
        bed.up.answer(sse([CALL]))
    answered = await bed.ask("POST", PATH, {"model": FLASH, "stream": True} | body)
    assert answered.status == 200, answered.body
    events = events_of(answered.body)
    assert [fault for _, event in events for fault in event_faults(event)] == []
    assert check(events) == []
    assert unmet(events[-1][1]["response"], wanted) == []


async def test_tool_calling_streaming(bed: Bed) -> None:
    bed.up.answer(sse([CALL]))
    answered = await bed.ask("POST", PATH, {"model": FLASH, "stream": True} | ASKS_WEATHER)
    told = [(name, (event.get("item") or {}).get("type")) for name, event in events_of(answered.body)]
    stem = "response.function_call_arguments"
    wanted: list[Any] = [("response.output_item.added", "function_call"), (f"{stem}.delta", None)]
    wanted += [(f"{stem}.done", None), ("response.output_item.done", "function_call")]
    assert [one for one in dict.fromkeys(told) if one in wanted] == wanted


async def test_compact_response(bed: Bed) -> None:
    history = [
        message("user", "We agreed to launch on Tuesday and notify support first."),
        message("assistant", "Understood. The launch is Tuesday, with support notified beforehand."),
    ]
    body = {"model": FLASH, "prompt_cache_key": "openresponses-compact-test", "input": history}
    answered = await bed.ask("POST", COMPACT, body)
    assert answered.status == 200, answered.body
    assert faults(types.CompactResource, answered.json) == []
    assert answered.json["object"] == "response.compaction" and has("compaction")(answered.json)


async def test_compact_missing_model(bed: Bed) -> None:
    answered = await bed.ask("POST", COMPACT, {"input": [message("user", "Compact this conversation.")]})
    assert answered.status in (400, 422) and answered.error["param"] == "model"
    assert bed.up.requests == []


# ── over a WebSocket ──


async def test_websocket_response(bed: Bed) -> None:
    async with Socket.opened(bed) as socket:
        turn = await socket.create(model=FLASH, input=[message("user", "Count from 1 to 3.")])
    assert turn.faults() == [] and unmet(turn.response, [has_output, is_completed]) == []
    assert check([(event["type"], event) for event in turn.events]) == []


async def test_websocket_sequential_responses(bed: Bed) -> None:
    async with Socket.opened(bed) as socket:
        for words in ("Reply with exactly: first", "Reply with exactly: second"):
            turn = await socket.create(model=FLASH, store=False, input=words)
            assert turn.faults() == [] and unmet(turn.response, [has_output, is_completed]) == []


async def test_websocket_continuation(bed: Bed) -> None:
    async with Socket.opened(bed) as socket:
        first = await socket.create(model=FLASH, store=False, input="Remember the code word: cobalt. Reply with OK.")
        assert first.faults() == [] and response_faults(first.response) == [] and first.response["id"]
        second = await socket.create(
            model=FLASH, store=False, previous_response_id=first.response["id"], input="What is the code word?"
        )
        assert second.faults() == [] and unmet(second.response, [has_output, is_completed]) == []
    said = [part["text"] for content in bed.up.last.json["contents"] for part in content["parts"]]
    assert said[0].startswith("Remember the code word") and said[-1] == "What is the code word?" and len(said) == 3


async def test_websocket_reconnect_store_false_recovery(bed: Bed) -> None:
    async with Socket.opened(bed) as socket:
        first = await socket.create(model=FLASH, store=False, input="Remember the code word: copper.")
    before = len(bed.up.requests)
    async with Socket.opened(bed) as socket:
        again = await socket.create(
            model=FLASH, store=False, previous_response_id=first.response["id"], input="Try to continue."
        )
        assert again.error and again.error["code"] == NOT_FOUND and again.faults() == []
        assert len(bed.up.requests) == before
        anew = await socket.create(model=FLASH, store=False, input=[message("user", "Start a new response.")])
        assert anew.faults() == [] and unmet(anew.response, [has_output, is_completed]) == []


@pytest.mark.parametrize("store", [False, True])
async def test_websocket_previous_response_not_found(bed: Bed, store: bool) -> None:
    async with Socket.opened(bed) as socket:
        turn = await socket.create(
            model=FLASH, store=store, previous_response_id="resp_openresponses_missing_1", input="This should fail."
        )
    assert turn.error and turn.error["code"] == NOT_FOUND and turn.faults() == []
    assert bed.up.requests == []


async def test_websocket_failed_continuation_evicts_cache(bed: Bed) -> None:
    """A result of no call fails, and so does what builds on the same response afterwards."""
    result = {"type": "function_call_output", "call_id": "call_openresponses_missing", "output": "No such call."}
    async with Socket.opened(bed) as socket:
        first = await socket.create(model=FLASH, store=False, input="Remember the code word: ember.")
        follow: Json = {"model": FLASH, "store": False, "previous_response_id": first.response["id"]}
        failed = await socket.create(**follow, input=[result])
        assert failed.error and failed.faults() == []
        stale = await socket.create(**follow, input="Try to continue after the failed turn.")
        assert stale.error and stale.error["code"] == NOT_FOUND and stale.faults() == []


async def test_websocket_compact_new_chain(bed: Bed) -> None:
    history = [
        message("user", [{"type": "input_text", "text": "Remember the compaction code word: slate."}]),
        message("assistant", [{"type": "output_text", "text": "OK."}]),
        message("user", [{"type": "input_text", "text": "Compress this conversation for later continuation."}]),
    ]
    compacted = await bed.ask("POST", COMPACT, {"model": FLASH, "input": history})
    assert compacted.status == 200, compacted.body
    again = [*compacted.json["output"], message("user", "Continue from here. Reply with exactly: compacted")]
    request = {"type": "response.create", "model": FLASH, "store": False, "input": again, "tools": []}
    async with Socket.opened(bed) as socket:
        turn = await socket.create_as_it_is(request)
    assert turn.faults() == [] and unmet(turn.response, [has_output, is_completed]) == []


# ── beside the suite ──


async def test_what_is_stored_is_the_callers_own(bed: Bed) -> None:
    async with Socket.opened(bed) as socket:
        first = await socket.create(model=FLASH, input="mine")
    async with Socket.opened(bed, OTHER) as socket:
        turn = await socket.create(model=FLASH, input="his?", previous_response_id=first.response["id"])
    assert turn.error and turn.error["code"] == NOT_FOUND


def test_the_types_are_there() -> None:
    assert len(EVENTS) == 24 and {"error", "response.queued", "response.output_text.delta"} <= EVENTS.keys()


def test_faults_are_found() -> None:
    assert response_faults({"id": 1}) and event_faults({"type": "response.created"})
    assert event_faults({"type": "response.other"}) == ["response.other is no event of Open Responses"]
