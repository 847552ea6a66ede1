"""One candidate of a reply, between the chunks of a stream."""

import msgspec
from msgspec import UNSET, Raw, Struct, json
from msgspec.structs import replace

from gemgate.hub.events import BlockDelta, BlockEnd, BlockStart, Citations, Event, Finish, Logprobs, PagesRead
from gemgate.hub.parts import Opaque, Part, Text, Thought, ToolCall, Vendor
from gemgate.protocols.gemini import partial_args, wire
from gemgate.protocols.gemini.call_ids import CallIds
from gemgate.protocols.gemini.finish import finish_reason
from gemgate.protocols.gemini.grounding import grounded
from gemgate.protocols.gemini.lenient import plain
from gemgate.protocols.gemini.logprobs import joined, logprobs
from gemgate.protocols.gemini.pages import pages
from gemgate.protocols.gemini.parts import FORMAT, modifiers, signature, to_hub

CONTINUATION = "CONTINUATION"
"""The finish reason of an answer that goes on in another reply."""


class Choice:
    """The state of one candidate between chunks."""

    __slots__ = (
        "_args",
        "_called",
        "_extras",
        "_ids",
        "_index",
        "_logprobs",
        "_names",
        "_open",
        "_said",
        "_spoke",
        "_spoke_before",
        "_token",
        "finish_message",
        "reason",
    )

    def __init__(self, index: int, names: dict[str, str], ids: CallIds | None) -> None:
        self._index = index
        self._names = names
        self._ids = ids
        self._open: type[Text] | type[Thought] | None = None
        self._args: partial_args.Assembly | None = None
        self._called = False
        self._spoke = False
        """Whether anything came after the newest continuation token."""
        self._spoke_before = False
        self._token = ""
        self._said: list[str] = []
        self._extras: dict[str, Raw] = {}
        self._logprobs: list[Raw] = []
        self.reason: str | int | None = None
        self.finish_message = ""

    def feed(self, candidate: wire.Candidate, events: list[Event], payload: bytes, position: int) -> None:
        """Read one piece, which stands in `payload` at this `position`."""
        if candidate.content is not None:
            for number, part in enumerate(candidate.content.parts):
                self._part(part, events, payload, position, number)
        if candidate.grounding_metadata is not UNSET:
            raw = bytes(candidate.grounding_metadata).decode()
            found = grounded(raw, "".join(self._said))
            events.append(Citations(self._index, found.citations, Vendor(FORMAT, raw), found.queries))
        if candidate.finish_reason is not None:
            self.reason = candidate.finish_reason
        if candidate.finish_message:
            self.finish_message = candidate.finish_message
        if candidate.has_extras():
            self._read_extras(candidate, events)

    def _read_extras(self, candidate: wire.Candidate, events: list[Event]) -> None:
        for attribute, name in wire.CANDIDATE_EXTRAS.items():
            value = getattr(candidate, attribute)
            if value is not UNSET:
                self._extras[name] = value
        if candidate.url_context_metadata is not UNSET:
            events.append(PagesRead(self._index, pages(candidate.url_context_metadata)))
        if candidate.logprobs_result is not UNSET:
            self._logprobs.append(candidate.logprobs_result)
            tokens = logprobs(candidate.logprobs_result)
            if tokens:
                events.append(Logprobs(self._index, tokens))
        if candidate.continuation_token is not UNSET:
            token = json.decode(candidate.continuation_token)
            self._token = token if isinstance(token, str) else ""
            self._spoke_before |= self._spoke
            self._spoke = False

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
        if self._ids is not None and isinstance(part, ToolCall):
            part = replace(part, id=self._ids.own(part.id))
        events += (BlockStart(self._index, part), BlockEnd(self._index))

    def _streamed_call(self, call: wire.FunctionCall, part: wire.Part, events: list[Event]) -> None:
        """Gather arguments that come by JSON path (`g-c8e3f8e7be7d`); a call's end is a part without `willContinue`."""
        self._spoke = True
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

    @property
    def checkpoint(self) -> str:
        """The token from which the choice can be taken up without loss or repetition; empty if there is none."""
        return self._token if self.reason in (None, CONTINUATION) and not self._spoke else ""

    def resume(self) -> None:
        """Forget how the hop ended: what follows is the same choice, blocks and all."""
        self.reason = None
        self.finish_message = ""
        self._extras.pop("continuationToken", None)

    def finish(self, *, whole: bool) -> Finish | None:
        """Say what ended this choice; `None` if nothing did."""
        said = self.reason
        if said is None:
            if not (whole and (self._spoke or self._spoke_before)):
                return None
            said = ""
        reason, detail = finish_reason(said, called=self._called)
        if self._logprobs:
            self._extras["logprobsResult"] = joined(self._logprobs)
        vendor = Vendor(FORMAT, json.encode(self._extras).decode()) if self._extras else None
        return Finish(self._index, reason, detail, self.finish_message, vendor)


class _RawCandidate(Struct):
    content: dict[str, Raw] = {}


class _RawResponse(Struct):
    candidates: list[_RawCandidate] = []


def _opaque(payload: bytes, position: int, number: int) -> Opaque:
    """Keep a part that this file does not know, from the payload it came in."""
    try:
        content = json.decode(payload, type=_RawResponse).candidates[position].content
    except msgspec.ValidationError:
        content = json.decode(plain(payload), type=_RawResponse).candidates[position].content
    raw = json.decode(content["parts"], type=list[Raw])[number]
    return Opaque(Vendor(FORMAT, bytes(raw).decode()))
