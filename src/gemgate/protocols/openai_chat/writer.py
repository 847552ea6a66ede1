"""Events → chat completions, chunk by chunk or whole.

Every chunk of a stream shares one prefix, made once; a text delta costs one JSON string. A signature rides where
Google's own Chat layer puts it, in `extra_content.google`. Source: notes §6.2.
"""

import re
from collections.abc import Sequence
from typing import assert_never

from msgspec import json

from gemgate.errors import GemgateError
from gemgate.hub.codec import Identity
from gemgate.hub.events import (
    BlockDelta,
    BlockEnd,
    BlockStart,
    Citations,
    Event,
    Failure,
    Finish,
    Logprobs,
    PagesRead,
    ResponseStart,
    Usage,
)
from gemgate.hub.fold import fold
from gemgate.protocols.openai_chat.choice_stream import ChoiceStream
from gemgate.protocols.openai_chat.errors import error_object
from gemgate.protocols.openai_chat.objects import usage_object
from gemgate.protocols.openai_chat.style import Style
from gemgate.protocols.openai_chat.whole_choice import whole_choice

TIERS = {"standard": "default"}
PLAIN = Style()
SAFE_ID = re.compile(r"[A-Za-z0-9_-]{1,31}")
DONE = b"data: [DONE]\n\n"

encode = json.Encoder().encode


class ChatWriter:
    """Writes one reply."""

    content_type = b"text/event-stream; charset=utf-8"
    keepalive = b": keep-alive\n\n"

    def __init__(self, identity: Identity, *, style: Style = PLAIN) -> None:
        self._identity = identity
        self._style = style
        self._id = f"chatcmpl-{identity.response_id}"
        self._usage: Usage | None = None
        self._choices: dict[int, ChoiceStream] = {}

    def stream(self, events: Sequence[Event]) -> bytes:
        """Render one batch of events."""
        chunks: list[bytes] = []
        for event in events:
            if type(event) is BlockDelta:  # by far the most frequent
                self._choices[event.choice].delta(event.text, chunks)
            else:
                self._event(event, chunks)
        return b"".join(chunks)

    def end(self) -> bytes:
        """Give the usage, if asked for, and the end mark."""
        if not self._style.include_usage:
            return DONE
        usage = self._usage or Usage()
        tier = _tier(usage)
        told = b'"service_tier":%s,' % encode(tier) if tier else b""
        return b'%s%s"choices":[],"usage":%s}\n\n%s' % (self._head(), told, encode(usage_object(usage)), DONE)

    def failure(self, error: GemgateError) -> bytes:
        """End with an error object: SDKs raise it."""
        return b"data: " + encode({"error": error_object(error)}) + b"\n\n"

    def whole(self, events: Sequence[Event]) -> bytes:
        """Render a `chat.completion`."""
        reply = fold(events)
        self._start(reply.start)
        document: dict[str, object] = {
            "id": self._id,
            "object": "chat.completion",
            "created": self._identity.created,
            "model": self._identity.model,
            "choices": [whole_choice(choice, self._identity.new_id, self._style) for choice in reply.choices],
            "usage": usage_object(reply.usage),
        }
        tier = _tier(reply.usage)
        if tier:
            document["service_tier"] = tier
        return encode(document)

    def _event(self, event: Event, chunks: list[bytes]) -> None:
        match event:
            case ResponseStart():
                self._start(event)
                self._choice(0, chunks)
            case BlockStart():
                self._choice(event.choice, chunks).begin(event.part, chunks)
            case BlockDelta():
                self._choices[event.choice].delta(event.text, chunks)
            case BlockEnd():
                self._choices[event.choice].end_block(event.signature, chunks)
            case Citations():
                self._choice(event.choice, chunks).cite(event.citations)
            case PagesRead():
                pass  # nothing this format can show
            case Logprobs():
                self._choice(event.choice, chunks).logprobs(event.tokens, chunks)
            case Usage():
                self._usage = event
            case Finish():
                self._choice(event.choice, chunks).finish(event, chunks)
            case Failure():
                raise event.error
            case _:
                assert_never(event)

    def _start(self, start: ResponseStart) -> None:
        if SAFE_ID.fullmatch(start.id):
            self._id = f"chatcmpl-{start.id}"

    def _choice(self, index: int, chunks: list[bytes]) -> ChoiceStream:
        choice = self._choices.get(index)
        if choice is None:
            prefix = b'%s"choices":[{"index":%d,"delta":{' % (self._head(), index)
            choice = self._choices[index] = ChoiceStream(prefix, self._style, self._identity.new_id)
            choice.emit(b'"role":"assistant","content":""', chunks)
        return choice

    def _head(self) -> bytes:
        identity = self._identity
        return b'data: {"id":%s,"object":"chat.completion.chunk","created":%d,"model":%s,' % (
            encode(self._id),
            identity.created,
            encode(identity.model),
        )


def _tier(usage: Usage) -> str:
    return TIERS.get(usage.service_tier, usage.service_tier)
