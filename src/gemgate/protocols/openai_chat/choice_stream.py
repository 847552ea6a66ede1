"""One choice of a streamed completion: blocks in, chunks out."""

from collections.abc import Callable
from typing import assert_never

from msgspec import json

from gemgate.hub.events import Citation, Finish, TokenLogprob
from gemgate.hub.fold import closed
from gemgate.hub.parts import (
    Code,
    CodeResult,
    Media,
    Opaque,
    Part,
    Signature,
    Text,
    Thought,
    ToolCall,
    ToolResult,
)
from gemgate.protocols.openai_chat.objects import (
    annotation,
    audio_object,
    call_object,
    finish_reason,
    google,
    is_speech,
    logprobs_object,
    refusal,
)
from gemgate.protocols.openai_chat.prose import code_block, media_text, result_block
from gemgate.protocols.openai_chat.track import ContentTrack

encode = json.Encoder().encode


class ChoiceStream:
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
                    self.emit(b'"reasoning_content":%s' % encode(part.text), chunks)
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
            if kind is Text:
                self._said = True
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
                call = {"index": self._call_index, "extra_content": google(signature)}
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

    def logprobs(self, tokens: tuple[TokenLogprob, ...], chunks: list[bytes]) -> None:
        """Send the probabilities of the next tokens."""
        suffix = self._suffix.replace(b'"logprobs":null', b'"logprobs":%s' % encode(logprobs_object(tokens)))
        chunks += (self._prefix, suffix)

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


def _extra(signature: Signature | None) -> bytes:
    return b',"extra_content":%s' % encode(google(signature)) if signature is not None else b""
