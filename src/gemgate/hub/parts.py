"""What a message is made of.

Parts are pure values with the strictest semantics in the field: their order is sacred, a signature stays on the
part it came with, parallel calls stay in one message, and what no codec knows survives as `Opaque`. They hold no
identity and no decoded media.
"""

from typing import Literal

from msgspec import Struct

JsonText = str
"""A JSON document as text, carried without decoding so that its numbers, order and spacing survive."""

Role = Literal["user", "model"]


class Vendor(Struct, frozen=True):
    """Payload that only one format's codec may read and write.

    `format` names the codec, `raw` is a JSON object.
    """

    format: str
    raw: JsonText


class Signature(Struct, frozen=True, omit_defaults=True):
    """Opaque proof of the model's thinking; it goes back only to the format that made it, on the same part.

    `family` names the models that understand it, where that is known.
    """

    format: str
    value: str
    family: str = ""


Base64 = str | memoryview
"""Base64 as it came: text of a reply, or a slice of the request's own buffer; never decoded, never copied whole."""

Detail = Literal["low", "medium", "high", "ultra_high"]


class Inline(Struct, frozen=True, tag=True):
    """Media carried in the message itself."""

    data: Base64

    @property
    def text(self) -> str:
        """The base64 as text."""
        return self.data if isinstance(self.data, str) else str(self.data, "ascii")


class Uri(Struct, frozen=True, tag=True):
    """Media that the upstream fetches or already holds."""

    uri: str


class Remote(Struct, frozen=True, tag=True):
    """Media at an address (`https:`, `gs:`, a file's name); who fetches it is decided before a request is rendered."""

    url: str


class Text(Struct, frozen=True, tag=True):
    """Visible text."""

    text: str
    signature: Signature | None = None
    vendor: Vendor | None = None


class Thought(Struct, frozen=True, tag=True):
    """A summary of the model's thinking, not part of the answer."""

    text: str
    signature: Signature | None = None
    vendor: Vendor | None = None


class Media(Struct, frozen=True, tag=True):
    """An image, sound, video or document.

    `thought` marks a draft made while thinking; `detail` is how closely the model shall look; `mime_type` may be empty
    while nobody knows it.
    """

    mime_type: str
    source: Inline | Uri | Remote
    thought: bool = False
    signature: Signature | None = None
    vendor: Vendor | None = None
    detail: Detail | None = None


class ToolCall(Struct, frozen=True, tag=True):
    """The model asks the client to run a function; `arguments` is a JSON object."""

    id: str
    name: str
    arguments: JsonText
    signature: Signature | None = None
    vendor: Vendor | None = None


class ToolResult(Struct, frozen=True):
    """What a function gave back; `response` is a JSON object, by convention `{"output": …}` or `{"error": …}`."""

    id: str
    name: str
    response: JsonText
    media: tuple[Media, ...] = ()
    signature: Signature | None = None
    vendor: Vendor | None = None


class Code(Struct, frozen=True, tag=True):
    """Code that the model wrote and the upstream runs."""

    id: str
    language: str
    code: str
    signature: Signature | None = None
    vendor: Vendor | None = None


class CodeResult(Struct, frozen=True, tag=True):
    """What that code printed; `outcome` is `ok`, `failed`, `deadline_exceeded` or a value newer than this list."""

    id: str
    outcome: str
    output: str
    signature: Signature | None = None
    vendor: Vendor | None = None


class Opaque(Struct, frozen=True, tag=True):
    """A part that only its own format knows, kept whole."""

    vendor: Vendor


Part = Text | Thought | Media | ToolCall | ToolResult | Code | CodeResult | Opaque


class Message(Struct, frozen=True):
    """One turn of one side; results of functions come from the user's side."""

    role: Role
    parts: tuple[Part, ...]
