"""The order of turns that Gemini insists on (notes §5.1), made from whatever history a client sends.

Calls are followed at once by one content that holds exactly their results, in the order of the calls; text beside
results comes after them; a conversation opens with the user and, where the model takes no prefill, ends with the user.
"""

from collections.abc import Sequence
from itertools import groupby

from msgspec.structs import replace

from gemgate.hub.parts import Message, Opaque, Part, Role, Signature, Text, Thought, ToolCall, ToolResult

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
    if _is_plain(messages):
        return [*messages] if prefill or messages[-1].role == "user" else [*messages, CONTINUE]
    turns: list[Message] = []
    pending: tuple[ToolCall, ...] = ()
    filled = (Message(message.role, parts) for message in messages if (parts := _filled(message)))
    for role, run in groupby(filled, key=lambda message: message.role):
        if role == "user":
            turns += _user_turns(pending, list(run))
            pending = ()
        else:
            # Neighbouring messages of the model are one step, answered together (`g-058d9919ee73`).
            parts = tuple(part for message in run for part in message.parts)
            pending = tuple(part for part in parts if isinstance(part, ToolCall))
            turns += (*(() if turns else (OPENING,)), Message("model", parts))
    if pending:
        turns += _user_turns(pending, [])
    elif turns and turns[-1].role == "model" and not prefill:
        turns.append(CONTINUE)
    return _signed(turns) if signatures else turns


def _is_plain(messages: Sequence[Message]) -> bool:
    """Whether this is text alone, with the user first and in turn, so that there is nothing to repair."""
    expected: Role = "user"
    for message in messages:
        if message.role != expected or not message.parts:
            return False
        for part in message.parts:
            if type(part) is not Text or not part.text:
                return False
        expected = "model" if expected == "user" else "user"
    return bool(messages)


def _filled(message: Message) -> tuple[Part, ...]:
    return tuple(part for part in message.parts if not _is_empty(part))


def _is_empty(part: Part) -> bool:
    """Gemini refuses a part without data; an empty text lives only for its signature."""
    return isinstance(part, (Text, Thought)) and not part.text and part.signature is None


def _user_turns(calls: tuple[ToolCall, ...], run: list[Message]) -> list[Message]:
    """Put the results of a step's calls first, wherever the client has put them before the model's next message."""
    waiting = [part for message in run for part in message.parts if isinstance(part, ToolResult)]
    results: list[Part] = []
    for call in calls:
        result = _result_of(call, waiting)
        if result is None:
            results.append(ToolResult(call.id, call.name, MISSING_RESULT))
        else:
            waiting = [left for left in waiting if left is not result]
            results.append(replace(result, id=call.id, name=call.name))
    others = [_without_results(message, waiting) for message in run]
    first = Message("user", (*results, *(others[0].parts if others else ())))
    return [turn for turn in (first, *others[1:]) if turn.parts]


def _without_results(message: Message, orphans: list[ToolResult]) -> Message:
    """Leave out what answers a call; results that nobody asked for become text."""
    parts: list[Part] = []
    for part in message.parts:
        if not isinstance(part, ToolResult):
            parts.append(part)
        elif any(part is orphan for orphan in orphans):
            parts.append(Text(f"[result of {part.name or 'a function'}: {part.response}]"))
    return Message("user", tuple(parts))


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
