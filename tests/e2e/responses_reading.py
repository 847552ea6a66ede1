"""Ask for responses, and see what a client has of them in the end, streamed and whole."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pytest
from openai.types.responses import Response, ResponseStreamEvent
from pydantic import TypeAdapter

from tests.acceptance.responses_grammar import Told, check, events_of, response_of
from tests.bed.replay import fold
from tests.bed.upstream import Answer, json_reply, sse
from tests.e2e.bed import CALLER, FLASH, Answered, Bed

Json = dict[str, Any]
PATH = "/v1/responses"
NEW = "gemini-3.5-flash"
HELLO: Json = {"role": "user", "content": "hi"}
RESPONSES: Json = {"model": FLASH, "input": [HELLO]}
THINKS: Json = {"reasoning": {"summary": "auto"}}
ALONE: Json = {"store": False, "include": ["reasoning.encrypted_content"]}
SEARCHES: Json = {"tools": [{"type": "web_search"}]}
TOOL: Json = {
    "type": "function",
    "name": "find",
    "parameters": {"type": "object", "properties": {"q": {"type": "string"}}},
}

_RESPONSE: TypeAdapter[Any] = TypeAdapter(Response)
_EVENT: TypeAdapter[Any] = TypeAdapter(ResponseStreamEvent)

each_form = pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])


def checked(stream: bytes) -> list[Told]:
    """Give the events of a stream: its grammar is right, and each is what the SDK's type of it says, strictly."""
    events = events_of(stream)
    assert check(events) == []
    for _, event in events:
        _EVENT.validate_python(event, strict=True)
    return events


def answering(documents: Sequence[Json], *, stream: bool) -> Answer:
    """Answer with these chunks, or with what they are together."""
    if stream:
        return sse(documents)
    return json_reply(fold([json.dumps(document).encode() for document in documents]))


def read(answered: Answered, *, stream: bool) -> Json:
    """The response that a client has in hand, right by the types of the SDK."""
    assert answered.status == 200, answered.body
    kind = answered.header("content-type") or ""
    assert kind.startswith("text/event-stream" if stream else "application/json"), kind
    made = response_of(checked(answered.body)) if stream else answered.json
    _RESPONSE.validate_python(made, strict=True)
    return made


async def ask(bed: Bed, *, headers: Mapping[str, str] | None = None, key: str = CALLER, **body: Any) -> Answered:
    return await bed.ask("POST", PATH, RESPONSES | body, headers, key=key)


async def said(bed: Bed, *documents: Json, stream: bool, **body: Any) -> Json:
    """Ask, have the upstream answer with these chunks, and give the response."""
    bed.up.answer(answering(documents, stream=stream))
    return read(await ask(bed, stream=stream, **body), stream=stream)


def failure(answered: Answered, *, stream: bool) -> Json | None:
    """The error that a client is told: by status, or within the stream."""
    if answered.status != 200:
        return answered.error
    return response_of(events_of(answered.body))["error"] if stream else None


def of_kind(response: Json, kind: str) -> list[Json]:
    return [item for item in response["output"] if item["type"] == kind]


def contents(response: Json) -> list[Json]:
    return [part for item in of_kind(response, "message") for part in item["content"]]


def text_of(response: Json) -> str:
    return "".join(part["text"] for part in contents(response) if part["type"] == "output_text")


def summary_of(response: Json) -> str:
    return "".join(part["text"] for item in of_kind(response, "reasoning") for part in item["summary"])


def results(response: Json) -> list[Json]:
    """What the functions that were called give back."""
    ids = [item["call_id"] for item in of_kind(response, "function_call")]
    return [{"type": "function_call_output", "call_id": one, "output": "fine"} for one in ids]
