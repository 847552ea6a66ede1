"""Every recorded request of Anthropic's service through the gateway, Gemini saying what the service had answered."""

import json
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from tests.acceptance.messages_grammar import message_of
from tests.bed.recordings import ClientRequest, Recording, load_clients, needs_recordings, needs_shared
from tests.bed.sent import check_sent
from tests.bed.wire import Connection
from tests.e2e.bed import Answered, Bed
from tests.e2e.messages_reading import (
    COUNT,
    PATH,
    VERSION,
    Json,
    answering,
    checked,
    failure,
    of_kind,
    read,
    text_of,
)
from tests.e2e.messages_recorded import asked, documents, events_of, message, order, sources, told_by_gemini

pytestmark = needs_recordings

PARTS = 8
"""Each test takes one row of so many: a failure of some hides nothing of the others."""
TAKEN = [row for row in asked(PATH) if row.status == 200]
REFUSED = [row for row in [*asked(PATH), *asked(COUNT)] if row.status != 200]
COUNTED = [row for row in asked(COUNT) if row.status == 200]

STOPS = {"stop_sequence": "end_turn", "pause_turn": "end_turn"}
"""Gemini does not tell which sequence stopped it, and never pauses to be asked to go on."""


HOP = {"host", "content-length", "connection", "accept-encoding", "transfer-encoding"}
LEFT_OUT = {
    "temperature",  # with the next two: the newest models are not told how to draw their words
    "top_p",
    "top_k",
    "thinking.signature",  # of calls that another service made
    "messages.0.content.1.citations",
    "tools.0.max_uses",
    "context_management",
    "mcp_servers",
}
"""What the captured clients ask for that Gemini has not."""


async def _asked(connection: Connection, row: Recording) -> Answered:
    query = f"?{row.query}" if row.query else ""
    path = COUNT if row.path.endswith(COUNT) else PATH
    reply = await connection.request("POST", path + query, Bed.headers(VERSION), row.request)
    return Answered(reply, await reply.body())


def _faults(row: Recording, answered: Answered) -> Iterator[str]:
    """Hold an answer to the recorded one."""
    wanted = message(row)
    if row.streamed:
        events = checked(answered.body)
        if order(events) != order(events_of(row)):
            yield f"order {order(events)}, not {order(events_of(row))}"
        made = message_of(events)
    else:
        made = answered.json
    if (stop := STOPS.get(wanted["stop_reason"], wanted["stop_reason"])) != made["stop_reason"]:
        yield f"stop_reason {made['stop_reason']}, not {stop}"
    if text_of(made) != text_of(wanted):
        yield f"text {text_of(made)!r}, not {text_of(wanted)!r}"
    if _thoughts(made) != _thoughts(wanted):
        yield f"thoughts {_thoughts(made)!r}, not {_thoughts(wanted)!r}"
    if _calls(made) != _calls(wanted):
        yield f"calls {_calls(made)}, not {_calls(wanted)}"
    if not told_by_gemini(sources(wanted), sources(made)):
        yield f"sources {sources(made)}, not {sources(wanted)}"
    if _counts(made["usage"]) != _counts(wanted["usage"]):
        yield f"usage {made['usage']}, not {wanted['usage']}"
    if made["model"] != row.request["model"].removeprefix("anthropic/"):
        yield f"model {made['model']}"


def _thoughts(given: Json) -> str:
    return "".join(block["thinking"] for block in of_kind(given, "thinking"))


def _calls(given: Json) -> list[Any]:
    return [(block["id"], block["name"], block["input"]) for block in of_kind(given, "tool_use")]


def _counts(usage: Json) -> tuple[int, int, int]:
    return usage["input_tokens"], usage.get("cache_read_input_tokens") or 0, usage["output_tokens"]


async def _all(bed: Bed, rows: list[Recording]) -> list[str]:
    faults: list[str] = []
    async with await Connection.open(bed.url) as connection:
        for row in rows:
            bed.up.requests.clear()
            bed.up.always = answering(documents(row), stream=row.streamed)
            answered = await _asked(connection, row)
            try:
                assert answered.status == 200, answered.body[:500]
                assert check_sent(bed.up.requests, canonical=True) == 1
                faults += [f"{row.id}: {fault}" for fault in _faults(row, answered)]
            except AssertionError as wrong:
                faults.append(f"{row.id}: {wrong}")
    return faults


@pytest.mark.parametrize("part", range(PARTS))
async def test_what_was_answered_is_answered(bed: Bed, part: int) -> None:
    rows = TAKEN[part::PARTS]
    assert len(rows) > 40 and sum(row.streamed for row in rows) > 10
    assert await _all(bed, rows) == []


async def test_what_was_refused_is_refused_well_or_taken(bed: Bed) -> None:
    """Much that the service refuses is no trouble here: names of models, deep schemas, temperatures of others."""
    assert len(REFUSED) > 30
    seen: Counter[int] = Counter()
    async with await Connection.open(bed.url) as connection:
        for row in REFUSED:
            bed.up.requests.clear()
            answered = await _asked(connection, row)
            stream = bool(row.request.get("stream"))
            assert answered.status in (200, 400), f"{row.id}: {answered.body!r}"
            if answered.status == 200:
                assert check_sent(bed.up.requests, canonical=True) == 1
                assert not row.path.endswith(PATH) or failure(answered, stream=stream) is None
            else:
                assert bed.up.requests == [] and answered.error["type"] == "invalid_request_error", row.id
            seen[answered.status] += 1
    assert seen[200] > 20 and seen[400]


async def test_what_was_counted_is_counted(bed: Bed) -> None:
    assert len(COUNTED) >= 10
    async with await Connection.open(bed.url) as connection:
        for row in COUNTED:
            bed.up.requests.clear()
            answered = await _asked(connection, row)
            assert (answered.status, set(answered.json)) == (200, {"input_tokens"}), row.id
            assert answered.json["input_tokens"] > 0
            assert check_sent(bed.up.requests, canonical=True) == 1
            assert bed.up.last.path.endswith(":countTokens")
            sent = json.dumps(bed.up.last.json)
            assert ("functionDeclarations" in sent) == bool(row.request.get("tools")), row.id
            assert ("systemInstruction" in sent) == bool(row.request.get("system")), row.id


CLIENTS = [
    request
    for name in ("claude-code", "anthropic-python-0", "anthropic-python-2")
    for request in load_clients(name)
    if request.path in (PATH, COUNT)
]


@needs_shared
@pytest.mark.parametrize("request_", [pytest.param(one, id=one.id) for one in CLIENTS])
async def test_what_clients_send_is_taken(bed: Bed, request_: ClientRequest) -> None:
    """With the headers that they sent, but for the key and for those that the capture has cut."""
    kept = [(name, value) for name, value in request_.headers if name.lower() not in HOP and value.isascii()]
    target = request_.path + (f"?{request_.query}" if request_.query else "")
    answered = await bed.ask("POST", target, request_.body, dict(kept) | {"accept-encoding": "identity"})
    assert answered.status == 200, answered.body
    assert check_sent(bed.up.requests, canonical=True) == 1
    assert b"billing-header" not in bed.up.last.body and b"anthropic" not in str(bed.up.last.headers).encode()
    if request_.path == COUNT:
        assert answered.json["input_tokens"] > 0
    else:
        stream = bool(request_.body.get("stream"))
        made = read(answered, stream=stream)
        assert made["model"] == request_.body["model"] and made["stop_reason"] in ("end_turn", "tool_use")
    dropped = set((answered.header("x-gemgate-dropped") or "").split(", ")) - {""}
    assert dropped <= LEFT_OUT, dropped


def test_every_client_is_there() -> None:
    assert {one.client for one in CLIENTS} >= {"claude-code"} or not CLIENTS
