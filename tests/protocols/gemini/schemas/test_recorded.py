"""Every schema that real clients sent, through both cleaners."""

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

from gemgate.protocols.gemini.schema import json_schema
from gemgate.protocols.gemini.schemas.json_schema import for_json_schema
from gemgate.protocols.gemini.schemas.openapi import for_openapi
from tests.bed.recordings import load_clients, load_recordings, needs_recordings
from tests.protocols.gemini.schemas.checking import check_full, check_light

Json = Any

PARAMETERS = {"parameters", "parametersJsonSchema", "parameters_json_schema", "input_schema"}
OUTPUT = {"schema", "responseSchema", "response_schema", "responseJsonSchema", "response_json_schema"}


def schemas_in(value: Json) -> Iterator[tuple[bool, str]]:
    """Find the schemas of a request; tells which are parameters."""
    if isinstance(value, list):
        for item in value:
            yield from schemas_in(item)
    elif isinstance(value, dict):
        for key, item in value.items():
            if key in PARAMETERS | OUTPUT and isinstance(item, dict) and {"type", "properties", "$ref"} & item.keys():
                text = json.dumps(item)
                yield key in PARAMETERS, json_schema(text) if '"STRING"' in text or '"OBJECT"' in text else text
            else:
                yield from schemas_in(item)


@cache
def recorded() -> tuple[tuple[bool, str], ...]:
    requests = [row.request for name in ("gemini", "openai", "anthropic") for row in load_recordings(name)]
    requests += [row.body for row in load_clients()]
    return tuple(sorted({found for request in requests for found in schemas_in(request)}))


@needs_recordings
def test_every_recorded_schema_is_valid_afterwards() -> None:
    assert len(recorded()) > 150
    for parameters, text in recorded():
        made = for_json_schema(text, parameters=parameters)
        assert made is not None, text
        check_light(json.loads(made), parameters=parameters)
        assert for_json_schema(made, parameters=parameters) == made
        unrolled = for_openapi(text, parameters=parameters)
        if unrolled is not None:
            check_full(json.loads(unrolled), parameters=parameters)
            assert for_openapi(unrolled, parameters=parameters) == unrolled


@needs_recordings
def test_no_recorded_property_is_lost() -> None:
    for parameters, text in recorded():
        given = json.loads(text)
        names = list(given.get("properties", {}))
        if not names:
            continue
        made, unrolled = for_json_schema(text, parameters=parameters), for_openapi(text, parameters=parameters)
        assert made is not None and unrolled is not None
        assert list(json.loads(made)["properties"]) == list(json.loads(unrolled)["properties"]) == names
        assert json.loads(made).get("required", []) == given.get("required", [])


@needs_recordings
def test_most_of_them_need_no_change() -> None:
    same = [for_json_schema(text, parameters=parameters) == text for parameters, text in recorded()]
    assert sum(same) > len(same) / 2
