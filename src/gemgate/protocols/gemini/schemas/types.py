"""Names of types, as JSON Schema knows them and as clients write them."""

from gemgate.protocols.gemini.schemas.values import Schema, as_list
from gemgate.protocols.gemini.schemas.words import shortened

ANY = frozenset({"", "any", "unknown", "mixed", "type_unspecified", "typing.any"})

TYPES = {
    **dict.fromkeys(("string", "str", "text", "char", "enum"), "string"),
    **dict.fromkeys(("integer", "int", "long", "int32", "int64"), "integer"),
    **dict.fromkeys(("number", "float", "double", "decimal", "numeric"), "number"),
    **dict.fromkeys(("boolean", "bool"), "boolean"),
    **dict.fromkeys(("array", "list", "tuple", "set", "sequence"), "array"),
    **dict.fromkeys(("object", "dict", "map", "record", "mapping"), "object"),
    **dict.fromkeys(("null", "none", "nonetype", "nil"), "null"),
}

IMPLIED = (
    ("object", ("properties", "additionalProperties", "minProperties", "maxProperties")),
    ("array", ("items", "prefixItems", "minItems", "maxItems")),
    ("string", ("pattern", "minLength", "maxLength")),
    ("number", ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")),
)
"""What the keywords of a schema without a type tell about it; the first that fits."""

BINDING = frozenset(key for _, keys in IMPLIED for key in keys)


def types_of(raw: Schema, words: list[str]) -> tuple[str, ...]:
    """List the types that a schema allows, each once, `null` last and among them if it is nullable.

    Empty if it says none and implies none, or if it names `any`. A name that nobody knows goes into `words`.
    """
    given = raw.get("type")
    if type(given) is str and given in TYPES and "nullable" not in raw:
        return (TYPES[given],)
    found: dict[str, None] = {}
    anything = False
    for name in as_list(given) or [given]:
        if not isinstance(name, str):
            continue
        known = name.strip().lower()
        if known in TYPES:
            found[TYPES[known]] = None
        elif known in ANY:
            anything = True
        else:
            words.append(f"type: {shortened(name)}")
    if anything:
        return ()
    if not found and (implied := implied_type(raw)):
        found[implied] = None
    if found and raw.get("nullable") is True:
        found["null"] = None
    if "null" in found and len(found) > 1:
        del found["null"]
        return (*found, "null")
    return tuple(found)


def implied_type(raw: Schema) -> str | None:
    """Name the type that the keywords of a schema speak of; None if they speak of none."""
    if "enum" in raw or "const" in raw or not raw.keys() & BINDING:
        return None
    open_ended = "anyOf" in raw or "oneOf" in raw
    for name, keys in IMPLIED[:1] if open_ended else IMPLIED:
        if any(raw.get(key) is not None for key in keys):
            return name
    return None
