"""Signatures in the slots of other formats: sealed on the way out, known again on the way in.

A format that has a slot for opaque proofs of its own thinking carries the upstream's signatures there, together with
the part that each belongs to. What anybody else has put into such a slot is foreign, and told apart (notes §5.3).
"""

import re

from msgspec import Struct

from gemgate.hub.parts import Code, CodeResult, Media, Opaque, Part, Signature, Text, Thought, ToolCall, ToolResult

HEAD = "gemgate.1."
"""Ours, in this version."""
CALL, TEXT = "call-", "text-"
SEALED = re.compile(r"gemgate\.1\.(\w*)\.([\w-]*)\.([\s\S]*)", re.ASCII)


class Seal(Struct, frozen=True):
    """A signature and the part it stands on: `thought`, `code`, `call-` with a call's id, `text-` with a text's length.

    The length is in characters: formats run a text into the one after it. Without a signature it seals a thought that
    was not signed.
    """

    target: str
    signature: Signature | None = None


UNSIGNED = Seal("thought")


def target(part: Part) -> str:
    """Name a part as seals do; "" for one that cannot be told from others."""
    match part:
        case Text():
            return f"{TEXT}{len(part.text)}"
        case Thought():
            return "thought"
        case ToolCall():
            return f"{CALL}{part.id}"
        case Code():
            return "code"
        case Media() | ToolResult() | CodeResult() | Opaque():
            return ""


def sealed(seal: Seal) -> str:
    """Write a seal: letters, digits and `.-_+/=` alone where the signature has no others."""
    signature = seal.signature or Signature("", "")
    return f"{HEAD}{signature.format}.{seal.target}.{signature.value}"


def opened(text: str) -> Seal | None:
    """Read a seal; `None` for what is foreign."""
    found = SEALED.fullmatch(text) if text.startswith(HEAD) else None
    if found is None:
        return None
    form, part, value = found.groups()
    return Seal(part, Signature(form, value) if value else None)
