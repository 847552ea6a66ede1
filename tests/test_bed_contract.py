"""The check of requests against Google's published contract, and that of their turns."""

import copy
from collections import Counter
from typing import Any

import pytest

from tests.bed.contract import ContractError, check_message, check_request, covers
from tests.bed.recordings import load_clients, load_recordings, needs_recordings, needs_shared
from tests.bed.turns import TurnError, check_turns

Json = dict[str, Any]
GOOD: Json = {
    "contents": [
        {"role": "user", "parts": [{"text": "hi"}, {"inline_data": {"mime_type": "image/png", "data": "aGk="}}]}
    ],
    "systemInstruction": {"parts": [{"text": "be brief"}]},
    "tools": [
        {
            "functionDeclarations": [
                {
                    "name": "f",
                    "description": "d",
                    "parameters": {
                        "type": "object",
                        "properties": {"my_key": {"type": "STRING"}},
                        "required": ["my_key"],
                    },
                }
            ]
        },
        {"googleSearch": {}},
        {"urlContext": {}},
    ],
    "toolConfig": {
        "functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["f"]},
        "includeServerSideToolInvocations": True,
    },
    "safetySettings": [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "OFF"}],
    "generationConfig": {
        "temperature": 1,
        "maxOutputTokens": 10,
        "responseModalities": ["TEXT", "VIDEO"],
        "thinkingConfig": {"includeThoughts": True, "thinking_level": "high"},
        "imageConfig": {"aspectRatio": "1:1", "imageSize": "2K"},
        "speechConfig": {"voiceConfig": {"prebuiltVoiceConfig": {"voiceName": "Kore"}}},
    },
    "serviceTier": "flex",
    "cachedContent": None,
}


def test_a_good_body_passes_in_all_spellings() -> None:
    full = check_message(GOOD, "GenerateContentRequest")
    assert full["generationConfig"]["thinkingConfig"]["thinkingLevel"] == "HIGH"
    assert full["contents"][0]["parts"][1]["inlineData"] == {"mimeType": "image/png", "data": "aGk="}
    assert "my_key" in full["tools"][0]["functionDeclarations"][0]["parameters"]["properties"]
    with pytest.raises(ContractError):
        check_message(GOOD, "GenerateContentRequest", canonical=True)


def _with(path: str, value: Any) -> Json:
    body = copy.deepcopy(GOOD)
    at: Any = body
    *steps, last = path.split(".")
    for step in steps:
        at = at[int(step)] if step.isdigit() else at[step]
    if last.isdigit() and isinstance(at, list):
        at[int(last)] = value
    else:
        at[last] = value
    return body


FUNCTION = "tools.0.functionDeclarations.0"
WRONG = [
    ("messages", []),
    ("contents.0.name", "bob"),
    ("contents.0.parts.0.cache_control", {"type": "ephemeral"}),
    ("contents.0.parts.1.inline_data.detail", "high"),
    ("contents.0.parts.1.inline_data.data", "###"),
    ("contents.0.parts.1.text", "two kinds in one part"),
    ("contents.0.parts.0", {}),
    ("contents.0.parts.0", {"functionCall": {"name": "f", "args": {}, "partialArgs": []}}),
    ("contents.0.parts.0", {"functionCall": {"name": "f", "args": "{}"}}),
    ("contents.0.parts.0", {"functionResponse": {"name": "f", "response": "text"}}),
    ("contents.0.parts.0", {"text": 5}),
    ("contents.0.parts.0", "text"),
    ("contents.0.parts", "text"),
    ("contents.0.role", "assistant"),
    ("contents.0", None),
    ("contents", []),
    ("contents", None),
    ("systemInstruction", "be brief"),
    ("tools.0.type", "function"),
    ("tools.1.googleSearch", {"excludeDomains": ["a"]}),
    ("tools.2", {"retrieval": {}}),
    (f"{FUNCTION}.strict", True),
    (f"{FUNCTION}.parametersJsonSchema", {"type": "object"}),
    (f"{FUNCTION}.name", "no spaces please"),
    (f"{FUNCTION}.name", ""),
    (f"{FUNCTION}.parameters.additionalProperties", False),
    (f"{FUNCTION}.parameters.$schema", "http://json-schema.org/draft-07/schema#"),
    (f"{FUNCTION}.parameters.type", ["object", "null"]),
    (f"{FUNCTION}.parameters.type", "file"),
    (f"{FUNCTION}.parameters.required", ["absent"]),
    (f"{FUNCTION}.parameters.properties.my_key", {"type": "array"}),
    (f"{FUNCTION}.parameters.properties.my_key", {"type": "string", "const": "x"}),
    (f"{FUNCTION}.parameters.properties.my_key", {"type": "integer", "enum": [1, 2]}),
    ("toolConfig.functionCallingConfig.mode", "required"),
    ("toolConfig.functionCallingConfig.mode", "AUTO"),
    ("toolConfig.functionCallingConfig.allowedFunctionNames", ["absent"]),
    ("toolConfig.includeServerSideToolInvocations", "yes"),
    ("toolConfig.parallelToolCalls", False),
    ("safetySettings.0.method", "SEVERITY"),
    ("safetySettings.0.threshold", "NEVER"),
    ("safetySettings", [{"category": "HARM_CATEGORY_HARASSMENT", "threshold": "OFF"}] * 2),
    ("generationConfig.max_tokens", 5),
    ("generationConfig.maxOutputTokens", "many"),
    ("generationConfig.max_output_tokens", 5),
    ("generationConfig.temperature", "hot"),
    ("generationConfig.audioTimestamp", True),
    ("generationConfig.stopSequences", ["a", "b", "c", "d", "e", "f"]),
    ("generationConfig.stopSequences", "a"),
    ("generationConfig.responseModalities", ["SMELL"]),
    ("generationConfig.responseJsonSchema", {"type": "object"}),
    ("generationConfig.thinkingConfig.thinkingBudget", 5),
    ("generationConfig.thinkingConfig.thinking_level", "extreme"),
    ("generationConfig.thinkingConfig.effort", "high"),
    ("generationConfig.imageConfig.size", "2K"),
    ("generationConfig.imageConfig.imageSize", 2),
    ("generationConfig.speechConfig.voice", "Kore"),
    ("serviceTier", "scale"),
    ("labels", {"a": "b"}),
    ("stream", True),
    ("cachedContent", "cachedContents/x"),
]


@pytest.mark.parametrize(("path", "value"), WRONG, ids=lambda value: str(value)[:50])
def test_a_wrong_body_is_refused(path: str, value: Any) -> None:
    with pytest.raises(ContractError):
        check_message(_with(path, value), "GenerateContentRequest")


def test_the_error_names_path_and_field() -> None:
    with pytest.raises(ContractError) as refused:
        check_message(_with("contents.0.parts.1.inline_data.detail", "high"), "GenerateContentRequest")
    assert (refused.value.path, refused.value.field) == ("contents[0].parts[1].inline_data", "detail")


def test_other_methods() -> None:
    content = {"parts": [{"text": "a"}]}
    embed = {"requests": [{"model": "models/e", "content": content, "taskType": "RETRIEVAL_QUERY"}]}
    assert check_request("POST", "/v1beta/models/e:batchEmbedContents", embed)
    inner = {"model": "models/m", "contents": [content]}
    assert check_request("POST", "/v1beta/models/m:countTokens", {"generateContentRequest": inner})
    batch = {"batch": {"displayName": "b", "inputConfig": {"requests": {"requests": [{"request": {"contents": []}}]}}}}
    wrong = [
        ("countTokens", {"generateContentRequest": inner, "contents": [content]}),
        ("countTokens", {"systemInstruction": content, "contents": [content]}),
        ("batchEmbedContents", {"requests": [{"model": "e", "content": content}]}),
        ("batchEmbedContents", {"requests": [{"model": "models/e", "input": "a"}]}),
        ("batchGenerateContent", batch),
    ]
    for method, body in wrong:
        with pytest.raises(ContractError):
            check_request("POST", f"/v1beta/models/m:{method}", body)
    assert covers("POST", "/v1beta/interactions") is None
    assert covers("POST", "/upload/v1beta/files") == "CreateFileRequest"


@needs_recordings
def test_real_requests_pass_the_contract() -> None:
    rows = [row for row in load_recordings() if row.status == 200 and isinstance(row.request, dict)]
    rows = [row for row in rows if covers(row.method, row.path) and "$raw" not in row.request]
    failed: Counter[str] = Counter()
    for row in rows:
        try:
            check_request(row.method, row.path, row.request)
        except ContractError as error:
            failed[str(error)] += 1
    assert len(rows) > 1000
    assert failed.total() <= len(rows) / 100, failed.most_common()


@needs_shared
def test_real_clients_pass_the_contract() -> None:
    covered = [row for row in load_clients() if row.body is not None and covers(row.method, row.path)]
    for row in covered:
        check_request(row.method, row.path, row.body)
    assert len(covered) > 25


# ── turns ──

USER: Json = {"role": "user", "parts": [{"text": "weather?"}]}


def _call(*names: str, signed: bool = True) -> Json:
    parts: list[Json] = [{"functionCall": {"name": name, "args": {}}} for name in names]
    if signed:
        parts[0]["thoughtSignature"] = "c2ln"
    return {"role": "model", "parts": parts}


def _result(*names: str) -> Json:
    return {
        "role": "user",
        "parts": [{"functionResponse": {"name": name, "response": {"output": 1}}} for name in names],
    }


@pytest.mark.parametrize(
    "contents",
    [
        [USER],
        [USER, _call("f")],
        [USER, _call("f", "g"), _result("g", "f")],
        [USER, _call("f"), _result("f"), _call("g"), _result("g")],
        [USER, _call("f", signed=False), _result("f"), {"role": "model", "parts": [{"text": "ok"}]}, USER],
        [USER, USER, {"role": "model", "parts": [{"text": "a"}]}, USER],
    ],
)
def test_good_turns_pass(contents: list[Json]) -> None:
    check_turns({"contents": contents}, "gemini-3.5-flash")


@pytest.mark.parametrize(
    ("rule", "contents"),
    [
        (1, [USER, _call("f", signed=False)]),
        (1, [USER, _call("f"), _result("f"), _call("g", signed=False), _result("g")]),
        (4, [USER, _call("f"), USER]),
        (4, [USER, _result("f")]),
        (4, [USER, _call("f"), _result("f"), _result("f")]),
        (4, [USER, {"role": "user", "parts": _call("f")["parts"]}]),
        (4, [USER, {"role": "model", "parts": _call("f")["parts"] + _result("f")["parts"]}]),
        (5, [USER, _call("f", "g"), _result("f")]),
        (5, [USER, _call("f"), _result("g")]),
        (5, [USER, _call("f"), {"role": "user", "parts": [{"functionResponse": {"id": "1", "name": "f"}}]}]),
        (0, [_call("f"), _result("f")]),
        (0, [USER, {"role": "model", "parts": [{"text": "a"}]}, _call("f"), _result("f")]),
    ],
)
def test_broken_turns_are_refused(rule: int, contents: list[Json]) -> None:
    with pytest.raises(TurnError) as refused:
        check_turns({"contents": contents}, "models/gemini-3.5-flash")
    assert refused.value.rule == rule


def test_older_models_need_no_signature() -> None:
    check_turns({"contents": [USER, _call("f", signed=False)]}, "gemini-2.5-pro")


@needs_recordings
def test_real_requests_follow_the_turns() -> None:
    rows = [row for row in load_recordings() if row.status == 200 and row.method_name.endswith("enerateContent")]
    rows = [row for row in rows if isinstance(row.request, dict)]
    failed: Counter[str] = Counter()
    for row in rows:
        try:
            check_turns(row.request, row.model or "")
        except TurnError as error:
            failed[str(error)] += 1
    assert len(rows) > 900
    assert failed.total() <= len(rows) / 100, failed.most_common()
