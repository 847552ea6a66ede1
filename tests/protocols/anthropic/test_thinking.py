"""How much the model thinks, whether it shows that, and the form of its answer."""

import json
from typing import Any

import pytest

from gemgate.hub.call import Generate, Output, Reasoning
from gemgate.hub.codec import Identity
from gemgate.protocols.anthropic.inbound import PATHS
from tests.protocols.anthropic.asking import Json, call_of, lost, parse, refusal
from tests.protocols.shaping import MODELS, checked

ON: Json = {"type": "enabled", "budget_tokens": 2048}
SCHEMA: Json = {"type": "object", "properties": {"a": {"type": "string"}}}


@pytest.mark.parametrize(
    ("thinking", "effort", "wanted"),
    [
        (None, None, Reasoning()),
        ({}, None, Reasoning()),
        (None, "medium", Reasoning(effort="medium")),
        (None, "xhigh", Reasoning(effort="high")),
        (None, "MAX", Reasoning(effort="max")),
        (ON, None, Reasoning(budget_tokens=2048, include_thoughts=True)),
        ({"budget_tokens": 2048}, None, Reasoning(budget_tokens=2048, include_thoughts=True)),
        (ON | {"display": "summarized"}, None, Reasoning(budget_tokens=2048, include_thoughts=True)),
        (ON | {"display": "omitted"}, None, Reasoning(budget_tokens=2048, include_thoughts=False)),
        (ON, "low", Reasoning(budget_tokens=2048, include_thoughts=True)),
        ({"type": "enabled"}, "low", Reasoning(effort="low", include_thoughts=True)),
        ({"type": "enabled", "budget_tokens": -1}, None, Reasoning(budget_tokens=-1, include_thoughts=True)),
        ({"type": "adaptive"}, None, Reasoning(include_thoughts=True)),
        ({"type": "adaptive"}, "high", Reasoning(effort="high", include_thoughts=True)),
        ({"type": "adaptive", "display": "omitted"}, "high", Reasoning(effort="high", include_thoughts=False)),
        ({"type": "disabled"}, None, Reasoning(effort="none", include_thoughts=False)),
        ({"type": "disabled"}, "high", Reasoning(effort="none", include_thoughts=False)),
        ({"type": "between_tools"}, "low", Reasoning(effort="low", include_thoughts=False)),
    ],
)
def test_wishes_about_thinking(thinking: Json | None, effort: str | None, wanted: Reasoning) -> None:
    call = call_of(thinking=thinking, output_config={"effort": effort})
    assert call.reasoning == wanted
    for model in MODELS:
        checked(call, model)


def test_what_the_client_expects_of_the_answer() -> None:
    def shown(**fields: Any) -> str:
        return parse(**fields).write.keywords["style"].thinking  # type: ignore[attr-defined]

    assert shown(thinking={"type": "disabled"}) == "off"
    assert shown() == shown(thinking=None) == shown(output_config={"effort": "low"}) == "unasked"
    for thinking in (ON, {"type": "adaptive", "display": "omitted"}, {"type": "between_tools"}):
        assert shown(thinking=thinking) == "asked"
    assert parse().write(Identity("r", 0, "m", lambda: "i")).content_type.startswith(b"text/event-stream")


def test_where_the_wishes_stood() -> None:
    for fields, path, place in (
        ({"output_config": {"effort": "low"}}, "reasoning.effort", "output_config.effort"),
        ({"thinking": {"type": "disabled"}}, "reasoning.effort", "thinking"),
        ({"thinking": ON}, "reasoning.budget_tokens", "thinking.budget_tokens"),
        ({"thinking": ON}, "reasoning.include_thoughts", "thinking"),
        ({"thinking": ON | {"display": "omitted"}}, "reasoning.include_thoughts", "thinking.display"),
        ({"output_config": {"format": {"type": "json_schema", "schema": SCHEMA}}}, "output.schema", "output_config"),
        ({"output_format": {"type": "json_schema", "schema": SCHEMA}}, "output.schema", "output_format.schema"),
    ):
        assert parse(**fields).paths[path].startswith(place), fields
    assert parse().paths == PATHS


def test_what_cannot_be_had_is_recorded() -> None:
    effort = {"effort": "low"}
    assert lost(thinking=ON, output_config=effort) == ["output_config.effort"]
    assert lost(thinking={"type": "disabled"}, output_config=effort) == ["output_config.effort"]
    assert lost(thinking={"type": "between_tools"}) == ["thinking"]
    assert lost(thinking=ON | {"zebra": 1}) == ["thinking.zebra"]
    assert lost(output_config={"task_budget": {"type": "tokens", "total": 5}}) == ["output_config.task_budget"]
    assert not lost(thinking={"type": "adaptive", "display": "omitted"}, output_config=effort)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"thinking": {"type": "sometimes"}}, "thinking.type"),
        ({"thinking": {"type": "enabled", "budget_tokens": -2}}, "thinking.budget_tokens"),
        ({"thinking": {"type": "enabled", "budget_tokens": "much"}}, "thinking.budget_tokens"),
        ({"thinking": "on"}, "thinking"),
        ({"output_config": {"effort": "huge"}}, "output_config.effort"),
        ({"output_config": {"format": {"type": "xml"}}}, "output_config.format.type"),
        ({"output_config": {"format": {"type": "json_schema"}}}, "output_config.format.schema"),
        ({"output_format": {"type": "json_schema", "schema": "nope{"}}, "output_format.schema"),
    ],
)
def test_faults_name_the_field(fields: Json, param: str) -> None:
    assert refusal(**fields).param == param


def test_forms_of_the_answer() -> None:
    form = {"type": "json_schema", "schema": SCHEMA}
    wanted = Output(json=True, schema=json.dumps(SCHEMA))
    for fields in ({"output_config": {"format": form}}, {"output_format": form}, {"output_format": {"schema": SCHEMA}}):
        call = call_of(**fields)
        assert call.output == wanted and not lost(**fields)
        for model in MODELS:
            assert checked(call, model)["generationConfig"]["responseMimeType"] == "application/json"
    for nothing in ({"format": None}, {"format": {}}, {}, None):
        parsed = parse(output_config=nothing)
        assert isinstance(parsed.call, Generate) and parsed.call.output == Output() and not parsed.dropped
