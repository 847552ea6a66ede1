"""The request of Messages, as clients send it.

Decoding is lenient (`"0.7"` is a number) because clients are; every field may be null, which means not given. Source:
notes §6.4 and the field lists of the official SDK.
"""

from msgspec import UNSET, Raw, Struct, json

from gemgate.protocols.shared.raw_json import JsonField
from gemgate.protocols.shared.raw_json import decode_members as decode_members


class Source(Struct):
    """Where media or a document are; `data` and `content` are undecoded, because they can be most of the request."""

    type: str | None = None
    media_type: str | None = None
    data: JsonField = UNSET
    url: JsonField = UNSET
    file_id: str | None = None
    content: JsonField = UNSET


class Block(Struct):
    """One block of a message; which fields it has depends on its type.

    What several types mean differently, or unknown ones may, is undecoded.
    """

    type: str | None = None
    text: str | None = None
    thinking: str | None = None
    signature: str | None = None
    id: str | None = None
    name: str | None = None
    tool_use_id: str | None = None
    tool_name: str | None = None
    is_error: bool | None = None
    input: JsonField = UNSET
    content: JsonField = UNSET
    source: JsonField = UNSET
    data: JsonField = UNSET
    title: JsonField = UNSET
    context: JsonField = UNSET
    citations: JsonField = UNSET
    transformations: JsonField = UNSET
    tool: JsonField = UNSET


Content = str | list[Block] | Block | None
"""What a message, the system text, a result or a document says."""


class OutputFormat(Struct):
    """The form of the answer."""

    type: str | None = None
    schema: JsonField = UNSET


class OutputConfig(Struct):
    """How much work goes into an answer, and its form."""

    effort: str | None = None
    format: OutputFormat | None = None


class Message(Struct):
    """One message of the conversation.

    Of the system's, `clear_at` says how long one is shown, `output_config` how much work goes into what follows.
    """

    role: str
    content: Content = None
    clear_at: str | None = None
    output_config: OutputConfig | None = None


class Citations(Struct):
    """Whether an answer shall cite a document."""

    enabled: bool | None = None


class ToolChange(Struct):
    """A tool that is added or taken away in mid-conversation: by name, or as a definition of its own."""

    type: str | None = None
    name: str | None = None
    tool_name: str | None = None
    definition: JsonField = UNSET


class CodeInput(Struct):
    """What a server is asked to run."""

    code: str | None = None


class CodeOutput(Struct):
    """What came of it."""

    stdout: str | None = None
    stderr: str | None = None
    return_code: int | None = None
    error_code: str | None = None


class Tool(Struct):
    """A tool: the client's own if its type is missing or `custom`, else one that its type describes."""

    type: str | None = None
    name: str | None = None
    description: str | None = None
    input_schema: JsonField = UNSET
    strict: bool | None = None
    defer_loading: bool | None = None
    input_examples: JsonField = UNSET
    display_width_px: int | None = None
    display_height_px: int | None = None
    enable_zoom: bool | None = None


class ToolChoice(Struct):
    """Whether a tool must be called, and which."""

    type: str | None = None
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


class Thinking(Struct):
    """How the model shall think, and whether that is shown."""

    type: str | None = None
    budget_tokens: int | None = None
    display: str | None = None


class Edit(Struct):
    """One way of shortening a conversation."""

    type: str | None = None


class ContextManagement(Struct):
    """How a long conversation is shortened."""

    edits: list[Edit] | None = None


class Request(Struct):
    """The body of a message request; fields are explained where they are read."""

    model: str
    messages: list[Message]
    max_tokens: int | None = None
    system: Content = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    stop_sequences: str | list[str | None] | None = None
    stream: bool | None = None
    tools: list[Raw] | None = None
    tool_choice: str | ToolChoice | None = None
    thinking: Thinking | None = None
    output_config: OutputConfig | None = None
    output_format: OutputFormat | None = None
    service_tier: str | None = None
    speed: str | None = None
    context_management: JsonField = UNSET


decode = json.Decoder(Request, strict=False).decode
decode_content = json.Decoder(Content, strict=False).decode
decode_source = json.Decoder(Source, strict=False).decode
decode_citations = json.Decoder(Citations, strict=False).decode
decode_change = json.Decoder(ToolChange, strict=False).decode
decode_code = json.Decoder(CodeInput, strict=False).decode
decode_output = json.Decoder(CodeOutput, strict=False).decode
decode_tool = json.Decoder(Tool, strict=False).decode
decode_context = json.Decoder(ContextManagement, strict=False).decode
