"""Gemini's replies → events, streamed and whole by the same machine.

A finish reason may stand on several chunks, and a call in an earlier chunk than the STOP that ends its turn; so the
reply is over when the stream is, and what ended it is decided then. Unsigned neighbours of one kind form one block; a
signed part is always a block of its own (notes §5.1 rule 7).
"""

from typing import cast

import msgspec
from msgspec import UNSET, Raw, Struct, json

from gemgate.errors import GemgateError, UpstreamError
from gemgate.hub.events import (
    BlockDelta,
    BlockEnd,
    BlockStart,
    Citations,
    Event,
    Failure,
    Finish,
    FinishReason,
    ResponseStart,
    Usage,
)
from gemgate.hub.parts import Opaque, Part, Text, Thought, ToolCall, Vendor
from gemgate.protocols.gemini import grounding, partial_args, wire
from gemgate.protocols.gemini.errors import reply_error
from gemgate.protocols.gemini.parts import FORMAT, modifiers, signature, to_hub

FINISH_REASONS: dict[str, FinishReason] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "CONTINUATION": "length",
    "SAFETY": "content_filter",
    "RECITATION": "content_filter",
    "LANGUAGE": "content_filter",
    "BLOCKLIST": "content_filter",
    "PROHIBITED_CONTENT": "content_filter",
    "SPII": "content_filter",
    "IMAGE_SAFETY": "content_filter",
    "IMAGE_PROHIBITED_CONTENT": "content_filter",
    "IMAGE_RECITATION": "content_filter",
    "MODEL_ARMOR": "content_filter",
    "ESCALATION": "content_filter",
    "MALFORMED_FUNCTION_CALL": "malformed",
    "UNEXPECTED_TOOL_CALL": "malformed",
    "TOO_MANY_TOOL_CALLS": "malformed",
    "MALFORMED_RESPONSE": "malformed",
    "MISSING_THOUGHT_SIGNATURE": "malformed",
}
"""Any other value is `other`."""

FINISH_NUMBERS = ("FINISH_REASON_UNSPECIFIED", "STOP", "MAX_TOKENS", "SAFETY", "RECITATION", "OTHER")
"""Names of the first integer values, as a client of enum-encoding=int sees them (recordings tagged `finish:1`)."""

UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class GeminiReader:
    """Reads one reply. `names` maps functions that were renamed for Gemini back to the client's own names."""

    __slots__ = ("_blocked", "_choices", "_counts", "_names", "_started", "_whole", "failed")

    def __init__(self, names: dict[str, str] | None = None, *, whole: bool = False) -> None:
        self._names = names or {}
        self._whole = whole
        self._choices: dict[int, _Choice] = {}
        self._started = False
        self._blocked: wire.PromptFeedback | None = None
        self._counts: dict[str, Raw] = {}
        self.failed = False

    @property
    def usage(self) -> Usage:
        """Token counts seen so far."""
        return usage_event(self._counts) if self._counts else Usage()

    def feed(self, *payloads: bytes) -> list[Event]:
        """Read the events that one read of a stream held, or the body of a whole reply.

        After a failure nothing more comes.
        """
        events: list[Event] = []
        for payload in payloads:
            if self.failed:
                break
            try:
                self._read(payload, events)
            except UNREADABLE:
                error = UpstreamError("The upstream answered with something that is not a Gemini reply.")
                self._fail(error, events)
        return events

    def _fail(self, error: GemgateError, events: list[Event]) -> None:
        self.failed = True
        events.append(Failure(error))

    def _read(self, payload: bytes, events: list[Event]) -> None:
        try:
            response = wire.decode_response(payload)
        except msgspec.ValidationError:
            response = _decode_leniently(payload)
        if response.error is not UNSET:
            self._fail(reply_error(payload), events)
            return
        if not self._started:
            self._started = True
            events.append(ResponseStart(response.response_id, response.model_version, _reply_extras(response)))
        if response.usage_metadata is not None:
            # Running totals, zeros left out: the last value seen of each field holds.
            self._counts.update(response.usage_metadata)
        if response.prompt_feedback is not None and response.prompt_feedback.block_reason is not None:
            self._blocked = response.prompt_feedback
        for position, candidate in enumerate(response.candidates):
            choice = self._choices.get(candidate.index)
            if choice is None:
                choice = self._choices[candidate.index] = _Choice(candidate.index, self._names)
            choice.feed(candidate, events, payload, position)

    def end(self) -> list[Event]:
        """Close the reply; one that has no finish reason broke off."""
        if self.failed:
            return []
        events: list[Event] = []
        for choice in self._choices.values():
            choice.close(events)
        if self._blocked is not None and not self._choices:
            events.append(self.usage)
            events.append(_block_finish(self._blocked))
            return events
        finishes = [choice.finish(whole=self._whole) for choice in self._choices.values()]
        if not finishes:
            return [Failure(UpstreamError("The upstream's answer was empty. Try again."))]
        events.append(self.usage)
        for finish in finishes:
            if finish is None:
                return [*events, Failure(UpstreamError("The upstream's answer broke off before its end. Try again."))]
            events.append(finish)
        return events


class _Choice:
    """The state of one candidate between chunks."""

    __slots__ = (
        "_args",
        "_called",
        "_extras",
        "_index",
        "_names",
        "_open",
        "_said",
        "_spoke",
        "finish_message",
        "reason",
    )

    def __init__(self, index: int, names: dict[str, str]) -> None:
        self._index = index
        self._names = names
        self._open: type[Text] | type[Thought] | None = None
        self._args: partial_args.Assembly | None = None
        self._called = False
        self._spoke = False
        self._said: list[str] = []
        self._extras: dict[str, Raw] = {}
        self.reason: str | int | None = None
        self.finish_message = ""

    def feed(self, candidate: wire.Candidate, events: list[Event], payload: bytes, position: int) -> None:
        if candidate.content is not None:
            for number, part in enumerate(candidate.content.parts):
                self._part(part, events, payload, position, number)
        if candidate.grounding_metadata is not UNSET:
            raw = bytes(candidate.grounding_metadata).decode()
            events.append(Citations(self._index, grounding.citations(raw, "".join(self._said)), Vendor(FORMAT, raw)))
        if candidate.finish_reason is not None:
            self.reason = candidate.finish_reason
        if candidate.finish_message:
            self.finish_message = candidate.finish_message
        if candidate.has_extras():
            for attribute, name in wire.CANDIDATE_EXTRAS.items():
                value = getattr(candidate, attribute)
                if value is not UNSET:
                    self._extras[name] = value

    def _part(self, part: wire.Part, events: list[Event], payload: bytes, position: int, number: int) -> None:
        if part.text is not None and part.function_call is None:
            kind = Thought if part.thought else Text
            if kind is Text:
                self._said.append(part.text)
            if not part.is_plain():
                self._whole(kind(part.text, signature(part), modifiers(part)), events)
            elif part.text:
                self._spoke = True
                if self._open is kind:
                    events.append(BlockDelta(self._index, part.text))
                else:
                    self.close(events)
                    self._open = kind
                    events.append(BlockStart(self._index, kind(part.text)))
            return
        call = part.function_call
        if call is not None:
            self._called = True
            more = self._args is not None and call.args is UNSET
            if call.will_continue or call.partial_args is not UNSET or more:
                self._streamed_call(call, part, events)
                return
        self._whole(to_hub(part, self._names) or _opaque(payload, position, number), events)

    def _whole(self, part: Part, events: list[Event]) -> None:
        self._spoke = True
        self.close(events)
        events += (BlockStart(self._index, part), BlockEnd(self._index))

    def _streamed_call(self, call: wire.FunctionCall, part: wire.Part, events: list[Event]) -> None:
        """Gather arguments that come by JSON path (`g-c8e3f8e7be7d`); a call's end is a part without `willContinue`."""
        if self._args is None or (call.name and self._args.name):
            self.close(events)
            self._args = partial_args.Assembly(call.id, call.name, signature(part))
        if call.partial_args is not UNSET:
            self._args.add(bytes(call.partial_args))
        if not call.will_continue:
            self.close(events)

    def close(self, events: list[Event]) -> None:
        """End the open block, if there is one."""
        if self._open is not None:
            events.append(BlockEnd(self._index))
            self._open = None
        if self._args is not None:
            args, self._args = self._args, None
            call = ToolCall(args.id, self._names.get(args.name, args.name), args.json(), args.signature)
            self._whole(call, events)

    def finish(self, *, whole: bool) -> Finish | None:
        """Say what ended this choice; `None` if nothing did."""
        detail = self.reason
        if detail is None:
            if not (whole and self._spoke):
                return None
            detail = ""
        if isinstance(detail, int):
            detail = FINISH_NUMBERS[detail] if detail < len(FINISH_NUMBERS) else str(detail)
        reason = FINISH_REASONS.get(detail, "other" if detail else "stop")
        if reason == "stop" and self._called:
            reason = "tool_calls"
        vendor = Vendor(FORMAT, json.encode(self._extras).decode()) if self._extras else None
        return Finish(self._index, reason, detail, self.finish_message, vendor)


def _decode_leniently(payload: bytes) -> wire.Response:
    """Decode a reply whose nulls count as absent, or an error in a one-element array (notes §2.7)."""
    return wire.decode_response(_plain(payload))


def _plain(payload: bytes) -> bytes:
    value = _without_nulls(json.decode(payload))
    if isinstance(value, list):
        items = cast("list[object]", value)
        value = items[0] if len(items) == 1 else items
    return json.encode(value)


def _without_nulls(value: object) -> object:
    if isinstance(value, dict):
        members = cast("dict[str, object]", value).items()
        return {key: _without_nulls(item) for key, item in members if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in cast("list[object]", value)]
    return value


class _RawCandidate(Struct):
    content: dict[str, Raw] = {}


class _RawResponse(Struct):
    candidates: list[_RawCandidate] = []


def _opaque(payload: bytes, position: int, number: int) -> Opaque:
    """Keep a part that this file does not know, from the payload it came in."""
    try:
        content = json.decode(payload, type=_RawResponse).candidates[position].content
    except msgspec.ValidationError:
        content = json.decode(_plain(payload), type=_RawResponse).candidates[position].content
    raw = json.decode(content["parts"], type=list[Raw])[number]
    return Opaque(Vendor(FORMAT, bytes(raw).decode()))


def usage_event(fields: dict[str, Raw]) -> Usage:
    """Translate the token counts of `usageMetadata`, given field by field; counts that cannot be read count as none."""
    raw = json.encode(fields)
    try:
        try:
            counts = wire.decode_usage(raw)
        except msgspec.ValidationError:
            raw = json.encode(_without_nulls(json.decode(raw)))
            counts = wire.decode_usage(raw)
    except msgspec.ValidationError:
        return Usage()
    return Usage(
        input_tokens=counts.prompt_token_count,
        cached_tokens=counts.cached_content_token_count,
        tool_tokens=counts.tool_use_prompt_token_count,
        output_tokens=counts.candidates_token_count,
        thought_tokens=counts.thoughts_token_count,
        total_tokens=counts.total_token_count,
        input_by_modality=_by_modality(counts.prompt_tokens_details),
        cached_by_modality=_by_modality(counts.cache_tokens_details),
        output_by_modality=_by_modality(counts.candidates_tokens_details),
        service_tier=str(counts.service_tier).lower(),
        vendor=Vendor(FORMAT, raw.decode()),
    )


def _by_modality(details: list[wire.ModalityCount]) -> dict[str, int]:
    return {str(detail.modality).lower(): detail.token_count for detail in details}


def _reply_extras(response: wire.Response) -> Vendor | None:
    """Keep what only Gemini's own format says about a reply."""
    found: dict[str, object] = {}
    if response.create_time:
        found["createTime"] = response.create_time
    if response.model_status is not UNSET:
        found["modelStatus"] = response.model_status
    if response.prompt_feedback is not None:
        found["promptFeedback"] = response.prompt_feedback
    return Vendor(FORMAT, json.encode(found).decode()) if found else None


def _block_finish(feedback: wire.PromptFeedback) -> Finish:
    reason = str(feedback.block_reason)
    message = feedback.block_reason_message or f"The prompt was blocked by the upstream ({reason})."
    return Finish(0, "content_filter", reason, message)
