"""The form of the answer."""

import json
from typing import Any

import pytest

from gemgate.hub.call import Output
from tests.protocols.openai_responses.asking import Json, call_of, lost, parse, refusal

SCHEMA: Json = {"type": "object", "properties": {"a": {"type": "integer"}}}
FLAT: Json = {"type": "json_schema", "name": "n", "schema": SCHEMA, "strict": True}
WANTED = Output(json=True, schema=json.dumps(SCHEMA))


@pytest.mark.parametrize(
    ("fields", "path"),
    [
        ({"text": {"format": FLAT}}, "text.format.schema"),
        ({"text": {"format": FLAT, "verbosity": "medium"}}, "text.format.schema"),
        (
            {"text": {"format": {"type": "json_schema", "json_schema": {"name": "n", "schema": SCHEMA}}}},
            "text.format.json_schema.schema",
        ),
        ({"response_format": FLAT}, "response_format.schema"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"schema": SCHEMA}}, "text": {"format": None}},
            "response_format.json_schema.schema",
        ),
    ],
)
def test_schemas(fields: Json, path: str) -> None:
    parsed = parse(**fields)
    assert call_of(**fields).output == WANTED and not parsed.dropped
    assert (
        parsed.paths["output.schema"] == path and parsed.paths["output"] == path.split(".schema")[0].split(".json_")[0]
    )


def test_other_forms() -> None:
    for text in ({}, {"format": None}, {"format": {}}, {"format": {"type": "text"}}, {"verbosity": None}, None):
        assert call_of(text=text).output == Output() and not lost(text=text)
    assert call_of(text={"format": {"type": "json_object"}}).output == Output(json=True)
    described = call_of(text={"format": FLAT | {"description": "About."}}).output
    assert json.loads(described.schema or "")["description"] == "About."


def test_what_is_not_known_is_recorded() -> None:
    text = {"format": FLAT | {"zebra": 1}, "verbosity": "low", "horse": 2}
    assert lost(text=text) == ["text.horse", "text.format.zebra", "text.verbosity"]
    assert lost(text={"format": FLAT}, response_format={"type": "json_object"}) == ["response_format"]
    assert not lost(text={"format": FLAT}, response_format=FLAT)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"text": {"format": {"type": "xml"}}}, "text.format.type"),
        ({"text": {"format": {"type": "json_schema", "name": "n"}}}, "text.format.schema"),
        ({"text": {"format": FLAT | {"schema": "no schema"}}}, "text.format.schema"),
        ({"text": {"format": 5}}, "text.format"),
        ({"text": 5}, "text"),
        ({"text": {"verbosity": 5}}, "text.verbosity"),
        ({"response_format": 5}, "response_format"),
    ],
)
def test_faults_name_the_field(fields: Any, param: str) -> None:
    assert refusal(**fields).param == param
