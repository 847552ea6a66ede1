"""Lists of models in Anthropic's form."""

import json
from datetime import date
from typing import Any

import pytest
from anthropic.types import ModelInfo as SdkModel

from gemgate.errors import InvalidRequest
from gemgate.hub.abilities import Abilities, Thinking
from gemgate.hub.models import ModelInfo
from gemgate.protocols.anthropic.models import write_model, write_models

MODELS = [ModelInfo(name=name) for name in "abcde"]


@pytest.mark.parametrize(
    ("query", "names", "more"),
    [
        ({}, "abcde", False),
        ({"limit": "2"}, "ab", True),
        ({"limit": "0002"}, "ab", True),
        ({"limit": "2", "after_id": "c"}, "de", False),
        ({"limit": "2", "before_id": "d"}, "bc", True),
        ({"limit": "2", "before_id": "c"}, "ab", False),
        ({"after_id": "nobody"}, "abcde", False),
    ],
)
def test_pages(query: dict[str, str], names: str, more: bool) -> None:
    page = json.loads(write_models(MODELS, query))
    assert "".join(item["id"] for item in page["data"]) == names
    assert (page["has_more"], page["first_id"], page["last_id"]) == (more, names[0], names[-1])


@pytest.mark.parametrize("limit", ["", "0", "-1", "x", "1.5", "1001", "\u00b2", "\u0663", "9" * 5000])
def test_limits_that_are_none(limit: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        write_models(MODELS, {"limit": limit})
    assert caught.value.param == "limit"


def read(model: ModelInfo) -> SdkModel:
    """Read it as strictly as the SDK's own types say; the SDK itself would let pass what is missing."""
    return SdkModel.model_validate_json(write_model(model), strict=False)


def test_what_is_not_known_is_left_out() -> None:
    model = read(ModelInfo(name="a"))
    assert (model.id, model.display_name, model.lifecycle, model.created_at.year) == ("a", "a", "active", 1970)
    assert (model.max_input_tokens, model.max_tokens, model.capabilities, model.retires_at) == (None, None, None, None)
    assert set(json.loads(write_model(ModelInfo(name="a")))) == {
        "type",
        "id",
        "display_name",
        "created_at",
        "lifecycle",
    }


def test_limits() -> None:
    model = read(ModelInfo(name="a", display_name="A", input_tokens=1000, output_tokens=50))
    assert (model.display_name, model.max_input_tokens, model.max_tokens) == ("A", 1000, 50)


def test_a_model_with_a_last_day_is_deprecated() -> None:
    model = read(ModelInfo(name="a", retires_on=date(2027, 5, 7)))
    assert model.lifecycle == "deprecated" and model.retires_at is not None
    assert model.retires_at.isoformat() == "2027-05-07T00:00:00+00:00"


LEVELS = Thinking(control="level", levels=("low", "high"))
BUDGET = Thinking(control="budget", max_tokens=100)


@pytest.mark.parametrize(
    ("thinking", "efforts"), [(Thinking(), ""), (LEVELS, "low high"), (BUDGET, "low medium high max")]
)
def test_thinking(thinking: Thinking, efforts: str) -> None:
    able: Any = read(ModelInfo(name="a", abilities=Abilities(thinking=thinking))).capabilities
    assert (
        " ".join(name for name in ("low", "medium", "high", "xhigh", "max") if getattr(able.effort, name).supported)
        == efforts
    )
    types = able.thinking.types
    steered = bool(efforts)
    assert able.effort.supported == able.thinking.supported == types.enabled.supported == types.adaptive.supported
    assert types.enabled.supported == steered
    assert types.disabled.supported and types.between_tools.supported


def test_what_goes_in() -> None:
    able: Any = read(ModelInfo(name="a", abilities=Abilities(), input=("text", "image"))).capabilities
    assert (able.image_input.supported, able.pdf_input.supported) == (True, False)


@pytest.mark.parametrize(("output", "able"), [(("text",), True), (("text", "video"), False)])
def test_tools_of_the_upstream(output: tuple[str, ...], able: bool) -> None:
    found: Any = read(ModelInfo(name="a", abilities=Abilities(output=output))).capabilities
    tools = found.server_tools
    assert (tools.supported, tools.web_search.supported, tools.code_execution.supported) == (able, able, able)
