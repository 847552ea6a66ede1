"""Chat requests of real clients, of users, and of nobody at all."""

import json
import re
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from openai.types import chat as sdk
from openai.types.chat.completion_create_params import CompletionCreateParamsBase
from openai.types.shared_params import FunctionDefinition
from openai.types.shared_params.response_format_json_schema import JSONSchema

from gemgate.errors import InvalidRequest
from gemgate.hub.call import Generate, Output, Sampling
from gemgate.hub.parts import Media, Message, Signature, Text, ToolCall, ToolResult
from gemgate.protocols.gemini.outbound import outbound
from gemgate.protocols.openai_chat import wire
from gemgate.protocols.openai_chat.inbound import inbound
from tests.bed.recordings import load_calls, load_clients, needs_shared
from tests.protocols.fuzzing import BROKEN, documents, mutated
from tests.protocols.openai_chat.asking import HI, Json, call_of, parse, refusal
from tests.protocols.shaping import MODELS, checked

TOOL: Json = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}

REFUSED_CLIENTS = {"openai-python-3-4": "reasoning_effort"}
"""An effort beside a budget, which Google refuses too."""


CUT = re.compile(r"\\u2026[^\"]*")
"""Where whoever recorded a request has cut its base64."""


def rendered(call: Generate) -> Generate:
    """Render for each model that makes what is asked for; gives the call back."""
    for model in () if call.output.modalities else MODELS:
        checked(msgspec.structs.replace(call, sampling=msgspec.structs.replace(call.sampling, candidates=1)), model)
    return call


@needs_shared
def test_requests_of_real_clients() -> None:
    rows = [row for row in load_clients() if row.path == "/v1/chat/completions"]
    assert len(rows) >= 21 and {row.id for row in rows} >= REFUSED_CLIENTS.keys()
    for row in rows:
        body = CUT.sub("", json.dumps(row.body)).encode()
        if row.id in REFUSED_CLIENTS:
            with pytest.raises(InvalidRequest) as error:
                inbound(body)
            assert error.value.param == REFUSED_CLIENTS[row.id], row.id
            body = json.dumps({key: value for key, value in row.body.items() if key != "reasoning_effort"}).encode()
        call = inbound(body).call
        assert isinstance(call, Generate)
        assert call.model == row.body["model"] and call.stream == bool(row.body.get("stream"))
        rendered(call)


@needs_shared
def test_calls_that_users_make() -> None:
    rows = [row for row in load_calls() if row.path.endswith("/chat/completions")]
    assert len(rows) >= 19
    media = 0
    for row in rows:
        parsed = inbound(json.dumps(row.body).encode())
        assert isinstance(parsed.call, Generate)
        assert not parsed.dropped, row.name
        assert parsed.remote == (row.name == "chat-video-by-url")
        media += sum(isinstance(part, Media) for message in parsed.call.messages for part in message.parts)
        if not parsed.remote:
            rendered(parsed.call)
    assert media == 5


# ── not given ──

OURS = {field.encode_name for field in msgspec.structs.fields(wire.Request)}
THEIRS = {*CompletionCreateParamsBase.__annotations__, "stream"}
OPTIONAL = sorted((OURS | THEIRS) - {"model", "messages"})


@pytest.mark.parametrize("name", OPTIONAL)
def test_null_means_not_given(name: str) -> None:
    assert parse(**{name: None}).call == parse().call and not parse(**{name: None}).dropped


def test_null_means_not_given_within_messages_and_tools() -> None:
    """Every optional field of the SDK's own types."""

    def nulls(kind: Any) -> Json:
        return dict.fromkeys(kind.__annotations__)

    call = {"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}, "extra_content": None}
    url = nulls(sdk.chat_completion_content_part_image_param.ImageURL) | {"url": "https://x.de/a"}
    file = {**nulls(sdk.chat_completion_content_part_param.FileFile), "file_id": "a"}
    parsed = parse(
        messages=[
            nulls(sdk.ChatCompletionSystemMessageParam) | {"role": "system", "content": "s"},
            nulls(sdk.ChatCompletionUserMessageParam)
            | {
                "role": "user",
                "content": [
                    nulls(sdk.ChatCompletionContentPartTextParam) | {"type": "text", "text": "a"},
                    nulls(sdk.ChatCompletionContentPartImageParam) | {"type": "image_url", "image_url": url},
                    {"type": "file", "file": file},
                ],
            },
            nulls(sdk.ChatCompletionAssistantMessageParam) | {"role": "assistant", "content": None},
            nulls(sdk.ChatCompletionAssistantMessageParam) | {"role": "assistant", "tool_calls": [call]},
            {"role": "tool", "tool_call_id": "1", "content": "x"},
        ],
        tools=[
            {"type": "function", "function": nulls(FunctionDefinition) | {"name": "f"}},
            {"type": "custom", "custom": nulls(sdk.chat_completion_custom_tool_param.Custom) | {"name": "g"}},
        ],
        response_format={"type": "json_schema", "json_schema": nulls(JSONSchema) | {"name": "a"}},
        stream_options=nulls(sdk.ChatCompletionStreamOptionsParam),
        web_search_options={"search_context_size": None, "user_location": None},
        reasoning={"effort": None},
        thinking={"type": None, "budget_tokens": None},
        audio={"voice": None, "format": None},
    )
    assert isinstance(parsed.call, Generate) and not parsed.dropped and parsed.remote
    assert [len(message.parts) for message in parsed.call.messages] == [3, 0, 1, 1]
    assert len(parsed.call.tools) == 3 and parsed.call.output == Output(json=True)


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("max_tokens", [0, -1]),
        ("max_completion_tokens", [0]),
        ("n", [0, 1, "1"]),
        ("presence_penalty", [0, 0.0]),
        ("frequency_penalty", [0]),
        ("top_k", [0]),
        ("stop", ["", [], [""]]),
        ("tools", [[]]),
        ("tool_choice", ["auto", "none"]),
        ("reasoning_effort", [""]),
        ("stream", [False]),
        ("stream_options", [{}, {"include_usage": False}]),
        ("service_tier", ["", "auto", "default"]),
        ("response_format", [{"type": "text"}, {}, {"type": None}]),
        ("logit_bias", [{}]),
        ("logprobs", [False]),
        ("top_logprobs", [0]),
        ("user", ["", "u"]),
        ("modalities", [[], ["text"]]),
        ("functions", [[]]),
        ("function_call", ["none", "auto"]),
        ("safety_settings", [[]]),
        ("parallel_tool_calls", [True]),
        ("verbosity", ["medium"]),
        ("extra_body", [{}, {"google": {}}, {"google": None}]),
    ],
)
def test_zeros_and_empties_mean_not_given(name: str, values: list[Any]) -> None:
    """Notes §10.4: clients send them by habit."""
    for value in values:
        parsed = parse(**{name: value})
        assert parsed.call == parse().call, value
        assert not parsed.dropped, value


def test_a_temperature_of_zero_is_a_wish() -> None:
    assert call_of(temperature=0).sampling.temperature == 0
    assert call_of(top_p=0).sampling.top_p == 0
    assert call_of(seed=0).sampling.seed == 0


def test_lenient_numbers() -> None:
    sampling = call_of(temperature="0.7", max_tokens="5", top_p=1, presence_penalty=1, seed="7").sampling
    assert (sampling.temperature, sampling.max_output_tokens, sampling.top_p) == (0.7, 5, 1.0)
    assert (sampling.presence_penalty, sampling.seed) == (1.0, 7)


def test_how_tokens_are_chosen() -> None:
    sampling = call_of(n=3, logprobs=True, frequency_penalty=0.5, stop="a", max_completion_tokens=9, max_tokens=5)
    assert sampling.sampling == Sampling(
        candidates=3, logprobs=0, frequency_penalty=0.5, stop=("a",), max_output_tokens=9
    )
    assert call_of(logprobs=True, top_logprobs=4).sampling.logprobs == 4
    assert call_of(logprobs=None, top_logprobs=4).sampling.logprobs == 4
    assert parse(max_completion_tokens=9).paths["sampling.max_output_tokens"] == "max_completion_tokens"
    assert parse(max_tokens=9).paths["sampling.max_output_tokens"] == "max_tokens"


@pytest.mark.parametrize(
    ("seen", "seed"), [(7, 7), ("7", 7), (0, 0), (None, None), ("x", None), ([], None), (1.5, None)]
)
def test_a_slip_for_seed(seen: Any, seed: int | None) -> None:
    """Notes §1.4: the page of one service has it so."""
    assert call_of(seen=seen).sampling.seed == seed
    assert call_of(seen=seen, seed=3).sampling.seed == 3


def test_what_the_answer_is_made_of() -> None:
    assert call_of(modalities=["text"]).output.modalities == ()
    assert call_of(modalities=["TEXT", "Image"]).output.modalities == ("text", "image")
    assert call_of(modalities=["text", "audio"]).output.modalities == ("audio",)


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "infinity"])
def test_numbers_that_are_none(value: str) -> None:
    """JSON has no word for them, so they must not get upstream as null."""
    assert refusal(temperature=value).param == "temperature"


def test_unknown_fields_are_recorded_in_order() -> None:
    parsed = parse(zebra=1, apple="x", logit_bias={"1": 5}, verbosity="low", prediction={"type": "content"})
    assert [drop.path for drop in parsed.dropped] == ["zebra", "apple", "logit_bias", "verbosity", "prediction"]


def test_what_extra_body_holds_beside_google_is_recorded() -> None:
    google = {"thinking_config": {"include_thoughts": True}}
    parsed = parse(zebra=1, extra_body={"top_a": 1, "google": google, "empty": None, "min_p": 0.1})
    assert [drop.path for drop in parsed.dropped] == ["zebra", "extra_body.top_a", "extra_body.min_p"]
    assert parse(extra_body=None).dropped == parse(extra_body={}).dropped == ()


# ── what is wrong is named ──


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": "hi"}, "messages"),
        ({"messages": [{"content": "hi"}]}, "messages.0.role"),
        ({"messages": [HI, {"role": "wizard", "content": "hi"}]}, "messages.1.role"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages.0.content"),
        ({"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]}, "messages.0.content.0"),
        ({"messages": [{"role": "user", "content": [5]}]}, "messages.0.content.0"),
        ({"messages": [{"role": "assistant", "tool_calls": [{"id": 5}]}]}, "messages.0.tool_calls.0.id"),
        ({"messages": [{"role": "assistant", "tool_calls": [{"id": "a"}]}]}, "messages.0.tool_calls.0"),
        ({"messages": [{"role": "user", "content": [{"type": "hologram"}]}]}, "messages.0.content.0"),
        ({"temperature": []}, "temperature"),
        ({"temperature": "warm"}, "temperature"),
        ({"max_tokens": 1.5}, "max_tokens"),
        ({"stop": [1]}, "stop.0"),
        ({"stream": "maybe"}, "stream"),
        ({"n": 17}, "n"),
        ({"model": 5}, "model"),
        ({"tools": {}}, "tools"),
        ({"tools": [{"type": "custom", "custom": {}}]}, "tools.0.custom.name"),
        ({"tools": [{"type": "function", "function": {}}]}, "tools.0.function.name"),
        ({"tools": [{"type": "function"}]}, "tools.0"),
        ({"tools": [{}]}, "tools.0"),
        ({"tools": [None]}, "tools.0"),
        ({"tools": [TOOL], "tool_choice": "maybe"}, "tool_choice"),
        ({"tools": [TOOL], "tool_choice": {"type": "allowed_tools"}}, "tool_choice.allowed_tools"),
        ({"reasoning_effort": "huge"}, "reasoning_effort"),
        ({"response_format": {"type": "xml"}}, "response_format"),
        ({"response_format": {"type": "json_schema"}}, "response_format.json_schema"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"schema": "nope{"}}},
            "response_format.json_schema.schema",
        ),
        ({"tools": [TOOL], "tool_choice": {}}, "tool_choice"),
        ({"tools": [TOOL], "tool_choice": {"type": "function"}}, "tool_choice"),
        ({"generation_config": {"top_p": "much"}}, "generation_config.top_p"),
        ({"google": {"generation_config": {"candidateCount": 99}}}, "google.generation_config.candidate_count"),
        (
            {"google": {"generation_config": {"responseModalities": ["SMELL"]}}},
            "google.generation_config.response_modalities",
        ),
        ({"extra_body": {"google": {"thinking_config": {"thinking_budget": "x"}}}}, None),
        ({"extra_body": {"google": 5}}, "extra_body.google"),
        ({"google": 5}, "google"),
        ({"modalities": ["text", "smell"]}, "modalities"),
        ({"modalities": ["audio"], "audio": {"format": "mp3"}}, "audio.format"),
        ({"modalities": ["audio"], "audio": {"format": "wav"}, "stream": True}, "audio.format"),
        ({"functions": [{"description": "f"}]}, "functions.0.name"),
    ],
)
def test_faults_name_the_field(fields: Json, param: str | None) -> None:
    found = refusal(**fields)
    expected = param or "extra_body.google.thinking_config.thinking_budget"
    assert found.param == expected


def test_effort_and_an_explicit_amount_exclude_each_other() -> None:
    for inner in ({"thinking_budget": 5}, {"thinkingLevel": "low"}):
        config = {"google": {"thinking_config": inner}}
        assert refusal(reasoning_effort="high", extra_body=config).param == "reasoning_effort"
    shown = call_of(reasoning_effort="high", extra_body={"google": {"thinkingConfig": {"includeThoughts": True}}})
    assert (shown.reasoning.effort, shown.reasoning.include_thoughts) == ("high", True)
    assert call_of(google={"thinking_config": {"thinking_budget": 0}}).reasoning.budget_tokens == 0


@pytest.mark.parametrize("body", BROKEN)
def test_broken_bodies(body: bytes) -> None:
    with pytest.raises(InvalidRequest) as error:
        inbound(body)
    assert error.value.message
    with pytest.raises(InvalidRequest):
        inbound(memoryview(body))


# ── messages ──


def test_the_conversation() -> None:
    call = call_of(
        messages=[
            {"role": "system", "content": "s1"},
            {"role": "developer", "content": [{"type": "text", "text": "s2"}]},
            HI,
            {"role": "system", "content": "later"},
            {
                "role": "assistant",
                "content": "ok",
                "tool_calls": [
                    {"id": "1", "function": {"name": "f", "arguments": '{"b": 1.50}'}},
                    {"id": "2", "function": {"name": "g", "arguments": ""}},
                    {"id": "3", "function": {"name": "h", "arguments": "[1"}},
                ],
            },
            {"role": "tool", "tool_call_id": "1", "content": '{"x": 1}'},
            {"role": "tool", "tool_call_id": "2", "content": "plain"},
            {
                "role": "tool",
                "tool_call_id": "3",
                "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}],
            },
        ]
    )
    assert call.system == (Text("s1"), Text("s2"))
    assert call.messages == (
        Message("user", (Text("hi"),)),
        Message("user", (Text("later"),)),
        Message(
            "model",
            (
                Text("ok"),
                ToolCall("1", "f", '{"b": 1.50}'),
                ToolCall("2", "g", "{}"),
                ToolCall("3", "h", '{"_raw":"[1"}'),
            ),
        ),
        Message(
            "user",
            (
                ToolResult("1", "f", '{"x": 1}'),
                ToolResult("2", "g", '{"output":"plain"}'),
                ToolResult("3", "h", '{"output":"ab"}'),
            ),
        ),
    )


def test_signatures_come_back_where_they_belong() -> None:
    """Acceptance 1: from Google's own slot, on the call and on the text."""

    def mark(value: str) -> Json:
        return {"extra_content": {"google": {"thought_signature": value}}}

    calls = [{"id": "1", "function": {"name": "f", "arguments": "{}"}} | mark("Yg==")]
    message = {"role": "assistant", "content": "ok", "tool_calls": calls} | mark("YQ==")
    parts = call_of(messages=[HI, message]).messages[1].parts
    assert parts == (
        Text("ok", Signature("gemini", "YQ==")),
        ToolCall("1", "f", "{}", Signature("gemini", "Yg==")),
    )


def test_calls_without_a_name_are_refused() -> None:
    """Gemini refuses an empty name, far from where the client could see why."""
    message = {"role": "assistant", "tool_calls": [{"id": "1", "function": {"arguments": "{}"}}]}
    assert refusal(messages=[HI, message]).param == "messages.1.tool_calls.0.function.name"


def test_a_refusal_beside_an_answer_is_not_part_of_it() -> None:
    message = {"role": "assistant", "content": "a", "refusal": "The answer was stopped."}
    assert call_of(messages=[HI, message]).messages[1].parts == (Text("a"),)
    assert call_of(messages=[HI, message | {"content": None}]).messages[1].parts == (Text("The answer was stopped."),)


@pytest.mark.parametrize("arguments", ["null", " null ", "", None])
def test_a_call_with_nothing(arguments: str | None) -> None:
    message = {"role": "assistant", "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": arguments}}]}
    assert call_of(messages=[HI, message]).messages[1].parts == (ToolCall("1", "f", "{}"),)


def test_response_formats() -> None:
    assert call_of(response_format={"type": "json_object"}).output == Output(json=True)
    named = Output(json=True, schema='{"type":"object","description":"d"}')
    for schema in ({"type": "object"}, '{"type": "object"}'):
        form = {"name": "x", "description": "d", "schema": schema}
        assert call_of(response_format={"type": "json_schema", "json_schema": form}).output == named
        assert call_of(response_format={"type": "json_schema"} | form).output == named
        assert call_of(response_format={"json_schema": form}).output == named
    wanted = Output(json=True, schema='{"type": "object"}')
    unnamed = {"type": "json_schema", "json_schema": {"schema": {"type": "object"}}}
    assert call_of(response_format=unnamed).output == wanted
    assert call_of(response_format={"type": "json_object", "schema": {"type": "object"}}).output == wanted
    assert call_of(response_format={"type": "json_schema", "json_schema": {"name": "x"}}).output == Output(json=True)


def test_what_a_response_format_says_that_is_not_known_is_recorded() -> None:
    form = {"type": "json_schema", "x": 1, "json_schema": {"schema": {"type": "object"}, "strict": True, "y": [1]}}
    dropped = [drop.path for drop in parse(response_format=form).dropped]
    assert dropped == ["response_format.x", "response_format.json_schema.y"]


@pytest.mark.parametrize("level", [200, 400, 1000])
def test_deep_arguments_and_schemas_never_crash(level: int) -> None:
    """What was taken in must also come out, or be refused."""
    deep = json.loads('{"a":' * level + "1" + "}" * level) if level < 900 else None
    text = '{"a":' * level + "1" + "}" * level
    messages = [HI, {"role": "assistant", "tool_calls": [{"id": "1", "function": {"name": "f", "arguments": text}}]}]
    tools = [{"type": "function", "function": {"name": "f", "parameters": deep}}]
    for fields in ({"messages": messages}, {"tools": tools}):
        try:
            call = call_of(**fields)
            outbound(call, MODELS["gemini-3-flash-preview"])
        except InvalidRequest:
            pass


KEYS = ["model", "messages", "role", "content", "type", "text", "tool_calls", "function", "name", "arguments", "id"]
KEYS += ["tool_call_id", "temperature", "stop", "tools", "tool_choice", "response_format", "extra_body", "google"]
KEYS += [
    "thinking_config",
    "thinking_budget",
    "safety_settings",
    "extra_content",
    "thought_signature",
    "stream_options",
]
KEYS += ["image_url", "url", "input_audio", "data", "file", "file_id", "inlineData", "detail", "gemgate", "signatures"]
KEYS += ["custom", "allowed_tools", "mode", "functions", "function_call", "web_search_options", "reasoning", "thinking"]
KEYS += [
    "generation_config",
    "modalities",
    "audio",
    "voice",
    "format",
    "images",
    "refusal",
    "start",
    "end",
    "signature",
]
DATA_URL = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ"
VALID: list[Json] = [
    {
        "model": "m",
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "image_url", "image_url": {"url": DATA_URL, "detail": "low"}},
                    {"type": "input_audio", "input_audio": {"data": "UklGRqQMAABXQVZFZm10IBAAAAAB", "format": "wav"}},
                    {"type": "file", "file": {"file_data": DATA_URL, "filename": "a.png", "file_id": "a"}},
                    {"inlineData": {"mimeType": "image/png", "data": "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYA"}},
                ],
            },
            {
                "role": "assistant",
                "content": f"a\n![image]({DATA_URL})\nb",
                "refusal": "r",
                "images": [
                    {"image_url": {"url": DATA_URL}, "extra_content": {"google": {"thought_signature": "YQ=="}}}
                ],
                "function_call": {"name": "f", "arguments": "{}"},
                "extra_content": {
                    "google": {"thought_signature": "YQ=="},
                    "gemgate": {"signatures": [{"start": 0, "end": 1, "signature": "YQ=="}, {"start": 1, "end": 9}]},
                },
            },
            {"role": "function", "name": "f", "content": "x"},
        ],
        "tools": [
            {"type": "custom", "custom": {"name": "sql", "format": {"type": "grammar", "grammar": {"syntax": "lark"}}}},
            {"type": "web_search"},
            {"google_search": {}},
            "codeExecution",
        ],
        "tool_choice": {
            "type": "allowed_tools",
            "allowed_tools": {"mode": "auto", "tools": [{"type": "custom", "custom": {"name": "sql"}}]},
        },
        "functions": [{"name": "g", "parameters": {}}],
        "web_search_options": {"search_context_size": "low"},
        "logprobs": True,
        "top_logprobs": 2,
        "modalities": ["text"],
        "audio": {"voice": {"id": "alloy"}, "format": "wav"},
        "reasoning": {"effort": "low", "max_tokens": 5},
        "thinking": {"type": "enabled", "budget_tokens": 5},
        "generation_config": {"thinking_config": {"include_thoughts": True}, "image_config": {"image_size": "1K"}},
        "google": {"aspect_ratio": "1:1"},
        "service_tier": "flex",
    },
    {
        "model": "m",
        "messages": [HI],
        "temperature": 1,
        "stop": ["a"],
        "n": 1,
        "stream_options": {"include_usage": True},
    },
    {
        "model": "m",
        "messages": [
            HI,
            {
                "role": "assistant",
                "content": None,
                "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
                "extra_content": {"google": {"thought_signature": "YQ=="}},
            },
            {"role": "tool", "tool_call_id": "1", "content": "x"},
        ],
        "tools": [TOOL],
        "tool_choice": {"type": "function", "function": {"name": "f"}},
    },
    {
        "model": "m",
        "messages": [{"role": "user", "content": [{"type": "text", "text": "a"}]}],
        "response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}},
        "extra_body": {"google": {"thinking_config": {"thinking_budget": 5, "include_thoughts": True}}},
        "safety_settings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "OFF"}],
    },
]


def never_crashes(document: object) -> None:
    try:
        parsed = inbound(json.dumps(document).encode())
        assert isinstance(parsed.call, Generate)
        for abilities in MODELS.values() if not parsed.remote else ():  # media at addresses are fetched first
            outbound(parsed.call, abilities)
    except InvalidRequest as error:
        assert error.message


@settings(deadline=None, max_examples=100)
@given(documents(KEYS))
def test_no_json_document_crashes(document: object) -> None:
    never_crashes(document)


@settings(deadline=None, max_examples=120)
@given(mutated(VALID, KEYS))
def test_no_mutation_of_a_valid_request_crashes(document: object) -> None:
    never_crashes(document)


@needs_shared
@settings(deadline=None, max_examples=100)
@given(st.data())
def test_no_mutation_of_a_real_request_crashes(data: st.DataObject) -> None:
    rows = [row.body for row in (*load_clients(), *load_calls()) if row.path.endswith("/chat/completions")]
    document = data.draw(mutated(rows, KEYS))
    try:
        inbound(json.dumps(document).encode())
    except InvalidRequest as error:
        assert error.message
