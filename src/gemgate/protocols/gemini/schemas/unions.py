"""Alternatives that are all objects → one object, for places that take no alternatives."""

from msgspec import json

from gemgate.protocols.gemini.schemas.values import Schema, as_list, as_names
from gemgate.protocols.gemini.schemas.walking import branches_of, properties_of, target_name
from gemgate.protocols.gemini.schemas.words import noted, shortened


def flattened(base: Schema, branches: list[Schema]) -> Schema:
    """Join objects with the `base` that all of them share; which properties go together is said in words."""
    made = {key: value for key, value in base.items() if key != "anyOf"} | {"type": "object"}
    variants: dict[str, list[Schema]] = {}
    for node in (base, *branches):
        for name, schema in properties_of(node).items():
            variants.setdefault(name, []).append(schema)
    made["properties"] = {name: _any_of(schemas) for name, schemas in variants.items()}
    required = dict.fromkeys(as_names(base.get("required")))
    shared = [name for name in as_names(branches[0].get("required")) if name not in required] if branches else []
    for branch in branches[1:]:
        wanted = set(as_names(branch.get("required")))
        shared = [name for name in shared if name in wanted]
    if required or shared:
        made["required"] = [*required, *shared]
    if "additionalProperties" not in base and any(branch.get("additionalProperties") is False for branch in branches):
        made["additionalProperties"] = False
    sets = dict.fromkeys(", ".join(properties_of(branch)) for branch in branches)
    return noted(made, [shortened("takes " + " or ".join(f"{{{names}}}" for names in sets))] if len(sets) > 1 else [])


def _any_of(schemas: list[Schema]) -> Schema:
    unlike = list({json.encode(schema): schema for schema in schemas}.values())
    if len(unlike) == 1:
        return unlike[0]
    if all(schema.get("type") == "string" and "enum" in schema for schema in unlike):
        values = [value for schema in unlike for value in as_list(schema["enum"]) or ()]
        return {**unlike[0], "enum": list(dict.fromkeys(values))}
    return {"anyOf": unlike}


def objects_among(schema: Schema, definitions: dict[str, Schema]) -> list[Schema] | None:
    """Give the objects that a schema is one of, `null` left out; None if it may be something else."""
    found: list[Schema] = []
    seen: set[str] = set()
    waiting = [schema]
    while waiting:
        node = waiting.pop()
        if (name := target_name(node)) is not None:
            if name not in seen:
                seen.add(name)
                waiting.append(definitions[name])
        elif node.get("type") == "object":
            found.append(node)
        elif "type" not in node and (branches := branches_of(node)):
            waiting += reversed(branches)
        elif node.get("type") != "null":
            return None
    return found
