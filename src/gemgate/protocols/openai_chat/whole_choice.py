"""One choice of a whole completion."""

from collections.abc import Callable
from typing import assert_never

from gemgate.hub.fold import Choice, citations_of
from gemgate.hub.parts import Code, CodeResult, Media, Opaque, Part, Signature, Text, Thought, ToolCall, ToolResult
from gemgate.protocols.openai_chat.objects import (
    annotation,
    audio_object,
    call_object,
    finish_reason,
    google,
    is_speech,
    joined,
    logprobs_object,
    refusal,
)
from gemgate.protocols.openai_chat.prose import code_block, media_text, result_block
from gemgate.protocols.openai_chat.track import ContentTrack


def whole_choice(choice: Choice, new_id: Callable[[], str]) -> dict[str, object]:
    """Give a choice of a `chat.completion`."""
    message = _Message(new_id)
    for part in choice.parts:
        message.add(part)
    reason = finish_reason(choice.finish, said=message.said)
    made = message.object()
    if reason == "content_filter" and not message.said:
        made["refusal"] = refusal(choice.finish)
    citations = dict.fromkeys(citations_of(choice))
    if citations:
        made["annotations"] = [annotation(citation, message.track) for citation in citations]
    logprobs = logprobs_object(choice.logprobs) if choice.logprobs else None
    return {"index": choice.index, "message": made, "logprobs": logprobs, "finish_reason": reason}


class _Message:
    """The growing message."""

    def __init__(self, new_id: Callable[[], str]) -> None:
        self.track = ContentTrack()
        self._new_id = new_id
        self._content: list[str] = []
        self._thoughts: list[str] = []
        self._calls: list[dict[str, object]] = []
        self._audio: dict[str, object] | None = None
        self._mark: Signature | None = None

    @property
    def said(self) -> bool:
        """Whether the model has given anything; thoughts alone are no answer."""
        return bool(any(self._content) or self._calls or self._audio)

    def add(self, part: Part) -> None:
        """Append a part."""
        match part:
            case Text():
                self._content.append(part.text)
                self.track.visible(part.text)
                self._mark = part.signature or self._mark
            case Thought():
                self._thoughts.append(part.text)
            case ToolCall():
                self._calls.append(call_object(part, self._new_id))
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
        if self._calls:
            made["tool_calls"] = self._calls
        if self._audio is not None:
            made["audio"] = self._audio
        if self._mark is not None:
            made["extra_content"] = google(self._mark)
        return made

    def _media(self, part: Media) -> None:
        if part.thought:
            return  # a draft, not the answer
        if is_speech(part):
            piece = audio_object(part, self._new_id)
            if self._audio is not None:
                piece["data"] = joined(str(self._audio["data"]), str(piece["data"]))
            self._audio = piece
        else:
            self._mark = part.signature or self._mark
            self._prose(media_text(part, self.track.opening))

    def _prose(self, text: str) -> None:
        self._content.append(text)
        self.track.inserted(text)
