"""What clients have really sent is understood, and nothing of it is lost unsaid."""

import json
from collections.abc import Iterator
from typing import Any

from gemgate.hub.parts import Message, Text, ToolCall, ToolResult
from gemgate.protocols.openai_responses.conversation import Conversation, listed_items, references
from tests.bed.recordings import load_clients, load_recordings, needs_shared
from tests.protocols.openai_responses.conversing import raw, talk

pytestmark = needs_shared

TOLD = {"mcp_list_tools", "image_generation_call", "compaction"}
"""What a foreign history holds that cannot be understood."""


def bodies() -> Iterator[tuple[str, Any]]:
    for row in load_recordings("openai"):
        if row.method == "POST" and "/responses" in row.url and isinstance(row.request, dict):
            yield row.id, row.request
    for client in load_clients():
        if client.method == "POST" and "/responses" in client.path and isinstance(client.body, dict):
            yield client.id, client.body


def test_every_request_is_understood() -> None:
    seen = 0
    for name, body in bodies():
        found = talk(body.get("input"), instructions=body.get("instructions"))
        items = [json.loads(bytes(item)) for item in listed_items(raw(body.get("input")))]
        images = [item["id"] for item in items if item.get("type") == "image_generation_call"]
        assert references(raw(body.get("input"))) == images, name
        _check(name, items, found)
        seen += 1
    assert seen > 350


def _check(name: str, items: list[Any], found: Conversation) -> None:
    lost = {f"input.{number}" for number, item in enumerate(items) if item.get("type") in TOLD}
    assert {drop.path for drop in found.dropped} <= lost, name
    results = [item["call_id"] for item in items if item.get("type") == "function_call_output"]
    assert [part.id for part in _parts(found.messages, ToolResult) if part.id in results] == results, name
    calls = [item["call_id"] for item in items if item.get("type") == "function_call"]
    assert [part.id for part in _parts(found.messages, ToolCall) if part.id in calls] == calls, name
    said = [part.text for part in (*found.system, *_parts(found.messages, Text)) if isinstance(part, Text)]
    for text in _texts(items):
        assert text in said, name


def _parts(messages: tuple[Message, ...], kind: type[Any]) -> list[Any]:
    return [part for message in messages for part in message.parts if isinstance(part, kind)]


def _texts(items: list[Any]) -> Iterator[str]:
    for item in items:
        content = item.get("content") if item.get("type") in (None, "message") else None
        if isinstance(content, str):
            yield from [content] if content else []
        else:
            yield from (part["text"] for part in content or () if part.get("text"))


def test_the_history_of_a_coding_agent() -> None:
    """A call and its result are a step; the first messages are the system's."""
    second = next(row for row in load_clients("codex") if row.seq == 1)
    found = talk(second.body["input"])
    assert len(found.system) == 3
    assert [message.role for message in found.messages] == ["user", "user", "model", "user"]
    (call,), (result,) = found.messages[2].parts, found.messages[3].parts
    assert isinstance(call, ToolCall) and isinstance(result, ToolResult)
    assert (result.id, result.name) == (call.id, "exec_command") and "xyzzy" in result.response
