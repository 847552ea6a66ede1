"""The table of notes §7.2, row by row, in both dialects."""

import json
from typing import Any

import pytest

from gemgate.protocols.gemini.schemas.json_schema import for_json_schema
from gemgate.protocols.gemini.schemas.openapi import for_openapi
from tests.protocols.gemini.schemas.checking import check_full, check_light

Json = Any

TEXT = {"type": "string"}
STRING = {"type": "STRING"}
ANY = {"type": "STRING", "description": "(any JSON value)"}
FREE = {
    "type": "OBJECT",
    "properties": {"value": {"type": "STRING", "description": "stands for properties of any name"}},
}


def light(schema: Json, *, parameters: bool = True) -> Json:
    made = for_json_schema(json.dumps(schema), parameters=parameters)
    if made is None:
        return None
    check_light(json.loads(made), parameters=parameters)
    return json.loads(made)


def full(schema: Json, *, parameters: bool = True) -> Json:
    made = for_openapi(json.dumps(schema), parameters=parameters)
    if made is None:
        return None
    check_full(json.loads(made), parameters=parameters)
    return json.loads(made)


def inside(schema: Json, **beside: Json) -> Json:
    return {"type": "object", "properties": {"x": schema}, **beside}


ROWS: dict[str, tuple[Json, Json, Json]] = {
    "annotations go": ({**TEXT, "$comment": "x", "$id": "y", "readOnly": True, "x-order": 1}, TEXT, STRING),
    "const of text": ({"const": "a"}, {**TEXT, "enum": ["a"]}, {**STRING, "enum": ["a"]}),
    "const of a number": (
        {"const": 3},
        {"type": "integer", "enum": [3]},
        {"type": "INTEGER", "minimum": 3, "maximum": 3, "description": "(must be 3)"},
    ),
    "const of a boolean": (
        {"const": True},
        {"type": "boolean", "description": "(must be true)"},
        {"type": "BOOLEAN", "description": "(must be true)"},
    ),
    "const of null": ({"const": None}, {"type": "null"}, {"type": "NULL"}),
    "const of an object": (
        {"const": {"a": 1}, "type": "object"},
        {"type": "object", "description": '(must be {"a":1})'},
        {**FREE, "description": '(must be {"a":1})'},
    ),
    "enum of numbers": (
        {"type": "integer", "enum": [1, 2, 5], "description": "Size"},
        {"type": "integer", "enum": [1, 2, 5], "description": "Size"},
        {"type": "INTEGER", "minimum": 1, "maximum": 5, "description": "Size (one of: 1, 2, 5)"},
    ),
    "enum of both": (
        {"enum": ["a", 1]},
        {"type": ["string", "integer"], "enum": ["a", 1]},
        {
            "anyOf": [
                {**STRING, "enum": ["a"]},
                {"type": "INTEGER", "minimum": 1, "maximum": 1, "description": "(must be 1)"},
            ]
        },
    ),
    "enum of both booleans": ({"enum": [True, False]}, {"type": "boolean"}, {"type": "BOOLEAN"}),
    "enum with a boolean": (
        {"enum": ["auto", True]},
        {"type": ["string", "boolean"], "description": '(one of: "auto", true)'},
        {"anyOf": [STRING, {"type": "BOOLEAN"}], "description": '(one of: "auto", true)'},
    ),
    "enum with null": (
        {"type": ["string", "null"], "enum": ["a", None], "description": "d"},
        {"anyOf": [{**TEXT, "enum": ["a"]}, {"type": "null"}], "description": "d"},
        {**STRING, "enum": ["a"], "nullable": True, "description": "d"},
    ),
    "enum of the wrong type": (
        {"type": "string", "enum": [1, 2.5]},
        {**TEXT, "enum": ["1", "2.5"]},
        {**STRING, "enum": ["1", "2.5"]},
    ),
    "enum of numbers as text": (
        {"type": "integer", "enum": ["1", "2"]},
        {"type": "integer", "enum": [1, 2]},
        {"type": "INTEGER", "minimum": 1, "maximum": 2, "description": "(one of: 1, 2)"},
    ),
    "empty member of an enum": (
        {"enum": ["", "a", "a"]},
        {**TEXT, "enum": ["a"], "description": "(or empty)"},
        {**STRING, "enum": ["a"], "description": "(or empty)"},
    ),
    "text or null": ({"type": ["string", "null"]}, {"type": ["string", "null"]}, {**STRING, "nullable": True}),
    "two types": (
        {"type": ["string", "integer"], "minimum": 1, "maxLength": 5},
        {"type": ["string", "integer"], "minimum": 1, "maxLength": 5},
        {"anyOf": [{**STRING, "maxLength": 5}, {"type": "INTEGER", "minimum": 1}]},
    ),
    "null alone": ({"type": ["null"]}, {"type": "null"}, {"type": "NULL"}),
    "anyOf with null": (
        {"anyOf": [{"type": "integer"}, {"type": "null"}], "title": "T"},
        {"anyOf": [{"type": "integer"}, {"type": "null"}], "title": "T"},
        {"type": "INTEGER", "nullable": True, "title": "T"},
    ),
    "anyOf with null and two": (
        {"anyOf": [TEXT, {"type": "integer"}, {"type": "null"}]},
        {"anyOf": [TEXT, {"type": "integer"}, {"type": "null"}]},
        {"anyOf": [STRING, {"type": "INTEGER"}], "nullable": True},
    ),
    "oneOf": (
        {"oneOf": [TEXT, {"type": "integer"}]},
        {"anyOf": [TEXT, {"type": "integer"}]},
        {"anyOf": [STRING, {"type": "INTEGER"}]},
    ),
    "anyOf of what is required": (
        {**inside(TEXT), "anyOf": [{"required": ["x"]}, {"required": ["y", "z"]}]},
        inside(TEXT, description="(needs x or y, z)"),
        {"type": "OBJECT", "properties": {"x": STRING}, "description": "(needs x or y, z)"},
    ),
    "anyOf beside properties": (
        {**inside(TEXT), "anyOf": [{"properties": {"a": TEXT}, "required": ["a"]}, {"properties": {"b": TEXT}}]},
        inside(
            TEXT,
            anyOf=[
                {"type": "object", "properties": {"a": TEXT}, "required": ["a"]},
                {**inside(TEXT), "properties": {"b": TEXT}},
            ],
        ),
        {"type": "OBJECT", "properties": {"x": STRING, "a": STRING, "b": STRING}, "description": "(takes {a} or {b})"},
    ),
    "anyOf beside a type": (
        {**TEXT, "anyOf": [{"maxLength": 3}, {"pattern": "^a"}]},
        {**TEXT, "anyOf": [{**TEXT, "maxLength": 3}, {**TEXT, "pattern": "^a"}]},
        {"anyOf": [{**STRING, "maxLength": 3}, {**STRING, "pattern": "^a"}]},
    ),
    "allOf": (
        {
            "allOf": [inside(TEXT, required=["x"]), {"properties": {"y": {"type": "integer"}}, "required": ["y"]}],
            "description": "both",
        },
        {
            "type": "object",
            "properties": {"x": TEXT, "y": {"type": "integer"}},
            "required": ["x", "y"],
            "description": "both",
        },
        {
            "type": "OBJECT",
            "properties": {"x": STRING, "y": {"type": "INTEGER"}},
            "required": ["x", "y"],
            "description": "both",
        },
    ),
    "allOf on one property": (
        {"allOf": [inside({"type": ["string", "null"], "minLength": 1}), inside({**TEXT, "minLength": 3})]},
        inside({**TEXT, "minLength": 3}),
        {"type": "OBJECT", "properties": {"x": {**STRING, "minLength": 3}}},
    ),
    "words": (
        {"type": "integer", "multipleOf": 5, "not": {"const": 10}, "description": "A price."},
        {"type": "integer", "description": 'A price. (multiple of 5; not {"const":10})'},
        {"type": "INTEGER", "description": 'A price. (multiple of 5; not {"const":10})'},
    ),
    "words of objects": (
        inside(TEXT, patternProperties={"^x-": TEXT}, dependentRequired={"x": ["y"]}, additionalProperties=False),
        inside(TEXT, description='(properties by pattern {"^x-":{"type":"string"}}; dependent {"x":["y"]})'),
        {
            "type": "OBJECT",
            "properties": {"x": STRING},
            "description": '(properties by pattern {"^x-":{"type":"string"}}; dependent {"x":["y"]})',
        },
    ),
    "words of lists": (
        {"type": "array", "items": TEXT, "uniqueItems": True, "contains": {"const": "a"}, "examples": [["a"]]},
        {
            "type": "array",
            "items": TEXT,
            "description": '(no item twice; at least 1 like {"const":"a"}; e.g. ["a"])',
        },
        {
            "type": "ARRAY",
            "items": STRING,
            "description": '(no item twice; at least 1 like {"const":"a"}; e.g. ["a"])',
        },
    ),
    "if": (
        inside(TEXT, **{"if": {"required": ["x"]}, "then": {"required": ["y"]}}),
        inside(TEXT, description='(if {"required":["x"]} then {"required":["y"]})'),
        {
            "type": "OBJECT",
            "properties": {"x": STRING},
            "description": '(if {"required":["x"]} then {"required":["y"]})',
        },
    ),
    "names and values of choices": (
        {"enum": ["a", "b"], "enumDescriptions": ["first", "second"]},
        {**TEXT, "enum": ["a", "b"], "description": "(a: first; b: second)"},
        {**STRING, "enum": ["a", "b"], "description": "(a: first; b: second)"},
    ),
    "exclusive bounds of integers": (
        {"type": "integer", "exclusiveMinimum": 0, "exclusiveMaximum": 9.5},
        {"type": "integer", "minimum": 1, "maximum": 9},
        {"type": "INTEGER", "minimum": 1, "maximum": 9},
    ),
    "exclusive bounds of numbers": (
        {"type": "number", "exclusiveMinimum": 0, "maximum": 1},
        {"type": "number", "minimum": 0, "maximum": 1, "description": "(greater than 0)"},
        {"type": "NUMBER", "minimum": 0, "maximum": 1, "description": "(greater than 0)"},
    ),
    "exclusive bounds of draft 4": (
        {"type": "integer", "minimum": 3, "exclusiveMinimum": True},
        {"type": "integer", "minimum": 4},
        {"type": "INTEGER", "minimum": 4},
    ),
    "fractions as bounds of integers": (
        {"type": "integer", "minimum": 0.5, "maximum": 2.5},
        {"type": "integer", "minimum": 1, "maximum": 2},
        {"type": "INTEGER", "minimum": 1, "maximum": 2},
    ),
    "counts in any spelling": (
        {"type": "array", "items": TEXT, "minItems": "1", "maxItems": 5.0},
        {"type": "array", "items": TEXT, "minItems": 1, "maxItems": 5},
        {"type": "ARRAY", "items": STRING, "minItems": 1, "maxItems": 5},
    ),
    "counts that are none": (
        {"type": "array", "items": TEXT, "minItems": -1, "maxItems": 2**63},
        {"type": "array", "items": TEXT},
        {"type": "ARRAY", "items": STRING},
    ),
    "counts of properties": (
        inside(TEXT, minProperties=1),
        inside(TEXT, description="(at least 1 properties)"),
        {"type": "OBJECT", "properties": {"x": STRING}, "minProperties": 1},
    ),
    "closed objects": (
        inside(TEXT, additionalProperties=False),
        inside(TEXT, additionalProperties=False),
        {"type": "OBJECT", "properties": {"x": STRING}},
    ),
    "maps": (
        {"type": "object", "additionalProperties": {"type": "integer"}},
        {"type": "object", "additionalProperties": {"type": "integer"}},
        {**FREE, "description": '(other properties: {"type":"integer"})'},
    ),
    "format": (
        {**TEXT, "format": "email"},
        {**TEXT, "format": "email"},
        {**STRING, "description": "(format: email)"},
    ),
    "format that is known": (
        {**TEXT, "format": "date-time"},
        {**TEXT, "format": "date-time"},
        {**STRING, "format": "date-time"},
    ),
    "default and title": (
        {**TEXT, "default": "a", "title": "T"},
        {**TEXT, "default": "a", "title": "T"},
        {**STRING, "title": "T", "description": '(default: "a")'},
    ),
    "pattern": (
        {**TEXT, "pattern": "^a+$", "minLength": 1},
        {**TEXT, "pattern": "^a+$", "minLength": 1},
        {**STRING, "pattern": "^a+$", "minLength": 1},
    ),
    "pattern that RE2 lacks": (
        {**TEXT, "pattern": "^(?!a)"},
        {**TEXT, "pattern": "^(?!a)"},
        {**STRING, "description": '(pattern: "^(?!a)")'},
    ),
    "true": (True, {}, ANY),
    "nothing": ({}, {}, ANY),
    "a list without items": ({"type": "array"}, {"type": "array", "items": TEXT}, {"type": "ARRAY", "items": STRING}),
    "a list of anything": (
        {"type": "array", "items": True},
        {"type": "array", "items": {}},
        {"type": "ARRAY", "items": ANY},
    ),
    "a tuple": (
        {"type": "array", "items": [TEXT, {"type": "integer"}], "additionalItems": False},
        {"type": "array", "prefixItems": [TEXT, {"type": "integer"}], "maxItems": 2},
        {
            "type": "ARRAY",
            "items": {"anyOf": [STRING, {"type": "INTEGER"}]},
            "maxItems": 2,
            "description": '(in this order: {"type":"string"}, {"type":"integer"})',
        },
    ),
    "an object without properties": ({"type": "object"}, {"type": "object"}, FREE),
    "required without property": (
        inside(TEXT, required=["x", "y", "x", 5]),
        inside(TEXT, required=["x"]),
        {"type": "OBJECT", "properties": {"x": STRING}, "required": ["x"]},
    ),
    "required of draft 3": (
        inside({**TEXT, "required": True}),
        inside(TEXT, required=["x"]),
        {"type": "OBJECT", "properties": {"x": STRING}, "required": ["x"]},
    ),
    "nullable": ({**TEXT, "nullable": True}, {"type": ["string", "null"]}, {**STRING, "nullable": True}),
    "types in other words": ({"type": "Str"}, TEXT, STRING),
    "types with blanks": ({"type": "integer "}, {"type": "integer"}, {"type": "INTEGER"}),
    "any type": ({"type": "any"}, {}, ANY),
    "a type that nobody knows": (
        {"type": "file"},
        {"description": "(type: file)"},
        {"type": "STRING", "description": "(type: file) (any JSON value)"},
    ),
    "order of properties": (
        {"type": "object", "properties": {"b": TEXT, "a": TEXT}, "propertyOrdering": ["a", "b", "c"]},
        {"type": "object", "properties": {"b": TEXT, "a": TEXT}, "propertyOrdering": ["a", "b"]},
        {"type": "OBJECT", "properties": {"b": STRING, "a": STRING}, "propertyOrdering": ["a", "b"]},
    ),
    "a reference that leads nowhere": (
        {"$ref": "https://example.com/thing.json", "description": "A thing."},
        {"description": "A thing. (see https://example.com/thing.json)"},
        {"type": "STRING", "description": "A thing. (see https://example.com/thing.json) (any JSON value)"},
    ),
}


@pytest.mark.parametrize("row", ROWS)
def test_each_row(row: str) -> None:
    given, in_json_schema, in_own_dialect = ROWS[row]
    assert light(inside(given)) == inside(in_json_schema)
    assert full(inside(given)) == {"type": "OBJECT", "properties": {"x": in_own_dialect}}


ORDERED = ["zeta", "alpha", "mid"]
HOSTILE = ["title", "default", "format", "const", "$ref", "type", "properties", "required", "enum", "$defs", "anyOf"]


def test_names_of_properties_are_never_keywords() -> None:
    given = {"type": "object", "properties": {name: {**TEXT, "multipleOf": 2} for name in HOSTILE}, "required": HOSTILE}
    assert list(light(given)["properties"]) == list(full(given)["properties"]) == HOSTILE
    assert light(given)["required"] == full(given)["required"] == HOSTILE


def test_properties_keep_their_order() -> None:
    given = {"type": "object", "properties": dict.fromkeys(ORDERED, TEXT)}
    assert list(light(given)["properties"]) == list(full(given)["properties"]) == ORDERED


def test_a_property_that_nothing_fits_goes() -> None:
    given = {"type": "object", "properties": {"x": TEXT, "never": False}, "required": ["never", "x"]}
    assert light(given) == inside(TEXT, required=["x"])
    assert full(given)["required"] == ["x"]


# ── roots ──


@pytest.mark.parametrize(
    "given", [True, False, {}, None, [], "text", {"type": "any"}, {"description": "d"}, {"$schema": "s"}]
)
def test_no_schema_at_all(given: Json) -> None:
    for parameters in (True, False):
        assert light(given, parameters=parameters) is None
        assert full(given, parameters=parameters) is None


def test_an_object_without_properties_at_the_root() -> None:
    given = {"type": "object", "properties": {}}
    assert light(given) == given
    assert full(given) is None and full(given, parameters=False) is None


@pytest.mark.parametrize(
    "given", [TEXT, {"type": "array", "items": TEXT}, {"enum": ["a"]}, {"anyOf": [inside(TEXT), TEXT]}]
)
def test_parameters_that_are_no_object_are_wrapped(given: Json) -> None:
    assert list(light(given)["properties"]) == light(given)["required"] == ["value"]
    assert full(given)["required"] == ["value"]


def test_parameters_that_are_said_elsewhere_are_an_object() -> None:
    assert light({"$ref": "#/$defs/Missing"}) == {"type": "object", "description": "(see #/$defs/Missing)"}
    assert full({"$ref": "#/$defs/Missing"}) is None and light({"$ref": "#/x"}, parameters=False) is None


def test_any_root_will_do_for_output() -> None:
    assert light(TEXT, parameters=False) == TEXT
    assert full({"type": "array", "items": TEXT}, parameters=False) == {"type": "ARRAY", "items": STRING}


@pytest.mark.parametrize("kind", [{}, {"type": "object"}, {"required": ["city"], "$schema": "s"}])
def test_a_bare_map_of_properties(kind: Json) -> None:
    given = {"city": {"type": "string"}, "type": {"type": "integer"}, "days": {"enum": ["a"]}, **kind}
    if "type" in kind:
        del given["type"]
        given["type"] = "object"
    made = light(given)
    assert made["properties"]["city"] == TEXT and made["properties"]["days"] == {**TEXT, "enum": ["a"]}
    assert made.get("required", ["city"]) == ["city"] and full(given)["properties"]["city"] == STRING


def test_nullable_parameters_are_not_nullable() -> None:
    assert light({**inside(TEXT), "type": ["object", "null"]}) == inside(TEXT)
    assert light({"anyOf": [inside(TEXT), {"type": "null"}]}) == inside(TEXT)


def test_parameters_that_are_one_of_several_objects_become_one() -> None:
    given = {
        "oneOf": [
            {"type": "object", "properties": {"kind": {"const": "a"}, "size": TEXT}, "required": ["kind", "size"]},
            {"type": "object", "properties": {"kind": {"const": "b"}}, "required": ["kind"]},
        ]
    }
    assert light(given) == {
        "type": "object",
        "properties": {"kind": {**TEXT, "enum": ["a", "b"]}, "size": TEXT},
        "required": ["kind"],
        "description": "(takes {kind, size} or {kind})",
    }
    assert full(given)["properties"]["kind"] == {**STRING, "enum": ["a", "b"]}
