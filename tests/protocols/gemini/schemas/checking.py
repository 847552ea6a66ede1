"""What Gemini takes, said once more and strictly: one check for each of its two dialects."""

import math
from typing import Any

from tests.bed.contract import check_message

Json = Any

LIGHT = {"$ref", "type", "format", "title", "description", "default", "enum", "items", "prefixItems", "anyOf"}
LIGHT |= {"minItems", "maxItems", "minLength", "maxLength", "minimum", "maximum", "pattern"}
LIGHT |= {"properties", "additionalProperties", "required", "propertyOrdering"}
TYPES = {"string", "number", "integer", "boolean", "array", "object", "null"}
FORMATS = {"STRING": {"enum", "date-time"}, "NUMBER": {"float", "double"}, "INTEGER": {"int32", "int64"}}
OWN = {
    "STRING": {"enum", "format", "pattern", "minLength", "maxLength"},
    "NUMBER": {"format", "minimum", "maximum"},
    "INTEGER": {"format", "minimum", "maximum"},
    "BOOLEAN": set(),
    "NULL": set(),
    "ARRAY": {"items", "minItems", "maxItems"},
    "OBJECT": {"properties", "required", "minProperties", "maxProperties", "propertyOrdering"},
}
COUNTS = {"minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"}


def require(held: object, reason: str, at: Json) -> None:
    assert held, f"{reason}: {str(at)[:400]}"


def check_both(node: dict[str, Json]) -> None:
    """Hold a schema to what both dialects ask."""
    for key in ("title", "description", "format", "pattern"):
        require(isinstance(node.get(key, ""), str), f"{key} is text", node)
    for key in COUNTS & node.keys():
        require(type(node[key]) is int and 0 <= node[key] < 2**63, f"{key} is an int64", node)
    for key in {"minimum", "maximum"} & node.keys():
        require(type(node[key]) in (int, float) and math.isfinite(node[key]), f"{key} is a number", node)
        if str(node.get("type")).lower() == "integer":
            require(float(node[key]).is_integer(), f"{key} of integers is whole", node)
    if "anyOf" in node:
        require(isinstance(node["anyOf"], list) and node["anyOf"], "anyOf has branches", node)
    for key in {"required", "propertyOrdering"} & node.keys():
        require(len(set(node[key])) == len(node[key]), f"{key} names each once", node)
        require(set(node[key]) <= set(node.get("properties", {})), f"{key} names properties", node)


# ── JSON Schema ──


def check_light(root: dict[str, Json], *, parameters: bool) -> None:
    """Check what is meant for parametersJsonSchema or responseJsonSchema."""
    definitions = root.get("$defs", {})
    require("$defs" not in root or definitions, "definitions are there", root)
    used: set[str] = set()
    for node in (root, *definitions.values()):
        _light({key: value for key, value in node.items() if node is not root or key != "$defs"}, definitions, used)
    require(used >= set(definitions), "every definition is used", root)
    if parameters:
        require(root.get("type") == "object", "parameters are an object", root)
    _check_recursion(definitions)


def _light(node: Json, definitions: Json, used: set[str]) -> None:
    require(isinstance(node, dict), "a schema is an object", node)
    require(node.keys() <= LIGHT, f"unknown: {node.keys() - LIGHT}", node)
    check_both(node)
    if "$ref" in node:
        require(len(node) == 1, "nothing stands beside $ref", node)
        require(node["$ref"].startswith("#/$defs/"), "a pointer to a definition", node)
        require(node["$ref"][8:] in definitions, "the reference resolves", node)
        used.add(node["$ref"][8:])
    types = node.get("type", [])
    types = [types] if isinstance(types, str) else types
    require("type" not in node or (types and set(types) <= TYPES and len(set(types)) == len(types)), "types", node)
    if "enum" in node:
        require(node["enum"] and all(type(v) in (str, int, float) and v != "" for v in node["enum"]), "enum", node)
        require(types and set(types) <= {"string", "integer", "number"}, "enum has a type", node)
    if "array" in types:
        require("items" in node or "prefixItems" in node, "arrays have items", node)
    for inner in _inside(node):
        _light(inner, definitions, used)


def _inside(node: dict[str, Json]) -> list[Json]:
    found = [*node.get("properties", {}).values(), *node.get("prefixItems", []), *node.get("anyOf", [])]
    if "items" in node:
        found.append(node["items"])
    if not isinstance(node.get("additionalProperties", True), bool):
        found.append(node["additionalProperties"])
    return found


def _check_recursion(definitions: dict[str, Json]) -> None:
    """Follow what a value cannot do without; it must not lead back."""
    needed = {name: _needed(schema) for name, schema in definitions.items()}
    done: set[str] = set()
    while fresh := {name for name in needed if name not in done and needed[name] <= done}:
        done |= fresh
    require(done == set(needed), "recursion only through optional properties", sorted(set(needed) - done))


def _needed(node: dict[str, Json]) -> set[str]:
    if "$ref" in node:
        return {node["$ref"][8:]}
    optional = {name for name in node.get("properties", {}) if name not in node.get("required", [])}
    held = {**node, "properties": {k: v for k, v in node.get("properties", {}).items() if k not in optional}}
    return {name for inner in _inside(held) for name in _needed(inner)}


# ── Gemini's own dialect ──


def check_full(root: dict[str, Json], *, parameters: bool) -> None:
    """Check what is meant for parameters or responseSchema, against the published message and the rules beyond it."""
    check_message(root, "Schema", canonical=True)
    if parameters:
        require(root["type"] == "OBJECT", "parameters are an object", root)
    _full(root)


def _full(node: dict[str, Json]) -> None:
    check_both(node)
    if "anyOf" in node:
        require(node.keys() <= {"anyOf", "title", "description", "nullable"}, "nothing stands beside anyOf", node)
        for inner in node["anyOf"]:
            _full(inner)
        return
    require(node.get("type") in OWN, "a type", node)
    beside = node.keys() - {"type", "title", "description", "nullable"}
    require(beside <= OWN[node["type"]], f"no place for {beside}", node)
    require(node.get("nullable", True) is True, "nullable or nothing", node)
    if "format" in node:
        require(node["format"] in FORMATS[node["type"]], "format", node)
    if "enum" in node:
        require(node["enum"] and all(isinstance(value, str) and value for value in node["enum"]), "enum", node)
    if node["type"] == "ARRAY":
        _full(node["items"])
    if node["type"] == "OBJECT":
        require(node["properties"], "objects have properties", node)
        for inner in node["properties"].values():
            _full(inner)
