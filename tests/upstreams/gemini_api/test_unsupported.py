"""Which parameter an error names: texts that clients of the service have reported, and every recorded error."""

import json
from typing import Any, get_args

import pytest
from tests.bed.recordings import load_recordings, needs_recordings
from tests.bed.upstream import error_document

from gemgate.upstreams.gemini_api.classify import refusal
from gemgate.upstreams.gemini_api.unsupported import FIELDS, TEXTS
from gemgate.upstreams.refusal import Parameter

UNABLE = "Unable to submit request because"
MORE = ". Learn more: https://cloud.google.com/vertex-ai/generative-ai/docs/model-reference/gemini"
CANNOT_FIND = "Invalid JSON payload received. Unknown name \"{}\" at '{}': Cannot find field."

NAMED: list[tuple[str, Parameter]] = [
    ("Penalty is not enabled for models/some-2.5-model", "sampling.penalties"),
    ("Penalty is not enabled for this model", "sampling.penalties"),
    ("presence_penalty is not supported by this model.", "sampling.penalties"),
    ("frequencyPenalty is unsupported", "sampling.penalties"),
    ("Multiple candidates is not enabled for this model", "sampling.candidates"),
    ("Multiple candidates is not enabled for models/some-2.5-model", "sampling.candidates"),
    (f"{UNABLE} candidateCount must be 1 but the entered value was 2. Update the value.", "sampling.candidates"),
    ("Only one candidate can be specified", "sampling.candidates"),
    ("Logprobs is not enabled for models/some-2.5-model", "sampling.logprobs"),
    ("Logprobs is not supported for the current model.", "sampling.logprobs"),
    (f"{UNABLE} Logprobs is not supported for this model.", "sampling.logprobs"),
    ("Seed is not supported for this model", "sampling.seed"),
    ("stop_sequences are not supported by this model", "sampling.stop"),
    ("stopSequences is not enabled for this model", "sampling.stop"),
    ("temperature is not supported for this model", "sampling.choosing"),
    ("top_k is not supported for this model", "sampling.choosing"),
    ("topP is not enabled for models/some-model", "sampling.choosing"),
    ("Thinking level is not supported for this model.", "reasoning"),
    ("Thinking level MINIMAL is not supported for this model. Please retry with other thinking level.", "reasoning"),
    ("Thinking is not enabled for models/some-2.0-model", "reasoning"),
    ("thinking_config is not supported.", "reasoning"),
    (f"{UNABLE} thinking_level MEDIUM is not supported by this model{MORE}", "reasoning"),
    (f"{UNABLE} thinking is not supported by this model.", "reasoning"),
    (f"{UNABLE} Thinking_config.include_thoughts is only enabled when thinking is enabled.{MORE}", "reasoning"),
    (f"{UNABLE} The model does not support setting thinking_budget to 0.", "reasoning"),
    (f"{UNABLE} thinking_budget is out of range; supported values are integers from 1 to 24576.", "reasoning"),
    ("The thinking budget (52428) is invalid. Please choose a value between 128 and 32768.", "reasoning"),
    ("Budget 0 is invalid. This model only works in thinking mode.", "reasoning"),
    ("Thinking budget is not supported for this model.", "reasoning"),
    ("You can only set only one of thinking budget and thinking level.", "reasoning"),
    ("The specified schema produces a constraint that has too many states for serving. Typical", "output.schema"),
    ("A schema in GenerationConfig in the request exceeds the maximum allowed nesting depth.", "output.schema"),
    ("The response schema is too complex for this model.", "output.schema"),
    ("Function calling with a response mime type: 'application/json' is unsupported", "output"),
    ("Tool use with a response mime type: 'application/json' is unsupported", "output"),
    ("Json mode is not enabled for models/some-model", "output"),
    (f"{UNABLE} controlled generation is not supported with google_search tool.", "output"),
    ("Tool use with function calling is unsupported", "tools.builtin"),
    (
        "Built-in tools ({google_search}) and Function Calling cannot be combined in the same request. Please choose "
        "one to continue.",
        "tools.builtin",
    ),
    (
        "Built-in tools ({google_search, code_execution}) and Custom tools (Function Calling) cannot be combined in "
        "the same request.",
        "tools.builtin",
    ),
    (
        "Please enable tool_config.include_server_side_tool_invocations to use Built-in tools with Function calling.",
        "tools.builtin",
    ),
    ("Multiple tools are supported only when they are all search tools.", "tools.builtin"),
    ("Search Grounding is not supported.", "tools.builtin"),
    ("Search as tool is not enabled for this model", "tools.builtin"),
    ("Code execution is not enabled for models/some-model", "tools.builtin"),
    ("url_context is not supported for this model", "tools.builtin"),
    ("Media resolution is not enabled for this model", "media.detail"),
    ("Media resolution is not enabled for models/some-3-27b-model", "media.detail"),
    ("media_resolution ULTRA_HIGH is not supported for this part.", "media.detail"),
    (CANNOT_FIND.format("parametersJsonSchema", "tools[0].function_declarations[0]"), "json_schema"),
    (CANNOT_FIND.format("parameters_json_schema", "tools[0].function_declarations[0]"), "json_schema"),
    (CANNOT_FIND.format("responseJsonSchema", "generation_config"), "json_schema"),
    (CANNOT_FIND.format("googleMaps", "tools[0]"), "tools.builtin"),
    (CANNOT_FIND.format("includeServerSideToolInvocations", "tool_config"), "tools.builtin"),
    (CANNOT_FIND.format("mediaResolution", "contents[0].parts[1]"), "media.detail"),
    (CANNOT_FIND.format("thinkingLevel", "generation_config.thinking_config"), "reasoning"),
    (CANNOT_FIND.format("seed", "generation_config"), "sampling.seed"),
    (CANNOT_FIND.format("stop_sequences", "generation_config"), "sampling.stop"),
    (CANNOT_FIND.format("const", "generation_config.response_schema.properties[0].value"), "output.schema"),
]

NOT_NAMED = [
    "API key not valid. Please pass a valid API key.",
    "Request contains an invalid argument.",
    "User location is not supported for the API use.",
    "Please enable billing.",
    "Corrupted thought signature.",
    "Function call is missing a thought_signature in functionCall parts. See https://x.dev/docs/thinking is invalid",
    "Function calling is not enabled for models/some-model",
    "Developer instruction is not enabled for models/some-model",
    "Please ensure that function call turn comes immediately after a user turn.",
    "* GenerateContentRequest.contents: contents is not specified",
    "The input token count (9) exceeds the maximum number of tokens allowed (8).",
    "Unsupported MIME type: image/svg+xml",
    "A FunctionDeclaration in the request exceeds the maximum allowed nesting depth.",
    "* GenerateContentRequest.generation_config.temperature: must be in the range [0.0, 2.0]",
    f"{UNABLE} it has a topK value of 50 but the supported range is from 1 (inclusive) to 41 (exclusive).",
    "* GenerateContentRequest.tools[0].function_declarations[0].parameters.properties[seed] is not supported",
    "Function `temperature` is not supported",
    CANNOT_FIND.format("additionalProperties", "tools[0].function_declarations[0].parameters"),
    CANNOT_FIND.format("seed", "tools[0].function_declarations[0].parameters.properties[0].value"),
    CANNOT_FIND.format("hologram", "generation_config"),
    CANNOT_FIND.format("messages", ""),
    "",
]


def said(message: str, status: int = 400, **how: Any) -> str:
    return refusal(status, [], json.dumps(error_document(status, message, **how)).encode()).unsupported


@pytest.mark.parametrize(("message", "parameter"), NAMED)
def test_a_parameter_is_named(message: str, parameter: Parameter) -> None:
    assert said(message) == parameter


@pytest.mark.parametrize(("message", "parameter"), NAMED)
def test_it_may_stand_in_a_violation_alone(message: str, parameter: Parameter) -> None:
    violation = {"field": "x", "description": message}
    details = [{"@type": "x"}, {"@type": "type.googleapis.com/google.rpc.BadRequest", "fieldViolations": [violation]}]
    document = error_document(400, "Request contains an invalid argument.", details=details)
    assert refusal(400, [], json.dumps(document).encode()).unsupported == parameter
    assert refusal(400, [], json.dumps([document]).encode()).unsupported == parameter


@pytest.mark.parametrize("message", NOT_NAMED)
def test_nothing_is_named(message: str) -> None:
    assert said(message) == ""


@pytest.mark.parametrize("status", [401, 403, 404, 413, 429, 500, 503])
def test_only_a_bad_request_names_something(status: int) -> None:
    assert said("Logprobs is not enabled for this model") == "sampling.logprobs"
    assert said("Logprobs is not enabled for this model", status) == ""


def test_a_bad_key_or_signature_names_nothing() -> None:
    assert said("Thinking is not enabled for this API key", reason="API_KEY_INVALID") == ""
    assert said("Thinking is not supported without a thought_signature.") == ""


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"error":{"details":5}}', b'{"error":"x"}', b"\xff", b"[" * 99999]
)
def test_bodies_that_cannot_be_read(body: bytes) -> None:
    assert refusal(400, [], body).unsupported == ""


def test_every_parameter_can_be_named_and_no_other() -> None:
    known = set(get_args(Parameter))
    assert {parameter for _, parameter in TEXTS} | set(FIELDS.values()) == known
    assert {parameter for _, parameter in NAMED} == known


@needs_recordings
def test_no_recorded_error_names_a_parameter() -> None:
    """They are of missing models, spent quotas and bad keys, and one cache that is too small."""
    rows = [row for row in load_recordings("gemini") if row.status >= 400]
    assert len(rows) >= 15 and any(row.status == 400 for row in rows)
    assert [row.id for row in rows if refusal(row.status, [], row.body()).unsupported] == []
