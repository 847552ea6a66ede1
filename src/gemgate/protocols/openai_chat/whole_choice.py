"""One choice of a whole completion."""

from collections.abc import Callable
from typing import assert_never

from gemgate.hub.fold import Choice, citations_of
from gemgate.hub.parts import Code, CodeResult, Media, Opaque, Part, Signature, Text, Thought, ToolCall, ToolResult
from gemgate.protocols.openai_chat.calls import call_object, legacy_call
from gemgate.protocols.openai_chat.marks import Mark, message_extra
from gemgate.protocols.openai_chat.objects import annotation, finish_reason, logprobs_object, refusal
from gemgate.protocols.openai_chat.prose import code_block, image_object, is_image, result_block
from gemgate.protocols.openai_chat.sound import audio_object, is_speech
from gemgate.protocols.openai_chat.style import Style
from gemgate.protocols.shared.media_text import media_text
from gemgate.protocols.shared.track import ContentTrack


def whole_choice(choice: Choice, new_id: Callable[[], str], style: Style) -> dict[str, object]:
    """Give a choice of a `chat.completion`."""
    message = _Message(new_id, style)
    for part in choice.parts:
        message.add(part)
    reason = finish_reason(choice.finish, style, said=message.said, called=message.called)
    made = message.object()
    if reason == "content_filter":
        made["refusal"] = refusal(choice.finish)
    citations = dict.fromkeys(citations_of(choice))
    if citations:
        made["annotations"] = [annotation(citation, message.track) for citation in citations]
    logprobs = logprobs_object(choice.logprobs) if choice.logprobs else None
    return {"index": choice.index, "message": made, "logprobs": logprobs, "finish_reason": reason}


class _Message:
    """The growing message."""

    def __init__(self, new_id: Callable[[], str], style: Style) -> None:
        self.track = ContentTrack()
        self._new_id = new_id
        self._style = style
        self._content: list[str] = []
        self._thoughts: list[str] = []
        self._calls: list[ToolCall] = []
        self._images: list[dict[str, object]] = []
        self._speech: list[Media] = []
        self._marks: list[Mark] = []

    @property
    def said(self) -> bool:
        """Whether the model has given anything; thoughts alone are no answer."""
        return bool(any(self._content) or self._calls or self._speech or self._images)

    @property
    def called(self) -> bool:
        """Whether it has called anything."""
        return bool(self._calls)

    def add(self, part: Part) -> None:
        """Append a part."""
        match part:
            case Text():
                start = self.track.length
                self._content.append(part.text)
                self.track.visible += len(part.text)
                self._mark(start, part.signature)
            case Thought():
                self._thoughts.append(part.text)
            case ToolCall():
                self._calls.append(part)
            case Media():
                self._media(part)
            case Code():
                self._prose(code_block(part.language, part.code, self.track.opening))
            case CodeResult():
                self._prose(result_block(part.outcome, part.output, self.track.opening))
            case ToolResult() | Opaque():
                pass  # nothing this format can show
            case _:
                assert_never(part)

    def object(self) -> dict[str, object]:
        """Give the message."""
        text = "".join(self._content)
        made: dict[str, object] = {"role": "assistant", "content": None if not text and self._calls else text}
        made["refusal"] = None
        if self._thoughts:
            made["reasoning_content"] = "".join(self._thoughts)
        if self._images:
            made["images"] = self._images
        if self._calls and self._style.legacy_calls:
            made["function_call"] = legacy_call(self._calls[0])
        elif self._calls:
            made["tool_calls"] = [call_object(call, self._new_id, self._style.custom) for call in self._calls]
        if self._speech:
            made["audio"] = audio_object(f"audio_{self._new_id()}", self._speech, self._style.audio)
        extra = message_extra(self._marks, self.track.length)
        if extra is not None:
            made["extra_content"] = extra
        return made

    def _media(self, part: Media) -> None:
        if part.thought:
            return  # a draft, not the answer
        if is_speech(part):
            self._speech.append(part)
        elif self._style.images == "field" and is_image(part):
            self._images.append(image_object(part, len(self._images)))
        else:
            start = self.track.length
            self._prose(media_text(part, self.track.opening))
            self._mark(start, part.signature)

    def _prose(self, text: str) -> None:
        self._content.append(text)
        self.track.inserted(text)

    def _mark(self, start: int, signature: Signature | None) -> None:
        if signature is not None:
            self._marks.append(Mark(start, self.track.length, signature.value))
