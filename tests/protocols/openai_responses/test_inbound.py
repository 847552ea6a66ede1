"""Requests of real clients, of users, and of nobody at all."""

import json
import time
from typing import Any, get_args

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw
from openai.types.responses.input_token_count_params import InputTokenCountParams
from openai.types.responses.response_create_params import ResponseCreateParamsBase
from openai.types.responses.response_includable import ResponseIncludable

from gemgate.errors import InvalidRequest
from gemgate.hub.call import Generate, Output, Reasoning, Sampling
from gemgate.hub.parts import Text, Vendor
from gemgate.protocols.gemini.outbound import outbound
from gemgate.protocols.openai_responses import wire
from gemgate.protocols.openai_responses.conversation import Past
from gemgate.protocols.openai_responses.inbound import LOGPROBS, inbound, read, understood
from gemgate.protocols.openai_responses.kept import KeptItem
from gemgate.protocols.openai_responses.style import Style
from gemgate.protocols.openai_responses.writer import ResponsesWriter
from tests.bed.recordings import load_calls, load_clients, load_recordings, needs_recordings, needs_shared
from tests.protocols.fuzzing import BROKEN, documents, mutated
from tests.protocols.openai_responses.asking import Json, call_of, lost, parse, refusal, style_of
from tests.protocols.shaping import MODELS, checked

RESPONSES = "/v1/responses"

MAX_SECONDS = 2.0
"""Of CPU for a megabyte, on any machine."""


def kinds(body: Json) -> set[str]:
    return {tool["type"] for tool in body["tools"]}


def rendered(body: Json) -> Generate:
    """Parse a request and render it for each model, but for media that are fetched first."""
    parsed = inbound(json.dumps(body).encode())
    call = parsed.call
    assert isinstance(call, Generate)
    if not parsed.remote:
        for model in MODELS:
            checked(call, model)
    return call


# ── real ones ──


@needs_recordings
def test_recorded_requests() -> None:
    rows = [row for row in load_recordings("openai") if row.path == RESPONSES and isinstance(row.request, dict)]
    assert len(rows) >= 340
    for row in rows:
        if row.request.get("tool_choice") == "required" and kinds(row.request) == {"image_generation"}:
            with pytest.raises(InvalidRequest) as error:  # the models of this test make no images
                rendered(row.request)
            assert error.value.code == "unsupported_tool"
            continue
        call = rendered(row.request)
        assert call.model == row.request["model"] and call.stream == bool(row.request.get("stream")), row.id
        assert call.messages, row.id


@needs_shared
def test_requests_of_real_clients() -> None:
    rows = [row for row in load_clients() if row.path == RESPONSES and row.method == "POST"]
    assert len(rows) >= 10
    for row in rows:
        call = rendered(row.body)
        assert call.model == row.body["model"] and call.stream == bool(row.body.get("stream"))


@needs_shared
def test_the_requests_of_a_coding_agent_lose_nothing() -> None:
    rows = [row.body for row in load_clients("codex") if row.path == RESPONSES]
    assert rows
    for body in rows:
        parsed = inbound(json.dumps(body).encode())
        call = parsed.call
        assert isinstance(call, Generate) and not parsed.dropped
        offered = sum(len(tool.get("tools", [tool])) for tool in body["tools"])
        assert len(call.tools) == offered and call.reasoning == Reasoning(include_thoughts=True)
        style = style_of(**body)
        assert style.reasoning == "asked" and style.called["multi_agent_v1__close_agent"].namespace == "multi_agent_v1"


@needs_shared
def test_calls_that_users_make() -> None:
    rows = [row for row in load_calls() if row.path == RESPONSES]
    assert rows
    for row in rows:
        assert rendered(row.body).messages and not inbound(json.dumps(row.body).encode()).dropped


# ── not given ──

OURS = {field.encode_name for field in msgspec.structs.fields(wire.Request)}
THEIRS = {*ResponseCreateParamsBase.__annotations__, *InputTokenCountParams.__annotations__, "stream"}
OPTIONAL = sorted((OURS | THEIRS) - {"model", "input"})


@pytest.mark.parametrize("name", OPTIONAL)
def test_null_means_not_given(name: str) -> None:
    parsed = parse(**{name: None})
    assert parsed.call == parse().call and not parsed.dropped


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("max_output_tokens", [0]),
        ("max_tool_calls", [0]),
        ("top_logprobs", [0]),
        ("presence_penalty", [0, 0.0]),
        ("frequency_penalty", [0]),
        ("tools", [[]]),
        ("tool_choice", ["", "auto", "none"]),
        ("reasoning", [{}, {"effort": None, "summary": None}, {"effort": "", "summary": ""}, {"context": "all_turns"}]),
        ("reasoning", [{"mode": "standard"}, {"mode": None}, {"effort": "auto"}]),
        ("text", [{}, {"format": {"type": "text"}, "verbosity": "medium"}]),
        ("include", [[], ["file_search_call.results", "reasoning.encrypted_content"], [""]]),
        ("include", [sorted({*get_args(ResponseIncludable)} - {"web_search_call.results", LOGPROBS})]),
        ("service_tier", ["", "auto", "default"]),
        ("truncation", ["auto", "disabled", ""]),
        ("context_management", [[], {}]),
        ("moderation", [{}]),
        ("previous_response_id", [""]),
        ("conversation", ["", {}, {"id": None}]),
        ("prompt", [{}]),
        ("instructions", [""]),
        ("parallel_tool_calls", [True]),
        ("background", [False, True]),
        ("store", [False, True]),
        ("metadata", [{"a": "b"}]),
        ("user", ["u"]),
        ("safety_identifier", ["s"]),
        ("prompt_cache_key", ["k"]),
        ("prompt_cache_retention", ["24h"]),
        ("prompt_cache_options", [{"mode": "explicit", "ttl": "30m"}]),
        ("client_metadata", [{"session_id": "x"}]),
        ("stream_options", [{"include_obfuscation": False}]),
        ("zebra", [None, 0, "", {}, [], False]),
    ],
)
def test_what_asks_for_nothing_costs_nothing(name: str, values: list[Any]) -> None:
    for value in values:
        parsed = parse(**{name: value})
        assert parsed.call == parse().call, value
        assert not parsed.dropped, value


@pytest.mark.parametrize(
    ("name", "value", "path"),
    [
        ("zebra", 1, "zebra"),
        ("stop", ["a"], "stop"),
        ("max_tool_calls", 3, "max_tool_calls"),
        ("moderation", {"model": "omni"}, "moderation"),
        ("context_management", [{"type": "compaction", "compact_threshold": 1000}], "context_management"),
        ("service_tier", "scale", "service_tier"),
        ("reasoning", {"mode": "pro"}, "reasoning.mode"),
        ("reasoning", {"zebra": 1}, "reasoning.zebra"),
        ("text", {"verbosity": "high"}, "text.verbosity"),
        ("include", ["reasoning.encrypted_content", "nope"], "include.1"),
        ("include", ["web_search_call.results"], "include.0"),
    ],
)
def test_what_is_lost_is_recorded(name: str, value: Any, path: str) -> None:
    assert lost(**{name: value}) == [path]


# ── what is asked ──


def test_how_tokens_are_chosen() -> None:
    call = call_of(temperature="0.5", top_p=0.9, max_output_tokens=7, presence_penalty=1, frequency_penalty="0.5")
    assert call.sampling == Sampling(
        temperature=0.5, top_p=0.9, max_output_tokens=7, presence_penalty=1.0, frequency_penalty=0.5
    )
    assert call_of(temperature=0, top_p=0).sampling == Sampling(temperature=0.0, top_p=0.0)


def test_log_probabilities() -> None:
    """How many there are is told by one field, that they are shown by another; either asks for them."""
    include = ["message.output_text.logprobs"]
    assert call_of(top_logprobs=3).sampling.logprobs == 3 == call_of(top_logprobs=3, include=include).sampling.logprobs
    assert call_of(include=include).sampling.logprobs == 0
    assert parse(top_logprobs=3).paths["sampling.logprobs"] == "top_logprobs"
    assert parse(include=include).paths["sampling.logprobs"] == "include"


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"effort": "none"}, Reasoning(effort="none")),
        ({"effort": "minimal"}, Reasoning(effort="minimal")),
        ({"effort": "High"}, Reasoning(effort="high")),
        ({"effort": "xhigh"}, Reasoning(effort="max")),
        ({"effort": "max"}, Reasoning(effort="max")),
        ({"summary": "auto"}, Reasoning(include_thoughts=True)),
        ({"effort": "low", "summary": "detailed"}, Reasoning(effort="low", include_thoughts=True)),
        ({"generate_summary": "concise", "effort": None}, Reasoning(include_thoughts=True)),
        ({"summary": "none"}, Reasoning(include_thoughts=False)),
    ],
)
def test_thinking(given: Json, wanted: Reasoning) -> None:
    assert call_of(reasoning=given).reasoning == wanted and not lost(reasoning=given)


def test_where_thinking_was_asked_for() -> None:
    paths = parse(reasoning={"effort": "low", "generate_summary": "auto"}).paths
    assert paths["reasoning.effort"] == "reasoning.effort"
    assert paths["reasoning.include_thoughts"] == "reasoning.generate_summary"
    assert parse().paths["reasoning.effort"] == "model"


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({}, "unasked"),
        ({"include": ["file_search_call.results"]}, "unasked"),
        ({"include": ["reasoning.encrypted_content"]}, "asked"),
        ({"reasoning": {"summary": "auto"}}, "asked"),
        ({"reasoning": {"generate_summary": "auto"}}, "asked"),
        ({"reasoning": {"effort": "low"}}, "asked"),
        ({"reasoning": {"effort": "none"}}, "unasked"),
        ({"reasoning": {"summary": "none"}}, "unasked"),
        ({"reasoning": {"effort": "none"}, "include": ["reasoning.encrypted_content"]}, "asked"),
    ],
)
def test_who_expects_items_of_reasoning(fields: Json, told: str) -> None:
    assert style_of(**fields).reasoning == told


def test_the_rest_of_a_request() -> None:
    assert not call_of(parallel_tool_calls=False).parallel_calls and call_of().parallel_calls
    assert call_of(stream=True).stream and not call_of().stream
    assert call_of(service_tier="flex").vendor == Vendor("gemini", '{"service_tier":"flex"}')
    assert call_of(instructions="Be brief.").system == (Text("Be brief."),)
    assert call_of(text={"format": {"type": "json_object"}}, tools=[]).output == Output(json=True)


def test_the_answer_repeats_the_request() -> None:
    echo = style_of(metadata={"a": "b"}, temperature=0.5).echo
    assert bytes(echo["metadata"]) == b'{"a": "b"}' and bytes(echo["temperature"]) == b"0.5"


def test_the_surface_has_its_say_in_the_style() -> None:
    asked = read(b'{"model":"m","input":"hi","reasoning":{"effort":"low"}}')
    parsed = understood(
        asked, style=Style(framing="lines", response_id="x", queued=True, stored=True, keeps_parts=True)
    )
    style = parsed.write.keywords["style"]  # type: ignore[attr-defined]
    assert (style.framing, style.response_id, style.queued, style.stored) == ("lines", "x", True, True)
    assert style.reasoning == "asked" and style.echo.keys() == {"model", "input", "reasoning"}
    assert parsed.write.func is ResponsesWriter  # type: ignore[attr-defined]


def test_what_a_request_goes_on_from() -> None:
    kept = KeptItem(b'{"type":"message","role":"user","content":"before"}')
    call = understood(read(b'{"model":"m","input":"hi","previous_response_id":"r"}'), Past((kept,))).call
    assert isinstance(call, Generate)
    assert [message.parts for message in call.messages] == [(Text("before"),), (Text("hi"),)]
    alone = understood(read(b'{"model":"m","conversation":{"id":"c"}}'), Past((kept,))).call
    assert isinstance(alone, Generate) and len(alone.messages) == 1


def test_tools_that_were_defined_before_are_still_offered() -> None:
    tool = {"type": "function", "name": "f"}
    kept = KeptItem(json.dumps({"type": "tool_search_output", "call_id": "1", "tools": [tool]}).encode())
    call = understood(read(b'{"model":"m","input":"hi","previous_response_id":"r"}'), Past((kept,))).call
    assert isinstance(call, Generate) and len(call.tools) == 1


# ── faults ──


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"model": ""}, "model"),
        ({"model": 5}, "model"),
        ({"input": None}, "input"),
        ({"prompt": {"id": "pmpt_1"}}, "prompt"),
        ({"previous_response_id": "r", "conversation": "c"}, "previous_response_id"),
        ({"previous_response_id": "r", "conversation": {"id": "c"}}, "previous_response_id"),
        ({"previous_response_id": 5}, "previous_response_id"),
        ({"background": True, "store": False}, "background"),
        ({"max_output_tokens": -1}, "max_output_tokens"),
        ({"max_output_tokens": 1.5}, "max_output_tokens"),
        ({"max_tool_calls": -1}, "max_tool_calls"),
        ({"max_tool_calls": "many"}, "max_tool_calls"),
        ({"top_logprobs": -1}, "top_logprobs"),
        ({"temperature": "nan"}, "temperature"),
        ({"temperature": []}, "temperature"),
        ({"top_p": "inf"}, "top_p"),
        ({"presence_penalty": "-inf"}, "presence_penalty"),
        ({"frequency_penalty": {}}, "frequency_penalty"),
        ({"reasoning": {"effort": "huge"}}, "reasoning.effort"),
        ({"reasoning": {"effort": 5}}, "reasoning.effort"),
        ({"reasoning": {"summary": "long"}}, "reasoning.summary"),
        ({"reasoning": {"generate_summary": "long"}}, "reasoning.generate_summary"),
        ({"reasoning": "high"}, "reasoning"),
        ({"include": [5]}, "include.0"),
        ({"stream": "maybe"}, "stream"),
        ({"input": [{"role": "wizard", "content": "a"}]}, "input.0.role"),
    ],
)
def test_faults_name_the_field(fields: Json, param: str) -> None:
    assert refusal(**fields).param == param


def test_what_is_missing() -> None:
    for body in (b"{}", b'{"input":"hi"}', b'{"model":"","input":"hi"}'):
        with pytest.raises(InvalidRequest) as error:
            read(body)
        assert (error.value.param, error.value.code) == ("model", "missing_required_parameter")
    with pytest.raises(InvalidRequest) as error:
        read(b'{"model":"m"}')
    assert (error.value.param, error.value.code) == ("input", "missing_required_parameter")
    assert "Chat" not in error.value.message
    with pytest.raises(InvalidRequest, match="messages is Chat's; here it is input") as error:
        read(b'{"model":"m","messages":[{"role":"user","content":"hi"}]}')
    assert error.value.param == "input"


def test_what_is_lost_of_many_members_is_recorded_together() -> None:
    assert lost(include=["nope"], zebra=1, tools=[{"type": "file_search", "vector_store_ids": ["v"]}]) == [
        "zebra",
        "tools.0",
        "include.0",
    ]


@pytest.mark.parametrize("name", ["seed", "stop"])
def test_faults_of_the_upstream_are_told_in_the_clients_words(name: str) -> None:
    assert parse().paths.get(f"sampling.{name}") is None  # such a field does not exist here
    paths = parse(tools=[{"type": "web_search"}, {"type": "mcp"}, {"type": "function", "name": "f"}]).paths
    assert (paths["tools.0"], paths["tools.1"]) == ("tools.0", "tools.2")
    assert (paths["messages"], paths["system"]) == ("input", "instructions")


@pytest.mark.parametrize("body", BROKEN)
def test_broken_bodies(body: bytes) -> None:
    with pytest.raises(InvalidRequest) as error:
        inbound(memoryview(body))
    assert error.value.message


# ── and nobody at all ──

KEYS = ["model", "input", "instructions", "role", "content", "type", "text", "format", "schema", "name", "json_schema"]
KEYS += ["tools", "tool_choice", "allowed_tools", "mode", "function", "custom", "parameters", "namespace", "strict"]
KEYS += ["reasoning", "effort", "summary", "include", "container", "file_ids", "size", "environment", "execution"]
KEYS += ["defer_loading", "filters", "user_location", "external_web_access", "definition", "grammar", "verbosity"]
KEYS += ["call_id", "arguments", "output", "action", "conversation", "prompt", "max_tool_calls", "service_tier"]
VALID: list[Json] = [
    {
        "model": "m",
        "input": [
            {"role": "user", "content": [{"type": "input_text", "text": "a"}]},
            {"type": "function_call", "call_id": "1", "name": "f", "arguments": "{}"},
            {"type": "function_call_output", "call_id": "1", "output": "b"},
            {"type": "tool_search_output", "call_id": "2", "tools": [{"type": "function", "name": "later"}]},
        ],
        "instructions": "i",
        "tools": [
            {"type": "function", "name": "f", "parameters": {"type": "object"}, "strict": True, "defer_loading": True},
            {"type": "custom", "name": "g", "format": {"type": "grammar", "syntax": "lark", "definition": "x"}},
            {"type": "namespace", "name": "n", "description": "d", "tools": [{"type": "function", "name": "h"}]},
            {"type": "web_search", "filters": {"allowed_domains": ["a"]}, "user_location": {"type": "approximate"}},
            {"type": "code_interpreter", "container": {"type": "auto", "file_ids": ["f"]}},
            {"type": "image_generation", "size": "1024x1024", "quality": "low"},
            {"type": "shell", "environment": {"type": "local"}},
            {"type": "computer_use_preview", "display_width": 1, "display_height": 1, "environment": "linux"},
            {"type": "tool_search", "execution": "client", "parameters": {"type": "object"}},
        ],
        "tool_choice": {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "f"}]},
        "reasoning": {"effort": "low", "summary": "auto", "mode": "pro"},
        "text": {"format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}}, "verbosity": "low"},
        "include": ["reasoning.encrypted_content"],
        "service_tier": "flex",
        "max_tool_calls": 3,
    },
    {"model": "m", "input": "hi", "tools": [], "tool_choice": {"type": "function", "name": "f"}, "temperature": 1},
]


def never_crashes(body: bytes) -> None:
    try:
        parsed = inbound(body)
        call = parsed.call
        assert isinstance(call, Generate)
        if not parsed.remote:
            for abilities in MODELS.values():
                outbound(call, abilities)
    except InvalidRequest as error:
        assert error.message


@settings(deadline=None, max_examples=100)
@given(documents(KEYS))
def test_no_json_document_crashes(document: object) -> None:
    never_crashes(json.dumps(document).encode())


@settings(deadline=None, max_examples=100)
@given(mutated(VALID, KEYS))
def test_no_mutation_of_a_valid_request_crashes(document: object) -> None:
    never_crashes(json.dumps(document).encode())


@needs_recordings
@settings(deadline=None, max_examples=50)
@given(st.data())
def test_no_mutation_of_a_recorded_request_crashes(data: st.DataObject) -> None:
    rows = [row.request for row in load_recordings("openai") if row.path == RESPONSES and row.status == 200]
    small = [row for row in rows if isinstance(row, dict) and len(str(row)) < 3_000]
    never_crashes(json.dumps(data.draw(mutated(small, KEYS))).encode())


@pytest.mark.parametrize(
    "tools",
    [
        [{"type": "function", "name": "f"}] * 30_000,
        [{"type": "function", "name": f"f{number}"} for number in range(25_000)],
        [{"type": "mcp"}] * 60_000,
        [{"type": "namespace", "name": "n", "description": "d" * 1_000, "tools": [{"name": "f"}]}] * 1_000,
        [{"type": "namespace", "name": "n", "tools": [{"name": f"f{number}"} for number in range(45_000)]}],
        [{"type": "web_search", "a": {"b": 1}}] * 25_000,
        ["web_search"] * 40_000,
    ],
)
def test_a_megabyte_of_tools(tools: list[Any]) -> None:
    choice = {"type": "allowed_tools", "mode": "auto", "tools": [{"type": "function", "name": "f"}] * 100}
    body = json.dumps({"model": "m", "input": "hi", "tools": tools, "tool_choice": choice}).encode()
    began = time.process_time()
    try:
        inbound(body)
    except InvalidRequest as error:
        assert error.param is not None and error.param.startswith("tool_choice")
    assert time.process_time() - began < MAX_SECONDS


def test_nothing_is_decoded_twice_without_need() -> None:
    """What is not looked at is not even read: it stays a piece of the request."""
    asked = read(b'{"model":"m","input":"hi","metadata":{"a":"b"}}')
    assert all(isinstance(raw, Raw) for raw in asked.members.values())
