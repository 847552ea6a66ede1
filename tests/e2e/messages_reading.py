"""Ask for messages, and see what a client has of them in the end, streamed and whole."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from tests.acceptance.messages_grammar import check, events_of, message_of
from tests.bed.replay import fold
from tests.bed.upstream import Answer, json_reply, sse
from tests.e2e.bed import FLASH, Answered, Bed

Json = dict[str, Any]
Event = tuple[str, Json]
PATH = "/v1/messages"
COUNT = "/v1/messages/count_tokens"
VERSION = {"anthropic-version": "2023-06-01"}
NEW = "gemini-3.5-flash"
HELLO: Json = {"role": "user", "content": "hi"}
MESSAGES: Json = {"model": FLASH, "max_tokens": 4096, "messages": [HELLO]}
THINKS: Json = {"thinking": {"type": "adaptive"}}
SEARCHES: Json = {"tools": [{"type": "web_search_20250305", "name": "web_search"}]}

each_form = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


def checked(stream: bytes) -> list[Event]:
    """Give the events of a stream, its grammar checked; the last may tell of an error."""
    events = events_of(stream)
    assert check(events) == []
    return events


def answering(documents: Sequence[Json], *, stream: bool) -> Answer:
    """Answer with these chunks, or with what they are together."""
    if stream:
        return sse(documents)
    return json_reply(fold([json.dumps(document).encode() for document in documents]))


def read(answered: Answered, *, stream: bool) -> Json:
    """The message that a client has in hand."""
    assert answered.status == 200, answered.body
    kind = answered.header("content-type") or ""
    assert kind.startswith("text/event-stream" if stream else "application/json"), kind
    if not stream:
        return answered.json
    events = checked(answered.body)
    assert events[-1][0] == "message_stop", events[-1]
    return message_of(events)


async def ask(bed: Bed, *, path: str = PATH, headers: Mapping[str, str] | None = None, **body: Any) -> Answered:
    return await bed.ask("POST", path, MESSAGES | body, VERSION | dict(headers or {}))


async def said(bed: Bed, *documents: Json, stream: bool, **body: Any) -> Json:
    """Ask, have the upstream answer with these chunks, and give the message."""
    bed.up.answer(answering(documents, stream=stream))
    return read(await ask(bed, stream=stream, **body), stream=stream)


def failure(answered: Answered, *, stream: bool) -> Json | None:
    """The error that a client is told: by status, or within the stream."""
    if answered.status != 200:
        return answered.error
    if not stream:
        return None
    name, data = events_of(answered.body)[-1]
    return data["error"] if name == "error" else None


def of_kind(message: Json, kind: str) -> list[Json]:
    return [block for block in message["content"] if block["type"] == kind]


def text_of(message: Json) -> str:
    return "".join(block["text"] for block in of_kind(message, "text"))
