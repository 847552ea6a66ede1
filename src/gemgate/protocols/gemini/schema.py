"""Gemini's schema dialect, an OpenAPI subset with upper-case types → JSON Schema (notes §7.1)."""

from typing import cast

from msgspec import json

from gemgate.hub.parts import JsonText

TYPES = frozenset({"STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT", "NULL"})
RENAMED = {
    "min_items": "minItems",
    "max_items": "maxItems",
    "min_length": "minLength",
    "max_length": "maxLength",
    "min_properties": "minProperties",
    "max_properties": "maxProperties",
    "any_of": "anyOf",
}
NUMBERS = frozenset({"minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"})
GEMINI_ONLY = frozenset({"nullable", "propertyOrdering", "property_ordering", "example"})


def json_schema(schema: JsonText) -> JsonText:
    """Translate a schema; only schema positions are touched, never the names of properties."""
    return json.encode(_translated(json.decode(schema))).decode()


def _translated(node: object) -> object:
    if not isinstance(node, dict):
        return node
    made: dict[str, object] = {}
    node = cast("dict[str, object]", node)
    for given, value in node.items():
        key = RENAMED.get(given, given)
        if key in GEMINI_ONLY:
            continue
        if key == "type" and isinstance(value, str) and value.upper() in TYPES:
            value = value.lower()
        elif key == "properties" and isinstance(value, dict):
            value = {name: _translated(inner) for name, inner in cast("dict[str, object]", value).items()}
        elif key == "items":
            value = _translated(value)
        elif key == "anyOf" and isinstance(value, list):
            value = [_translated(inner) for inner in cast("list[object]", value)]
        elif key in NUMBERS and isinstance(value, str) and value.isdigit():
            value = int(value)  # protobuf writes 64-bit numbers as strings
        made[key] = value
    if node.get("nullable") is True:
        return {"anyOf": [made, {"type": "null"}]}
    return made
