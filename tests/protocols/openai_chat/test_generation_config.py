"""What `generation_config` says is the request's own wish, fitted to the model like any other."""

import json
from typing import Any

import pytest

from gemgate.hub.call import Generate, Output, Sampling
from gemgate.hub.codec import Dropped
from tests.protocols.openai_chat.asking import Json, call_of, parse

CONFIG: Json = {
    "temperature": 0.5,
    "topP": 0.9,
    "top_k": 40.0,
    "maxOutputTokens": "100",
    "stopSequences": ["x"],
    "seed": 7,
    "presencePenalty": 0.1,
    "frequency_penalty": 0.2,
    "responseLogprobs": True,
    "logprobs": 3,
    "candidateCount": 2,
}
WANTED = Sampling(
    temperature=0.5,
    top_p=0.9,
    top_k=40,
    max_output_tokens=100,
    stop=("x",),
    seed=7,
    presence_penalty=0.1,
    frequency_penalty=0.2,
    logprobs=3,
    candidates=2,
)
SCHEMA: Json = {"type": "object", "properties": {"a": {"type": "string"}}}


@pytest.mark.parametrize(
    "path", ["generation_config", "google.generation_config", "extra_body.google.generation_config"]
)
def test_how_tokens_are_chosen(path: str) -> None:
    fields: Json = CONFIG
    for name in reversed(path.split(".")):
        fields = {name: fields}
    parsed = parse(**fields)
    assert isinstance(parsed.call, Generate)
    assert parsed.call.sampling == WANTED and parsed.call.vendor is None and not parsed.dropped
    assert parsed.paths["sampling.temperature"] == f"{path}.temperature"
    assert parsed.paths["sampling.stop"] == f"{path}.stop_sequences"
    assert parsed.paths["sampling.logprobs"] == f"{path}.response_logprobs"


def test_the_requests_own_fields_win() -> None:
    """A contradiction is told, agreement is none."""
    parsed = parse(temperature=0, max_tokens=100, generation_config=CONFIG)
    assert isinstance(parsed.call, Generate)
    assert parsed.call.sampling.temperature == 0 and parsed.call.sampling.top_p == 0.9
    assert [drop.path for drop in parsed.dropped] == ["generation_config.temperature"]
    assert parsed.paths["sampling.temperature"] == "temperature"


@pytest.mark.parametrize(
    ("config", "output"),
    [
        ({"responseMimeType": "application/json"}, Output(json=True)),
        ({"responseMimeType": "text/plain"}, Output()),
        ({"response_json_schema": SCHEMA}, Output(json=True, schema=json.dumps(SCHEMA))),
        (
            {"responseSchema": {"type": "OBJECT"}, "responseMimeType": "application/json"},
            Output(json=True, schema='{"type":"object"}'),
        ),
        ({"responseModalities": ["TEXT", "IMAGE"]}, Output(modalities=("text", "image"))),
        ({"responseModalities": ["AUDIO"]}, Output(modalities=("audio",))),
        ({"responseModalities": ["TEXT"]}, Output(modalities=("text",))),
        ({"responseMimeType": "text/plain", "response_json_schema": SCHEMA}, Output()),
    ],
)
def test_the_form_of_the_answer(config: Json, output: Output) -> None:
    call = call_of(google={"generation_config": config})
    assert call.output == output and call.vendor is None


def test_a_response_format_wins() -> None:
    parsed = parse(response_format={"type": "json_object"}, generation_config={"response_json_schema": SCHEMA})
    assert isinstance(parsed.call, Generate) and parsed.call.output == Output(json=True, schema=json.dumps(SCHEMA))
    assert parsed.dropped == ()
    other = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "string"}}}
    parsed = parse(response_format=other, generation_config={"response_json_schema": SCHEMA})
    assert isinstance(parsed.call, Generate) and parsed.call.output.schema != json.dumps(SCHEMA)
    assert [drop.path for drop in parsed.dropped] == ["generation_config.response_json_schema"]


@pytest.mark.parametrize(
    "config",
    [
        {"response_mime_type": "text/x.enum", "response_schema": {"type": "STRING", "enum": ["a"]}},
        {"response_mime_type": "text/x.enum", "response_json_schema": {"type": "string", "enum": ["a"]}},
        {"media_resolution": "MEDIA_RESOLUTION_LOW"},
        {"something_new": 1},
    ],
)
def test_the_rest_is_handed_on(config: Json) -> None:
    parsed = parse(generation_config=config | {"seed": 1})
    assert isinstance(parsed.call, Generate) and parsed.call.vendor is not None
    assert json.loads(parsed.call.vendor.raw) == {"generation_config": config}
    assert parsed.call.sampling == Sampling(seed=1)


@pytest.mark.parametrize("value", [None, "", []])
def test_empty_values_ask_for_nothing(value: Any) -> None:
    parsed = parse(generation_config=dict.fromkeys(CONFIG, value))
    assert parsed.call == parse().call and parsed.dropped == tuple[Dropped]()
