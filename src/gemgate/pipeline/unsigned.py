"""A conversation without its signatures, for an upstream that refuses them."""

from msgspec.structs import replace

from gemgate.hub.call import Generate
from gemgate.hub.parts import Message, Opaque, Part


def unsigned(call: Generate) -> Generate:
    """Take every signature out of the history; the codec puts the documented dummy where one is required."""
    messages = tuple(Message(message.role, tuple(_bare(part) for part in message.parts)) for message in call.messages)
    return replace(call, messages=messages)


def _bare(part: Part) -> Part:
    if isinstance(part, Opaque) or part.signature is None:
        return part
    return replace(part, signature=None)
