"""The few changes that a relayed request suffers; the rest stays byte for byte."""

import json
from typing import Any

import msgspec
import pytest

from gemgate.errors import InvalidRequest
from gemgate.hub.abilities import Thinking
from gemgate.hub.call import Reasoning
from gemgate.protocols.gemini.patch import with_model, with_search, with_thinking, without_signatures
from gemgate.protocols.gemini.turns import DUMMY_SIGNATURE
from tests.bed.recordings import conversations, needs_recordings
from tests.bed.turns import check_turns

LEVELS = Thinking(control="level", levels=("low", "high"), default="high")
BUDGET = Thinking(control="budget", max_tokens=24576, can_disable=True)
SHOWN = Reasoning(effort="high", include_thoughts=True)
ODD = (
    b'{ "contents" : [ {"parts":[{"text":"\xe2\x80\xa8 1.50"}] } ], "weird_field": 1.0e2,'
    b'\n "big":123456789012345678901234567890 }'
)


def members(body: bytes) -> dict[str, bytes]:
    return {key: bytes(raw) for key, raw in msgspec.json.decode(body, type=dict[str, msgspec.Raw]).items()}


@pytest.mark.parametrize("thinking", [LEVELS, BUDGET])
@pytest.mark.parametrize("config", ["generationConfig", "generation_config", None])
@pytest.mark.parametrize("inner", ["thinkingConfig", "thinking_config", None])
def test_thinking_changes_that_one_field(thinking: Thinking, config: str | None, inner: str | None) -> None:
    body = ODD
    if config:
        own = f'"{inner}":{{}},' if inner else ""
        body = ODD[:-1] + f',"{config}":{{{own} "temperature" : 0.50}}}}'.encode()
    made = with_thinking(body, SHOWN, thinking)
    before, after = members(body), members(made)
    key = config or "generationConfig"
    assert {name: raw for name, raw in after.items() if name != key} == {
        name: raw for name, raw in before.items() if name != key
    }
    settings = members(after[key])
    chosen = json.loads(settings.pop(inner if config and inner else "thinkingConfig"))
    amount = {"thinkingLevel": "HIGH"} if thinking is LEVELS else {"thinkingBudget": 24576}
    assert chosen == amount | {"includeThoughts": True}
    assert settings == ({"temperature": b"0.50"} if config else {})


@pytest.mark.parametrize("own", ['{"thinkingBudget":5}', '{"thinking_level":"LOW"}', '{"thinkingLevel":"low"}'])
def test_what_the_request_says_itself_holds(own: str) -> None:
    body = f'{{"contents":[],"generationConfig":{{"thinkingConfig":{own}}}}}'.encode()
    made = json.loads(with_thinking(body, SHOWN, LEVELS))["generationConfig"]["thinkingConfig"]
    assert made == json.loads(own) | {"includeThoughts": True}


def test_nothing_to_say_changes_nothing() -> None:
    assert with_thinking(ODD, Reasoning(), LEVELS) == ODD
    assert with_thinking(memoryview(ODD), SHOWN, Thinking()) == ODD


@pytest.mark.parametrize("body", [b'{"generationConfig":null}', b'{"generationConfig":{"thinkingConfig":null}}'])
def test_null_means_not_given(body: bytes) -> None:
    made = json.loads(with_thinking(body, SHOWN, LEVELS))
    assert made["generationConfig"]["thinkingConfig"] == {"thinkingLevel": "HIGH", "includeThoughts": True}


@pytest.mark.parametrize(
    "body",
    [b"[]", b"{", b'{"generationConfig":5}', b'{"generationConfig":{"thinkingConfig":[]}}', b"[" * 100_000, b"\xff"],
)
def test_what_cannot_be_patched_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        with_thinking(body, SHOWN, LEVELS)


@pytest.mark.parametrize("spelled", ["googleSearch", "google_search"])
def test_search(spelled: str) -> None:
    assert json.loads(with_search(b'{"contents":[]}'))["tools"] == [{"googleSearch": {}}]
    own = f'{{"tools": [ {{"{spelled}":{{}}}} ]}}'.encode()
    assert with_search(own) == own
    functions = b'{"tools":[{"functionDeclarations":[{"name":"f"}]}]}'
    assert len(json.loads(with_search(functions))["tools"]) == 2


@pytest.mark.parametrize(("tools", "number"), [("null", 1), ("[]", 1), ('{"codeExecution":{}}', 2)])
def test_search_beside_odd_tools(tools: str, number: int) -> None:
    made = json.loads(with_search(f'{{"tools":{tools}}}'.encode()))["tools"]
    assert len(made) == number and made[-1] == {"googleSearch": {}}


def test_tools_that_are_none_are_refused() -> None:
    with pytest.raises(InvalidRequest):
        with_search(b'{"tools":5}')


def test_the_models_name() -> None:
    text = '"model":"models/a"'
    requests = [{"model": "models/a", "content": {"parts": [{"text": text}]}}, {"model": "models/a-b"}]
    body = json.dumps({"requests": requests}, separators=(",", ":")).encode()
    made = with_model(body, "a", "z")
    assert made == body.replace(b'"model":"models/a"', b'"model":"models/z"')


def test_without_signatures() -> None:
    """Notes §5.1 rule 11: the remedy for corrupted ones."""

    def call(name: str, **more: Any) -> dict[str, Any]:
        return {"functionCall": {"name": name, "args": {"thoughtSignature": "mine"}}} | more

    contents = [
        {"role": "user", "parts": [{"text": "a"}]},
        {
            "role": "model",
            "parts": [{"text": "b", "thoughtSignature": "bad"}, call("f", thought_signature="bad"), call("g")],
        },
        {"role": "user", "parts": [{"functionResponse": {"name": name, "response": {}}} for name in "fg"]},
        {"role": "model", "parts": [call("h", thoughtSignature="bad")]},
        {"role": "user", "parts": [{"functionResponse": {"name": "h", "response": {}}}]},
    ]
    made = json.loads(without_signatures(json.dumps({"contents": contents, "labels": {"a": 1}}).encode()))
    dummy = DUMMY_SIGNATURE.value
    assert made["labels"] == {"a": 1}
    assert made["contents"][1]["parts"] == [{"text": "b"}, call("f", thoughtSignature=dummy), call("g")]
    assert made["contents"][3]["parts"] == [call("h", thoughtSignature=dummy)]
    check_turns(made, "gemini-3-flash-preview")


@pytest.mark.parametrize(
    "contents", ["null", '"hi"', "{}", "[5]", '[{"parts":5}]', '[{"parts":["a"]}]', '{"parts":[{"text":"a"}]}']
)
def test_without_signatures_of_odd_contents(contents: str) -> None:
    body = f'{{"contents":{contents}}}'.encode()
    assert json.loads(without_signatures(body)) == json.loads(body)


@needs_recordings
def test_recorded_requests_without_signatures() -> None:
    for row in conversations():
        if isinstance(row.request, dict):
            made = json.loads(without_signatures(json.dumps(row.request).encode()))
            rest = {key: value for key, value in made.items() if key != "contents"}
            assert rest == {key: value for key, value in row.request.items() if key != "contents"}
            signed = [
                part
                for content in made.get("contents") or []
                for part in content.get("parts") or []
                if part.get("thoughtSignature") or part.get("thought_signature")
            ]
            assert all(part["thoughtSignature"] == DUMMY_SIGNATURE.value for part in signed)
