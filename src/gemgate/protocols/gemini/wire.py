"""The shapes of Gemini's requests and replies, as on the wire.

Every enum is open: a value is carried as it came, be it a name newer than this file or an integer. `Raw` fields hold
what no other format has a word for, undecoded. Decoded structs form no cycles, so the collector need not track them.
Source: notes §2.5 and §2.6.
"""

from msgspec import UNSET, Raw, Struct, UnsetType, json

JsonField = Raw | UnsetType


class Blob(Struct, rename="camel", omit_defaults=True, gc=False):
    """Media bytes in base64."""

    mime_type: str = ""
    data: str = ""


class FileData(Struct, rename="camel", omit_defaults=True, gc=False):
    """Media by address."""

    mime_type: str = ""
    file_uri: str = ""


class FunctionCall(Struct, rename="camel", omit_defaults=True, gc=False):
    """A call; `partial_args` and `will_continue` appear when arguments are streamed."""

    id: str = ""
    name: str = ""
    args: JsonField = UNSET
    partial_args: JsonField = UNSET
    will_continue: bool = False


class FunctionResponse(Struct, rename="camel", omit_defaults=True, gc=False):
    """A function's result, with media beside it from Gemini 3 on."""

    id: str = ""
    name: str = ""
    response: JsonField = UNSET
    parts: list["Part"] = []
    will_continue: bool = False
    scheduling: str = ""


class ExecutableCode(Struct, rename="camel", omit_defaults=True, gc=False):
    """Code that Gemini runs."""

    id: str = ""
    language: str = ""
    code: str = ""


class CodeExecutionResult(Struct, rename="camel", omit_defaults=True, gc=False):
    """What that code did."""

    id: str = ""
    outcome: str = ""
    output: str = ""


class Part(Struct, rename="camel", omit_defaults=True, gc=False):
    """One data field, and modifiers beside it."""

    text: str | None = None
    thought: bool = False
    thought_signature: str = ""
    inline_data: Blob | None = None
    file_data: FileData | None = None
    function_call: FunctionCall | None = None
    function_response: FunctionResponse | None = None
    executable_code: ExecutableCode | None = None
    code_execution_result: CodeExecutionResult | None = None
    tool_call: JsonField = UNSET
    tool_response: JsonField = UNSET
    video_metadata: JsonField = UNSET
    media_resolution: JsonField = UNSET
    part_metadata: JsonField = UNSET
    media_processing: JsonField = UNSET
    speech_metadata: JsonField = UNSET
    audio_transcription: JsonField = UNSET

    def is_plain(self) -> bool:
        """Whether there is nothing beside the data field; written out because every text delta asks."""
        return (
            not self.thought_signature
            and self.video_metadata is UNSET
            and self.media_resolution is UNSET
            and self.part_metadata is UNSET
            and self.media_processing is UNSET
            and self.speech_metadata is UNSET
            and self.audio_transcription is UNSET
        )


MODIFIERS = {
    "video_metadata": "videoMetadata",
    "media_resolution": "mediaResolution",
    "part_metadata": "partMetadata",
    "media_processing": "mediaProcessing",
    "speech_metadata": "speechMetadata",
    "audio_transcription": "audioTranscription",
}
"""Part fields that say more about the data field beside them: attribute → name on the wire."""


class Content(Struct, rename="camel", omit_defaults=True, gc=False):
    """One turn of one side."""

    role: str = ""
    parts: list[Part] = []


class Candidate(Struct, rename="camel", omit_defaults=True, gc=False):
    """One alternative answer; in a stream, a piece of it."""

    content: Content | None = None
    finish_reason: str | int | None = None
    finish_message: str = ""
    index: int = 0
    grounding_metadata: JsonField = UNSET
    citation_metadata: JsonField = UNSET
    url_context_metadata: JsonField = UNSET
    safety_ratings: JsonField = UNSET
    logprobs_result: JsonField = UNSET
    avg_logprobs: JsonField = UNSET
    token_count: JsonField = UNSET
    continuation_token: JsonField = UNSET

    def has_extras(self) -> bool:
        """Whether any of `CANDIDATE_EXTRAS` is there; written out because every chunk asks."""
        return not (
            self.url_context_metadata is UNSET
            and self.citation_metadata is UNSET
            and self.safety_ratings is UNSET
            and self.logprobs_result is UNSET
            and self.avg_logprobs is UNSET
            and self.token_count is UNSET
            and self.continuation_token is UNSET
        )


CANDIDATE_EXTRAS = {
    "url_context_metadata": "urlContextMetadata",
    "citation_metadata": "citationMetadata",
    "safety_ratings": "safetyRatings",
    "logprobs_result": "logprobsResult",
    "avg_logprobs": "avgLogprobs",
    "token_count": "tokenCount",
    "continuation_token": "continuationToken",
}
"""Candidate fields that only Gemini's own format can show: attribute → name on the wire."""


class ModalityCount(Struct, rename="camel", gc=False):
    """Tokens of one modality."""

    modality: str | int = ""
    token_count: int = 0


class UsageMetadata(Struct, rename="camel", omit_defaults=True, gc=False):
    """Token counts; running totals in a stream, and zero counts are left out."""

    prompt_token_count: int = 0
    cached_content_token_count: int = 0
    candidates_token_count: int = 0
    tool_use_prompt_token_count: int = 0
    thoughts_token_count: int = 0
    total_token_count: int = 0
    prompt_tokens_details: list[ModalityCount] = []
    cache_tokens_details: list[ModalityCount] = []
    candidates_tokens_details: list[ModalityCount] = []
    tool_use_prompt_tokens_details: list[ModalityCount] = []
    service_tier: str | int = ""
    traffic_type: str | int = ""


class PromptFeedback(Struct, rename="camel", omit_defaults=True, gc=False):
    """Why a prompt was not answered; comes with status 200 and no candidates."""

    block_reason: str | int | None = None
    block_reason_message: str = ""
    safety_ratings: JsonField = UNSET


class Response(Struct, rename="camel", omit_defaults=True, gc=False):
    """A whole reply, or one event of a stream."""

    candidates: list[Candidate] = []
    prompt_feedback: PromptFeedback | None = None
    usage_metadata: dict[str, Raw] | None = None
    """`UsageMetadata`, field by field, so that the last value of each is at hand"""
    model_version: str = ""
    response_id: str = ""
    create_time: str = ""
    model_status: JsonField = UNSET
    error: JsonField = UNSET


class ThinkingConfig(Struct, rename="camel", omit_defaults=True, gc=False):
    """How much to think; budget and level exclude each other."""

    include_thoughts: bool | None = None
    thinking_budget: int | None = None
    thinking_level: str | None = None


class GenerationConfig(Struct, rename="camel", omit_defaults=True, gc=False):
    """How the answer is made."""

    temperature: float | None = None
    top_p: float | None = None
    top_k: float | None = None
    candidate_count: int | None = None
    max_output_tokens: int | None = None
    stop_sequences: list[str] = []
    seed: int | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    response_logprobs: bool | None = None
    logprobs: int | None = None
    response_mime_type: str = ""
    response_schema: JsonField = UNSET
    response_json_schema: JsonField = UNSET
    response_modalities: list[str] = []
    thinking_config: ThinkingConfig | None = None
    media_resolution: JsonField = UNSET
    speech_config: JsonField = UNSET
    image_config: JsonField = UNSET
    response_format: JsonField = UNSET
    audio_transcription_config: JsonField = UNSET
    translation_config: JsonField = UNSET
    enable_enhanced_civic_answers: JsonField = UNSET


class FunctionDeclaration(Struct, rename="camel", omit_defaults=True, gc=False):
    """A function that the client offers; the two forms of its parameters exclude each other."""

    name: str = ""
    description: str = ""
    parameters: JsonField = UNSET
    parameters_json_schema: JsonField = UNSET
    response: JsonField = UNSET
    response_json_schema: JsonField = UNSET
    behavior: str = ""


class Tool(Struct, rename="camel", omit_defaults=True, gc=False):
    """Functions, or a tool that Gemini runs itself."""

    function_declarations: list[FunctionDeclaration] = []
    google_search: JsonField = UNSET
    code_execution: JsonField = UNSET
    url_context: JsonField = UNSET
    google_maps: JsonField = UNSET


class FunctionCallingConfig(Struct, rename="camel", omit_defaults=True, gc=False):
    """Whether functions may or must be called."""

    mode: str = ""
    allowed_function_names: list[str] = []


class ToolConfig(Struct, rename="camel", omit_defaults=True, gc=False):
    """How tools are used."""

    function_calling_config: FunctionCallingConfig | None = None
    include_server_side_tool_invocations: bool = False
    retrieval_config: JsonField = UNSET


class Request(Struct, rename="camel", omit_defaults=True, gc=False):
    """The body of generateContent and streamGenerateContent."""

    contents: list[Content] = []
    system_instruction: Content | None = None
    tools: list[Tool] = []
    tool_config: ToolConfig | None = None
    safety_settings: JsonField = UNSET
    generation_config: GenerationConfig | None = None
    cached_content: str = ""
    service_tier: JsonField = UNSET
    store: JsonField = UNSET
    labels: JsonField = UNSET
    continuation_token: JsonField = UNSET


encoder = json.Encoder()
decode_response = json.Decoder(Response, strict=False).decode
decode_usage = json.Decoder(UsageMetadata, strict=False).decode
decode_request = json.Decoder(Request, strict=False).decode
