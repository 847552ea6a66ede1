"""The grammar of a Messages stream (notes §6.4), checked on what a client gets, and what a client makes of it."""

import json
from collections.abc import Sequence
from typing import Any

Json = dict[str, Any]
Told = tuple[str, Json]

DELTAS = {
    "text": {"text_delta", "citations_delta"},
    "thinking": {"thinking_delta", "signature_delta"},
    "tool_use": {"input_json_delta"},
    "server_tool_use": {"input_json_delta"},
    "mcp_tool_use": {"input_json_delta"},
    "compaction": {"compaction_delta"},
}
"""Which deltas a block takes; others are complete when they begin."""
EMPTY = {
    "text": {"text": ""},
    "thinking": {"thinking": "", "signature": ""},
    "tool_use": {"input": {}},
    "server_tool_use": {"input": {}},
    "mcp_tool_use": {"input": {}},
}
"""What only deltas may bring."""
MEMBERS = {
    "text_delta": "text",
    "thinking_delta": "thinking",
    "signature_delta": "signature",
    "input_json_delta": "partial_json",
    "citations_delta": "citation",
    "compaction_delta": "content",
}
REASONS = {
    "end_turn",
    "max_tokens",
    "stop_sequence",
    "tool_use",
    "pause_turn",
    "refusal",
    "model_context_window_exceeded",
}


def events_of(stream: bytes) -> list[Told]:
    """Parse a stream strictly: one line with the name, one with the data, an empty one."""
    *blocks, rest = stream.decode().split("\n\n")
    assert rest == "", "the stream ends within an event"
    told: list[Told] = []
    for block in blocks:
        name, data = block.split("\n")
        assert name.startswith("event: ") and data.startswith("data: ") and "\r" not in block
        told.append((name[7:], json.loads(data[6:])))
    return told


def check(events: Sequence[Told]) -> list[str]:
    """List the faults of a stream that ended well or with an error event."""
    return _Reading().read(events)


def message_of(events: Sequence[Told]) -> Json:
    """What a client has in hand in the end, by the rules of the official SDK."""
    message: Json = {}
    pieces: dict[int, str] = {}
    for name, event in events:
        if name == "message_start":
            message = json.loads(json.dumps(event["message"]))
        elif name == "content_block_start":
            message["content"].append(json.loads(json.dumps(event["content_block"])))
        elif name == "content_block_delta":
            _add(message["content"][event["index"]], event["delta"], event["index"], pieces)
        elif name == "message_delta":
            message |= event["delta"]
            message["usage"] |= {key: count for key, count in event["usage"].items() if count is not None}
    for index, text in pieces.items():
        if text:
            message["content"][index]["input"] = json.loads(text)
    return message


def _add(block: Json, delta: Json, index: int, pieces: dict[int, str]) -> None:
    kind = delta["type"]
    if kind == "input_json_delta":
        pieces[index] = pieces.get(index, "") + delta["partial_json"]
    elif kind == "citations_delta":
        block["citations"] = [*(block.get("citations") or []), delta["citation"]]
    elif kind == "signature_delta":
        block["signature"] = delta["signature"]
    elif kind in ("text_delta", "thinking_delta"):
        block[MEMBERS[kind]] += delta[MEMBERS[kind]]


class _Reading:
    """A stream as far as it has been read."""

    def __init__(self) -> None:
        self.faults: list[str] = []
        self.state = "before"
        self.open: Json | None = None
        self.index = -1
        self.signed = False
        self.input = ""
        self.called = False

    def read(self, events: Sequence[Told]) -> list[str]:
        for name, event in events:
            if name != event.get("type"):
                self.fault(f"{name} is named {event.get('type')}")
            if self.state == "over":
                self.fault(f"{name} after the end")
            elif name == "ping":
                self.expect(set(event) == {"type"}, "a ping says something")
            elif name == "error":
                self.error(event)
            elif name in _READ:
                _READ[name](self, event)
            else:
                self.fault(f"{name} is unknown")
        self.expect(self.state == "over", "no message_stop")
        return self.faults

    def fault(self, what: str) -> None:
        self.faults.append(what)

    def expect(self, holds: bool, otherwise: str) -> None:
        if not holds:
            self.fault(otherwise)

    def error(self, event: Json) -> None:
        error = event.get("error")
        told = isinstance(error, dict) and isinstance(error.get("type"), str) and isinstance(error.get("message"), str)
        self.expect(told, "an error that says nothing")
        self.state = "over"

    def start(self, event: Json) -> None:
        self.expect(self.state == "before", "a second message_start")
        self.state = "blocks"
        message = event.get("message", {})
        fixed = {"type": "message", "role": "assistant", "content": [], "stop_reason": None, "stop_sequence": None}
        for key, value in fixed.items():
            self.expect(key in message and message[key] == value, f"message_start: {key} is {message.get(key)}")
        for key in ("id", "model"):
            self.expect(bool(message.get(key)) and isinstance(message[key], str), f"message_start: no {key}")
        self.usage(message.get("usage"), {"input_tokens", "output_tokens"})

    def block_start(self, event: Json) -> None:
        self.within("content_block_start")
        self.expect(self.open is None, "a block begins within another")
        self.index += 1
        self.expect(event.get("index") == self.index, f"block {self.index} has the index {event.get('index')}")
        self.open = block = event.get("content_block", {})
        self.signed, self.input = False, ""
        kind = block.get("type")
        self.called |= kind == "tool_use"
        for key, value in EMPTY.get(kind, {}).items():
            left_out = key == "signature" and key not in block  # the original did so once
            self.expect(left_out or block.get(key) == value, f"{kind} begins with {key} {block.get(key)}")
        if kind in ("tool_use", "server_tool_use"):
            self.expect(bool(block.get("id")) and bool(block.get("name")), f"{kind} without id or name")

    def block_delta(self, event: Json) -> None:
        self.within("content_block_delta")
        delta = event.get("delta", {})
        kind = delta.get("type")
        if self.open is None:
            self.fault(f"{kind} without a block")
            return
        self.expect(event.get("index") == self.index, f"{kind} of block {event.get('index')} in block {self.index}")
        self.expect(kind in DELTAS.get(self.open["type"], ()), f"{kind} in {self.open['type']}")
        self.expect(not self.signed, f"{kind} after the signature")
        value = delta.get(MEMBERS.get(kind, ""))
        self.expect(isinstance(value, dict if kind == "citations_delta" else str), f"{kind} holds {value!r}")
        if kind == "signature_delta":
            self.signed = True
            self.expect(bool(value), "an empty signature")
        elif kind == "input_json_delta":
            self.input += str(value)

    def block_stop(self, event: Json) -> None:
        self.within("content_block_stop")
        self.expect(self.open is not None, "a stop without a block")
        self.expect(event.get("index") == self.index, f"a stop of block {event.get('index')} in block {self.index}")
        kind = (self.open or {}).get("type")
        self.expect(kind != "thinking" or self.signed, "thinking without a signature")
        if self.input:
            self.expect(_is_object(self.input), f"{kind} has the input {self.input}")
        self.open = None

    def delta(self, event: Json) -> None:
        self.within("message_delta")
        self.expect(self.open is None, "message_delta within a block")
        self.state = "ending"
        reason = event.get("delta", {}).get("stop_reason")
        self.expect(reason in REASONS, f"the stop_reason {reason}")
        self.expect(reason != "tool_use" or self.called, "stop_reason tool_use without a call")
        self.expect(reason != "end_turn" or not self.called, "stop_reason end_turn after a call")
        self.usage(event.get("usage"), {"output_tokens"})

    def stop(self, event: Json) -> None:
        self.expect(self.state == "ending", "message_stop without message_delta")
        self.expect(set(event) == {"type"}, "message_stop says something")
        self.state = "over"

    def within(self, name: str) -> None:
        self.expect(
            self.state == "blocks", f"{name} {'before message_start' if self.state == 'before' else 'too late'}"
        )

    def usage(self, usage: Any, needed: set[str]) -> None:
        if not isinstance(usage, dict):
            self.fault("no usage")
            return
        self.expect(needed <= set(usage), f"usage lacks {needed - set(usage)}")
        for key, count in usage.items():
            if key.endswith("_tokens"):
                self.expect(isinstance(count, int) and count >= 0, f"usage: {key} is {count}")


_READ = {
    "message_start": _Reading.start,
    "content_block_start": _Reading.block_start,
    "content_block_delta": _Reading.block_delta,
    "content_block_stop": _Reading.block_stop,
    "message_delta": _Reading.delta,
    "message_stop": _Reading.stop,
}


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False
