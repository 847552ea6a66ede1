"""The request of Chat Completions, as clients send it.

Decoding is lenient (`"0.7"` is a number) because clients are; every field may be null, which means not given. Source:
notes §6.1 and the field lists of the official SDK.
"""

from msgspec import UNSET, Raw, Struct, json

from gemgate.protocols.shared.answer_form import AnswerForm
from gemgate.protocols.shared.raw_json import JsonField
from gemgate.protocols.shared.raw_json import decode_members as decode_members
from gemgate.protocols.shared.tool_choice import Named, NamedChoice


class Google(Struct):
    """The `google` slot of `extra_content`: where Google's own Chat layer keeps a signature."""

    thought_signature: str | None = None


class Stretch(Struct):
    """A signature of the part that is `content[start:end]`, in characters; without one it is that of `google`."""

    start: int = 0
    end: int = 0
    signature: str | None = None


class Stretches(Struct):
    """The `gemgate` slot of `extra_content`: which parts of a message the signatures belong to."""

    signatures: list[Stretch] | None = None


class ExtraContent(Struct):
    """What a vendor adds to a message, a part or a call."""

    google: Google | None = None
    gemgate: Stretches | None = None


class ProviderFields(Struct):
    """Where another gateway keeps signatures: of a call, and of a message's text."""

    thought_signature: str | None = None
    thought_signatures: list[str | None] | None = None


class Clip(Struct):
    """How a video is looked at: `fps` in frames a second, the rest as Gemini has it, in either spelling."""

    fps: float | None = None
    video_metadata: JsonField = UNSET
    videoMetadata: JsonField = UNSET


class ContentPart(Struct):
    """One part of a message's content; which field holds it depends on its type, and on who wrote the client."""

    type: str | None = None
    text: str | None = None
    refusal: str | None = None
    image_url: JsonField = UNSET
    image: JsonField = UNSET
    video_url: JsonField = UNSET
    audio_url: JsonField = UNSET
    input_audio: JsonField = UNSET
    file: JsonField = UNSET
    file_data: JsonField = UNSET
    file_url: JsonField = UNSET
    inline_data: JsonField = UNSET
    fileData: JsonField = UNSET
    inlineData: JsonField = UNSET
    file_id: str | None = None
    filename: str | None = None
    detail: str | None = None
    fps: float | None = None
    video_metadata: JsonField = UNSET
    videoMetadata: JsonField = UNSET
    extra_content: ExtraContent | None = None


Content = str | list[ContentPart] | ContentPart | None
"""What a message says."""


class FunctionCall(Struct):
    """A call; `arguments` is JSON in a string, though some clients send the object itself."""

    name: str = ""
    arguments: JsonField = UNSET
    extra_content: ExtraContent | None = None
    provider_specific_fields: ProviderFields | None = None


class CustomCall(Struct):
    """A call with free text."""

    name: str = ""
    input: str | None = None


class ToolCall(Struct):
    """A call in an assistant message."""

    id: str | None = None
    type: str | None = None
    function: FunctionCall | None = None
    custom: CustomCall | None = None
    extra_content: ExtraContent | None = None
    provider_specific_fields: ProviderFields | None = None


class Image(Struct):
    """An image in an assistant message, as answers carry it."""

    image_url: JsonField = UNSET
    extra_content: ExtraContent | None = None


class Message(Struct):
    """One message of the conversation."""

    role: str
    content: Content = None
    refusal: str | None = None
    name: str | None = None
    tool_calls: list[ToolCall] | None = None
    tool_call_id: str | None = None
    function_call: FunctionCall | None = None
    images: list[Image] | None = None
    extra_content: ExtraContent | None = None
    provider_specific_fields: ProviderFields | None = None
    audio: JsonField = UNSET


class Function(Struct):
    """A function that the client offers."""

    name: str = ""
    description: str | None = None
    parameters: JsonField = UNSET
    parametersJsonSchema: JsonField = UNSET
    parameters_json_schema: JsonField = UNSET
    input_schema: JsonField = UNSET
    strict: bool | None = None


class CustomTool(Struct):
    """A tool that is called with free text; `format` may hold a grammar of it."""

    name: str = ""
    description: str | None = None
    format: JsonField = UNSET


class Tool(Struct):
    """A tool: a function or a custom tool, flat or nested, or a tool of somebody's own under `type`."""

    type: str | None = None
    function: Function | None = None
    custom: CustomTool | None = None
    name: str | None = None
    description: str | None = None
    parameters: JsonField = UNSET
    parametersJsonSchema: JsonField = UNSET
    parameters_json_schema: JsonField = UNSET
    input_schema: JsonField = UNSET
    strict: bool | None = None
    format: JsonField = UNSET


class StreamOptions(Struct):
    """How to stream."""

    include_usage: bool | None = None


class Voice(Struct):
    """A voice as an object."""

    id: str | None = None
    name: str | None = None


class SpokenAnswer(Struct):
    """How an answer shall sound."""

    voice: str | Voice | None = None
    format: str | None = None


class WebSearch(Struct):
    """How to search; only that it is asked for has a counterpart."""

    search_context_size: str | None = None
    user_location: JsonField = UNSET


class ThinkingConfig(Struct):
    """Gemini's thinking settings."""

    include_thoughts: bool | None = None
    thinking_budget: int | None = None
    thinking_level: str | None = None


class Reasoning(Struct):
    """`reasoning`, as routers of many models know it."""

    effort: str | None = None
    max_tokens: int | None = None
    enabled: bool | None = None
    exclude: bool | None = None


class Thinking(Struct):
    """`thinking`, as another vendor's format has it."""

    type: str | None = None
    budget_tokens: int | None = None


class ExtraBody(Struct):
    """`extra_body`, sent literally by clients that do not unpack it."""

    google: JsonField = UNSET


class Request(Struct):
    """The body of a chat completion; fields are explained where they are read."""

    model: str
    messages: list[Message]
    stream: bool | None = None
    stream_options: StreamOptions | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    stop: str | list[str | None] | None = None
    seed: int | None = None
    seen: JsonField = UNSET
    n: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    logprobs: bool | None = None
    top_logprobs: int | None = None
    reasoning_effort: str | None = None
    reasoning: Reasoning | None = None
    thinking: Thinking | None = None
    thinking_config: JsonField = UNSET
    enable_thinking: bool | None = None
    thinking_budget: int | None = None
    response_format: AnswerForm | None = None
    modalities: list[str] | None = None
    audio: SpokenAnswer | None = None
    tools: list[Raw] | None = None
    tool_choice: str | NamedChoice | None = None
    parallel_tool_calls: bool | None = None
    functions: list[Function] | None = None
    function_call: str | Named | None = None
    web_search_options: WebSearch | None = None
    service_tier: str | None = None
    cached_content: str | None = None
    generation_config: JsonField = UNSET
    safety_settings: JsonField = UNSET
    google: JsonField = UNSET
    extra_body: ExtraBody | None = None


decode = json.Decoder(Request, strict=False).decode
decode_parts = json.Decoder(list[dict[str, Raw]]).decode
decode_extras = json.Decoder(dict[str, Raw] | None).decode
decode_tool = json.Decoder(Tool, strict=False).decode
decode_clip = json.Decoder(Clip, strict=False).decode
