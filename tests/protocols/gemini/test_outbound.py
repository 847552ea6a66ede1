"""What is sent upstream is valid for Google's own contract and loses nothing that the hub knows."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from gemgate.errors import InvalidRequest
from gemgate.hub.call import BuiltIn, Effort, Function, OpaqueTool, Output, Reasoning, Sampling, ToolChoice
from gemgate.hub.parts import Message, Text, ToolCall, ToolResult, Vendor
from gemgate.protocols.gemini.inbound import inbound_generate
from gemgate.protocols.gemini.outbound import count_tokens, outbound
from gemgate.protocols.gemini.spelling import camel
from gemgate.protocols.gemini.turns import CONTINUE, DUMMY_SIGNATURE, MISSING_RESULT, OPENING
from gemgate.protocols.gemini.wire import Request
from gemgate.protocols.openai_chat.inbound import inbound as chat_inbound
from tests.bed.contract import check_request
from tests.bed.recordings import Recording, conversations, needs_recordings
from tests.protocols.shaping import MODELS, NEW, OLD, ask, checked

Json = dict[str, Any]
each_model = pytest.mark.parametrize("model", MODELS)
TOOL = Function(name="f", description="d", parameters='{"type":"object","properties":{"a":{"type":"string"}}}')


# ── recorded requests, there and back ──

ADDED = [json.loads(part) for part in ('{"text":"."}', '{"text":"Continue."}')]
MADE_UP = json.loads(MISSING_RESULT)


def flat(contents: Sequence[Json]) -> list[tuple[str, Any, Any]]:
    """Each part's data and signature in order, as (kind, data, signature); defaults and empty texts are left out."""
    found: list[tuple[str, Any, Any]] = []
    for content in contents:
        for part in content.get("parts") or []:
            mark = part.get("thoughtSignature")
            data = {key: value for key, value in part.items() if key != "thoughtSignature" and value is not False}
            if data == {"text": ""} and not mark:
                continue
            kind = next((key for key in data if key not in ("thought", "videoMetadata", "mediaResolution")), "none")
            if isinstance(data.get("functionCall"), dict):
                data["functionCall"] = {"args": {}} | data["functionCall"]
            if isinstance(data.get("functionResponse"), dict):
                data["functionResponse"] = {"response": {}} | data["functionResponse"]
            found.append((kind, data, mark))
    return found


def canonical(request: Json) -> Json:
    document: Any = camel(request, Request)
    return json.loads(json.dumps(document))


def refused(row: Recording) -> bool:
    """Cached content lives at Gemini: a translated request cannot refer to it."""
    return "cachedContent" in row.request or "cached_content" in row.request


@needs_recordings
@each_model
def test_every_recorded_request(model: str) -> None:
    """Acceptance 1, 4, 5: same texts, calls, results, media and signatures in the same order, for any model."""
    rows = [row for row in conversations() if isinstance(row.request, dict) and row.request.get("contents")]
    # One asks with a part that holds nothing but `videoMetadata`, against the contract.
    rows = [row for row in rows if row.id != "g-15f0b24e13cf"]
    assert len(rows) > 900
    for row in rows:
        try:
            _check_recorded(row, model)
        except Exception as error:
            error.add_note(f"recording {row.id}")
            raise


def _check_recorded(row: Recording, model: str) -> None:
    given_body = json.dumps(row.request).encode()
    if refused(row):
        with pytest.raises(InvalidRequest) as error:
            inbound_generate(given_body, model=model, stream=False)
        assert error.value.param == "cachedContent"
        return
    call = inbound_generate(given_body, model=model, stream=row.streamed).call
    abilities = replace(MODELS[model], output=("text", "image", "audio"), candidates=True)
    body = checked(call, model, abilities)  # type: ignore[arg-type]
    before, after = flat(canonical(row.request)["contents"]), flat(body["contents"])
    signed = [item for item in after if item[2] != DUMMY_SIGNATURE.value]
    remaining = [item[:2] for item in after]
    for kind, data, mark in before:
        assert (kind, data) in remaining, f"{kind} lost"
        remaining.remove((kind, data))
        assert not mark or (kind, data, mark) in signed, f"signature of {kind} lost"
    asked_by_system = (canonical(row.request).get("systemInstruction") or {}).get("parts") or []
    for kind, data in remaining:
        made_up = data.get("functionResponse", {}).get("response") == MADE_UP
        assert made_up or data in ADDED or data in asked_by_system, f"{kind} made up: {data}"
    assert [item[:2] for item in after if item[:2] in [b[:2] for b in before] and item[0] != "functionResponse"] == [
        item[:2] for item in before if item[0] != "functionResponse"
    ]
    given_system = canonical(row.request).get("systemInstruction") or {}
    texts = [part["text"] for part in body.get("systemInstruction", {}).get("parts", [])]
    assert texts[: len(given_system.get("parts") or [])] == [part["text"] for part in given_system.get("parts") or []]


# ── chat conversations, as wild as clients make them ──

NAMES = st.sampled_from(["f", "g", "get weather", "get_weather", "weather.get-it", "1st", "x" * 80, "天气", "f:1"])
TEXTS = st.sampled_from(["", "a", "hello", "b c"])
IDS = st.sampled_from(["c1", "c2", "c3", "call_4"])


@st.composite
def chat_message(draw: st.DrawFn) -> Json:
    role = draw(st.sampled_from(["system", "developer", "user", "assistant", "assistant", "tool", "tool"]))
    text = draw(TEXTS)
    content: Any = draw(st.sampled_from([text, text, None, [], [{"type": "text", "text": text}] * 2]))
    message: Json = {"role": role, "content": content}
    if role == "assistant" and draw(st.booleans()):
        calls = draw(
            st.lists(st.tuples(IDS, NAMES, st.sampled_from(["{}", "", '{"a":1}', "[1]", "{broken"])), max_size=3)
        )
        message["tool_calls"] = [
            {"id": key, "type": "function", "function": {"name": name, "arguments": arguments}}
            | ({"extra_content": {"google": {"thought_signature": "c2ln"}}} if draw(st.booleans()) else {})
            for key, name, arguments in calls
        ]
    if role == "tool":
        message["tool_call_id"] = draw(IDS)
    return message


@settings(deadline=None, max_examples=250)
@given(st.lists(chat_message(), min_size=1, max_size=9), st.lists(NAMES, max_size=3), st.sampled_from(sorted(MODELS)))
def test_any_chat_history_becomes_a_valid_request(messages: list[Json], tools: list[str], model: str) -> None:
    """Acceptance 11, 12 and 13: missing, extra and doubled results, empty texts, prefill, calls at the start."""
    request: Json = {"model": "m", "messages": messages}
    if tools:
        request["tools"] = [{"type": "function", "function": {"name": name}} for name in tools]
    call: Any = chat_inbound(json.dumps(request).encode()).call
    given_text = any(part for part in call.system) or any(
        not (isinstance(part, Text) and not part.text and not part.signature)
        for message in call.messages
        for part in message.parts
    )
    if not given_text:
        with pytest.raises(InvalidRequest):
            outbound(call, MODELS[model])
        return
    rendered = outbound(call, MODELS[model])
    body = checked(call, model)
    said = json.dumps(body, ensure_ascii=False)
    for message in messages:
        if message["content"] and isinstance(message["content"], str):
            assert message["content"] in said
    calls = [
        part["functionCall"]["name"]
        for content in body["contents"]
        for part in content["parts"]
        if "functionCall" in part
    ]
    asked = [each["function"]["name"] for message in messages for each in message.get("tool_calls") or []]
    assert [rendered.names.get(name, name) for name in calls] == asked
    declared = [each["name"] for tool in body.get("tools", []) for each in tool["functionDeclarations"]]
    assert len(set(declared)) == len(declared)
    assert {rendered.names.get(name, name) for name in declared} == set(tools)


# ── one thing at a time ──


def test_safety_is_off_unless_the_client_says_otherwise() -> None:
    body = checked(ask())
    names = ["HARASSMENT", "HATE_SPEECH", "SEXUALLY_EXPLICIT", "DANGEROUS_CONTENT"]
    assert body["safetySettings"] == [{"category": f"HARM_CATEGORY_{name}", "threshold": "OFF"} for name in names]
    own = [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "BLOCK_ONLY_HIGH"}]
    body = checked(ask(vendor=Vendor("gemini", json.dumps({"safetySettings": own}))))
    assert body["safetySettings"] == own


def test_another_vendors_payload_is_left_alone() -> None:
    assert checked(ask(vendor=Vendor("other", '{"x":1}'))) == checked(ask())


SAMPLING = Sampling(temperature=0.0, top_p=0.5, top_k=3, presence_penalty=0.5, frequency_penalty=-0.5, seed=7)


def test_sampling_as_the_model_honours_it() -> None:
    config = checked(ask(sampling=SAMPLING))["generationConfig"]
    assert config["temperature"] == 0.0 and config["topP"] == 0.5 and config["topK"] == 3
    assert config["presencePenalty"] == 0.5 and config["frequencyPenalty"] == -0.5 and config["seed"] == 7
    rendered = outbound(ask(sampling=SAMPLING), NEW)
    assert json.loads(b"".join(rendered.body))["generationConfig"] == {"seed": 7}
    assert sorted(drop.path for drop in rendered.dropped) == [
        f"sampling.{name}" for name in ("frequency_penalty", "presence_penalty", "temperature", "top_k", "top_p")
    ]


def test_stop_sequences_are_at_most_five() -> None:
    call = ask(sampling=Sampling(stop=tuple("abcdefg")))
    assert checked(call)["generationConfig"]["stopSequences"] == list("abcde")
    assert [drop.path for drop in outbound(call, OLD).dropped] == ["sampling.stop"]


@pytest.mark.parametrize("seed", [2**31 - 1, 2**31, 2**40, -(2**40)])
@pytest.mark.parametrize("limit", [1, 2**31, 2**60])
def test_huge_numbers_stay_within_the_contract(seed: int, limit: int) -> None:
    """Notes §6.1: seed is an int32; clients draw 64-bit ones."""
    checked(ask(sampling=Sampling(seed=seed, max_output_tokens=limit)))


def test_logprobs_and_candidates() -> None:
    call = ask(sampling=Sampling(logprobs=99))
    assert [drop.path for drop in outbound(call, OLD).dropped] == ["sampling.logprobs"]
    assert checked(call, abilities=replace(OLD, logprobs=True))["generationConfig"] == {
        "responseLogprobs": True,
        "logprobs": 20,
    }
    many = ask(sampling=Sampling(candidates=2))
    assert checked(many)["generationConfig"]["candidateCount"] == 2
    with pytest.raises(InvalidRequest) as error:
        outbound(many, NEW)
    assert error.value.param == "sampling.candidates"


@pytest.mark.parametrize(("effort", "budget"), [("none", 0), ("low", 1024), ("high", 24576)])
def test_effort_for_a_budget_model(effort: Effort, budget: int) -> None:
    """Acceptance 31."""
    config = checked(ask(reasoning=Reasoning(effort=effort)))["generationConfig"]["thinkingConfig"]
    assert config["thinkingBudget"] == budget and "thinkingLevel" not in config


def test_effort_for_a_level_model() -> None:
    """Acceptance 31: `minimal` is an error on some, so the least they have is sent; off is recorded as dropped."""
    call = ask(reasoning=Reasoning(effort="minimal", include_thoughts=True))
    config = checked(call, "gemini-3-flash-preview")["generationConfig"]["thinkingConfig"]
    assert config == {"includeThoughts": True, "thinkingLevel": "LOW"}
    assert [drop.path for drop in outbound(ask(reasoning=Reasoning(effort="none")), NEW).dropped] == [
        "reasoning.effort"
    ]


SCHEMA = '{"type":"object","properties":{"mime_type":{"type":["string","null"]}}}'


def test_json_mode() -> None:
    config = checked(ask(output=Output(json=True, schema=SCHEMA)))["generationConfig"]
    assert config == {"responseMimeType": "application/json", "responseJsonSchema": json.loads(SCHEMA)}


def test_json_mode_beside_tools() -> None:
    """Acceptance 14: asked for in words where the model refuses both, recorded; as it is where it takes both."""
    call = ask(output=Output(json=True, schema=SCHEMA), tools=(TOOL,), system=(Text("be kind"),))
    body = checked(call)
    assert "responseMimeType" not in body.get("generationConfig", {})
    assert body["systemInstruction"]["parts"][0] == {"text": "be kind"}
    assert SCHEMA in body["systemInstruction"]["parts"][1]["text"]
    assert [drop.path for drop in outbound(call, OLD).dropped] == ["output"]
    assert checked(call, "gemini-3-flash-preview")["generationConfig"]["responseMimeType"] == "application/json"


def test_an_output_that_the_model_lacks_is_refused() -> None:
    with pytest.raises(InvalidRequest) as error:
        outbound(ask(output=Output(modalities=("text", "image"))), OLD)
    assert error.value.param == "output.modalities"
    image = replace(OLD, output=("text", "image"))
    assert checked(ask(), abilities=image)["generationConfig"]["responseModalities"] == ["TEXT", "IMAGE"]


def test_functions() -> None:
    body = checked(
        ask(tools=(TOOL, Function(name="empty", parameters="{}")), tool_choice=ToolChoice("required", ("f",)))
    )
    assert body["tools"] == [
        {
            "functionDeclarations": [
                {"name": "f", "description": "d", "parametersJsonSchema": json.loads(TOOL.parameters or "")},
                {"name": "empty"},
            ]
        }
    ]
    assert body["toolConfig"] == {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f"]}}


@pytest.mark.parametrize(
    ("mode", "name"), [("auto", "AUTO"), ("none", "NONE"), ("required", "ANY"), ("validated", "VALIDATED")]
)
def test_tool_modes(mode: Any, name: str) -> None:
    assert checked(ask(tools=(TOOL,), tool_choice=ToolChoice(mode)))["toolConfig"]["functionCallingConfig"] == {
        "mode": name
    }


def test_a_forced_tool_that_is_not_offered_is_refused() -> None:
    with pytest.raises(InvalidRequest) as error:
        outbound(ask(tools=(TOOL,), tool_choice=ToolChoice("required", ("unknown",))), OLD)
    assert error.value.param == "tool_choice"


def test_a_forced_tool_that_is_only_in_the_history_is_refused() -> None:
    history = (
        Message("user", (Text("a"),)),
        Message("model", (ToolCall("1", "old", "{}"),)),
        Message("user", (ToolResult("1", "old", "{}"),)),
    )
    with pytest.raises(InvalidRequest):
        outbound(ask(*history, tools=(TOOL,), tool_choice=ToolChoice("required", ("old",))), OLD)


def test_a_function_offered_twice_is_declared_once() -> None:
    body = checked(ask(tools=(TOOL, TOOL)))
    assert [each["name"] for each in body["tools"][0]["functionDeclarations"]] == ["f"]


def test_built_ins_beside_functions() -> None:
    """Acceptance 15: version-gated, never in silence."""
    call = ask(tools=(TOOL, BuiltIn("web_search"), BuiltIn("code_execution", Vendor("gemini", "{}"))))
    assert [drop.path for drop in outbound(call, OLD).dropped] == ["tools.1", "tools.2"]
    assert len(checked(call)["tools"]) == 1
    body = checked(call, "gemini-3-flash-preview")
    assert body["tools"][1:] == [{"googleSearch": {}}, {"codeExecution": {}}]
    assert body["toolConfig"]["includeServerSideToolInvocations"] is True
    assert checked(ask(tools=(BuiltIn("maps"),)))["tools"] == [{"googleMaps": {}}]


def test_tools_of_other_formats_are_refused() -> None:
    with pytest.raises(InvalidRequest):
        outbound(ask(tools=(OpaqueTool(Vendor("other", "{}")),)), OLD)
    own = OpaqueTool(Vendor("gemini", '{"fileSearch":{"fileSearchStoreNames":["fileSearchStores/a"]}}'))
    assert checked(ask(tools=(own,)))["tools"] == [json.loads(own.vendor.raw)]


def test_names_are_made_acceptable_and_mapped_back() -> None:
    names = ["get weather", "get_weather", "get/weather", "1st", "x" * 70, "x" * 71, "天气"]
    rendered = outbound(ask(tools=tuple(Function(name=name) for name in names)), OLD)
    sent = [each["name"] for each in json.loads(b"".join(rendered.body))["tools"][0]["functionDeclarations"]]
    assert [rendered.names.get(name, name) for name in sent] == names
    assert len(set(sent)) == len(names) and all(len(name) <= 64 for name in sent)
    assert "get_weather" in sent and rendered.names["get_weather_2"] in names


def test_system_text_alone_is_a_question() -> None:
    body = checked(ask(Message("user", ()), system=(Text("be kind"),)))
    assert body["contents"] == [{"role": "user", "parts": [{"text": "be kind"}]}]
    with pytest.raises(InvalidRequest) as error:
        outbound(ask(Message("user", (Text(""),))), OLD)
    assert error.value.param == "messages"


def test_counting_takes_system_and_tools_along() -> None:
    rendered = outbound(ask(system=(Text("s"),), tools=(TOOL,)), OLD)
    body = count_tokens(rendered, "gemini-x")
    assert check_request("POST", "/v1beta/models/gemini-x:countTokens", body, canonical=True)
    inner = json.loads(body)["generateContentRequest"]
    assert inner["model"] == "models/gemini-x" and inner["tools"] and inner["systemInstruction"]


def test_the_opening_and_the_end() -> None:
    body = checked(ask(Message("model", (Text("so"),))), "gemini-3-flash-preview")
    texts = [content["parts"][0]["text"] for content in body["contents"]]
    assert texts == [OPENING.parts[0].text, "so", CONTINUE.parts[0].text]  # type: ignore[union-attr]
