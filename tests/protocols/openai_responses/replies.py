"""Replies that the writer has written, streamed and whole, read without its help."""

import json
from collections.abc import Sequence
from typing import Any, get_args

from msgspec import Raw
from openai import omit
from openai._models import construct_type_unchecked
from openai.lib.streaming.responses._responses import ResponseStreamState
from openai.types.responses import Response, ResponseStreamEvent

from gemgate.hub.events import BlockEnd, BlockStart, Event, Finish, FinishReason, ResponseStart, Usage
from gemgate.hub.parts import Part, Signature
from gemgate.protocols.openai_responses.style import Style
from gemgate.protocols.openai_responses.writer import PLAIN, ResponsesWriter
from gemgate.protocols.shared.seals import Seal, opened
from tests.acceptance.responses_grammar import Json, Told, check, events_of, response_of
from tests.protocols.replaying import events, identity, written

MARK = Signature("gemini", "YQ==")
KNOWN: dict[str, Any] = {
    get_args(kind.model_fields["type"].annotation)[0]: kind for kind in get_args(get_args(ResponseStreamEvent)[0])
}
"""The official SDK's events by their types."""


def writer(style: Style = PLAIN) -> ResponsesWriter:
    return ResponsesWriter(identity(), style=style)


def echoing(**members: Any) -> Style:
    return Style(echo={name: Raw(json.dumps(value).encode()) for name, value in members.items()})


def told(batches: Sequence[Sequence[Event]], style: Style = PLAIN) -> list[Told]:
    """The events of a stream, their grammar checked."""
    found = events_of(written(writer(style), batches))
    assert check(found) == []
    return found


def whole(batches: Sequence[Sequence[Event]], style: Style = PLAIN) -> Json:
    return json.loads(writer(style).whole(events(batches)))


def both(batches: Sequence[Sequence[Event]], style: Style = PLAIN) -> Json:
    """The response, streamed and whole alike."""
    made = whole(batches, style)
    assert response_of(told(batches, style)) == made
    return made


def reply(*made: Event, reason: FinishReason = "stop", message: str = "", usage: Usage | None = None) -> list[Any]:
    return [[ResponseStart("", "")], list(made), [usage or Usage(), Finish(0, reason, "WHY", message)]]


def blocks(*parts: Part) -> list[Event]:
    """Parts that came whole."""
    return [event for part in parts for event in (BlockStart(0, part), BlockEnd(0))]


def output(*parts: Part, style: Style = PLAIN) -> list[Json]:
    return both(reply(*blocks(*parts)), style)["output"]


def seals(found: Sequence[Json]) -> list[Seal | None]:
    return [
        opened(item["encrypted_content"]) if "encrypted_content" in item else None
        for item in found
        if item["type"] == "reasoning"
    ]


def sdk_response(found: Sequence[Told], *, strictly: bool = True) -> Json:
    """What the official SDK has in hand after a stream; strictly, which it is not itself, it must know every value."""
    state: Any = ResponseStreamState(input_tools=omit, text_format=omit)
    for _, event in found:
        known = KNOWN[event["type"]]
        if strictly:
            known.model_validate(event)
        state.handle_event(construct_type_unchecked(type_=known, value=event))
    if state._completed_response is None:
        return response_of(found)
    return without_parsed(state._completed_response.to_dict())


def without_parsed(value: Any) -> Any:
    """What the official SDK has read, without what it adds."""
    if isinstance(value, list):
        return [without_parsed(item) for item in value]
    if isinstance(value, dict):
        return {key: without_parsed(item) for key, item in value.items() if key not in ("parsed", "parsed_arguments")}
    return value


def strict(response: Json) -> None:
    Response.model_validate(response)
