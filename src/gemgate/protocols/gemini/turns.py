"""The order of turns that Gemini insists on (notes §5.1), made from whatever history a client sends.

Calls are followed at once by one content that holds exactly their results, in the order of the calls; media and text
beside results come after them; a conversation opens with the user and, where the model takes no prefill, ends with the
user.
"""

from collections.abc import Sequence
from itertools import groupby

from msgspec.structs import replace

from gemgate.hub.parts import Inline, Media, Message, Opaque, Part, Role, Signature, Text, Thought, ToolCall, ToolResult
from gemgate.protocols.gemini.pairing import Pairing, after_their_calls
from gemgate.protocols.gemini.results import fitting

MISSING_RESULT = '{"error":"no result"}'
OPENING = Message("user", (Text("."),))
CONTINUE = Message("user", (Text("Continue."),))

DUMMY_SIGNATURE = Signature("gemini", "skip_thought_signature_validator")
"""Switches validation off for one part; documented by Google for histories that lost theirs (notes §5.2)."""


def is_plain(messages: Sequence[Message]) -> bool:
    """Whether this is text alone, with the user first and in turn, so that there is nothing to repair but the end."""
    expected: Role = "user"
    for message in messages:
        if message.role != expected or not message.parts:
            return False
        for part in message.parts:
            if type(part) is not Text or not part.text:
                return False
        expected = "model" if expected == "user" else "user"
    return bool(messages)


def ended(turns: Sequence[Message], *, prefill: bool) -> Sequence[Message]:
    """Let the user have the last word, unless the last turn may be the model's (`prefill`)."""
    return turns if prefill or not turns or turns[-1].role == "user" else [*turns, CONTINUE]


def shaped(messages: Sequence[Message], *, prefill: bool, media_in_results: bool) -> Sequence[Message]:
    """Repair the order of turns.

    `prefill`: the last turn may be the model's. `media_in_results`: a result may hold media itself.
    """
    turns: list[Message] = []
    pending: tuple[ToolCall, ...] = ()
    ordered = after_their_calls(messages)
    filled = (Message(message.role, parts) for message in ordered if (parts := _filled(message)))
    for role, run in groupby(filled, key=lambda message: message.role):
        if role == "user":
            turns += _user_turns(pending, list(run), media_inside=media_in_results)
            pending = ()
        else:
            # Neighbouring messages of the model are one step, answered together (`g-058d9919ee73`).
            parts = tuple(part for message in run for part in message.parts)
            pending = tuple(part for part in parts if isinstance(part, ToolCall))
            turns += (*(() if turns else (OPENING,)), Message("model", parts))
    if pending:
        turns += _user_turns(pending, [], media_inside=media_in_results)
    return ended(turns, prefill=prefill)


def _filled(message: Message) -> tuple[Part, ...]:
    return tuple(part for part in message.parts if not _is_empty(part))


def _is_empty(part: Part) -> bool:
    """Gemini refuses a part without data; an empty text lives only for its signature."""
    match part:
        case Text() | Thought():
            return not part.text and not _is_signed(part)
        case Opaque():
            return part.vendor.format != DUMMY_SIGNATURE.format
        case _:
            return False


def _user_turns(calls: tuple[ToolCall, ...], run: list[Message], *, media_inside: bool) -> list[Message]:
    """Put the results of a step's calls first, wherever the client has put them before the model's next message."""
    given = [part for message in run for part in message.parts if isinstance(part, ToolResult)]
    if not calls and not given:
        return run
    pairing = Pairing(calls, given)
    results: list[Part] = []
    beside: list[Part] = []
    for call, result in zip(calls, pairing.results, strict=True):
        answer = result or ToolResult(call.id, call.name, MISSING_RESULT)
        if answer.id != call.id or answer.name != call.name:
            answer = replace(answer, id=call.id, name=call.name)
        answer, media = fitting(answer, media_inside=media_inside)
        results.append(answer)
        beside += media
    unasked = {id(result) for result in pairing.unasked}
    others = [_without_results(message, unasked) for message in run]
    first = Message("user", (*results, *beside, *(others[0].parts if others else ())))
    return [turn for turn in (first, *others[1:]) if turn.parts]


def _without_results(message: Message, unasked: set[int]) -> Message:
    """Leave out what answers a call; results that nobody asked for (by identity) become text, their media stay."""
    parts: list[Part] = []
    for part in message.parts:
        if not isinstance(part, ToolResult):
            parts.append(part)
        elif id(part) in unasked:
            parts += (Text(f"[result of {part.name or 'a function'}: {part.response}]"), *part.media)
    return Message("user", tuple(parts))


def signed(turns: Sequence[Message], *, images: bool) -> tuple[list[Message], bool]:
    """Put the dummy where the model insists on a signature that the history has lost; tells whether it did.

    That is the first call of each step of the current turn and, for models that make `images`, the first text and
    every image of each of their turns (notes §5.1, rules 1, 2 and 10).
    """
    start = current_turn(turns)
    made = [
        _with_dummies(turn, calls=position >= start, images=images) if turn.role == "model" else turn
        for position, turn in enumerate(turns)
    ]
    return made, any(new is not old for new, old in zip(made, turns, strict=True))


def _with_dummies(message: Message, *, calls: bool, images: bool) -> Message:
    needing = _first(message, ToolCall) if calls else []
    if images:
        needing += _first(message, Text)
        needing += (number for number, part in enumerate(message.parts) if _is_image(part))
    lost = {number for number in needing if not _is_signed(message.parts[number])}
    if not lost:
        return message
    parts = (_with_dummy(part) if number in lost else part for number, part in enumerate(message.parts))
    return Message(message.role, tuple(parts))


def _first(message: Message, kind: type[Part]) -> list[int]:
    for number, part in enumerate(message.parts):
        if isinstance(part, kind):
            return [number]
    return []


def _is_image(part: Part) -> bool:
    """Drafts made while thinking come without a signature."""
    return isinstance(part, Media) and isinstance(part.source, Inline) and not part.thought


def _is_signed(part: Part) -> bool:
    return (
        not isinstance(part, Opaque) and part.signature is not None and part.signature.format == DUMMY_SIGNATURE.format
    )


def _with_dummy(part: Part) -> Part:
    return part if isinstance(part, Opaque) else replace(part, signature=DUMMY_SIGNATURE)


def current_turn(messages: Sequence[Message]) -> int:
    """Find where the current turn begins: at the last user message that holds more than results."""
    for position in range(len(messages) - 1, -1, -1):
        message = messages[position]
        if message.role == "user" and any(not isinstance(part, (ToolResult, Opaque)) for part in message.parts):
            return position
    return 0
