"""The order of turns that Gemini insists on (notes §5.1), made from whatever history a client sends.

Calls are followed at once by one content that holds exactly their results, in the order of the calls; text beside
results comes after them; a conversation opens with the user and, where the model takes no prefill, ends with the user.
"""

from collections.abc import Sequence

from msgspec.structs import replace

from gemgate.hub.parts import Message, Opaque, Part, Signature, Text, Thought, ToolCall, ToolResult

MISSING_RESULT = '{"error":"no result"}'
OPENING = Message("user", (Text("."),))
CONTINUE = Message("user", (Text("Continue."),))

DUMMY_SIGNATURE = Signature("gemini", "skip_thought_signature_validator")
"""Switches validation off for one part; documented by Google for histories that lost theirs (notes §5.2)."""


def shaped(messages: Sequence[Message], *, prefill: bool, signatures: bool) -> list[Message]:
    """Repair the order of turns.

    `prefill`: the last turn may be the model's. `signatures`: calls of the current turn need one, and the first call of
    a step that has none gets the dummy.
    """
    turns: list[Message] = []
    pending: tuple[ToolCall, ...] = ()
    for message in messages:
        parts = tuple(part for part in message.parts if not _is_empty(part))
        if message.role == "user":
            parts = _answered(pending, parts)
            pending = ()
        if not parts:
            continue
        if message.role == "model":
            pending = (*pending, *(part for part in parts if isinstance(part, ToolCall)))
            if not turns:
                turns.append(OPENING)
            elif turns[-1].role == "model":
                # Neighbouring messages of the model are one step, answered together (`g-058d9919ee73`).
                parts = (*turns.pop().parts, *parts)
        turns.append(Message(message.role, parts))
    if pending:
        turns.append(Message("user", _answered(pending, ())))
    elif turns and turns[-1].role == "model" and not prefill:
        turns.append(CONTINUE)
    return _signed(turns) if signatures else turns


def _is_empty(part: Part) -> bool:
    """Gemini refuses a part without data; an empty text lives only for its signature."""
    return isinstance(part, (Text, Thought)) and not part.text and part.signature is None


def _answered(calls: tuple[ToolCall, ...], parts: tuple[Part, ...]) -> tuple[Part, ...]:
    """Pair calls with results, by id and then by name in order; results nobody asked for become text."""
    waiting = [part for part in parts if isinstance(part, ToolResult)]
    results: list[Part] = []
    for call in calls:
        result = _result_of(call, waiting)
        if result is None:
            results.append(ToolResult(call.id, call.name, MISSING_RESULT))
        else:
            waiting.remove(result)
            results.append(replace(result, id=call.id, name=call.name))
    rest: list[Part] = []
    for part in parts:
        if not isinstance(part, ToolResult):
            rest.append(part)
        elif any(part is left for left in waiting):
            rest.append(Text(f"[result of {part.name or 'a function'}: {part.response}]"))
    return (*results, *rest)


def _result_of(call: ToolCall, waiting: list[ToolResult]) -> ToolResult | None:
    if call.id:
        for result in waiting:
            if result.id == call.id:
                return result
    for result in waiting:
        if not (call.id and result.id) and result.name == call.name:
            return result
    return None


def _signed(turns: list[Message]) -> list[Message]:
    for position in range(current_turn(turns), len(turns)):
        message = turns[position]
        first = next((n for n, part in enumerate(message.parts) if isinstance(part, ToolCall)), None)
        if message.role == "user" or first is None:
            continue
        call = message.parts[first]
        assert isinstance(call, ToolCall)
        if call.signature is None or call.signature.format != DUMMY_SIGNATURE.format:
            parts = (*message.parts[:first], replace(call, signature=DUMMY_SIGNATURE), *message.parts[first + 1 :])
            turns[position] = Message("model", parts)
    return turns


def current_turn(messages: Sequence[Message]) -> int:
    """Find where the current turn begins: at the last user message that holds more than results."""
    for position in range(len(messages) - 1, -1, -1):
        message = messages[position]
        if message.role == "user" and any(not isinstance(part, (ToolResult, Opaque)) for part in message.parts):
            return position
    return 0
