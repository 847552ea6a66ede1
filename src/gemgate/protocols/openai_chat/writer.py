"""Events → chat completions, chunk by chunk or whole.

Every chunk of a stream shares one prefix, made once; a text delta costs one JSON string. A signature rides where
Google's own Chat layer puts it, in `extra_content.google`. Source: notes §6.2.
"""

import re
from collections.abc import Callable, Sequence
from typing import assert_never

from msgspec import json

from gemgate.errors import GemgateError, UpstreamError
from gemgate.hub.codec import Identity
from gemgate.hub.events import (
    BlockDelta,
    BlockEnd,
    BlockStart,
    Citation,
    Citations,
    Event,
    Failure,
    Finish,
    FinishReason,
    ResponseStart,
    Usage,
)
from gemgate.hub.fold import Choice, closed, fold
from gemgate.hub.parts import (
    Code,
    CodeResult,
    Inline,
    Media,
    Opaque,
    Part,
    Signature,
    Text,
    Thought,
    ToolCall,
    ToolResult,
    Uri,
)
from gemgate.protocols.openai_chat.errors import error_object
from gemgate.protocols.openai_chat.prose import code_block, media_text, result_block

FINISH_REASONS: dict[FinishReason, str] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "content_filter": "content_filter",
    "malformed": "stop",
    "other": "stop",
}
TIERS = {"standard": "default", "": None}
SAFE_ID = re.compile(r"[A-Za-z0-9_-]{1,31}")
DONE = b"data: [DONE]\n\n"

encode = json.Encoder().encode


class ChatWriter:
    """Writes one reply."""

    content_type = b"text/event-stream; charset=utf-8"
    keepalive = b": keep-alive\n\n"

    def __init__(self, identity: Identity, *, include_usage: bool = False) -> None:
        self._identity = identity
        self._include_usage = include_usage
        self._id = f"chatcmpl-{identity.response_id}"
        self._usage: Usage | None = None
        self._choices: dict[int, _Choice] = {}

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
        if not self._include_usage:
            return DONE
        usage = encode(usage_object(self._usage or Usage()))
        return b'%s"choices":[],"usage":%s}\n\n%s' % (self._head(), usage, DONE)

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
            "choices": [whole_choice(choice, self._identity.new_id) for choice in reply.choices],
            "usage": usage_object(reply.usage),
        }
        tier = TIERS.get(reply.usage.service_tier, reply.usage.service_tier)
        if tier is not None:
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
                self._choice(event.choice, chunks).cite(event.citations, chunks)
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

    def _choice(self, index: int, chunks: list[bytes]) -> "_Choice":
        choice = self._choices.get(index)
        if choice is None:
            prefix = b'%s"choices":[{"index":%d,"delta":{' % (self._head(), index)
            choice = self._choices[index] = _Choice(prefix, self._include_usage, self._identity.new_id)
            choice.emit(b'"role":"assistant","content":""', chunks)
        return choice

    def _head(self) -> bytes:
        identity = self._identity
        return b'data: {"id":%s,"object":"chat.completion.chunk","created":%d,"model":%s,' % (
            encode(self._id),
            identity.created,
            encode(identity.model),
        )


class _Choice:
    """The state of one choice in a stream."""

    __slots__ = (
        "_call_index",
        "_cited",
        "_new_id",
        "_open",
        "_prefix",
        "_prefixes",
        "_said",
        "_suffix",
        "_track",
    )

    def __init__(self, prefix: bytes, include_usage: bool, new_id: Callable[[], str]) -> None:
        self._prefix = prefix
        tail = b',"usage":null}\n\n' if include_usage else b"}\n\n"
        self._suffix = b'},"logprobs":null,"finish_reason":null}]' + tail
        self._prefixes = {
            Text: prefix + b'"content":',
            Thought: prefix + b'"reasoning_content":',
        }
        self._new_id = new_id
        self._open: Part | None = None
        self._call_index = -1
        self._said = False
        self._cited: set[Citation] = set()
        self._track = ContentTrack()

    def emit(self, delta: bytes, chunks: list[bytes]) -> None:
        """Send one chunk with the given members of its delta."""
        chunks += (self._prefix, delta, self._suffix)

    def begin(self, part: Part, chunks: list[bytes]) -> None:
        """Open a block."""
        self._open = part
        match part:
            case Text():
                if part.text or part.signature:
                    self._text(part.text, part.signature, chunks)
            case Thought():
                if part.text or part.signature:
                    self._said = True
                    self.emit(b'"reasoning_content":%s%s' % (encode(part.text), _extra(part.signature)), chunks)
            case ToolCall():
                self._said = True
                self._call_index += 1
                call = call_object(part, self._new_id) | {"index": self._call_index}
                self.emit(b'"tool_calls":[%s]' % encode(call), chunks)
            case Media():
                self._media(part, chunks)
            case Code() | CodeResult() | ToolResult() | Opaque():
                pass  # written when complete, or nothing this format can show
            case _:
                assert_never(part)

    def delta(self, text: str, chunks: list[bytes]) -> None:
        """Add to the open block."""
        part = self._open
        kind = type(part)
        if kind is Text or kind is Thought:
            self._said = True
            if kind is Text:
                self._track.visible(text)
            chunks += (self._prefixes[kind], encode(text), self._suffix)
        elif isinstance(part, ToolCall):
            call = {"index": self._call_index, "function": {"arguments": text}}
            self.emit(b'"tool_calls":[%s]' % encode(call), chunks)
        elif part is not None:
            self._open = closed(part, text, None)

    def end_block(self, signature: Signature | None, chunks: list[bytes]) -> None:
        """Close the open block."""
        part, self._open = self._open, None
        match part:
            case ToolCall() if signature is not None:
                call = {"index": self._call_index, "extra_content": _google(signature)}
                self.emit(b'"tool_calls":[%s]' % encode(call), chunks)
            case Text() if signature is not None:
                self._text("", signature, chunks)
            case Code():
                self._prose(code_block(part.language, part.code, self._track.opening), chunks)
            case CodeResult():
                self._prose(result_block(part.outcome, part.output, self._track.opening), chunks)
            case _:
                pass

    def cite(self, citations: tuple[Citation, ...], chunks: list[bytes]) -> None:
        """Send the sources that have not been sent yet."""
        fresh = [citation for citation in dict.fromkeys(citations) if citation not in self._cited]
        if fresh:
            self._cited.update(fresh)
            annotations = [annotation(citation, self._track) for citation in fresh]
            self.emit(b'"annotations":%s' % encode(annotations), chunks)

    def finish(self, finish: Finish, chunks: list[bytes]) -> None:
        """Send the one terminal chunk; its delta is empty."""
        reason = finish_reason(finish, said=self._said)
        if reason == "content_filter" and not self._said:
            self.emit(b'"refusal":%s' % encode(refusal(finish)), chunks)
        suffix = self._suffix.replace(b'"finish_reason":null', b'"finish_reason":%s' % encode(reason))
        chunks += (self._prefix, suffix)

    def _text(self, text: str, signature: Signature | None, chunks: list[bytes]) -> None:
        self._said = self._said or bool(text)
        self._track.visible(text)
        self.emit(b'"content":%s%s' % (encode(text), _extra(signature)), chunks)

    def _prose(self, text: str, chunks: list[bytes]) -> None:
        self._said = True
        self._track.inserted(text)
        self.emit(b'"content":%s' % encode(text), chunks)

    def _media(self, part: Media, chunks: list[bytes]) -> None:
        if part.thought:
            return  # a draft, not the answer
        if is_speech(part):
            self._said = True
            self.emit(b'"audio":%s' % encode(audio_object(part, self._new_id)), chunks)
        else:
            text = media_text(part, self._track.opening)
            self._said = True
            self._track.inserted(text)
            self.emit(b'"content":%s%s' % (encode(text), _extra(part.signature)), chunks)


class ContentTrack:
    """Where the visible text stands within `content`, which also holds code, images and their fences."""

    __slots__ = ("_insertions", "_position", "_visible")

    def __init__(self) -> None:
        self._insertions: list[tuple[int, int]] = []
        self._visible = 0
        self._position = 0

    @property
    def opening(self) -> bool:
        """Whether nothing has been written yet."""
        return self._position == 0

    def visible(self, text: str) -> None:
        """The model's own words were written."""
        self._visible += len(text)
        self._position += len(text)

    def inserted(self, text: str) -> None:
        """Something else was written among them."""
        self._insertions.append((self._visible, len(text)))
        self._position += len(text)

    def place(self, offset: int) -> int:
        """Turn an offset in the visible text into one in `content`."""
        return offset + sum(length for position, length in self._insertions if position <= offset)


def whole_choice(choice: Choice, new_id: Callable[[], str]) -> dict[str, object]:
    """Give a choice of a `chat.completion`."""
    content: list[str] = []
    thoughts: list[str] = []
    calls: list[dict[str, object]] = []
    track = ContentTrack()
    mark: Signature | None = None
    audio: dict[str, object] | None = None
    for part in choice.parts:
        match part:
            case Text():
                content.append(part.text)
                track.visible(part.text)
                mark = part.signature or mark
            case Thought():
                thoughts.append(part.text)
            case ToolCall():
                calls.append(call_object(part, new_id))
            case Media():
                if part.thought:
                    continue
                if is_speech(part):
                    audio = audio_object(part, new_id)
                else:
                    mark = part.signature or mark
                    _insert(media_text(part, track.opening), content, track)
            case Code():
                _insert(code_block(part.language, part.code, track.opening), content, track)
            case CodeResult():
                _insert(result_block(part.outcome, part.output, track.opening), content, track)
            case ToolResult() | Opaque():
                pass
            case _:
                assert_never(part)
    text = "".join(content)
    said = bool(text or calls or audio or thoughts)
    reason = finish_reason(choice.finish, said=said)
    message: dict[str, object] = {"role": "assistant", "content": None if not text and calls else text}
    message["refusal"] = refusal(choice.finish) if reason == "content_filter" and not said else None
    if thoughts:
        message["reasoning_content"] = "".join(thoughts)
    if calls:
        message["tool_calls"] = calls
    if audio is not None:
        message["audio"] = audio
    citations = dict.fromkeys(citation for group in choice.citations for citation in group.citations)
    if citations:
        message["annotations"] = [annotation(citation, track) for citation in citations]
    if mark is not None:
        message["extra_content"] = _google(mark)
    return {"index": choice.index, "message": message, "logprobs": None, "finish_reason": reason}


def _insert(text: str, content: list[str], track: ContentTrack) -> None:
    content.append(text)
    track.inserted(text)


def finish_reason(finish: Finish, *, said: bool) -> str:
    """Give the reason in this format's words; an answer that broke off with nothing said is an error, not an end."""
    if finish.reason == "malformed" and not said:
        raise UpstreamError(f"The model broke off its answer ({finish.detail}). {finish.message}".rstrip())
    if finish.reason == "other" and not said:
        return "content_filter"
    return FINISH_REASONS[finish.reason]


def refusal(finish: Finish) -> str:
    """Say why nothing was said."""
    return finish.message or f"The answer was stopped by the upstream ({finish.detail or finish.reason})."


def call_object(part: ToolCall, new_id: Callable[[], str]) -> dict[str, object]:
    """Give a tool call."""
    call: dict[str, object] = {
        "id": part.id or f"call_{new_id()}",
        "type": "function",
        "function": {"name": part.name, "arguments": part.arguments},
    }
    if part.signature is not None:
        call["extra_content"] = _google(part.signature)
    return call


def is_speech(part: Media) -> bool:
    """Whether a part is sound carried in the reply itself."""
    return part.mime_type.startswith("audio/") and isinstance(part.source, Inline)


def audio_object(part: Media, new_id: Callable[[], str]) -> dict[str, object]:
    """Give sound as this format holds it: the upstream's own bytes, in base64."""
    match part.source:
        case Inline(data=data):
            return {"id": f"audio_{new_id()}", "data": data, "expires_at": 0, "transcript": ""}
        case Uri():
            raise AssertionError(part)


def annotation(citation: Citation, track: ContentTrack) -> dict[str, object]:
    """Give a source; offsets count characters of `content`."""
    return {
        "type": "url_citation",
        "url_citation": {
            "start_index": track.place(citation.start),
            "end_index": track.place(citation.end),
            "url": citation.url,
            "title": citation.title,
        },
    }


def usage_object(usage: Usage) -> dict[str, object]:
    """Give token counts: results of upstream tools count as prompt, thoughts as completion."""
    prompt_details = {"cached_tokens": usage.cached_tokens}
    completion_details = {"reasoning_tokens": usage.thought_tokens}
    for modality in ("audio", "image"):
        if modality in usage.input_by_modality:
            prompt_details[f"{modality}_tokens"] = usage.input_by_modality[modality]
        if modality in usage.output_by_modality:
            completion_details[f"{modality}_tokens"] = usage.output_by_modality[modality]
    return {
        "prompt_tokens": usage.input_tokens + usage.tool_tokens,
        "completion_tokens": usage.output_tokens + usage.thought_tokens,
        "total_tokens": usage.total_tokens,
        "prompt_tokens_details": prompt_details,
        "completion_tokens_details": completion_details,
    }


def _google(signature: Signature) -> dict[str, object]:
    return {"google": {"thought_signature": signature.value}}


def _extra(signature: Signature | None) -> bytes:
    return b',"extra_content":%s' % encode(_google(signature)) if signature is not None else b""
