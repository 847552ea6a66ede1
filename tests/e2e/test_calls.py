"""The calls that users make, as they make them: plain curl, their own auth form, their own body."""

import asyncio
import json
import shutil
from typing import Any

import pytest

from tests.bed.recordings import ExampleCall, load_calls, needs_shared
from tests.bed.sent import check_sent
from tests.e2e.bed import CALLER, Bed

pytestmark = [needs_shared, pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")]


def _is_served(call: ExampleCall) -> bool:
    """Text by Chat, and everything native; media in Chat requests come with another issue."""
    if call.path.endswith("/chat/completions"):
        return all(isinstance(message["content"], str) for message in call.body["messages"])
    return ":" in call.path


CALLS = [call for call in load_calls() if _is_served(call)]
LATER = [call for call in load_calls() if not _is_served(call)]


async def _curl(bed: Bed, call: ExampleCall) -> tuple[int, bytes]:
    arguments = ["curl", "-sS", "-N", "-X", call.method, "-w", "\n%{http_code}", "--data-binary", "@-"]
    for name, value in call.headers(CALLER).items():
        arguments += ["-H", f"{name}: {value}"]
    url = bed.url + call.path + (f"?{call.query}" if call.query else "")
    process = await asyncio.create_subprocess_exec(
        *arguments, url, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    said, wrong = await process.communicate(json.dumps(call.body, ensure_ascii=False).encode())
    assert process.returncode == 0, wrong
    body, _, status = said.rpartition(b"\n")
    return int(status), body


def _rows(calls: list[ExampleCall]) -> list[Any]:
    return [pytest.param(call, id=call.name) for call in calls]


@pytest.mark.parametrize("call", _rows(CALLS))
async def test_as_written(bed: Bed, call: ExampleCall) -> None:
    status, body = await _curl(bed, call)
    assert status == 200, body
    if not call.path.endswith("/chat/completions"):
        assert bed.up.last.json == call.body
        assert (body.startswith(b"data: ")) == ("alt=sse" in call.query)
        return
    assert check_sent(bed.up.requests, canonical=True) == 1
    if call.body.get("stream"):
        events = body.split(b"\n\n")
        assert events[-2:] == [b"data: [DONE]", b""]
        chunks = [json.loads(event.removeprefix(b"data: ")) for event in events[:-2]]
        ends = [choice["finish_reason"] for chunk in chunks for choice in chunk["choices"] if choice["finish_reason"]]
        assert ends == ["stop"] and {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    else:
        document: Any = json.loads(body)
        assert document["object"] == "chat.completion" and document["usage"]["total_tokens"] > 0
        assert document["choices"][0]["message"]["content"]
    _as_expected(bed.up.last.json, call, body)


def _as_expected(sent: Any, call: ExampleCall, body: bytes) -> None:
    config = sent.get("generationConfig") or {}
    match call.name:
        case "prefix-thinking-suffix" | "chat-include-thoughts":
            assert config["thinkingConfig"]["includeThoughts"] is True and b"reasoning_content" in body
        case "prefix-code-execution":
            assert sent["tools"] == [{"codeExecution": {}}]
        case "chat-json":
            assert config["responseMimeType"] == "application/json"
        case "chat-tool" | "prefix-tool":
            assert sent["tools"][0]["functionDeclarations"][0]["name"] in ("get_weather", "get_current_weather")
        case "chat-image" | "chat-image-stream":
            assert b"data:image/png;base64," in body
        case _:
            pass


@pytest.mark.parametrize("call", _rows(LATER))
async def test_what_is_not_served_yet_is_refused_clearly(bed: Bed, call: ExampleCall) -> None:
    """Never a wrong answer: a 4xx in the format's own words, and nothing sent upstream."""
    status, body = await _curl(bed, call)
    if status == 200:
        pytest.fail("it is served now: take it among the calls that are")
    assert status in (400, 404) and json.loads(body)["error"]["message"] and bed.up.requests == []


def test_there_are_calls() -> None:
    assert len(CALLS) > 25
