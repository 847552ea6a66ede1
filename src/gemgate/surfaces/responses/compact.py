"""`POST /v1/responses/compact`: a conversation made short: the user's own words, and a summary of all else."""

from collections.abc import Sequence
from functools import partial
from mmap import mmap

import msgspec
from msgspec import UNSET, Raw, Struct, json
from msgspec.structs import replace

from gemgate.errors import GemgateError
from gemgate.hub.call import Generate
from gemgate.hub.codec import Identity
from gemgate.hub.events import Event
from gemgate.pipeline.body import readable
from gemgate.pipeline.contracts import Clock
from gemgate.pipeline.exchange import JSON, Exchange
from gemgate.pipeline.handle import Handler
from gemgate.protocols.openai_responses.compacting import Compacting
from gemgate.protocols.openai_responses.conversation import listed_items
from gemgate.protocols.openai_responses.inbound import read, understood
from gemgate.protocols.openai_responses.output import Output
from gemgate.protocols.openai_responses.steps import Untold
from gemgate.protocols.openai_responses.summing import summing
from gemgate.protocols.openai_responses.usage import usage_object
from gemgate.protocols.shared.raw_json import JsonField, is_given
from gemgate.surfaces.responses.caller import caller_id
from gemgate.surfaces.responses.items import stored_input
from gemgate.surfaces.responses.past import PastItems, Store

KEPT_CHARS = 80_000
"""Of what the user has said, the newest of it: about 20,000 tokens."""
CUT = "…"


class Compaction:
    """Compacts conversations."""

    def __init__(self, handler: Handler, store: Store, clock: Clock) -> None:
        self._handler = handler
        self._past = PastItems(store)
        self._clock = clock

    async def compact(self, exchange: Exchange, body: bytes | mmap) -> None:
        """Answer one request."""
        asked = read(readable(body))
        past = await self._past.of(asked.request, caller_id(exchange), None)
        parsed = understood(asked, past)
        assert isinstance(parsed.call, Generate)
        given = stored_input(listed_items(asked.request.input), self._clock.new_id)
        said = users_words([*(item.item for item in past.items), *(item.json for item in given)])
        write = partial(_Writer, said)
        await self._handler.generate(
            exchange, replace(parsed, call=replace(summing(parsed.call), stream=False), write=write)
        )


class _Writer:
    """Writes the compacted conversation; it is never streamed."""

    content_type = JSON
    keepalive = b""

    def __init__(self, said: Sequence[bytes], identity: Identity) -> None:
        self._said = said
        self._identity = identity

    def stream(self, events: Sequence[Event]) -> bytes:
        raise NotImplementedError

    def end(self) -> bytes:
        raise NotImplementedError

    def failure(self, error: GemgateError) -> bytes:
        raise NotImplementedError

    def whole(self, events: Sequence[Event]) -> bytes:
        """Write the document; raises `BrokenAnswer` where there is no summary."""
        identity = self._identity
        output = Output(Untold(), keeps_parts=False)
        short = Compacting(output, identity.new_id)
        for event in events:
            short.feed(event)
        return json.encode(
            {
                "id": f"resp_{identity.response_id}",
                "object": "response.compaction",
                "created_at": identity.created,
                "output": [Raw(item) for item in (*self._said, *output.documents())],
                "usage": usage_object(short.usage),
            }
        )


class _Said(Struct):
    id: str = ""
    type: str = ""
    role: str = ""
    content: JsonField = UNSET


class _Part(Struct):
    text: str | None = None


def users_words(items: Sequence[bytes]) -> list[bytes]:
    """Give the user's messages as items of text alone, oldest first; of more than can be kept, the newest."""
    left = KEPT_CHARS
    kept: list[bytes] = []
    for item in reversed(items):
        found = _said(item)
        if found is None:
            continue
        made, text = found
        kept.append(_message(made, text if len(text) <= left else text[:left] + CUT))
        left -= len(text)
        if left <= 0:
            break
    return kept[::-1]


def _said(item: bytes) -> tuple[str, str] | None:
    """Give the id and the text of a message of the user's; `None` for anything else."""
    try:
        said = json.decode(item, type=_Said)
        if said.type != "message" or said.role != "user" or not is_given(said.content):
            return None
        parts = json.decode(said.content, type=list[_Part])
    except (msgspec.MsgspecError, UnicodeDecodeError):
        return None
    text = "\n".join(part.text for part in parts if part.text)
    return (said.id, text) if text else None


def _message(made: str, text: str) -> bytes:
    return json.encode(
        {
            "id": made,
            "type": "message",
            "status": "completed",
            "content": [{"type": "input_text", "text": text}],
            "role": "user",
        }
    )
