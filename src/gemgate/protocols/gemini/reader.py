"""Gemini's replies → events, streamed and whole by the same machine.

A finish reason may stand on several chunks, and a call in an earlier chunk than the STOP that ends its turn; so the
reply is over when the stream is, and what ended it is decided then. Unsigned neighbours of one kind form one block; a
signed part is always a block of its own (notes §5.1 rule 7).
"""

from collections.abc import Callable

import msgspec
from msgspec import UNSET, Raw, json

from gemgate.errors import GemgateError, UpstreamError
from gemgate.hub.events import Event, Failure, Finish, ResponseStart, Usage
from gemgate.hub.parts import Vendor
from gemgate.hub.usage import total
from gemgate.protocols.gemini import wire
from gemgate.protocols.gemini.call_ids import CallIds
from gemgate.protocols.gemini.choice import Choice
from gemgate.protocols.gemini.errors import reply_error
from gemgate.protocols.gemini.lenient import decode_leniently
from gemgate.protocols.gemini.parts import FORMAT
from gemgate.protocols.gemini.usage import usage_event

MAX_COUNT_DIGITS = 16
UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)


class GeminiReader:
    """Reads one reply. `names` maps functions that were renamed for Gemini back to the client's own names.

    With `new_id` every call gets an id of its own (`CallIds`), without it ids stay as they came. A long decode is one
    reply of several hops: feed one, `resume`, feed the next, and `end` once.
    """

    __slots__ = ("_blocked", "_choices", "_counts", "_ids", "_names", "_past", "_started", "_whole", "failed")

    def __init__(
        self,
        names: dict[str, str] | None = None,
        *,
        whole: bool = False,
        new_id: Callable[[], str] | None = None,
    ) -> None:
        self._names = names or {}
        self._ids = CallIds(new_id) if new_id is not None else None
        self._whole = whole
        self._choices: dict[int, Choice] = {}
        self._started = False
        self._blocked: wire.PromptFeedback | None = None
        self._counts: dict[str, Raw] = {}
        self._past: list[Usage] = []
        self.failed = False

    @property
    def usage(self) -> Usage:
        """Token counts seen so far, those of earlier hops added."""
        if not self._past:
            return usage_event(self._counts) if self._counts else Usage()
        return total([*self._past, usage_event(self._counts)] if self._counts else self._past)

    @property
    def checkpoint(self) -> str:
        """The token from which the reply can be taken up without loss or repetition; empty if there is none."""
        if self.failed or self._blocked is not None or len(self._choices) != 1:
            return ""
        return next(iter(self._choices.values())).checkpoint

    def resume(self) -> None:
        """Go on with the next hop, which was asked for with the checkpoint."""
        if self._counts:
            self._past.append(usage_event(self._counts))
            self._counts = {}
        for choice in self._choices.values():
            choice.resume()

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
            response = decode_leniently(payload)
        if response.error is not UNSET:
            self._fail(reply_error(payload), events)
            return
        if not self._started:
            self._started = True
            events.append(_start(response))
        if response.usage_metadata is not None:
            # Running totals, zeros left out: the last value seen of each field holds.
            self._counts.update(response.usage_metadata)
        if response.prompt_feedback is not None and response.prompt_feedback.block_reason is not None:
            self._blocked = response.prompt_feedback
        for position, candidate in enumerate(response.candidates):
            choice = self._choices.get(candidate.index)
            if choice is None:
                choice = self._choices[candidate.index] = Choice(candidate.index, self._names, self._ids)
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


def _start(response: wire.Response) -> ResponseStart:
    counts = response.usage_metadata or {}
    return ResponseStart(
        response.response_id,
        response.model_version,
        _reply_extras(response),
        _count(counts.get("promptTokenCount")),
        _count(counts.get("cachedContentTokenCount")),
    )


def _count(raw: Raw | None) -> int:
    """Read a plain count, which almost every one is; the others are known at the end."""
    digits = b"" if raw is None else bytes(raw)
    return int(digits) if digits.isdigit() and len(digits) < MAX_COUNT_DIGITS else 0


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
