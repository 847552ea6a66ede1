"""Chat requests of real clients, of users, and of nobody at all."""

import json
from typing import Any

import pytest
from hypothesis import given, settings

from gemgate.errors import InvalidRequest
from gemgate.hub.call import BuiltIn, BuiltInKind, Function, Generate, Output, ToolChoice
from gemgate.hub.codec import Parsed
from gemgate.hub.parts import Message, Signature, Text, ToolCall, ToolResult
from gemgate.protocols.gemini.outbound import outbound
from gemgate.protocols.openai_chat.inbound import inbound
from tests.bed.recordings import load_calls, load_clients, needs_shared
from tests.protocols.fuzzing import BROKEN, documents, mutated
from tests.protocols.shaping import MODELS, checked

Json = dict[str, Any]
HI: Json = {"role": "user", "content": "hi"}
TOOL: Json = {"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}}


def parse(**fields: Any) -> Parsed:
    return inbound(json.dumps({"model": "m", "messages": [HI]} | fields).encode())


def call_of(**fields: Any) -> Generate:
    call = parse(**fields).call
    assert isinstance(call, Generate)
    return call


def refusal(**fields: Any) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as error:
        parse(**fields)
    assert error.value.message
    return error.value


REFUSED_CLIENTS = {
    "openai-python-3-4": {"n", "logprobs", "top_logprobs"},  # two choices and log probabilities
    "openai-python-3-11": {"messages.0.content.1"},  # an image, sound and a file
    "openai-python-3-12": {"audio", "modalities"},  # a spoken answer
    "openai-python-3-13": {"web_search_options"},
    "openai-python-3-14": {"tools.0"},  # a custom tool
}
"""What real clients send and is not served yet, with the field that the refusal may name."""


@needs_shared
def test_requests_of_real_clients() -> None:
    rows = [row for row in load_clients() if row.path == "/v1/chat/completions"]
    assert len(rows) >= 21 and {row.id for row in rows} >= REFUSED_CLIENTS.keys()
    for row in rows:
        body = json.dumps(row.body).encode()
        if row.id in REFUSED_CLIENTS:
            with pytest.raises(InvalidRequest) as error:
                inbound(body)
            assert error.value.param in REFUSED_CLIENTS[row.id], row.id
            continue
        call = inbound(body).call
        assert isinstance(call, Generate)
        assert call.model == row.body["model"] and call.stream == bool(row.body.get("stream"))
        for model in MODELS:
            checked(call, model)


REFUSED_CALLS = {
    "prefix-image-understanding",
    "prefix-audio-in-image_url",
    "prefix-video-in-image_url",
    "image-edit-all-parameters",
    "chat-video-by-url",
}
"""All for their `image_url`."""


@needs_shared
def test_calls_that_users_make() -> None:
    rows = [row for row in load_calls() if row.path.endswith("/chat/completions")]
    assert len(rows) >= 19
    for row in rows:
        body = json.dumps(row.body).encode()
        if row.name in REFUSED_CALLS:
            with pytest.raises(InvalidRequest) as error:
                inbound(body)
            assert error.value.param == "messages.0.content.1"
            continue
        for model in MODELS:
            checked(inbound(body).call, model)  # type: ignore[arg-type]


# ── not given ──

OPTIONAL = sorted(
    {"stream", "stream_options", "temperature", "top_p", "top_k", "max_tokens", "max_completion_tokens", "stop", "seed"}
    | {"n", "presence_penalty", "frequency_penalty", "reasoning_effort", "response_format", "tools", "tool_choice"}
    | {"service_tier", "safety_settings", "google", "extra_body", "logit_bias", "logprobs", "top_logprobs", "user"}
    | {"modalities", "audio", "functions", "function_call", "web_search_options", "parallel_tool_calls", "metadata"}
)


@pytest.mark.parametrize("name", OPTIONAL)
def test_null_means_not_given(name: str) -> None:
    assert parse(**{name: None}).call == parse().call and not parse(**{name: None}).dropped


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
        ("tool_choice", ["auto", "none", "required"]),  # nothing to choose from
        ("reasoning_effort", [""]),
        ("stream", [False]),
        ("stream_options", [{}, {"include_usage": False}]),
        ("service_tier", ["", "auto", "default"]),
        ("response_format", [{"type": "text"}]),
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
    assert call_of(temperature="0.7", max_tokens="5", top_p=1).sampling.temperature == 0.7


@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "infinity"])
def test_numbers_that_are_none(value: str) -> None:
    """JSON has no word for them, so they must not get upstream as null."""
    assert refusal(temperature=value).param == "temperature"


def test_unknown_fields_are_recorded_in_order() -> None:
    parsed = parse(zebra=1, apple="x", logit_bias={"1": 5}, verbosity="low", parallel_tool_calls=False)
    assert [drop.path for drop in parsed.dropped] == [
        "zebra",
        "apple",
        "logit_bias",
        "verbosity",
        "parallel_tool_calls",
    ]


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
        ({"messages": [{"role": "assistant", "audio": {"id": "a"}}]}, "messages.0.audio"),
        ({"temperature": []}, "temperature"),
        ({"temperature": "warm"}, "temperature"),
        ({"max_tokens": 1.5}, "max_tokens"),
        ({"stop": [1]}, "stop.0"),
        ({"stream": "maybe"}, "stream"),
        ({"n": 2}, "n"),
        ({"model": 5}, "model"),
        ({"tools": {}}, "tools"),
        ({"tools": [{"type": "custom", "custom": {}}]}, "tools.0"),
        ({"tools": [{"type": "function", "function": {}}]}, "tools.0"),
        ({"tools": [TOOL], "tool_choice": "maybe"}, "tool_choice"),
        ({"tools": [TOOL], "tool_choice": {"type": "allowed_tools"}}, "tool_choice"),
        ({"reasoning_effort": "huge"}, "reasoning_effort"),
        ({"response_format": {"type": "xml"}}, "response_format"),
        ({"response_format": {"type": "json_schema"}}, "response_format"),
        ({"response_format": {}}, "response_format.type"),
        ({"extra_body": {"google": {"thinking_config": {"thinking_budget": "x"}}}}, None),
        ({"extra_body": {"google": {"unknown": 1}}}, "extra_body.google.unknown"),
        ({"google": 5}, "google"),
        ({"modalities": ["text", "audio"]}, "modalities"),
        ({"logprobs": True}, "logprobs"),
        ({"web_search_options": {"search_context_size": "low"}}, "web_search_options"),
        ({"functions": [{"name": "f"}]}, "functions"),
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


def test_tools_and_choice() -> None:
    call = call_of(tools=[TOOL], tool_choice={"type": "function", "function": {"name": "f"}})
    assert call.tools == (Function(name="f", parameters='{"type": "object"}'),)
    assert call.tool_choice == ToolChoice("required", ("f",))
    with pytest.raises(InvalidRequest):
        outbound(
            call_of(tools=[TOOL], tool_choice={"type": "function", "function": {"name": "g"}}),
            MODELS["gemini-2.5-flash"],
        )


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("codeExecution", "code_execution"),
        ("code_execution", "code_execution"),
        ("googleSearch", "web_search"),
        ("google_search", "web_search"),
        ("urlContext", "url_context"),
        ("url_context", "url_context"),
        ("googleMaps", "maps"),
        ("google_maps", "maps"),
    ],
)
def test_functions_that_mean_the_upstreams_own_tools(name: str, kind: BuiltInKind) -> None:
    """Notes §6.1: the name, and nothing to call it with."""
    for function in ({"name": name}, {"name": name, "parameters": None}, {"name": name, "parameters": {}}):
        assert call_of(tools=[{"type": "function", "function": function}]).tools == (BuiltIn(kind),)
    with_parameters = {"name": name, "parameters": {"type": "object"}}
    (own,) = call_of(tools=[{"type": "function", "function": with_parameters}]).tools
    assert isinstance(own, Function) and own.name == name


def test_response_formats() -> None:
    assert call_of(response_format={"type": "json_object"}).output == Output(json=True)
    schema = {"name": "x", "schema": {"type": "object"}}
    assert call_of(response_format={"type": "json_schema", "json_schema": schema}).output == Output(
        json=True, schema='{"type": "object"}'
    )


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
VALID: list[Json] = [
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
        call = inbound(json.dumps(document).encode()).call
        assert isinstance(call, Generate)
        for abilities in MODELS.values():
            outbound(call, abilities)
    except InvalidRequest as error:
        assert error.message


@settings(deadline=None, max_examples=200)
@given(documents(KEYS))
def test_no_json_document_crashes(document: object) -> None:
    never_crashes(document)


@settings(deadline=None, max_examples=200)
@given(mutated(VALID, KEYS))
def test_no_mutation_of_a_valid_request_crashes(document: object) -> None:
    never_crashes(document)
