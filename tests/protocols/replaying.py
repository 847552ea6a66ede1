"""Play a Gemini reply through reader and writer, and read what the writer wrote without their help."""

import base64
import json
from collections.abc import Sequence
from itertools import count
from typing import Any

from msgspec.structs import replace
from openai.lib.streaming._deltas import accumulate_delta

from gemgate.hub.call import Generate
from gemgate.hub.codec import Identity, Writer
from gemgate.hub.events import Event, Failure
from gemgate.hub.parts import Inline, Media, Part
from gemgate.net.sse import SseParser
from gemgate.protocols.gemini.reader import GeminiReader
from gemgate.protocols.gemini.writer import Framing, GeminiWriter
from gemgate.protocols.openai_chat.inbound import inbound
from gemgate.protocols.openai_chat.style import Style
from gemgate.protocols.openai_chat.writer import ChatWriter
from tests.bed.recordings import Recording
from tests.bed.replay import as_body, as_payloads

Json = dict[str, Any]
FORMS = ("stream", "whole")
CREATED = 1_700_000_000


def identity() -> Identity:
    numbers = count(1)
    return Identity("r0", CREATED, "the-model", lambda: f"id{next(numbers)}")


def payloads(row: Recording, form: str) -> list[bytes]:
    """A recorded reply as the events of a stream, in its own framing if it has one, or as one body."""
    if form == "whole":
        return [as_body(row)]
    if row.streamed:
        parser = SseParser()
        return [*parser.feed(row.sse()), *parser.end()]
    return as_payloads(row, pieces=3)


def read(given: Sequence[bytes], names: dict[str, str] | None = None, *, whole: bool = False) -> list[list[Event]]:
    """Batches of events as the pipeline sees them: one a payload, and the end."""
    reader = GeminiReader(names, whole=whole)
    return [*(reader.feed(payload) for payload in given), reader.end()]


def replies(row: Recording, form: str) -> list[list[Event]]:
    return read(payloads(row, form), whole=form == "whole")


def document(*parts: Json, **candidate: Any) -> bytes:
    """A reply with one candidate; `candidate` adds to it, `finishReason=None` takes the reason away."""
    given: Json = {"content": {"role": "model", "parts": list(parts)}, "finishReason": "STOP"} | candidate
    return json.dumps({"candidates": [{key: value for key, value in given.items() if value is not None}]}).encode()


def chunk(*parts: Json, **candidate: Any) -> bytes:
    """One event of a stream, without a finish reason unless one is given."""
    return document(*parts, **({"finishReason": None} | candidate))


def events(batches: Sequence[Sequence[Event]]) -> list[Event]:
    return [event for batch in batches for event in batch]


def failure(batches: Sequence[Sequence[Event]]) -> Failure | None:
    found = [event for event in events(batches) if isinstance(event, Failure)]
    assert len(found) <= 1
    return found[0] if found else None


def written(writer: Writer, batches: Sequence[Sequence[Event]]) -> bytes:
    return b"".join([*(writer.stream(batch) for batch in batches), writer.end()])


# ── chat completions ──


PLAIN = Style()


def chat_stream(batches: Sequence[Sequence[Event]], *, usage: bool = True, style: Style = PLAIN) -> list[Json]:
    """The chunks of a chat stream, its grammar checked."""
    writer = ChatWriter(identity(), style=replace(style, include_usage=usage))
    return chunks_of(written(writer, batches), usage=usage)


def chat_whole(batches: Sequence[Sequence[Event]], *, style: Style = PLAIN) -> Json:
    return json.loads(ChatWriter(identity(), style=style).whole(events(batches)))


def kept_parts(message: Json, **request: Any) -> tuple[Part, ...]:
    """What comes back to the upstream of a message that a client has kept; `request` adds to the client's request."""
    body = {"model": "m", "messages": [{"role": "user", "content": "go on"}, message]} | request
    call = inbound(json.dumps(body).encode()).call
    assert isinstance(call, Generate)
    return tuple(
        replace(part, source=Inline(part.source.text))
        if isinstance(part, Media) and isinstance(part.source, Inline)
        else part
        for part in call.messages[1].parts
    )


def chunks_of(stream: bytes, *, usage: bool) -> list[Json]:
    """Parse a chat stream strictly: one line of data an event, the grammar of notes §6.2."""
    *lines, last, empty = stream.split(b"\n\n")
    assert (last, empty) == (b"data: [DONE]", b"")
    chunks: list[Json] = []
    for line in lines:
        assert line.startswith(b"data: {") and b"\n" not in line and b"\r" not in line
        chunks.append(json.loads(line[6:]))
    assert len({(item["id"], item["object"], item["created"], item["model"]) for item in chunks}) == 1
    assert chunks[0]["object"] == "chat.completion.chunk" and chunks[0]["created"] == CREATED
    body = chunks
    if usage:
        assert chunks[-1]["choices"] == [] and set(chunks[-1]["usage"]) > {"prompt_tokens", "total_tokens"}
        body = chunks[:-1]
        assert all(item["usage"] is None for item in body)
    else:
        assert all("usage" not in item for item in body)
    finished: set[int] = set()
    begun: set[int] = set()
    for item in body:
        (choice,) = item["choices"]
        index, delta = choice["index"], choice["delta"]
        assert index not in finished, "nothing follows the terminal chunk"
        if index not in begun:
            begun.add(index)
            assert delta == {"role": "assistant", "content": ""} and choice["finish_reason"] is None
            continue
        assert "role" not in delta
        if choice["finish_reason"] is not None:
            assert delta == {}, "the terminal chunk has an empty delta"
            finished.add(index)
        else:
            assert delta or choice["logprobs"]
    assert finished == begun, "exactly one terminal chunk for each choice"
    return chunks


def accumulated(chunks: Sequence[Json]) -> Json:
    """What a client has in hand after the stream, in the shape of a whole completion."""
    choices: dict[int, Json] = {}
    usage: Json | None = None
    for item in chunks:
        usage = item.get("usage") or usage
        for piece in item["choices"]:
            fresh: Json = {"index": piece["index"], "message": {"refusal": None}, "logprobs": None}
            choice = choices.setdefault(piece["index"], fresh)
            choice["finish_reason"] = piece["finish_reason"]
            if piece["logprobs"]:
                known = (choice["logprobs"] or {"content": []})["content"]
                choice["logprobs"] = piece["logprobs"] | {"content": known + piece["logprobs"]["content"]}
            _check_calls(choice["message"], piece["delta"])
            # What the official SDK does, which is strict about lists and adds up all that is text.
            choice["message"] = accumulate_delta(choice["message"], json.loads(json.dumps(piece["delta"])))
    made = {"id": chunks[0]["id"], "created": chunks[0]["created"], "model": chunks[0]["model"]}
    return {**made, "object": "chat.completion", "choices": [choices[key] for key in sorted(choices)], "usage": usage}


def _check_calls(message: Json, delta: Json) -> None:
    """The first piece of a call holds all that names it; then no other call is taken up again."""
    for piece in delta.get("tool_calls", ()):
        known = message.get("tool_calls") or []
        if piece["index"] == len(known):
            named = piece.get("function") or piece.get("custom")
            assert piece["id"] and piece["type"] and named["name"]
        else:
            assert piece["index"] == len(known) - 1, "one counter, no call taken up again"
            assert not piece.keys() & {"id", "type"}


def comparable(completion: Json) -> Json:
    """A completion without what a stream has no slot for (the tier) and with an empty content as none."""
    made = {key: value for key, value in json.loads(json.dumps(completion)).items() if key != "service_tier"}
    for choice in made["choices"]:
        message = choice["message"]
        message["content"] = message.get("content") or None
        for call in message.get("tool_calls") or ():
            call.pop("index", None)
        if "audio" in message:
            message["audio"]["data"] = base64.b64decode(message["audio"]["data"], validate=True)
    return made


# ── Gemini ──


def gemini_stream(batches: Sequence[Sequence[Event]], framing: Framing = "sse") -> list[bytes]:
    """The payloads of a Gemini stream in either framing, parsed strictly."""
    stream = written(GeminiWriter(identity(), framing), batches)
    if framing == "array":
        return [json.dumps(item, ensure_ascii=False).encode() for item in json.loads(stream)]
    *lines, last = stream.split(b"\r\n\r\n")
    assert last == b"" and all(line.startswith(b"data: {") and b"\n" not in line for line in lines)
    return [line[6:] for line in lines]


def gemini_whole(batches: Sequence[Sequence[Event]]) -> bytes:
    return GeminiWriter(identity()).whole(events(batches))
