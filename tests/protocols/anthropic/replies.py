"""Replies that the writer has written, streamed and whole, read without its help."""

import json
from collections.abc import Sequence
from typing import Any, cast

import httpx2
from anthropic import Anthropic
from anthropic._streaming import SSEDecoder
from anthropic.lib.streaming._messages import accumulate_event
from anthropic.types import Message

from gemgate.hub.events import BlockEnd, BlockStart, Event, Finish, FinishReason, ResponseStart, Usage
from gemgate.hub.parts import Part, Signature
from gemgate.protocols.anthropic.style import Style
from gemgate.protocols.anthropic.writer import PLAIN, MessagesWriter
from gemgate.protocols.shared.seals import Seal, opened
from tests.acceptance.messages_grammar import Json, Told, check, events_of, message_of
from tests.protocols.replaying import events, identity, written

MARK = Signature("gemini", "YQ==")


def writer(style: Style = PLAIN) -> MessagesWriter:
    return MessagesWriter(identity(), style=style)


def told(batches: Sequence[Sequence[Event]], style: Style = PLAIN) -> list[Told]:
    """The events of a stream, their grammar checked."""
    found = events_of(written(writer(style), batches))
    assert check(found) == []
    return found


def whole(batches: Sequence[Sequence[Event]], style: Style = PLAIN) -> Json:
    return json.loads(writer(style).whole(events(batches)))


def both(batches: Sequence[Sequence[Event]], style: Style = PLAIN) -> Json:
    """The message, streamed and whole alike."""
    streamed = message_of(told(batches, style))
    made = whole(batches, style)
    assert comparable(streamed) == comparable(made)
    return made


def comparable(message: Json) -> Json:
    """A message without the tier, which a stream must tell before it is known."""
    return {**message, "usage": {key: count for key, count in message["usage"].items() if key != "service_tier"}}


def reply(*made: Event, reason: FinishReason = "stop", message: str = "") -> list[list[Event]]:
    return [[ResponseStart("", "")], list(made), [Usage(), Finish(0, reason, "WHY", message)]]


def blocks(*parts: Part) -> list[Event]:
    """Parts that came whole."""
    return [event for part in parts for event in (BlockStart(0, part), BlockEnd(0))]


def content(*parts: Part, style: Style = PLAIN) -> list[Json]:
    return both(reply(*blocks(*parts)), style)["content"]


def seals(found: Sequence[Json]) -> list[Seal | None]:
    return [opened(block["signature"]) for block in found if block["type"] == "thinking"]


# ── the official SDK ──


def sdk_message(stream: bytes) -> Json:
    """What the official SDK has in hand after a stream; it must know every event."""
    snapshot: Any = None
    buffers: dict[int, bytes] = {}
    for sse in SSEDecoder().iter_bytes(iter([stream])):
        if sse.event not in ("ping", None):
            event = cast("Any", sse.json())
            snapshot = accumulate_event(event=event, current_snapshot=snapshot, json_bufs=buffers)
    return Message.model_validate(snapshot.to_dict()).to_dict()  # strict, which the SDK itself is not


def sdk(body: bytes, content_type: str) -> Anthropic:
    """The official client before a server that answers with this."""

    def answer(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": content_type}, content=body)

    transport = httpx2.MockTransport(answer)
    return Anthropic(
        api_key="k", base_url="http://here.test", http_client=httpx2.Client(transport=transport), max_retries=0
    )
