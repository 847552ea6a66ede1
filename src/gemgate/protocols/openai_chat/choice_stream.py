"""One choice of a streamed completion: blocks in, chunks out."""

from collections.abc import Callable
from typing import assert_never

from msgspec import json
from msgspec.structs import replace

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
from gemgate.protocols.openai_chat.calls import call_object, legacy_call
from gemgate.protocols.openai_chat.marks import Mark, google, message_extra
from gemgate.protocols.openai_chat.objects import annotation, finish_reason, logprobs_object, refusal
from gemgate.protocols.openai_chat.prose import code_block, image_object, is_image, result_block
from gemgate.protocols.openai_chat.sound import Speech, is_speech
from gemgate.protocols.openai_chat.style import Style
from gemgate.protocols.shared.media_text import media_text
from gemgate.protocols.shared.track import ContentTrack

encode = json.Encoder().encode


class ChoiceStream:
    """The state of one choice in a stream."""

    __slots__ = (
        "_call_index",
        "_citations",
        "_images",
        "_marks",
        "_new_id",
        "_open",
        "_prefix",
        "_prefixes",
        "_said",
        "_speech",
        "_start",
        "_style",
        "_suffix",
        "_track",
    )

    def __init__(self, prefix: bytes, style: Style, new_id: Callable[[], str]) -> None:
        self._prefix = prefix
        self._style = style
        tail = b',"usage":null}\n\n' if style.include_usage else b"}\n\n"
        self._suffix = b'},"logprobs":null,"finish_reason":null}]' + tail
        self._prefixes = {
            Text: prefix + b'"content":',
            Thought: prefix + b'"reasoning_content":',
        }
        self._new_id = new_id
        self._open: Part | None = None
        self._call_index = -1
        self._images = 0
        self._speech: Speech | None = None
        self._start = 0
        self._marks: list[Mark] = []
        self._said = False
        self._citations: dict[Citation, None] = {}
        self._track = ContentTrack()

    def emit(self, delta: bytes, chunks: list[bytes]) -> None:
        """Send one chunk with the given members of its delta."""
        chunks += (self._prefix, delta, self._suffix)

    def begin(self, part: Part, chunks: list[bytes]) -> None:
        """Open a block."""
        self._open = part
        self._start = self._track.length
        match part:
            case Text():
                if part.text:
                    self._text(part.text, chunks)
            case Thought():
                if part.text:
                    self.emit(b'"reasoning_content":%s' % encode(part.text), chunks)
            case ToolCall():
                self._said = True
                self._call_index += 1
                if part.name not in self._style.custom:
                    self._call(part, chunks)
            case Media() | Code() | CodeResult() | ToolResult() | Opaque():
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
                self._track.visible += len(text)
            chunks += (self._prefixes[kind], encode(text), self._suffix)
        elif isinstance(part, ToolCall) and part.name not in self._style.custom:
            self._arguments(text, chunks)
        elif part is not None:
            self._open = closed(part, text, None)

    def end_block(self, signature: Signature | None, chunks: list[bytes]) -> None:
        """Close the open block."""
        part, self._open = self._open, None
        match part:
            case ToolCall() if part.name in self._style.custom:
                self._call(replace(part, signature=signature or part.signature), chunks)
            case ToolCall() if signature is not None and part.signature is None:
                self._more_of_call({"extra_content": google(signature)}, chunks)
            case Text():
                self._mark(signature or part.signature)
            case Media():
                self._media(part if signature is None else replace(part, signature=signature), chunks)
            case Code():
                self._prose(code_block(part.language, part.code, self._track.opening), chunks)
            case CodeResult():
                self._prose(result_block(part.outcome, part.output, self._track.opening), chunks)
            case _:
                pass

    def cite(self, citations: tuple[Citation, ...]) -> None:
        """Keep the sources for the end."""
        self._citations.update(dict.fromkeys(citations))

    def logprobs(self, tokens: tuple[TokenLogprob, ...], chunks: list[bytes]) -> None:
        """Send the probabilities of the next tokens."""
        suffix = self._suffix.replace(b'"logprobs":null', b'"logprobs":%s' % encode(logprobs_object(tokens)))
        chunks += (self._prefix, suffix)

    def finish(self, finish: Finish, chunks: list[bytes]) -> None:
        """Send what is sent once, and the one terminal chunk; its delta is empty.

        SDKs put equal fields of deltas together: they would run two signatures into each other, and fail on a second
        list of sources.
        """
        reason = finish_reason(finish, self._style, said=self._said, called=self._call_index >= 0)
        if reason == "content_filter":
            self.emit(b'"refusal":%s' % encode(refusal(finish)), chunks)
        if self._speech is not None and (rest := self._speech.rest()):
            self.emit(b'"audio":%s' % encode({"data": rest}), chunks)
        if self._citations:
            annotations = [annotation(citation, self._track) for citation in self._citations]
            self.emit(b'"annotations":%s' % encode(annotations), chunks)
        extra = message_extra(self._marks, self._track.length)
        if extra is not None:
            self.emit(b'"extra_content":%s' % encode(extra), chunks)
        suffix = self._suffix.replace(b'"finish_reason":null', b'"finish_reason":%s' % encode(reason))
        chunks += (self._prefix, suffix)

    def _text(self, text: str, chunks: list[bytes]) -> None:
        self._said = True
        self._track.visible += len(text)
        self.emit(b'"content":%s' % encode(text), chunks)

    def _mark(self, signature: Signature | None) -> None:
        if signature is not None:
            self._marks.append(Mark(self._start, self._track.length, signature.value))

    def _call(self, part: ToolCall, chunks: list[bytes]) -> None:
        if self._style.legacy_calls:
            if self._call_index == 0:
                self.emit(b'"function_call":%s' % encode(legacy_call(part)), chunks)
            return
        call = call_object(part, self._new_id, self._style.custom) | {"index": self._call_index}
        self.emit(b'"tool_calls":[%s]' % encode(call), chunks)

    def _arguments(self, text: str, chunks: list[bytes]) -> None:
        self._more_of_call(
            {"arguments": text} if self._style.legacy_calls else {"function": {"arguments": text}}, chunks
        )

    def _more_of_call(self, more: dict[str, object], chunks: list[bytes]) -> None:
        if not self._style.legacy_calls:
            self.emit(b'"tool_calls":[%s]' % encode({"index": self._call_index} | more), chunks)
        elif self._call_index == 0:
            self.emit(b'"function_call":%s' % encode(more), chunks)

    def _prose(self, text: str, chunks: list[bytes]) -> None:
        self._said = True
        self._track.inserted(text)
        self.emit(b'"content":%s' % encode(text), chunks)

    def _media(self, part: Media, chunks: list[bytes]) -> None:
        if part.thought:
            return  # a draft, not the answer
        if is_speech(part):
            self._said = True
            self._speak(part, chunks)
        elif self._style.images == "field" and is_image(part):
            self._said = True
            self.emit(b'"images":[%s]' % encode(image_object(part, self._images)), chunks)
            self._images += 1
        else:
            self._prose(media_text(part, self._track.opening), chunks)
            self._mark(part.signature)

    def _speak(self, part: Media, chunks: list[bytes]) -> None:
        if self._speech is None:
            self._speech = Speech()
            # Once: SDKs run the ids of deltas into each other too.
            head = {"id": f"audio_{self._new_id()}", "expires_at": 0, "transcript": ""}
            self.emit(b'"audio":%s' % encode(head), chunks)
        if data := self._speech.add(part):
            self.emit(b'"audio":%s' % encode({"data": data}), chunks)
