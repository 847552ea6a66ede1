import json
from typing import Any

import pytest
from hypothesis import given, settings

from gemgate.protocols.gemini.schema import json_schema
from tests.protocols.fuzzing import documents


@pytest.mark.parametrize(
    ("own", "translated"),
    [
        ({"type": "STRING", "enum": ["A"], "format": "enum"}, {"type": "string", "enum": ["A"], "format": "enum"}),
        ({"type": "Integer", "minimum": 1}, {"type": "integer", "minimum": 1}),
        (
            {"type": "array", "items": {"type": "NUMBER"}, "minItems": "2"},
            {"type": "array", "items": {"type": "number"}, "minItems": 2},
        ),
        ({"any_of": [{"type": "NULL"}], "max_length": 3}, {"anyOf": [{"type": "null"}], "maxLength": 3}),
        ({"type": "BOOLEAN", "nullable": True}, {"anyOf": [{"type": "boolean"}, {"type": "null"}]}),
        ({"type": "BOOLEAN", "nullable": False, "example": True}, {"type": "boolean"}),
        (
            {"enum": ["STRING"], "default": "OBJECT", "description": "NULL"},
            {"enum": ["STRING"], "default": "OBJECT", "description": "NULL"},
        ),
        (
            {
                "type": "OBJECT",
                "properties": {"type": {"type": "STRING"}, "nullable": {"type": "STRING"}, "min_items": {}},
            },
            {
                "type": "object",
                "properties": {"type": {"type": "string"}, "nullable": {"type": "string"}, "min_items": {}},
            },
        ),
    ],
)
def test_dialects(own: Any, translated: Any) -> None:
    """Notes §7.1: schema positions only, never names of properties or values."""
    assert json.loads(json_schema(json.dumps(own))) == translated


@settings(deadline=None, max_examples=150)
@given(documents(["type", "properties", "items", "anyOf", "nullable", "minItems", "enum"]))
def test_anything_goes_through(document: object) -> None:
    once = json_schema(json.dumps(document))
    assert json.loads(json_schema(once)) == json.loads(once)
