"""Ways through schemas that are cleaned."""

from collections.abc import Iterator
from typing import cast

from gemgate.protocols.gemini.schemas.values import Schema, as_list, as_schema

DEFINITIONS = "#/$defs/"


def target_name(schema: Schema) -> str | None:
    """Name the definition that a schema is a reference to; None if it is no reference."""
    reference = schema.get("$ref")
    return reference.removeprefix(DEFINITIONS) if isinstance(reference, str) else None


def properties_of(schema: Schema) -> dict[str, Schema]:
    """Give the properties of a schema by name."""
    return cast("dict[str, Schema]", as_schema(schema.get("properties")) or {})


def branches_of(schema: Schema) -> list[Schema]:
    """Give the alternatives of a schema."""
    return cast("list[Schema]", as_list(schema.get("anyOf")) or [])


def unnamed(schema: Schema) -> Iterator[Schema]:
    """Give the schemas directly inside of one that are no properties."""
    for key in ("items", "additionalProperties"):
        if inner := as_schema(schema.get(key)):
            yield inner
    for key in ("anyOf", "prefixItems"):
        yield from cast("list[Schema]", as_list(schema.get(key)) or ())


def references(schema: Schema) -> Iterator[tuple[str, Schema]]:
    """Find the references of a schema in any depth, without following them; gives names and the schemas they are."""
    waiting = [schema]
    while waiting:
        node = waiting.pop()
        if (name := target_name(node)) is not None:
            yield name, node
        waiting += reversed([*properties_of(node).values(), *unnamed(node)])


def referred(schema: Schema) -> list[str]:
    """List the definitions that a schema refers to, each once."""
    return list(dict.fromkeys(name for name, _ in references(schema)))


def shorten_ways(root: Schema, definitions: dict[str, Schema]) -> None:
    """Point past definitions that are nothing but references, in place; those that only point at one another go."""
    aliases = {name: target for name, schema in definitions.items() if (target := target_name(schema)) is not None}
    ends: dict[str, str | None] = {}
    for name in aliases:
        _follow(name, aliases, ends)
    for schema in (root, *definitions.values()) if aliases else ():
        for name, node in references(schema):
            end = ends.get(name, name)
            if end is None:
                node.clear()
            else:
                node["$ref"] = f"{DEFINITIONS}{end}"
    for name in aliases:
        del definitions[name]


def _follow(name: str, aliases: dict[str, str], ends: dict[str, str | None]) -> None:
    """Note where a name and those on its way end; None if they go round."""
    way: dict[str, None] = {}
    while name in aliases and name not in ends and name not in way:
        way[name] = None
        name = aliases[name]
    end = None if name in way else ends.get(name, name)
    ends.update(dict.fromkeys(way, end))


def reachable(root: Schema, definitions: dict[str, Schema]) -> dict[str, Schema]:
    """Leave the definitions that the root needs, through others too."""
    waiting = referred(root)
    found = set(waiting)
    while waiting:
        fresh = [name for name in referred(definitions[waiting.pop()]) if name not in found]
        found.update(fresh)
        waiting += fresh
    return {name: schema for name, schema in definitions.items() if name in found}
