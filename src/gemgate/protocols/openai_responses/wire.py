"""The request of Responses, as clients send it.

Decoding is lenient (`"0.7"` is a number) because clients are; every field may be null, which means not given. Source:
notes §6.3 and the field lists of the official SDK.
"""

from msgspec import UNSET, Raw, Struct, json

from gemgate.protocols.shared.raw_json import JsonField


class Summary(Struct):
    """A piece of a summary, or of the thought itself."""

    type: str | None = None
    text: str | None = None


class Item(Struct):
    """One item of the input; which fields it has depends on its type.

    What several types mean differently, or unknown ones may, is undecoded.
    """

    type: str | None = None
    id: str | None = None
    role: str | None = None
    call_id: str | None = None
    name: str | None = None
    namespace: str | None = None
    input: JsonField = UNSET
    arguments: JsonField = UNSET
    output: JsonField = UNSET
    content: JsonField = UNSET
    summary: JsonField = UNSET
    encrypted_content: str | None = None
    tools: JsonField = UNSET


class Reasoning(Struct):
    """How much the model thinks, and whether that is summed up."""

    effort: str | None = None
    summary: str | None = None
    generate_summary: str | None = None


class Conversation(Struct):
    """A conversation that the server keeps."""

    id: str | None = None


class Request(Struct):
    """The body of a request for a response; fields are explained where they are read.

    `input` is a text, an item, or a list of items, which may be texts too.
    """

    model: str = ""
    input: JsonField = UNSET
    instructions: JsonField = UNSET
    stream: bool | None = None
    store: bool | None = None
    background: bool | None = None
    previous_response_id: str | None = None
    conversation: str | Conversation | None = None
    max_output_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_logprobs: int | None = None
    parallel_tool_calls: bool | None = None
    reasoning: Reasoning | None = None
    text: JsonField = UNSET
    tools: list[Raw] | None = None
    tool_choice: JsonField = UNSET
    include: list[str] | None = None
    service_tier: str | None = None
    truncation: str | None = None
    context_management: JsonField = UNSET
    prompt: JsonField = UNSET


decode = json.Decoder(Request, strict=False).decode
decode_members = json.Decoder(dict[str, Raw]).decode
decode_item = json.Decoder(Item, strict=False).decode
