"""Every recorded conversation, through the real server: the same text, finish reason and usage in every form."""

import asyncio
import json
import time
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest

from tests.bed.gateway import running_gateway
from tests.bed.recordings import Expected, Recording, conversations, expected, needs_recordings
from tests.bed.replay import ReplayUpstream, recorded
from tests.bed.sent import check_sent
from tests.bed.wire import Connection
from tests.e2e.bed import CALLER, measured

pytestmark = needs_recordings
HEADERS = {"x-api-key": CALLER}
LANES = 8
ASK = {"messages": [{"role": "user", "content": "hi"}]}
"""What is asked does not matter: each answer is played by its number."""


@pytest.fixture(scope="module")
def replay() -> Iterator[tuple[ReplayUpstream, str]]:
    rows = conversations()

    def script(request: Any) -> Any:
        number = request.path.split("/models/replay-")[1].split(":")[0]
        return recorded(rows[int(number)], pieces=2)

    with ReplayUpstream.in_thread() as up:
        up.script = script
        with running_gateway({"API_KEYS": CALLER, "LOG_LEVEL": "warning"}, upstream=up.base_url) as gateway:
            yield up, gateway.base_url


async def _all(base_url: str, check: Any) -> int:
    """Check every row, on some connections at once; give how many there were."""
    rows = list(enumerate(conversations()))

    async def lane(start: int) -> None:
        async with await Connection.open(base_url, 30) as connection:
            for number, row in rows[start::LANES]:
                try:
                    await check(connection, f"replay-{number}", row)
                except Exception as failure:
                    failure.add_note(f"recording {row.id}")
                    raise

    began = time.monotonic()
    async with asyncio.TaskGroup() as group:
        for start in range(LANES):
            group.create_task(lane(start))
    measured(f"{len(rows)} recordings in {time.monotonic() - began:.1f} s")
    return len(rows)


@pytest.mark.parametrize("form", ["whole", "sse", "array"])
async def test_native(replay: tuple[ReplayUpstream, str], form: str) -> None:
    async def check(connection: Connection, model: str, row: Recording) -> None:
        method = "generateContent" if form == "whole" else "streamGenerateContent"
        path = f"/v1beta/models/{model}:{method}" + ("?alt=sse" if form == "sse" else "")
        reply = await connection.request("POST", path, HEADERS, {"contents": [{"parts": [{"text": "hi"}]}]})
        assert reply.status == 200
        if form == "sse":
            payloads = [data.encode() async for name, data in reply.events() if name != ":"]
        elif form == "array":
            payloads = [bytes(item) for item in msgspec.json.decode(await reply.body(), type=list[msgspec.Raw])]
        else:
            payloads = [await reply.body()]
        assert expected(payloads) == row.expected

    assert await _all(replay[1], check) > 900


def _finish_reasons(row: Expected) -> set[str]:
    """Which Chat finish reasons do justice to a recorded end."""
    if row.block_reason:
        return {"content_filter"}
    match row.finish_reason:
        case "STOP" | 1 | None if row.calls:
            return {"tool_calls"}
        case "STOP" | 1 | None:
            return {"stop"}
        case "MAX_TOKENS" | 2:
            return {"length"}
        case str() as reason if reason.startswith(("MALFORMED", "UNEXPECTED", "TOO_MANY", "MISSING")):
            return {"stop", "tool_calls", "error"}
        case _:
            return {"content_filter", "stop", "tool_calls"}


def _check_usage(said: dict[str, Any], usage: dict[str, Any]) -> None:
    prompt = usage.get("promptTokenCount", 0) + usage.get("toolUsePromptTokenCount", 0)
    completion = usage.get("candidatesTokenCount", 0) + usage.get("thoughtsTokenCount", 0)
    assert (said["prompt_tokens"], said["completion_tokens"]) == (prompt, completion)
    assert said["total_tokens"] == usage.get("totalTokenCount", 0)
    assert said["prompt_tokens_details"]["cached_tokens"] == usage.get("cachedContentTokenCount", 0)
    assert said["completion_tokens_details"]["reasoning_tokens"] == usage.get("thoughtsTokenCount", 0)


def _check_text(content: str, row: Expected, pictures: bool) -> None:
    if pictures:
        return  # pictures and code stand among the text, in a form of ours
    assert content == row.text


def _has_more_than_text(row: Recording) -> bool:
    raw = b"".join(row.payloads())
    return any(mark in raw for mark in (b'"inlineData"', b'"executableCode"', b'"codeExecutionResult"', b'"fileData"'))


def _check(row: Recording, said: dict[str, Any]) -> None:
    """Compare what Chat said (`content`, `reasoning`, `calls`, `finish`, `usage`, `error`) with what was recorded."""
    want = row.expected
    allowed = _finish_reasons(want)
    if said.get("error") is not None:
        nothing = not want.text and not want.calls
        assert "error" in allowed or (want.finish_reason is None and not row.text) or nothing, said["error"]
        return
    assert said["finish"] in allowed, said["finish"]
    if not want.block_reason and not (allowed == {"content_filter", "stop", "tool_calls"} and not want.text):
        _check_text(said["content"], want, _has_more_than_text(row))
    assert said["reasoning"] == want.thoughts
    assert [call["name"] for call in said["calls"]] == [call["name"] for call in want.calls if call.get("name")]
    _check_usage(said["usage"], want.usage)


async def test_chat(replay: tuple[ReplayUpstream, str]) -> None:
    errors: list[str] = []

    async def check(connection: Connection, model: str, row: Recording) -> None:
        reply = await connection.request("POST", "/v1/chat/completions", HEADERS, ASK | {"model": model})
        document = await reply.json()
        if reply.status != 200:
            errors.append(row.id)
            return _check(row, document)
        assert document["object"] == "chat.completion" and document["model"] == model
        choice = document["choices"][0]
        message = choice["message"]
        calls = [call["function"] for call in message.get("tool_calls") or []]
        for call in calls:
            assert isinstance(json.loads(call["arguments"]), dict)
        said = {"content": message["content"] or "", "reasoning": message.get("reasoning_content") or ""}
        more = {"calls": calls, "finish": choice["finish_reason"], "usage": document["usage"]}
        return _check(row, said | more)

    total = await _all(replay[1], check)
    measured(f"{len(errors)} of {total} recordings are errors in Chat")
    assert len(errors) < total * 0.03, errors


async def test_chat_streamed(replay: tuple[ReplayUpstream, str]) -> None:
    up, base_url = replay
    up.requests.clear()
    errors: list[str] = []
    again: list[bool] = []
    options = {"stream": True, "stream_options": {"include_usage": True}}

    async def check(connection: Connection, model: str, row: Recording) -> None:
        reply = await connection.request("POST", "/v1/chat/completions", HEADERS, ASK | options | {"model": model})
        if reply.status != 200:
            errors.append(row.id)
            return _check(row, await reply.json())
        events = [data async for name, data in reply.events() if name != ":"]
        chunks = [json.loads(data) for data in events if data != "[DONE]"]
        if "error" in chunks[-1]:
            errors.append(row.id)
            again.append(chunks[-1]["error"]["code"] == "broken_answer")
            return _check(row, chunks[-1])
        assert events[-1] == "[DONE]" and chunks[-1]["choices"] == []
        assert all("usage" not in chunk or chunk["usage"] is None for chunk in chunks[:-1])
        return _check(row, _told(chunks))

    total = await _all(base_url, check)
    assert len(errors) < total * 0.03, errors
    # Answers that broke off with nothing said are asked for once more.
    assert any(again) and check_sent(list(up.requests), canonical=True) == total + sum(again)


def _told(chunks: list[dict[str, Any]]) -> dict[str, Any]:
    """Put the chunks of choice 0 together."""
    said: dict[str, Any] = {"content": "", "reasoning": "", "finish": None, "usage": chunks[-1]["usage"]}
    calls: dict[int, dict[str, str]] = {}
    for chunk in chunks[:-1]:
        for choice in chunk["choices"]:
            if choice["index"] != 0:
                continue
            delta = choice["delta"]
            said["content"] += delta.get("content") or ""
            said["reasoning"] += delta.get("reasoning_content") or ""
            for call in delta.get("tool_calls") or []:
                kept = calls.setdefault(call["index"], {"name": "", "arguments": ""})
                kept["name"] += call["function"].get("name") or ""
                kept["arguments"] += call["function"].get("arguments") or ""
            if choice["finish_reason"]:
                assert said["finish"] is None, "two ends"
                said["finish"] = choice["finish_reason"]
    for call in calls.values():
        assert isinstance(json.loads(call["arguments"]), dict)
    return said | {"calls": list(calls.values())}
