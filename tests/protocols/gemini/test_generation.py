"""How answers are made, as the model honours it."""

import json

import pytest
from msgspec.structs import replace

from gemgate.errors import InvalidRequest
from gemgate.hub.call import Effort, Output, Reasoning, Sampling
from gemgate.protocols.gemini.outbound import outbound
from tests.protocols.shaping import NEW, OLD, ask, checked

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


@pytest.mark.parametrize(
    ("given", "sent"),
    [((2.5, 1.5), (2.0, 1.0)), ((-1.0, -0.1), (0.0, 0.0)), ((0.0, 1.0), (0.0, 1.0)), ((2, 0), (2, 0))],
)
def test_sampling_is_clamped_into_geminis_range(given: tuple[float, float], sent: tuple[float, float]) -> None:
    """Notes §6.1."""
    rendered = outbound(ask(sampling=Sampling(temperature=given[0], top_p=given[1])), OLD)
    config = json.loads(b"".join(rendered.body))["generationConfig"]
    assert (config["temperature"], config["topP"]) == sent and rendered.dropped == ()


@pytest.mark.parametrize("schema", ['"' + "a" * 300_000 + '"', '{"type":'])
def test_a_schema_that_cannot_be_sent_is_named(schema: str) -> None:
    with pytest.raises(InvalidRequest) as error:
        outbound(ask(output=Output(json=True, schema=schema)), OLD)
    assert error.value.param == "output.schema"


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


def test_an_output_that_the_model_lacks_is_refused() -> None:
    with pytest.raises(InvalidRequest) as error:
        outbound(ask(output=Output(modalities=("text", "image"))), OLD)
    assert error.value.param == "output.modalities"
    image = replace(OLD, output=("text", "image"))
    assert checked(ask(), abilities=image)["generationConfig"]["responseModalities"] == ["TEXT", "IMAGE"]


def test_a_schema_in_the_models_own_dialect() -> None:
    config = checked(ask(output=Output(schema=SCHEMA)), abilities=replace(OLD, json_schema=False))["generationConfig"]
    assert config["responseMimeType"] == "application/json" and "responseJsonSchema" not in config
    assert config["responseSchema"]["properties"]["mime_type"] == {"type": "STRING", "nullable": True}


def test_thinking_leaves_room_for_a_short_answer() -> None:
    """Acceptance 31: small limits eaten by thinking."""
    short = ask(sampling=Sampling(max_output_tokens=100))
    assert checked(short)["generationConfig"] == {"maxOutputTokens": 100, "thinkingConfig": {"thinkingBudget": 0}}
    assert checked(short, abilities=NEW)["generationConfig"]["thinkingConfig"] == {"thinkingLevel": "LOW"}
    assert outbound(short, NEW).dropped == ()
    assert "thinkingConfig" not in checked(ask(sampling=Sampling(max_output_tokens=1024)))["generationConfig"]
