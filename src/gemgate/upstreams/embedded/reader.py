"""llama.cpp's chunks → events."""

from typing import Literal

import msgspec
from msgspec import Struct

from gemgate.errors import ContextTooLong, GemgateError, InvalidRequest, Unavailable, UpstreamError
from gemgate.hub.events import (
    BlockDelta,
    BlockEnd,
    BlockStart,
    Event,
    Failure,
    Finish,
    FinishReason,
    ResponseStart,
    Usage,
)
from gemgate.hub.parts import Text, Thought
from gemgate.upstreams.embedded.tools import read_call


class _Delta(Struct):
    content: str | None = None
    reasoning_content: str | None = None


class _Choice(Struct):
    delta: _Delta = msgspec.field(default_factory=_Delta)
    finish_reason: str | None = None


class _Details(Struct):
    cached_tokens: int = 0


class _Usage(Struct):
    prompt_tokens: int = 0
    completion_tokens: int = 0
    prompt_tokens_details: _Details = msgspec.field(default_factory=_Details)


class _Error(Struct):
    code: int = 500
    message: str = ""
    type: str = ""
    n_prompt_tokens: int = 0
    n_ctx: int = 0


class _Chunk(Struct):
    id: str = ""
    choices: list[_Choice] = []
    usage: _Usage | None = None
    error: _Error | None = None


_Kind = Literal["text", "thought", "call"]


class _Alternative:
    """The state of one choice: the kind of its open block, and the text of a call in the making."""

    __slots__ = ("finish", "kind", "pieces")

    def __init__(self) -> None:
        self.kind: _Kind | None = None
        self.pieces: list[str] = []
        self.finish: str | None = None


class ChunkReader:
    """Reads the chunks of one reply, whose candidates come one after the other."""

    def __init__(self, model: str, candidates: int, *, calls: bool) -> None:
        """Take the model's public name and whether an answer that begins with a brace is a function call."""
        self._model = model
        self._calls = calls
        self._started = False
        self._alternatives = [_Alternative() for _ in range(candidates)]
        self._finishes: list[Finish] = []
        self.usage = Usage()
        """What is known so far."""

    def feed(self, choice: int, payload: object) -> list[Event]:
        """Read one chunk; raises the `GemgateError` that an error chunk means."""
        chunk = msgspec.convert(payload, _Chunk)
        if chunk.error is not None:
            raise _refusal(chunk.error)
        events: list[Event] = []
        if not self._started:
            self._started = True
            events.append(ResponseStart(chunk.id, self._model))
        for part in chunk.choices:
            alternative = self._alternatives[choice]
            if part.delta.reasoning_content:
                events += self._more(choice, alternative, "thought", part.delta.reasoning_content)
            if part.delta.content:
                events += self._said(choice, alternative, part.delta.content)
            if part.finish_reason:
                alternative.finish = part.finish_reason
                events += self._finished(choice, alternative)
        if chunk.usage is not None:
            self._count(chunk.usage)
        return events

    def end(self) -> list[Event]:
        """Close the reply, all of whose candidates have been read, or say that it broke off."""
        if len(self._finishes) < len(self._alternatives):
            return [Failure(Unavailable("The embedded model was stopped before the answer's end. Try again."))]
        return [self.usage, *self._finishes]

    def _said(self, choice: int, alternative: _Alternative, text: str) -> list[Event]:
        kind = alternative.kind
        if kind in (None, "thought"):
            kind = "call" if self._calls and text.startswith("{") else "text"
        if kind == "call":
            events = _closed(choice, alternative)
            alternative.kind = "call"
            alternative.pieces.append(text)
            return events
        return self._more(choice, alternative, "text", text)

    def _more(self, choice: int, alternative: _Alternative, kind: Literal["text", "thought"], text: str) -> list[Event]:
        # llama.cpp holds half characters back; what it cannot complete comes as a replacement character.
        text = text.replace("\ufffd", "")
        if not text:
            return []
        if alternative.kind == kind:
            return [BlockDelta(choice, text)]
        events = _closed(choice, alternative)
        alternative.kind = kind
        start = Text("") if kind == "text" else Thought("")
        return [*events, BlockStart(choice, start), BlockDelta(choice, text)]

    def _finished(self, choice: int, alternative: _Alternative) -> list[Event]:
        detail = alternative.finish or ""
        reason: FinishReason = "length" if detail == "length" else "stop" if detail == "stop" else "other"
        events: list[Event] = []
        message = ""
        if alternative.kind == "call":
            alternative.kind = None
            call = read_call("".join(alternative.pieces))
            if call is not None:
                events += (BlockStart(choice, call), BlockEnd(choice))
                reason = "tool_calls"
            else:
                message = "The function call broke off before its end."
                reason = "length" if reason == "length" else "malformed"
        events += _closed(choice, alternative)
        self._finishes.append(Finish(choice, reason, detail, message))
        return events

    def _count(self, usage: _Usage) -> None:
        # The prompt is counted once, however many candidates there are.
        input_tokens = usage.prompt_tokens
        output_tokens = self.usage.output_tokens + usage.completion_tokens
        self.usage = Usage(
            input_tokens=input_tokens,
            cached_tokens=self.usage.cached_tokens
            if self.usage.input_tokens
            else usage.prompt_tokens_details.cached_tokens,
            output_tokens=output_tokens,
            total_tokens=input_tokens + output_tokens,
        )


def refused(error: Exception) -> GemgateError:
    """Say what an exception of llama.cpp means: its chat template, above all, raises what it does not like."""
    return InvalidRequest(f"The embedded model cannot take this request: {error}")


def _closed(choice: int, alternative: _Alternative) -> list[Event]:
    was_open = alternative.kind in ("text", "thought")
    alternative.kind = None
    return [BlockEnd(choice)] if was_open else []


def _refusal(error: _Error) -> GemgateError:
    if error.type == "exceed_context_size_error":
        return ContextTooLong(
            f"prompt is too long: {error.n_prompt_tokens} tokens > {error.n_ctx} maximum. This is the small model that "
            "answers without a key; set GEMINI_API_KEY to be served by Gemini.",
            param="messages",
        )
    if 400 <= error.code < 500:
        return InvalidRequest(f"The embedded model cannot take this request: {error.message}")
    return UpstreamError(f"The embedded model failed: {error.message}")
