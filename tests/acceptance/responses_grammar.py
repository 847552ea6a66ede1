"""The grammar of a Responses stream (notes §6.3), checked on what a client gets."""

import json
from collections.abc import Callable, Sequence
from typing import Any

Json = dict[str, Any]
Told = tuple[str, Json]

FRAMES = {"response.created", "response.queued", "response.in_progress"}
ENDS = {"response.completed": "completed", "response.incomplete": "incomplete", "response.failed": "failed"}
STATUSES = {
    "response.created": ("queued", "in_progress"),
    "response.queued": ("queued",),
    "response.in_progress": ("in_progress",),
}
TEXT, REFUSAL = "response.output_text", "response.refusal"
SUMMARY, SUMMARY_PART = "response.reasoning_summary_text", "response.reasoning_summary_part"
PIECES: dict[str, tuple[str, str]] = {
    "response.function_call_arguments": ("function_call", "arguments"),
    "response.custom_tool_call_input": ("custom_tool_call", "input"),
    "response.code_interpreter_call_code": ("code_interpreter_call", "code"),
    "response.mcp_call_arguments": ("mcp_call", "arguments"),
}
"""What comes in deltas outside of messages and reasoning: the item it belongs to, and the member it fills there."""
STEPS: dict[str, tuple[str, ...]] = {
    "web_search_call": ("in_progress", "searching", "completed"),
    "file_search_call": ("in_progress", "searching", "completed"),
    "code_interpreter_call": ("in_progress", "interpreting", "completed"),
    "image_generation_call": ("in_progress", "generating", "partial_image", "completed"),
    "mcp_call": ("in_progress", "completed"),
    "mcp_list_tools": ("in_progress", "completed"),
}
"""What else is told of an item, in this order; only `partial_image` may be told several times, or not at all."""
NEEDED: dict[str, set[str]] = {
    "message": {"id", "status", "role", "content"},
    "function_call": {"id", "call_id", "name", "arguments", "status"},
    "custom_tool_call": {"id", "call_id", "name", "input", "status"},
    "reasoning": {"id", "summary"},
    "web_search_call": {"id", "status", "action"},
    "code_interpreter_call": {"id", "status", "code", "container_id"},
    "image_generation_call": {"id", "status", "result"},
    "local_shell_call": {"id", "call_id", "action", "status"},
    "shell_call": {"id", "call_id", "action", "status"},
    "apply_patch_call": {"id", "call_id", "operation", "status"},
    "computer_call": {"id", "call_id", "pending_safety_checks", "status"},
    "tool_search_call": {"id", "arguments", "execution", "status"},
}
"""What an item must have when it is done."""
USAGE = ("input_tokens", "output_tokens", "total_tokens")


def events_of(stream: bytes) -> list[Told]:
    """Parse a stream strictly: one line with the name, one with the data, an empty one; comments stand alone."""
    *blocks, rest = stream.decode().split("\n\n")
    assert rest == "", "the stream ends within an event"
    told: list[Told] = []
    for block in blocks:
        if block.startswith(":"):
            assert "\n" not in block
            continue
        name, data = block.split("\n")
        assert name.startswith("event: ") and data.startswith("data: ") and "\r" not in block
        told.append((name[7:], json.loads(data[6:])))
    return told


def lines_of(stream: bytes) -> list[Told]:
    """Parse a stream of lines strictly; empty ones are signs of life."""
    *lines, rest = stream.decode().split("\n")
    assert rest == "", "the stream ends within a line"
    return [(event["type"], event) for event in map(json.loads, filter(None, lines))]


def check(events: Sequence[Told]) -> list[str]:
    """List the faults of a stream that ended well, was cut short, or failed.

    `response.in_progress` may be repeated at any time, as a sign of life.
    """
    return _Reading().read(events)


def response_of(events: Sequence[Told]) -> Json:
    """The response that the last event carries."""
    return events[-1][1]["response"]


class _Open:
    """The open item, as far as it has been told."""

    def __init__(self, item: Json, index: int) -> None:
        self.item = item
        self.kind: str = item.get("type", "")
        self.index = index
        self.parts: list[Json] = []
        """Content or summary parts, each `{part, text, done, closed, annotations}`."""
        self.pieces = ""
        self.done: str | None = None
        self.steps: list[str] = []


class _Reading:
    """A stream as far as it has been read."""

    def __init__(self) -> None:
        self.faults: list[str] = []
        self.number = 0
        self.frames: list[str] = []
        self.open: _Open | None = None
        self.items: list[Json] = []
        self.begun = 0
        self.id: Any = None
        self.over = False

    def read(self, events: Sequence[Told]) -> list[str]:
        for name, event in events:
            self.expect(event.get("type") == name, f"{name} is named {event.get('type')}")
            self.expect(event.get("sequence_number") == self.number, f"{name}: not number {self.number}")
            self.number += 1
            if self.over:
                self.fault(f"{name} after the end")
            elif name in FRAMES:
                self.frame(name, event)
            elif self.frames[-1:] != ["response.in_progress"]:
                self.fault(f"{name} before response.in_progress")
            elif name in ENDS:
                self.end(name, event)
            else:
                self.inside(name, event)
        self.expect(self.over, "no end")
        return self.faults

    def fault(self, what: str) -> None:
        self.faults.append(what)

    def expect(self, holds: bool, otherwise: str) -> None:
        if not holds:
            self.fault(otherwise)

    def frame(self, name: str, event: Json) -> None:
        order = ["response.created", "response.queued", "response.in_progress"]
        after = order.index(self.frames[-1]) if self.frames else -1
        is_sign_of_life = name == order[-1] == order[after] and bool(self.frames)
        in_order = order.index(name) > after and (self.frames != [] or name == order[0])
        self.expect(in_order or is_sign_of_life, f"{name} out of order")
        self.expect(self.begun == 0 or is_sign_of_life, f"{name} after an item")
        self.frames.append(name)
        response = self.response(name, event)
        self.expect(response.get("status") in STATUSES[name], f"{name}: the status {response.get('status')}")
        self.expect(response.get("output") == [], f"{name} with output")
        self.expect(not response.get("usage"), f"{name} with usage")

    def response(self, name: str, event: Json) -> Json:
        response = event.get("response")
        if not isinstance(response, dict):
            self.fault(f"{name} without a response")
            return {}
        self.id = self.id or response.get("id")
        self.expect(bool(self.id) and response.get("id") == self.id, f"{name}: the id {response.get('id')}")
        self.expect(response.get("object") == "response", f"{name}: the object {response.get('object')}")
        for key in ("created_at", "model", "parallel_tool_calls", "tool_choice", "tools"):
            self.expect(response.get(key) is not None, f"{name}: no {key}")
        return response

    def end(self, name: str, event: Json) -> None:
        self.over = True
        response = self.response(name, event)
        status, failed = ENDS[name], name == "response.failed"
        self.expect(response.get("status") == status, f"{name}: the status {response.get('status')}")
        self.expect(failed or self.open is None, f"{name} within an item")
        output = response.get("output")
        said = isinstance(output, list) and len(output) == len(self.items) and all(map(_is_said, self.items, output))
        self.expect(said, f"{name}: the output is not what was told")
        self.expect(bool(response.get("error")) == failed, f"{name}: the error {response.get('error')}")
        details = response.get("incomplete_details")
        self.expect(bool(details) == (status == "incomplete"), f"{name}: incomplete_details {details}")
        self.usage(name, response.get("usage"), needed=not failed)

    def usage(self, name: str, usage: Any, *, needed: bool) -> None:
        if not isinstance(usage, dict):
            self.expect(not needed, f"{name}: no usage")
            return
        for key in USAGE:
            self.expect(isinstance(usage.get(key), int) and usage[key] >= 0, f"usage: {key} is {usage.get(key)}")
        for key, count in (("input_tokens_details", "cached_tokens"), ("output_tokens_details", "reasoning_tokens")):
            self.expect(isinstance((usage.get(key) or {}).get(count), int), f"usage: no {count}")

    def inside(self, name: str, event: Json) -> None:
        if name == "response.output_item.added":
            self.item_added(event)
            return
        self.expect(event.get("output_index") == self.begun - 1, f"{name}: the index {event.get('output_index')}")
        if self.open is None:
            self.fault(f"{name} without an item")
        elif name == "response.output_item.done":
            self.item_done(event, self.open)
        else:
            self.expect(event.get("item_id") == self.open.item.get("id"), f"{name}: the item {event.get('item_id')}")
            self.of_item(name, event, self.open)

    def item_added(self, event: Json) -> None:
        item = event.get("item") or {}
        self.expect(self.open is None, "an item within another")
        self.expect(event.get("output_index") == self.begun, f"item {self.begun} at {event.get('output_index')}")
        self.begun += 1
        self.open = _Open(item, self.begun - 1)
        self.expect(bool(item.get("id")) and bool(item.get("type")), "an item without id or type")
        for key in ("content", "summary", "arguments", "input", "code"):
            early = self.open.kind in ("message", "reasoning", "function_call", "custom_tool_call")
            self.expect(not early or not item.get(key), f"{self.open.kind} begins with {key}")

    def item_done(self, event: Json, opened: _Open) -> None:
        item, kind = event.get("item") or {}, opened.kind
        self.open = None
        self.items.append(item)
        for key in ("id", "type", "call_id", "name", "role"):
            self.expect(item.get(key) == opened.item.get(key), f"{kind}: {key} was {opened.item.get(key)}")
        self.expect(NEEDED.get(kind, {"id"}) <= set(item), f"{kind} lacks {NEEDED.get(kind, set()) - set(item)}")
        self.expect(item.get("status") != "in_progress", f"{kind} is done and in progress")
        self.expect(all(part["closed"] for part in opened.parts), f"{kind} is done with a part open")
        parts = [part["part"] for part in opened.parts]
        if kind == "message":
            self.expect(item.get("content") == parts, "a message with other content than was told")
        elif kind == "reasoning":
            self.expect(item.get("summary") == parts, "reasoning with another summary than was told")
        for pieces, member in PIECES.values():
            if kind == pieces:
                self.expect(opened.done is not None, f"{kind} without its {member}")
                self.expect(item.get(member) == opened.done, f"{kind}: {member} is {item.get(member)!r}")
        told = [step for step in opened.steps if step != "partial_image"]
        wanted = [step for step in STEPS.get(kind, ()) if step != "partial_image"]
        if kind == "code_interpreter_call" and item.get("status") == "incomplete" and wanted[:-1] == told:
            self.expect(item.get("outputs") is None, "code without a result has outputs")
            return
        self.expect(told == wanted, f"{kind} went through {told}")

    def of_item(self, name: str, event: Json, opened: _Open) -> None:
        stem, _, what = name.rpartition(".")
        if stem in PIECES:
            self.piece(stem, what, event, opened)
        elif name in _READ:
            _READ[name](self, event, opened)
        elif stem == f"response.{opened.kind}" and what in STEPS.get(opened.kind, ()):
            self.step(what, event, opened)
        else:
            self.fault(f"{name} in {opened.kind}")

    def step(self, what: str, event: Json, opened: _Open) -> None:
        order = STEPS[opened.kind]
        last = order.index(opened.steps[-1]) if opened.steps else -1
        again = what == "partial_image" and opened.steps[-1:] == [what]
        self.expect(again or order.index(what) > last, f"{opened.kind}: {what} out of order")
        opened.steps.append(what)
        if what == "partial_image":
            count = opened.steps.count(what) - 1
            self.expect(event.get("partial_image_index") == count, f"draft {count} is not called so")
            self.expect(bool(event.get("partial_image_b64")), "a draft without an image")
        if what == "interpreting":
            self.expect(opened.done is not None, "code is run before it is complete")

    def piece(self, stem: str, what: str, event: Json, opened: _Open) -> None:
        kind, member = PIECES[stem]
        self.expect(opened.kind == kind, f"{stem} in {opened.kind}")
        self.expect(opened.done is None, f"{stem}.{what} after it was done")
        if what == "delta":
            opened.pieces += self.string(event, "delta", stem)
            return
        opened.done = self.string(event, member, stem)
        self.expect(opened.done == opened.pieces, f"{stem}: done with {opened.done!r}, told {opened.pieces!r}")

    def string(self, event: Json, member: str, name: str) -> str:
        value = event.get(member)
        self.expect(isinstance(value, str), f"{name}: {member} is {value!r}")
        return str(value)

    # ── content of messages, summaries of reasoning ──

    def part(self, event: Json, opened: _Open, index_name: str) -> Json | None:
        """The part that an event is about, which must be open."""
        index = event.get(index_name)
        if index != len(opened.parts) - 1 or not opened.parts:
            self.fault(f"{event.get('type')}: the {index_name} {index}")
            return None
        part = opened.parts[-1]
        self.expect(not part["closed"], f"{event.get('type')} after its part")
        return part

    def part_added(self, event: Json, opened: _Open) -> None:
        is_summary = event["type"].startswith(SUMMARY_PART)
        index_name = "summary_index" if is_summary else "content_index"
        self.expect((opened.kind == "reasoning") == is_summary, f"{event['type']} in {opened.kind}")
        self.expect(all(part["closed"] for part in opened.parts), "a part within another")
        self.expect(event.get(index_name) == len(opened.parts), f"part {len(opened.parts)} at {event.get(index_name)}")
        part = event.get("part") or {}
        self.expect(part.get("text", part.get("refusal")) == "", "a part begins with text")
        opened.parts.append({"part": part, "text": "", "done": None, "closed": False, "annotations": []})

    def text_delta(self, event: Json, opened: _Open) -> None:
        part = self.part(event, opened, "summary_index" if opened.kind == "reasoning" else "content_index")
        if part is not None:
            self.expect(part["done"] is None, "a delta after the text was done")
            refuses = event["type"].startswith(REFUSAL)
            self.expect((part["part"].get("type") == "refusal") == refuses, f"{event['type']} in another part")
            part["text"] += self.string(event, "delta", event["type"])
        self.expect(event["type"] != f"{TEXT}.delta" or isinstance(event.get("logprobs"), list), "no logprobs")

    def text_done(self, event: Json, opened: _Open) -> None:
        part = self.part(event, opened, "summary_index" if opened.kind == "reasoning" else "content_index")
        if part is None:
            return
        self.expect(part["done"] is None, "a text is done twice")
        part["done"] = self.string(event, "refusal" if event["type"].startswith(REFUSAL) else "text", event["type"])
        self.expect(part["done"] == part["text"], f"done with {part['done']!r}, told {part['text']!r}")

    def annotation(self, event: Json, opened: _Open) -> None:
        part = self.part(event, opened, "content_index")
        if part is None:
            return
        self.expect(part["done"] is None, "a source after the text was done")
        self.expect(event.get("annotation_index") == len(part["annotations"]), "a source out of order")
        found = event.get("annotation") or {}
        part["annotations"].append(found)
        if found.get("type") == "url_citation":
            start, end = found.get("start_index", -1), found.get("end_index", -1)
            self.expect(0 <= start <= end <= len(part["text"]), f"a source from {start} to {end}")

    def part_done(self, event: Json, opened: _Open) -> None:
        part = self.part(event, opened, "summary_index" if opened.kind == "reasoning" else "content_index")
        if part is None:
            return
        self.expect(part["done"] is not None, "a part is done before its text")
        part["closed"] = True
        known, part["part"] = part["part"], event.get("part") or {}
        self.expect(part["part"].get("type") == known.get("type"), "a part has changed its type")
        text = part["part"].get("text", part["part"].get("refusal"))
        self.expect(text == part["text"], f"a part with {text!r}, told {part['text']!r}")
        self.expect((part["part"].get("annotations") or []) == part["annotations"], "other sources than were told")


def _is_said(told: Json, item: Json) -> bool:
    """Whether an item of the response is the one that was told. A message may have got more sources and logprobs."""
    if told == item or told.get("type") != "message":
        return told == item
    late = ("annotations", "logprobs")
    parts, others = told["content"], item.get("content") or []
    if not isinstance(others, list) or len(parts) != len(others) or told | {"content": others} != item:
        return False
    return all(
        {key: value for key, value in part.items() if key not in late}
        == {key: value for key, value in other.items() if key not in late}
        and all((other.get(key) or [])[: len(part.get(key) or [])] == (part.get(key) or []) for key in late)
        for part, other in zip(parts, others, strict=True)
    )


_READ: dict[str, Callable[[_Reading, Json, _Open], None]] = {
    "response.content_part.added": _Reading.part_added,
    "response.content_part.done": _Reading.part_done,
    f"{SUMMARY_PART}.added": _Reading.part_added,
    f"{SUMMARY_PART}.done": _Reading.part_done,
    f"{TEXT}.delta": _Reading.text_delta,
    f"{TEXT}.done": _Reading.text_done,
    f"{TEXT}.annotation.added": _Reading.annotation,
    f"{REFUSAL}.delta": _Reading.text_delta,
    f"{REFUSAL}.done": _Reading.text_done,
    f"{SUMMARY}.delta": _Reading.text_delta,
    f"{SUMMARY}.done": _Reading.text_done,
}
