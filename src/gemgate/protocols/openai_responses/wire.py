"""The request of Responses, as clients send it.

Decoding is lenient (`"0.7"` is a number) because clients are; every field may be null, which means not given. Source:
notes §6.3 and the field lists of the official SDK.
"""

from msgspec import UNSET, Raw, Struct, json

from gemgate.protocols.shared.raw_json import JsonField
from gemgate.protocols.shared.raw_json import decode_members as decode_members


class Summary(Struct):
    """A piece of a summary, or of the thought itself."""

    type: str | None = None
    text: str | None = None


class ContentPart(Struct):
    """One part of what a message or a result says; which field holds it depends on its type, and on the client."""

    type: str | None = None
    text: str | None = None
    refusal: str | None = None
    image_url: JsonField = UNSET
    image: JsonField = UNSET
    video_url: JsonField = UNSET
    input_video: JsonField = UNSET
    audio_url: JsonField = UNSET
    input_audio: JsonField = UNSET
    file: JsonField = UNSET
    file_data: JsonField = UNSET
    file_url: JsonField = UNSET
    data: JsonField = UNSET
    format: str | None = None
    file_id: str | None = None
    filename: str | None = None
    detail: str | None = None


Content = str | list[ContentPart | str] | ContentPart | None
"""What a message says."""


class Item(Struct):
    """One item of the input; which fields it has depends on its type.

    What several types mean differently, or unknown ones may, is undecoded.
    """

    type: str | None = None
    id: str | None = None
    role: str | None = None
    content: Content = None
    call_id: str | None = None
    name: str | None = None
    namespace: str | None = None
    status: str | None = None
    execution: str | None = None
    server_label: str | None = None
    encrypted_content: str | None = None
    output_format: str | None = None
    input: JsonField = UNSET
    arguments: JsonField = UNSET
    output: JsonField = UNSET
    outputs: JsonField = UNSET
    summary: JsonField = UNSET
    tools: JsonField = UNSET
    action: JsonField = UNSET
    actions: JsonField = UNSET
    operation: JsonField = UNSET
    code: JsonField = UNSET
    result: JsonField = UNSET
    error: JsonField = UNSET


Items = list[Item | str] | Item | str
"""The input, or instructions: a text, an item, or a list of both."""


class Mark(Struct):
    """What tells an item apart, whatever else it holds."""

    type: JsonField = UNSET
    id: JsonField = UNSET
    role: JsonField = UNSET
    result: JsonField = UNSET


class Identified(Struct):
    """The id of an item."""

    id: str | None = None


class CodeOutput(Struct):
    """What code has printed or drawn."""

    type: str | None = None
    logs: str | None = None
    url: JsonField = UNSET


class Named(Struct):
    """The name of a tool, or of a namespace and its tools."""

    name: str | None = None
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

    @property
    def conversation_id(self) -> str:
        """The id of the conversation that it belongs to, empty if it belongs to none."""
        given = self.conversation
        return (given.id if isinstance(given, Conversation) else given) or ""


decode = json.Decoder(Request, strict=False).decode
decode_item = json.Decoder(Item, strict=False).decode
decode_items = json.Decoder(Items, strict=False).decode
decode_content = json.Decoder(Content, strict=False).decode
decode_list = json.Decoder(list[Raw]).decode
decode_mark = json.Decoder(Mark).decode
decode_marks = json.Decoder(list[Mark | str]).decode
decode_summary = json.Decoder(list[Summary], strict=False).decode
decode_outputs = json.Decoder(list[CodeOutput], strict=False).decode
decode_named = json.Decoder(Named, strict=False).decode
decode_id = json.Decoder(Identified).decode
decode_names = json.Decoder(list[Named], strict=False).decode
