"""What is taken out of a call when the upstream names it, and what is told of it."""

from typing import Any, get_args

import pytest
from msgspec.structs import replace

from gemgate.catalog.catalog import Target
from gemgate.hub.call import BuiltIn, Function, Generate, Output, Reasoning, Sampling
from gemgate.hub.parts import Inline, Media, Message, Text
from gemgate.pipeline.fit import fitted
from gemgate.pipeline.lessen import lessened
from gemgate.upstreams.refusal import Parameter
from tests.pipeline.told import Fake, House, answered, refused

SCHEMA = '{"type":"object"}'
FUNCTION = Function(name="f", parameters=SCHEMA)
IMAGE = Media("image/png", Inline("AAAA"), detail="high")
SAMPLING = Sampling(
    temperature=0.5,
    top_p=0.6,
    top_k=7,
    max_output_tokens=100,
    stop=("x",),
    seed=5,
    presence_penalty=0.1,
    frequency_penalty=0.2,
    logprobs=3,
    candidates=2,
)
FULL = Generate(
    model="m",
    messages=(Message("user", (Text("hi"), IMAGE)),),
    system=(Text("be kind"),),
    sampling=SAMPLING,
    reasoning=Reasoning(effort="high"),
    output=Output(json=True, schema=SCHEMA, modalities=("text",)),
    tools=(FUNCTION, BuiltIn("web_search")),
)
TARGET = Target(asked="m", model="m", reasoning=Reasoning(effort="low"), web_search=True)

SAMPLED: dict[Parameter, dict[str, Any]] = {
    "sampling.choosing": {"temperature": None, "top_p": None, "top_k": None},
    "sampling.penalties": {"presence_penalty": None, "frequency_penalty": None},
    "sampling.candidates": {"candidates": 1},
    "sampling.logprobs": {"logprobs": None},
    "sampling.seed": {"seed": None},
    "sampling.stop": {"stop": ()},
}
OTHERS: dict[Parameter, tuple[str, ...]] = {
    "reasoning": ("reasoning.effort", "reasoning"),
    "output": ("output",),
    "output.schema": ("output.schema",),
    "tools.builtin": ("tools",),
    "media.detail": ("messages",),
    "json_schema": (),
}


def test_every_parameter_is_tested() -> None:
    assert {*SAMPLED, *OTHERS} == set(get_args(Parameter))


@pytest.mark.parametrize("parameter", get_args(Parameter))
def test_what_is_lost_is_told_and_the_rest_stays(parameter: Parameter) -> None:
    call, target, lost = lessened(FULL, TARGET, parameter)
    if parameter in SAMPLED:
        defaults = SAMPLED[parameter]
        assert call == replace(FULL, sampling=replace(SAMPLING, **defaults)) and target == TARGET
        assert [item.path for item in lost] == [f"sampling.{name}" for name in defaults]
    else:
        assert tuple(item.path for item in lost) == OTHERS[parameter]
        assert (call, target) != (FULL, TARGET) and call.sampling == SAMPLING
    assert all("does not support" in item.why for item in lost)


@pytest.mark.parametrize("parameter", list(SAMPLED))
def test_what_was_not_asked_for_is_not_lost(parameter: Parameter) -> None:
    plain = replace(FULL, sampling=Sampling())
    assert lessened(plain, TARGET, parameter) == (plain, TARGET, ())


def test_thinking_that_was_not_asked_for_is_not_lost() -> None:
    plain, target = replace(FULL, reasoning=Reasoning()), replace(TARGET, reasoning=None)
    assert lessened(plain, target, "reasoning") == (plain, target, ())


def test_thinking_asked_for_by_the_models_name_goes_too() -> None:
    call, target, _ = lessened(FULL, TARGET, "reasoning")
    assert fitted(call, target).reasoning == Reasoning()


def test_search_asked_for_by_the_models_name_goes_too() -> None:
    call, target, _ = lessened(FULL, TARGET, "tools.builtin")
    assert fitted(call, target).tools == (FUNCTION,)


def test_a_schema_is_told_in_words() -> None:
    call, _, _ = lessened(FULL, TARGET, "output.schema")
    assert call.output == Output(json=True, modalities=("text",))
    assert call.system[0] == Text("be kind") and SCHEMA in getattr(call.system[-1], "text", "")


def test_json_is_asked_for_in_words() -> None:
    call, _, _ = lessened(replace(FULL, output=Output(json=True)), TARGET, "output")
    assert call.output == Output() and "JSON" in getattr(call.system[-1], "text", "")
    with_schema, _, _ = lessened(FULL, TARGET, "output")
    assert with_schema.output == Output(modalities=("text",)) and SCHEMA in getattr(with_schema.system[-1], "text", "")


def test_the_detail_of_media_goes_and_the_media_stay() -> None:
    call, _, _ = lessened(FULL, TARGET, "media.detail")
    assert call.messages == (Message("user", (Text("hi"), replace(IMAGE, detail=None))),)


def test_the_older_form_of_schemas_is_no_loss() -> None:
    call, target, lost = lessened(FULL, TARGET, "json_schema")
    assert call is FULL and lost == () and target.abilities == replace(TARGET.abilities, json_schema=False)
    assert TARGET.abilities.json_schema


@pytest.mark.parametrize(
    ("parameter", "fields", "header"),
    [
        ("sampling.seed", {"seed": 5}, b"seed"),
        ("sampling.choosing", {"temperature": 0.5, "top_p": 0.9}, b"temperature, top_p"),
        ("sampling.logprobs", {"logprobs": True}, b"logprobs"),
        ("reasoning", {"reasoning_effort": "high"}, b"reasoning_effort"),
        ("output", {"response_format": {"type": "json_object"}}, b"response_format"),
        (
            "output.schema",
            {"response_format": {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}},
            b"response_format.json_schema.schema",
        ),
    ],
)
async def test_it_is_asked_once_more_and_the_loss_is_told(parameter: Any, fields: Any, header: bytes) -> None:
    house = House(Fake(refused("client", unsupported=parameter), answered("hello")))
    assert await house.serve(**fields) is None
    assert house.told() == "hello" and house.exchange.attempts == 2
    assert house.client.headers[b"x-gemgate-dropped"] == header
    first, second = house.fake.calls
    assert first != second
