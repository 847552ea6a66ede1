"""The request of Chat Completions, as clients send it.

Decoding is lenient (`"0.7"` is a number) because clients are; every field may be null, which means not given. Source:
notes §6.1 and the field lists of the official SDK.
"""

from msgspec import UNSET, Raw, Struct, UnsetType, json

JsonField = Raw | UnsetType


class Google(Struct, forbid_unknown_fields=True):
    """The `google` slot of `extra_content`: where Google's own Chat layer keeps a signature."""

    thought_signature: str | None = None
    thought: bool | None = None


class ExtraContent(Struct):
    """What a vendor adds to a message or a call."""

    google: Google | None = None


class ContentPart(Struct):
    """One part of a message's content."""

    type: str = "text"
    text: str | None = None
    refusal: str | None = None


class FunctionCall(Struct):
    """A call; `arguments` is JSON in a string."""

    name: str = ""
    arguments: str | None = None


class ToolCall(Struct):
    """A call in an assistant message."""

    id: str = ""
    type: str = "function"
    function: FunctionCall | None = None
    extra_content: ExtraContent | None = None


class Message(Struct):
    """One message of the conversation."""

    role: str
    content: str | list[ContentPart] | None = None
    refusal: str | None = None
    name: str | None = None
    tool_calls: list[ToolCall] | None = None
    tool_call_id: str | None = None
    function_call: FunctionCall | None = None
    extra_content: ExtraContent | None = None
    audio: JsonField = UNSET


class Function(Struct):
    """A function that the client offers."""

    name: str = ""
    description: str | None = None
    parameters: JsonField = UNSET
    strict: bool | None = None


class Tool(Struct):
    """A tool; only functions are tools of this format's own."""

    type: str = "function"
    function: Function | None = None


class NamedFunction(Struct):
    """The function that must be called."""

    name: str


class NamedChoice(Struct):
    """A tool choice that names one function."""

    type: str
    function: NamedFunction | None = None


class JsonSchema(Struct):
    """A named schema of the answer."""

    name: str = ""
    schema: JsonField = UNSET
    strict: bool | None = None


class ResponseFormat(Struct):
    """The form of the answer."""

    type: str
    json_schema: JsonSchema | None = None


class StreamOptions(Struct):
    """How to stream."""

    include_usage: bool | None = None


class ThinkingConfig(Struct, forbid_unknown_fields=True):
    """Gemini's thinking settings, in either spelling."""

    include_thoughts: bool | None = None
    thinking_budget: int | None = None
    thinking_level: str | None = None


class GoogleExtension(Struct):
    """`extra_body.google`: what Google's own Chat layer adds to a request."""

    thinking_config: ThinkingConfig | None = None
    safety_settings: JsonField = UNSET


class ExtraBody(Struct):
    """`extra_body`, sent literally by clients that do not unpack it."""

    google: JsonField = UNSET


class Request(Struct):
    """The body of a chat completion; fields are explained where `inbound` reads them."""

    model: str
    messages: list[Message]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    stop: str | list[str] | None = None
    seed: int | None = None
    n: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    reasoning_effort: str | None = None
    response_format: ResponseFormat | None = None
    tools: list[Tool] | None = None
    tool_choice: str | NamedChoice | None = None
    service_tier: str | None = None
    safety_settings: JsonField = UNSET
    google: JsonField = UNSET
    extra_body: ExtraBody | None = None


decode = json.Decoder(Request, strict=False).decode
decode_members = json.Decoder(dict[str, Raw]).decode
decode_extras = json.Decoder(dict[str, Raw] | None).decode
