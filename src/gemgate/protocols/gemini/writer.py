"""Events → Gemini's reply: one object, a stream of server-sent events, or a JSON array sent element by element."""

import re
from collections.abc import Sequence
from typing import Literal, assert_never

from msgspec import UNSET, Raw, json

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
    FinishReason,
    Logprobs,
    PagesRead,
    ResponseStart,
    Usage,
)
from gemgate.hub.fold import Choice, closed, fold
from gemgate.hub.parts import Part, Text, Thought, Vendor
from gemgate.protocols.gemini import wire
from gemgate.protocols.gemini.errors import render
from gemgate.protocols.gemini.parts import FORMAT, from_hub

Framing = Literal["sse", "array"]

FINISH_NAMES: dict[FinishReason, str] = {
    "stop": "STOP",
    "tool_calls": "STOP",
    "length": "MAX_TOKENS",
    "content_filter": "SAFETY",
    "malformed": "MALFORMED_RESPONSE",
    "other": "OTHER",
}
OWN_WORD = re.compile(r"[A-Z][A-Z_]+")
NO_NAMES: dict[str, str] = {}


class GeminiWriter:
    """Writes one reply."""

    def __init__(self, identity: Identity, framing: Framing = "sse") -> None:
        self._model = identity.model
        self._response_id = identity.response_id
        self._framing = framing
        self._open: dict[int, tuple[Part, list[str]]] = {}
        self._usage: dict[str, Raw] | None = None
        self._blocked = False
        self._due = False
        self._begun = False
        self._extras: dict[str, Raw] = {}
        self.content_type = b"text/event-stream" if framing == "sse" else b"application/json; charset=UTF-8"
        # An event that says nothing: Google's own older SDKs break at comments and at empty lines.
        self.keepalive = b"data: {}\r\n\r\n" if framing == "sse" else b"\r\n"

    def stream(self, events: Sequence[Event]) -> bytes:
        """Render one batch as one event."""
        candidates: dict[int, wire.Candidate] = {}
        for event in events:
            self._event(event, candidates)
        if not candidates and not self._due:
            return b""
        self._due = False
        response = self._response(list(candidates.values()))
        return self._framed(wire.encoder.encode(response))

    def end(self) -> bytes:
        """Close the array, if it is one; a stream of events just ends."""
        if self._framing == "sse":
            return b""
        return b"]" if self._begun else b"[]"

    def failure(self, error: GemgateError) -> bytes:
        """End with an error event, as Gemini does."""
        return self._framed(render(error)[1]) + self.end()

    def whole(self, events: Sequence[Event]) -> bytes:
        """Render the whole reply."""
        reply = fold(events)
        self._start(reply.start)
        self._usage = _counts(reply.usage)
        blocked = self._blocked and not any(choice.parts for choice in reply.choices)
        candidates = [] if blocked else [_candidate(choice) for choice in reply.choices]
        return wire.encoder.encode(self._response(candidates))

    def _framed(self, document: bytes) -> bytes:
        if self._framing == "sse":
            return b"data: " + document + b"\r\n\r\n"
        lead = b",\r\n" if self._begun else b"["
        self._begun = True
        return lead + document

    def _event(self, event: Event, candidates: dict[int, wire.Candidate]) -> None:
        match event:
            case ResponseStart():
                self._start(event)
            case BlockStart(part=part):
                self._blocked = False
                self._open[event.choice] = (part, [])
                if isinstance(part, (Text, Thought)) and (part.text or part.signature or part.vendor):
                    _add(candidates, event.choice, part)
            case BlockDelta():
                self._delta(event, candidates)
            case BlockEnd():
                part, pieces = self._open.pop(event.choice)
                if not isinstance(part, (Text, Thought)):
                    _add(candidates, event.choice, closed(part, "".join(pieces), event.signature))
                elif event.signature is not None:
                    _add(candidates, event.choice, type(part)("", event.signature))
            case Citations():
                _cite(_at(candidates, event.choice), event.vendor)
            case Logprobs() | PagesRead():
                pass  # they stand in the choice's own vendor payload, as they came
            case Usage():
                self._usage = _counts(event)
            case Finish():
                if self._blocked:
                    self._due = True  # for the usage that came with it
                else:
                    _finish(_at(candidates, event.choice), event)
            case Failure():
                raise event.error
            case _:
                assert_never(event)

    def _delta(self, event: BlockDelta, candidates: dict[int, wire.Candidate]) -> None:
        part, pieces = self._open[event.choice]
        if not isinstance(part, (Text, Thought)):
            pieces.append(event.text)
            return
        parts = _content(candidates, event.choice).parts
        thought = isinstance(part, Thought)
        if parts and parts[-1].text is not None and parts[-1].thought is thought and not parts[-1].thought_signature:
            parts[-1].text += event.text
        else:
            parts.append(wire.Part(text=event.text, thought=thought))

    def _start(self, start: ResponseStart) -> None:
        self._response_id = start.id or self._response_id
        self._model = start.model or self._model
        if start.vendor is not None and start.vendor.format == FORMAT:
            self._extras = json.decode(start.vendor.raw, type=dict[str, Raw])
            feedback = self._extras.get("promptFeedback")
            self._blocked = self._due = feedback is not None and b'"blockReason"' in bytes(feedback)

    def _response(self, candidates: list[wire.Candidate]) -> wire.Response:
        response = wire.Response(candidates, None, self._usage, self._model, self._response_id)
        for attribute, name in (
            ("create_time", "createTime"),
            ("model_status", "modelStatus"),
            ("prompt_feedback", "promptFeedback"),
        ):
            if name in self._extras:
                setattr(response, attribute, self._extras[name])
        return response


def _at(candidates: dict[int, wire.Candidate], choice: int) -> wire.Candidate:
    return candidates.setdefault(choice, wire.Candidate(index=choice))


def _content(candidates: dict[int, wire.Candidate], choice: int) -> wire.Content:
    candidate = _at(candidates, choice)
    if candidate.content is None:
        candidate.content = wire.Content("model", [])
    return candidate.content


def _add(candidates: dict[int, wire.Candidate], choice: int, part: Part) -> None:
    made = from_hub(part, NO_NAMES)
    if made is not None:
        _content(candidates, choice).parts.append(made)


def _cite(candidate: wire.Candidate, vendor: Vendor | None) -> None:
    if vendor is not None and vendor.format == FORMAT:
        candidate.grounding_metadata = Raw(vendor.raw.encode())


def _finish(candidate: wire.Candidate, finish: Finish) -> None:
    own = finish.detail if OWN_WORD.fullmatch(finish.detail) else None
    candidate.finish_reason = own or FINISH_NAMES[finish.reason]
    candidate.finish_message = finish.message
    if finish.vendor is not None and finish.vendor.format == FORMAT:
        found = json.decode(finish.vendor.raw, type=dict[str, Raw])
        for attribute, name in wire.CANDIDATE_EXTRAS.items():
            setattr(candidate, attribute, found.get(name, UNSET))


def _candidate(choice: Choice) -> wire.Candidate:
    parts = [made for part in choice.parts if (made := from_hub(part, NO_NAMES))]
    candidate = wire.Candidate(wire.Content("model", parts), index=choice.index)
    for group in choice.citations:
        _cite(candidate, group.vendor)
    _finish(candidate, choice.finish)
    return candidate


def _counts(usage: Usage) -> dict[str, Raw]:
    if usage.vendor is not None and usage.vendor.format == FORMAT:
        return json.decode(usage.vendor.raw, type=dict[str, Raw])
    counts = wire.UsageMetadata(
        prompt_token_count=usage.input_tokens,
        cached_content_token_count=usage.cached_tokens,
        candidates_token_count=usage.output_tokens,
        tool_use_prompt_token_count=usage.tool_tokens,
        thoughts_token_count=usage.thought_tokens,
        total_token_count=usage.total_tokens,
        prompt_tokens_details=_details(usage.input_by_modality),
        cache_tokens_details=_details(usage.cached_by_modality),
        candidates_tokens_details=_details(usage.output_by_modality),
    )
    return json.decode(wire.encoder.encode(counts), type=dict[str, Raw])


def _details(by_modality: dict[str, int]) -> list[wire.ModalityCount]:
    return [wire.ModalityCount(name.upper(), count) for name, count in by_modality.items()]
