"""What is kept of a response and its conversation: items as clients see them, and the parts they were made from."""

from collections.abc import Sequence

from msgspec import Struct, msgpack

from gemgate.hub.parts import (
    Code,
    CodeResult,
    Detail,
    Inline,
    Media,
    Opaque,
    Part,
    Remote,
    Signature,
    Text,
    Thought,
    ToolCall,
    Uri,
    Vendor,
)


class KeptItem(Struct, frozen=True):
    """An item: its JSON, with its id, and its parts where an answer of the model's was made of it.

    An item of the model's that stands for nothing upstream (a search that it told of) has no parts: `()`. Of a client's
    own item `parts` is `None`, as everything is in its JSON.
    """

    item: bytes
    parts: tuple[Part, ...] | None = None


class Finished(Struct, frozen=True):
    """A response that is over: its id, its status, its whole JSON, and its output."""

    id: str
    status: str
    document: bytes
    output: Sequence[KeptItem]


class _Inline(Struct, frozen=True, tag="Inline"):
    data: str


class _Media(Struct, frozen=True, tag="Media"):
    """Media of an answer: their base64 is text, never a slice of a request."""

    mime_type: str
    source: _Inline | Uri | Remote
    thought: bool = False
    signature: Signature | None = None
    vendor: Vendor | None = None
    detail: Detail | None = None


_Kept = Text | Thought | _Media | ToolCall | Code | CodeResult | Opaque

_encode = msgpack.Encoder().encode
_decode = msgpack.Decoder(tuple[_Kept, ...]).decode


def packed(parts: tuple[Part, ...] | None) -> bytes:
    """Write parts of an answer for the store; nothing stands for `None`."""
    return b"" if parts is None else _encode(parts)


def unpacked(data: bytes) -> tuple[Part, ...] | None:
    """Read what `packed` has written."""
    return tuple(_restored(part) for part in _decode(data)) if data else None


def _restored(part: _Kept) -> Part:
    if not isinstance(part, _Media):
        return part
    source = Inline(part.source.data) if isinstance(part.source, _Inline) else part.source
    return Media(part.mime_type, source, part.thought, part.signature, part.vendor, part.detail)
