import json
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from gemgate.errors import InvalidRequest
from gemgate.hub.call import BuiltIn, Function, Generate, OpaqueTool, Output, Reasoning, Sampling, ToolChoice
from gemgate.hub.parts import (
    Code,
    CodeResult,
    Inline,
    Media,
    Message,
    Opaque,
    Part,
    Text,
    Thought,
    ToolCall,
    ToolResult,
    Uri,
    Vendor,
)
from gemgate.protocols.openai_responses.inbound import inbound
from gemgate.upstreams.embedded.prompt import DEFAULT_MAX_OUTPUT_TOKENS, prompt_of

from .asking import TARGET, generate

WEATHER = Function(
    name="get_weather",
    description="Weather of a city",
    parameters=json.dumps({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}),
)
TIME = Function(name="get_time")
VENDOR = Vendor("gemini", '{"x": 1}')


def messages(call: Generate) -> list[dict[str, str]]:
    return prompt_of(call, TARGET).requests[0]["messages"]


def paths(call: Generate) -> list[str]:
    return [dropped.path for dropped in prompt_of(call, TARGET).dropped]


def test_a_conversation_becomes_roles_and_text():
    call = generate(
        (
            Message("user", (Text("Run it"),)),
            Message("model", (Thought("hm"), Code("1", "PYTHON", "print(1)"), CodeResult("1", "ok", "1\n"))),
            Message("model", (ToolCall("c", "get_weather", '{"city": "Rome"}'),)),
            Message("user", (ToolResult("c", "get_weather", '{"output": "sun"}'),)),
            Message("user", (Text("Thanks"), Text("!"))),
        ),
        system=(Text("Be brief."), Text("Be kind.")),
    )
    assert messages(call) == [
        {"role": "system", "content": "Be brief.\n\nBe kind."},
        {"role": "user", "content": "Run it"},
        {
            "role": "assistant",
            "content": "\n```python\nprint(1)\n```\n\nOutput (ok):\n```\n1\n\n```\n"
            '\n\n{"name": "get_weather", "arguments": {"city": "Rome"}}',
        },
        {"role": "user", "content": 'Result of get_weather: {"output": "sun"}\n\nThanks!'},
    ]


@pytest.mark.parametrize("said", [(), (Message("user", ()),), (Message("user", (Text(""), Thought("hm"))),)])
def test_an_empty_conversation_is_refused(said: tuple[Message, ...]):
    with pytest.raises(InvalidRequest, match="empty") as refusal:
        prompt_of(generate(said), TARGET)
    assert refusal.value.param == "messages"


@pytest.mark.parametrize(
    "part",
    [
        Media("image/png", Inline("AAAA")),
        Media("audio/wav", Uri("https://example.com/a.wav")),
        Opaque(VENDOR),
        ToolResult("c", "f", "{}", media=(Media("image/png", Inline("AAAA")),)),
    ],
)
def test_parts_beyond_the_model_are_refused_with_the_cure(part: Part):
    with pytest.raises(InvalidRequest, match="Set GEMINI_API_KEY=") as refusal:
        prompt_of(generate((Message("user", (Text("See"), part)),)), TARGET)
    assert refusal.value.param == "messages.0.parts.1"
    with pytest.raises(InvalidRequest) as refusal:
        prompt_of(generate("Hi", system=(part,)), TARGET)
    assert refusal.value.param == "system.0"


OWN_TOOLS = [
    (BuiltIn("web_search"), "search the web"),
    (BuiltIn("code_execution"), "run code"),
    (BuiltIn("url_context"), "read URLs"),
    (BuiltIn("maps"), "use maps"),
    (BuiltIn("image_generation"), "make images"),
    (OpaqueTool(VENDOR), "use this gemini tool"),
]


@pytest.mark.parametrize(("tool", "ability"), OWN_TOOLS)
@pytest.mark.parametrize("choice", [None, ToolChoice("auto"), ToolChoice("none"), ToolChoice("required")])
def test_tools_beyond_the_model_are_passed_over_beside_functions(
    tool: BuiltIn | OpaqueTool, ability: str, choice: ToolChoice | None
):
    prompt = prompt_of(generate("Hi", tools=(WEATHER, tool), tool_choice=choice), TARGET)
    assert [(drop.path, drop.why) for drop in prompt.dropped] == [
        ("tools.1", f"the embedded demo model cannot {ability}")
    ]
    alone = prompt_of(generate("Hi", tools=(WEATHER,), tool_choice=choice), TARGET)
    assert prompt.requests == alone.requests and prompt.calls == alone.calls


@pytest.mark.parametrize("choice", [None, ToolChoice("none"), ToolChoice("validated")])
def test_tools_beyond_the_model_are_passed_over_alone(choice: ToolChoice | None):
    for tool, _ in OWN_TOOLS:
        prompt = prompt_of(generate("Hi", tools=(tool,), tool_choice=choice), TARGET)
        assert [drop.path for drop in prompt.dropped] == ["tools.0"]
        assert prompt.requests == prompt_of(generate("Hi"), TARGET).requests and not prompt.calls
    assert paths(generate("Hi", tools=tuple(tool for tool, _ in OWN_TOOLS), tool_choice=ToolChoice("auto"))) == [
        f"tools.{number}" for number in range(len(OWN_TOOLS))
    ]


@pytest.mark.parametrize(("tool", "ability"), OWN_TOOLS)
def test_a_tool_beyond_the_model_that_must_be_used_is_refused_with_the_cure(tool: BuiltIn | OpaqueTool, ability: str):
    call = generate("Hi", tools=(tool, BuiltIn("web_search")), tool_choice=ToolChoice("required"))
    with pytest.raises(InvalidRequest, match=f"{ability}. Set GEMINI_API_KEY=") as refusal:
        prompt_of(call, TARGET)
    assert refusal.value.param == "tools.0"


@pytest.mark.parametrize(
    "told",
    [
        {"tools": [{"type": "function", "name": "f"}, {"type": "web_search"}], "tool_choice": {"type": "web_search"}},
        {
            "tools": [{"type": "function", "name": "f"}, {"type": "image_generation"}],
            "tool_choice": {"type": "image_generation"},
        },
        {"tools": [{"type": "web_search"}], "tool_choice": "required"},
    ],
)
def test_what_a_client_forces_is_refused_where_it_stood(told: dict[str, Any]):
    parsed = inbound(json.dumps({"model": "m", "input": "hi"} | told).encode())
    assert isinstance(parsed.call, Generate)
    with pytest.raises(InvalidRequest, match="Set GEMINI_API_KEY=") as refusal:
        prompt_of(parsed.call, TARGET)
    where = refusal.value.param or ""
    assert parsed.paths[where] == f"tools.{len(told['tools']) - 1}"


def test_a_search_suffix_is_refused():
    with pytest.raises(InvalidRequest, match="search the web"):
        prompt_of(generate("Hi"), replace(TARGET, web_search=True))


def test_only_text_comes_out():
    prompt_of(generate("Hi", output=Output(modalities=("text",))), TARGET)
    with pytest.raises(InvalidRequest, match="answer with image") as refusal:
        prompt_of(generate("Hi", output=Output(modalities=("TEXT", "IMAGE"))), TARGET)
    assert refusal.value.param == "output.modalities"


def test_what_the_model_cannot_do_is_recorded():
    call = generate(
        "Hi",
        reasoning=Reasoning(effort="high", include_thoughts=True),
        sampling=Sampling(logprobs=2),
        vendor=VENDOR,
    )
    assert paths(call) == ["reasoning.effort", "reasoning.include_thoughts", "sampling.logprobs", "vendor"]
    assert paths(generate("Hi", reasoning=Reasoning(budget_tokens=-1))) == ["reasoning.budget_tokens"]
    thinking = replace(TARGET, reasoning=Reasoning(effort="low"))
    assert [dropped.path for dropped in prompt_of(generate("Hi"), thinking).dropped] == ["reasoning"]


def test_what_is_not_asked_or_needs_nothing_is_not_recorded():
    assert paths(generate("Hi", reasoning=Reasoning(effort="none", include_thoughts=False))) == []
    assert paths(generate("Hi", reasoning=Reasoning(budget_tokens=0))) == []


def test_sampling_is_passed_on():
    sampling = Sampling(
        temperature=0.0, top_p=0.5, top_k=3, max_output_tokens=9, stop=("a", "b"), seed=2**40,
        presence_penalty=0.1, frequency_penalty=-0.2,
    )  # fmt: skip
    request = prompt_of(generate("Hi", sampling=sampling), TARGET).requests[0]
    assert 0 <= request.pop("seed") < 0xFFFFFFFF
    request.pop("messages")
    assert request == {
        "temperature": 0.0, "top_p": 0.5, "top_k": 3, "max_tokens": 9, "stop": ["a", "b"],
        "presence_penalty": 0.1, "frequency_penalty": -0.2, "cache_prompt": False,
    }  # fmt: skip


def test_an_answer_without_a_limit_has_one():
    request = prompt_of(generate("Hi", sampling=Sampling()), TARGET).requests[0]
    assert request["max_tokens"] == DEFAULT_MAX_OUTPUT_TOKENS
    assert "seed" not in request


def test_candidates_differ_in_their_seeds():
    requests = prompt_of(generate("Hi", sampling=Sampling(candidates=3, seed=7)), TARGET).requests
    assert [request["seed"] for request in requests] == [7, 8, 9]


def test_candidates_have_a_limit():
    """Each is a generation of its own, of a client's choosing."""
    assert len(prompt_of(generate("Hi", sampling=Sampling(candidates=8)), TARGET).requests) == 8
    with pytest.raises(InvalidRequest, match="At most 8") as refusal:
        prompt_of(generate("Hi", sampling=Sampling(candidates=9)), TARGET)
    assert refusal.value.param == "sampling.candidates"


def test_functions_are_told_and_bound():
    prompt = prompt_of(generate("Hi", tools=(WEATHER, TIME)), TARGET)
    request = prompt.requests[0]
    assert prompt.calls
    assert request["messages"][0]["role"] == "system"
    assert "Weather of a city" in request["messages"][0]["content"]
    root = request["grammar"].splitlines()[0]
    assert r"\"get_weather\"" in root
    assert r"\"get_time\"" in root
    assert "[^{]" in root


def test_a_forced_function_leaves_no_other_way():
    call = generate("Hi", tools=(WEATHER, TIME), tool_choice=ToolChoice("required", ("get_time",)))
    request = prompt_of(call, TARGET).requests[0]
    root = request["grammar"].splitlines()[0]
    assert "get_weather" not in root + request["messages"][0]["content"]
    assert "[^{]" not in root


def test_functions_that_may_not_be_called_are_not_told():
    prompt = prompt_of(generate("Hi", tools=(WEATHER,), tool_choice=ToolChoice("none")), TARGET)
    assert not prompt.calls
    assert "grammar" not in prompt.requests[0]
    assert prompt.requests[0]["messages"] == [{"role": "user", "content": "Hi"}]


def test_forcing_a_function_that_is_not_offered_is_refused():
    with pytest.raises(InvalidRequest, match="no such function") as refusal:
        prompt_of(generate("Hi", tools=(WEATHER,), tool_choice=ToolChoice("required", ("other",))), TARGET)
    assert refusal.value.param == "tool_choice"


def test_json_beside_functions_is_recorded_as_dropped():
    assert paths(generate("Hi", tools=(TIME,), output=Output(json=True))) == ["output.json"]


@pytest.mark.parametrize("schema", ['{"type": "banana"}', "{", '{"$ref": "#/nope"}', "[" * 100_000])
def test_bad_schemas_are_refused_by_name(schema: str):
    with pytest.raises(InvalidRequest) as refusal:
        prompt_of(generate("Hi", output=Output(json=True, schema=schema)), TARGET)
    assert refusal.value.param == "output.schema"
    with pytest.raises(InvalidRequest, match="'f'") as refusal:
        prompt_of(generate("Hi", tools=(Function(name="f", parameters=schema),)), TARGET)
    assert refusal.value.param == "tools"


def test_schema_keywords_that_do_not_bind_are_recorded():
    schema = '{"type": "object", "properties": {"a": {"type": "string", "pattern": "x"}}}'
    (dropped,) = prompt_of(generate("Hi", output=Output(json=True, schema=schema)), TARGET).dropped
    assert (dropped.path, "pattern" in dropped.why) == ("output.schema", True)


@given(st.lists(st.tuples(st.sampled_from(["user", "model"]), st.text(max_size=5)), max_size=8))
def test_no_role_speaks_twice_in_a_row_and_no_text_is_lost(turns: list[tuple[str, str]]):
    said = tuple(Message(role, (Text(text),)) for role, text in turns)  # type: ignore[arg-type]
    if not any(text for _, text in turns):
        return
    result = messages(generate(said))
    roles = [message["role"] for message in result]
    assert all(left != right for left, right in pairwise(roles))
    assert "\n\n".join(m["content"] for m in result) == "\n\n".join(text for _, text in turns if text)
