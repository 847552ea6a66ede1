"""A conversation without its signatures, or without some, for an upstream that refuses them."""

from collections.abc import Iterable

from msgspec.structs import replace

from gemgate.hub.call import Call, Generate
from gemgate.hub.codec import Dropped
from gemgate.hub.parts import Message, Opaque, Part, Thought

WHY = "the upstream refuses its signatures, which traces of its own tools cannot be without"


def unsigned(call: Generate) -> tuple[Generate, tuple[Dropped, ...]]:
    """Take every signature out of the history; the codec puts the documented dummy where one is required.

    What only the upstream's format knows of the model's words may hold signatures too, and is left out; told as lost.
    """
    messages = tuple(Message(message.role, _bare(message)) for message in call.messages)
    kept = sum(len(message.parts) for message in messages)
    lost = (Dropped("messages", WHY),) if kept < sum(len(message.parts) for message in call.messages) else ()
    return replace(call, messages=messages), lost


def _bare(message: Message) -> tuple[Part, ...]:
    bare: list[Part] = []
    for part in message.parts:
        if isinstance(part, Opaque):
            if message.role != "model":
                bare.append(part)
        else:
            bare.append(part if part.signature is None else replace(part, signature=None))
    return tuple(bare)


def understood(call: Generate, family: str) -> Generate:
    """Take out of the history what models of another family have signed; this one refuses that.

    Their thoughts go as a whole, since they are nothing without their signatures.
    """
    messages = (Message(message.role, _understood(message.parts, family)) for message in call.messages)
    return replace(call, messages=tuple(messages))


def _understood(parts: Iterable[Part], family: str) -> tuple[Part, ...]:
    kept: list[Part] = []
    for part in parts:
        if isinstance(part, Opaque) or part.signature is None or part.signature.family in ("", family):
            kept.append(part)
        elif not isinstance(part, Thought):
            kept.append(replace(part, signature=None))
    return tuple(kept)


def is_signed(call: Call) -> bool:
    """Whether a call came with signatures of the client's own: then one of those may be the refused one."""
    messages = call.messages if isinstance(call, Generate) else ()
    return any(not isinstance(part, Opaque) and part.signature for message in messages for part in message.parts)
