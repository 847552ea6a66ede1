"""Signatures in the slots of other formats: sealed on the way out, known again on the way in.

A format that has a slot for opaque proofs of its own thinking carries the upstream's signatures there, together with
the part that each belongs to. What anybody else has put into such a slot is foreign, and told apart (notes §5.3).
"""

import re
from typing import assert_never

from msgspec import Struct

from gemgate.hub.parts import Code, Signature, Thought, ToolCall

HEAD = "gemgate:1:"
"""Ours, in this version."""
CALL, CODE = "call-", "code-"
SEALED = re.compile(r"gemgate:1:([^:]*):([^:]*):([^:]*):([\s\S]*)")


class Seal(Struct, frozen=True):
    """A signature and the part it stands on: `thought`, or `call-` or `code-` with the id of a call or of code.

    Without a signature it seals a thought that was not signed.
    """

    target: str
    signature: Signature | None = None


UNSIGNED = Seal("thought")


def target(part: Thought | ToolCall | Code) -> str:
    """Name a part as seals do."""
    match part:
        case Thought():
            return "thought"
        case ToolCall():
            return f"{CALL}{part.id}"
        case Code():
            return f"{CODE}{part.id}"
        case _:
            assert_never(part)


def sealed(seal: Seal) -> str:
    """Write a seal; the signature stands last, so that it may hold anything."""
    signature = seal.signature or Signature("", "")
    return f"{HEAD}{signature.format}:{signature.family}:{seal.target}:{signature.value}"


def opened(text: str) -> Seal | None:
    """Read a seal; `None` for what is foreign."""
    found = SEALED.fullmatch(text) if text.startswith(HEAD) else None
    if found is None:
        return None
    form, family, part, value = found.groups()
    return Seal(part, Signature(form, value, family) if value else None)
