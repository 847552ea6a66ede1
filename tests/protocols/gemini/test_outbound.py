"""What is sent upstream is valid for Google's own contract and loses nothing that the hub knows."""

import json
from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from gemgate.errors import InvalidRequest
from gemgate.hub.call import Function
from gemgate.hub.parts import Message, Text, Vendor
from gemgate.protocols.gemini.inbound import inbound_generate
from gemgate.protocols.gemini.outbound import count_tokens, outbound
from gemgate.protocols.gemini.spelling import camel
from gemgate.protocols.gemini.turns import CONTINUE, DUMMY_SIGNATURE, MISSING_RESULT, OPENING
from gemgate.protocols.gemini.wire import Request
from gemgate.protocols.openai_chat.inbound import inbound as chat_inbound
from tests.bed.contract import check_request
from tests.bed.recordings import Recording, conversations, needs_recordings
from tests.protocols.shaping import MODELS, OLD, ask, checked

Json = dict[str, Any]
each_model = pytest.mark.parametrize("model", MODELS)
TOOL = Function(name="f", description="d", parameters='{"type":"object","properties":{"a":{"type":"string"}}}')


# ── recorded requests, there and back ──

ADDED = [json.loads(part) for part in ('{"text":"."}', '{"text":"Continue."}')]
MADE_UP = json.loads(MISSING_RESULT)


def beside(parts: Sequence[Json]) -> list[Json]:
    """Media of results stand behind the results of their content on models that take none inside."""
    results = [part["functionResponse"] for part in parts if "functionResponse" in part]
    media = [item for result in results for item in result.pop("parts", [])]
    others = [part for part in parts if "functionResponse" not in part]
    return [*({"functionResponse": result} for result in results), *media, *others]


def flat(contents: Sequence[Json], *, media_in_results: bool = True) -> list[tuple[str, Any, Any]]:
    """Each part's data and signature in order, as (kind, data, signature); defaults and empty texts are left out."""
    found: list[tuple[str, Any, Any]] = []
    for content in contents:
        parts: Any = content.get("parts") or []
        for part in parts if media_in_results else beside(parts):
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
    before = flat(canonical(row.request)["contents"], media_in_results=abilities.media_in_results)
    after = flat(body["contents"])
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
        # Of results with one id the last counts.
        if message["content"] and isinstance(message["content"], str) and message["role"] != "tool":
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
    off = body["safetySettings"][1:]
    body = checked(ask(vendor=Vendor("gemini", json.dumps({"safetySettings": own}))))
    assert body["safetySettings"] == own + off


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
