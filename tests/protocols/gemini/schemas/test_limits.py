"""Texts at the edge of what JSON is, and what a repeated schema costs."""

import json
import time
from collections.abc import Callable

import pytest

from gemgate.errors import InvalidRequest
from gemgate.protocols.gemini.schemas.json_schema import for_json_schema
from gemgate.protocols.gemini.schemas.openapi import for_openapi

Clean = Callable[..., str | None]
both = pytest.mark.parametrize("clean", [for_json_schema, for_openapi])


@both
@pytest.mark.parametrize(
    ("opened", "closed"),
    [
        ('{"type":"array","items":', "}"),
        ('{"type":"object","properties":{"a":', "}}"),
        ('{"anyOf":[{"type":"string"},', "]}"),
        ('{"allOf":[{"minLength":1},', "]}"),
        ('{"not":', "}"),
    ],
)
def test_thousands_of_levels_are_refused_politely(clean: Clean, opened: str, closed: str) -> None:
    with pytest.raises(InvalidRequest, match="nested too deeply"):
        clean(opened * 5_000 + "{}" + closed * 5_000, parameters=True)


@both
def test_a_schema_larger_than_any_model_takes_is_refused(clean: Clean) -> None:
    with pytest.raises(InvalidRequest, match="256 KB"):
        clean(
            json.dumps({"type": "object", "properties": {str(n): {"type": "string"} for n in range(20_000)}}),
            parameters=True,
        )


@both
def test_a_hundred_levels_are_cut(clean: Clean) -> None:
    made = clean('{"type":"object","properties":{"a":' * 100 + "{}" + "}}" * 100, parameters=True)
    assert made is not None and "nested deeper than can be told" in made
    assert 20 < made.count('"properties"') < 60


@both
def test_numbers_and_texts_that_decoders_refuse(clean: Clean) -> None:
    text = r'{"type":"object","properties":{"\ud800":{"type":"string","description":"\udc00 😀","pattern":"\ud83d"}'
    made = clean(text + ',"n":{"type":"number","maximum":1e999,"minimum":-1e999}}}', parameters=True)
    assert made is not None
    properties = json.loads(made)["properties"]
    assert list(properties) == ["?", "n"] and properties["?"]["description"] == "? 😀"
    assert properties["n"]["maximum"] == -properties["n"]["minimum"] > 1e308


@both
@pytest.mark.parametrize(
    "text", ['{"type":', "", '{"maximum":NaN}', '{"maximum":-Infinity}', '{"maximum":' + "1" * 9_999 + "}"]
)
def test_what_is_no_json_is_refused(clean: Clean, text: str) -> None:
    with pytest.raises(InvalidRequest, match="not valid JSON"):
        clean(text, parameters=True)


@both
def test_words_are_bounded_and_the_clients_own_are_not(clean: Clean) -> None:
    long = "x" * 5_000
    given = {
        "type": "object",
        "properties": {"a": {"type": "string"}},
        "description": long,
        "not": {"const": long},
        "if": {"const": long},
        "then": {"const": long},
        "dependencies": {long: [long]},
    }
    made = clean(json.dumps(given), parameters=True)
    assert made is not None
    description = json.loads(made)["description"]
    assert description.startswith(f"{long} (not ") and len(description) < len(long) + 700


LIKED = {
    for_json_schema: '{"properties" : {"a":{"enum":["x"],"type":"string"}},"type":"object", "required":["a"]}',
    for_openapi: '{"properties" : {"a":{"enum":["x"],"type":"STRING"}},"type":"OBJECT", "required":["a"]}',
}


@both
def test_what_needs_no_change_comes_back_as_it_was(clean: Clean) -> None:
    for parameters in (True, False):
        assert clean(LIKED[clean], parameters=parameters) == LIKED[clean]


@both
def test_a_repeated_schema_is_looked_up(clean: Clean) -> None:
    field = {"type": "string", "description": "d" * 100, "multipleOf": 2}
    text = json.dumps({"type": "object", "properties": {f"p{n}": field for n in range(40)}})
    assert len(text) > 5_000
    started = time.perf_counter()
    first = clean(text, parameters=True)
    once = time.perf_counter() - started
    assert all(clean(text, parameters=True) is first for _ in range(100))
    best = min(_seconds(lambda: clean(text, parameters=True)) for _ in range(100))
    assert best < once / 5
    assert clean(text, parameters=False) == first


def _seconds(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


@both
def test_large_schemas_are_not_kept(clean: Clean) -> None:
    text = json.dumps(
        {"type": "object", "properties": {"a": {"type": "string", "description": "d" * 70_000, "const": "a"}}}
    )
    assert clean(text, parameters=True) is not clean(text, parameters=True)
