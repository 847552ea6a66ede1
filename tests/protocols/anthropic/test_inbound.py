"""Message requests of real clients, of users, and of nobody at all."""

import json
from typing import Any

import msgspec
import pytest
from anthropic.types.beta.message_create_params import MessageCreateParamsBase as BetaParams
from anthropic.types.message_create_params import MessageCreateParamsBase
from hypothesis import given, settings
from hypothesis import strategies as st

from gemgate.errors import InvalidRequest
from gemgate.hub.call import CountTokens, Generate, Sampling
from gemgate.hub.parts import Message, Text, ToolCall, ToolResult
from gemgate.protocols.anthropic import wire
from gemgate.protocols.anthropic.inbound import inbound, inbound_count
from gemgate.protocols.gemini.outbound import outbound
from gemgate.protocols.shared.seals import Seal, sealed
from tests.bed.recordings import load_calls, load_clients, load_recordings, needs_recordings, needs_shared
from tests.protocols.anthropic.asking import HI, PDF, PNG, Json, call_of, lost, parse, refusal, result, text, use
from tests.protocols.fuzzing import BROKEN, documents, mutated
from tests.protocols.shaping import MODELS, checked

BILLING = "x-anthropic-billing-header: cc_version=2.1.197.f2f; cc_entrypoint=sdk-cli;"
MESSAGES = "/v1/messages"
COUNT = "/v1/messages/count_tokens"
INBOUND = {MESSAGES: inbound, COUNT: inbound_count}


def rendered(path: str, body: Any) -> Generate:
    """Parse what came to a path and render it for each model; gives the call back."""
    call = INBOUND[path](json.dumps(body).encode()).call
    if isinstance(call, CountTokens):
        call = call.generate
    for model in MODELS:
        checked(call, model)
    return call


# ── real ones ──


@needs_recordings
def test_recorded_requests() -> None:
    rows = [row for row in load_recordings("anthropic") if row.path in INBOUND and isinstance(row.request, dict)]
    assert len(rows) >= 390
    for row in rows:
        if row.id == "a-ec3486bec563":  # a message that is a string, which the real service refuses too
            with pytest.raises(InvalidRequest):
                rendered(row.path, row.request)
            assert row.status == 400
            continue
        call = rendered(row.path, row.request)
        assert call.model == row.request["model"] and call.stream == bool(row.request.get("stream")), row.id


@needs_shared
def test_requests_of_real_clients() -> None:
    rows = [row for row in load_clients() if row.path in INBOUND]
    assert len(rows) >= 15
    for row in rows:
        call = rendered(row.path, row.body)
        assert call.model == row.body["model"] and call.stream == bool(row.body.get("stream"))


@needs_shared
def test_the_tool_loop_of_a_coding_agent() -> None:
    body = [row.body for row in load_clients("claude-code") if row.path == MESSAGES][-1]
    parsed = inbound(json.dumps(body).encode())
    call = parsed.call
    assert isinstance(call, Generate) and not parsed.dropped
    assert len(call.system) == 2 and not any("billing" in part.text for part in call.system if isinstance(part, Text))
    assert [message.role for message in call.messages] == ["user", "user", "model", "user"]
    assert call.messages[2].parts == (ToolCall("toolu_0001", "Read", '{"file_path": "/path"}'),)
    (found,) = call.messages[3].parts
    assert isinstance(found, ToolResult) and found.name == "Read" and "xyzzy-4711" in found.response
    assert len(call.tools) == len(body["tools"])
    assert (call.reasoning.effort, call.reasoning.include_thoughts) == ("high", True)


@needs_shared
def test_calls_that_users_make() -> None:
    rows = [row for row in load_calls() if row.path.endswith(MESSAGES)]
    assert rows
    for row in rows:
        assert rendered(MESSAGES, row.body).messages and not inbound(json.dumps(row.body).encode()).dropped


# ── not given ──

OURS = {field.encode_name for field in msgspec.structs.fields(wire.Request)}
THEIRS = {*MessageCreateParamsBase.__annotations__, *BetaParams.__annotations__, "stream"}
OPTIONAL = sorted((OURS | THEIRS) - {"model", "messages"})


@pytest.mark.parametrize("name", OPTIONAL)
def test_null_means_not_given(name: str) -> None:
    bare = inbound(json.dumps({"model": "m", "messages": [HI]}).encode())
    null = inbound(json.dumps({"model": "m", "messages": [HI], name: None}).encode())
    assert null.call == bare.call and not null.dropped


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("metadata", [{"user_id": "u"}]),
        ("cache_control", [{"type": "ephemeral"}]),
        ("service_tier", ["auto", "standard_only", ""]),
        ("speed", ["standard"]),
        ("diagnostics", [{"previous_message_id": None}]),
        ("user_profile_id", ["u"]),
        ("workspace_id", ["w"]),
        ("betas", [["a"]]),
        ("anthropic_version", ["bedrock-2023-05-31"]),
        ("context_management", [{}, {"edits": []}, {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]}]),
        ("stop_sequences", [[], [""], ""]),
        ("top_k", [0]),
        ("tools", [[]]),
        ("system", ["", [], [text("")], BILLING, [text(BILLING)]]),
        ("mcp_servers", [[]]),
        ("container", [None, ""]),
        ("stream", [False]),
        ("thinking", [{}]),
        ("output_config", [{}]),
    ],
)
def test_what_has_no_effect(name: str, values: list[Any]) -> None:
    for value in values:
        parsed = parse(**{name: value})
        assert parsed.call == parse().call and not parsed.dropped, value


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("mcp_servers", [{"type": "url", "url": "https://a.de", "name": "x"}]),
        ("container", "container_01"),
        ("inference_geo", "us"),
        ("speed", "fast"),
        ("service_tier", "priority"),
        ("context_management", {"edits": [{"type": "clear_tool_uses_20250919"}]}),
        ("context_management", {"edits": [{"type": "clear_thinking_20251015"}, {"type": "compact_20260112"}]}),
        ("context_management", "all"),
        ("zebra", 1),
    ],
)
def test_what_is_lost_is_recorded(name: str, value: Any) -> None:
    assert lost(**{name: value}) == [name]


# ── how tokens are chosen ──


def test_how_tokens_are_chosen() -> None:
    call = call_of(max_tokens="5", temperature="0.7", top_p=1, top_k=3, stop_sequences=["a", "", None], stream=True)
    assert call.sampling == Sampling(max_output_tokens=5, temperature=0.7, top_p=1.0, top_k=3, stop=("a",))
    assert call.stream and call_of(temperature=0).sampling.temperature == 0


def test_a_limit_may_be_missing_but_not_nothing() -> None:
    assert inbound(json.dumps({"model": "m", "messages": [HI]}).encode()).call == call_of(max_tokens=None)
    assert call_of(max_tokens=1).sampling.max_output_tokens == 1
    for limit in (0, -1):
        assert refusal(max_tokens=limit).param == "max_tokens"


def test_the_length_of_a_prompt() -> None:
    body = json.dumps({"model": "m", "messages": [HI], "system": "s"}).encode()
    for given_body in (body, memoryview(body)):
        assert inbound_count(given_body).call == CountTokens(inbound(body).call)  # type: ignore[arg-type]


# ── system ──


def test_system_text() -> None:
    assert call_of(system="s").system == (Text("s"),)
    blocks = [text(BILLING), text("a") | {"cache_control": {"type": "ephemeral"}}, text(""), text("b")]
    assert call_of(system=blocks).system == (Text("a"), Text("b"))
    assert call_of(system=f"{BILLING}\nBe brief.").system == (Text("Be brief."),)
    assert not lost(system=blocks)


def test_system_messages() -> None:
    messages = [
        {"role": "system", "content": "s1"},
        {"role": "system", "content": [text(BILLING), text("s2")]},
        HI,
        {"role": "system", "content": "later"},
        {"role": "assistant", "content": "ok"},
        {"role": "system", "content": [text("even later")]},
    ]
    call = call_of(system="s0", messages=messages)
    assert call.system == (Text("s0"), Text("s1"), Text("s2"))
    assert call.messages == (
        Message("user", (Text("hi"),)),
        Message("user", (Text("later"),)),
        Message("model", (Text("ok"),)),
        Message("user", (Text("even later"),)),
    )
    for model in MODELS:
        said = [part["text"] for content in checked(call, model)["contents"] for part in content["parts"]]
        assert said[:4] == ["hi", "later", "ok", "even later"]


def test_system_messages_that_are_shown_for_one_turn() -> None:
    note = {"role": "system", "content": "now", "clear_at": "next_user_message"}
    assert len(call_of(messages=[HI, note]).messages) == 2
    assert len(call_of(messages=[HI, note, {"role": "assistant", "content": "a"}, HI]).messages) == 3
    kept = note | {"clear_at": "never"}
    assert len(call_of(messages=[HI, kept, {"role": "assistant", "content": "a"}, HI]).messages) == 4


def test_the_last_effort_that_is_asked_for_holds() -> None:
    """Claude Code names one on its system messages too."""

    def asked(*efforts: str, **fields: Any) -> str | None:
        notes = [{"role": "system", "content": "x", "output_config": {"effort": effort}} for effort in efforts]
        return call_of(messages=[HI, *notes], **fields).reasoning.effort

    assert asked("low") == "low" and asked("low", "high") == "high"
    assert asked("low", output_config={"effort": "high"}) == "low"
    assert asked(output_config={"effort": "high"}) == "high"
    note = {"role": "system", "content": "x", "output_config": {"effort": "low"}}
    assert not lost(messages=[HI, note]) and not lost(messages=[HI, note | {"output_config": {}}])
    assert refusal(messages=[HI, note | {"output_config": {"effort": "x"}}]).param == "messages.1.output_config.effort"


# ── messages ──


def test_the_conversation() -> None:
    messages = [
        HI,
        {"role": "user", "content": [text("a"), text(""), text("b")]},
        {"role": "assistant", "content": [text("c"), use("1", x=1.5), use("2", "g")]},
        {"role": "user", "content": [text("first"), result("2", "two"), result("1", "one"), text("and?")]},
        {"role": "assistant", "content": ""},
        {"role": "user", "content": text("bare")},
    ]
    call = call_of(messages=messages)
    assert call.messages == (
        Message("user", (Text("hi"),)),
        Message("user", (Text("a"), Text("b"))),
        Message("model", (Text("c"), ToolCall("1", "f", '{"x": 1.5}'), ToolCall("2", "g", "{}"))),
        Message(
            "user",
            (
                Text("first"),
                ToolResult("2", "g", '{"output":"two"}'),
                ToolResult("1", "f", '{"output":"one"}'),
                Text("and?"),
            ),
        ),
        Message("model", ()),
        Message("user", (Text("bare"),)),
    )
    for model in MODELS:
        contents = checked(call, model)["contents"]
        after = next(content for content in contents if "functionResponse" in content["parts"][0])
        assert [next(iter(part)) for part in after["parts"]] == ["functionResponse", "functionResponse", "text", "text"]
        assert [part["functionResponse"]["name"] for part in after["parts"][:2]] == ["f", "g"]


@pytest.mark.acceptance(13)
def test_empty_messages_do_not_break_the_order() -> None:
    empty = [{"role": "assistant", "content": []}, {"role": "user", "content": [text("")]}]
    call = call_of(system="", messages=[HI, *empty, {"role": "assistant", "content": [text("")]}, HI])
    for model in MODELS:
        body = checked(call, model)
        assert [part for content in body["contents"] for part in content["parts"]] == [{"text": "hi"}] * 2
        assert "systemInstruction" not in body


# ── what is wrong is named ──


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"messages": []}, "messages"),
        ({"messages": "hi"}, "messages"),
        ({"messages": ["hi"]}, "messages.0"),
        ({"messages": [{"content": "hi"}]}, "messages.0.role"),
        ({"messages": [HI, {"role": "wizard", "content": "hi"}]}, "messages.1.role"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages.0.content"),
        ({"messages": [{"role": "user", "content": [5]}]}, "messages.0.content.0"),
        ({"messages": [{"role": "user", "content": [{"type": "text", "text": 5}]}]}, "messages.0.content.0.text"),
        ({"system": 5}, "system"),
        ({"system": [text("a"), {"text": 5}]}, "system.1.text"),
        ({"temperature": []}, "temperature"),
        ({"temperature": "nan"}, "temperature"),
        ({"top_p": "inf"}, "top_p"),
        ({"max_tokens": 1.5}, "max_tokens"),
        ({"stop_sequences": [1]}, "stop_sequences.0"),
        ({"stream": "maybe"}, "stream"),
        ({"model": 5}, "model"),
        ({"tool_choice": {"type": 5}}, "tool_choice.type"),
    ],
)
def test_faults_name_the_field(fields: Json, param: str) -> None:
    assert refusal(**fields).param == param


@pytest.mark.parametrize("body", BROKEN)
def test_broken_bodies(body: bytes) -> None:
    for parse_body in INBOUND.values():
        with pytest.raises(InvalidRequest) as error:
            parse_body(memoryview(body))
        assert error.value.message


@pytest.mark.parametrize("level", [200, 900, 5000])
def test_deep_values_never_crash(level: int) -> None:
    """What was taken in must also come out, or be refused."""
    deep = '{"a":' * level + "1" + "}" * level
    content = "[" * level + '{"type":"text","text":"a"}' + "]" * level
    source = '{"type":"document","source":{"content":[' * level + '{"type":"text","text":"a"}' + "]}}" * level
    for block in (
        '{"type":"tool_use","id":"1","name":"f","input":' + deep + "}",
        '{"type":"tool_result","tool_use_id":"1","content":' + content + "}",
        '{"type":"hologram","content":' + deep + "}",
        source,
    ):
        for role in ("user", "assistant"):
            never_crashes(f'{{"model":"m","messages":[{{"role":"{role}","content":[{block}]}}]}}'.encode())
    tools = '[{"name":"f","input_schema":' + deep + "}]"
    never_crashes(f'{{"model":"m","messages":[{{"role":"user","content":"a"}}],"tools":{tools}}}'.encode())


# ── and nobody at all ──

KEYS = ["model", "messages", "role", "content", "type", "text", "system", "source", "data", "url", "media_type", "name"]
KEYS += ["file_id", "tool_use_id", "input", "is_error", "id", "thinking", "signature", "title", "context", "citations"]
KEYS += ["tools", "input_schema", "tool_choice", "budget_tokens", "display", "output_config", "effort", "format"]
KEYS += [
    "schema",
    "max_tokens",
    "stop_sequences",
    "context_management",
    "edits",
    "tool",
    "definition",
    "input_examples",
]
KEYS += ["stdout", "return_code", "error_code", "code", "encrypted_content", "output_format", "clear_at"]
SEAL = sealed(Seal("call-1"))
VALID: list[Json] = [
    {
        "model": "m",
        "max_tokens": 5,
        "system": [text("s")],
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
                    {
                        "type": "document",
                        "source": {"type": "base64", "media_type": "application/pdf", "data": PDF},
                        "title": "t",
                        "citations": {"enabled": True},
                    },
                    {"type": "document", "source": {"type": "content", "content": [text("a")]}},
                    {"type": "search_result", "source": "s", "title": "t", "content": [text("a")]},
                ],
            },
            {
                "role": "system",
                "content": [{"type": "tool_addition", "tool": {"name": "f", "definition": {"name": "g"}}}],
            },
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "t", "signature": SEAL},
                    text(f"a\n![image](data:image/png;base64,{PNG})\nb"),
                    {"type": "server_tool_use", "id": "s", "name": "code_execution", "input": {"code": "1"}},
                    {
                        "type": "code_execution_tool_result",
                        "tool_use_id": "s",
                        "content": {"stdout": "1", "stderr": "", "return_code": 0},
                    },
                    {"type": "web_search_tool_result", "tool_use_id": "w", "content": [{"title": "t", "url": "u"}]},
                    use("1"),
                ],
            },
            {"role": "user", "content": [result("1", [text("a")]), {"type": "hologram", "content": {"a": "b"}}]},
        ],
        "tools": [
            {"name": "f", "input_schema": {"type": "object"}, "input_examples": [{}]},
            {"type": "web_search_20250305", "name": "web_search", "max_uses": 1},
            {"type": "computer_20250124", "name": "computer", "display_width_px": 1, "display_height_px": 1},
        ],
        "tool_choice": {"type": "tool", "name": "f", "disable_parallel_tool_use": True},
        "thinking": {"type": "enabled", "budget_tokens": 5, "display": "omitted"},
        "output_config": {"effort": "low", "format": {"type": "json_schema", "schema": {"type": "object"}}},
        "context_management": {"edits": [{"type": "clear_thinking_1"}]},
    },
    {"model": "m", "messages": [HI], "temperature": 1, "stop_sequences": ["a"], "top_k": 3},
]


def never_crashes(body: bytes) -> None:
    try:
        call = inbound(body).call
        assert isinstance(call, Generate)
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
    rows = [row.request for row in load_recordings("anthropic") if row.path == MESSAGES and row.status == 200]
    small = [row for row in rows if isinstance(row, dict) and len(str(row)) < 3_000]
    try:
        inbound(json.dumps(data.draw(mutated(small, KEYS))).encode())
    except InvalidRequest as error:
        assert error.message
