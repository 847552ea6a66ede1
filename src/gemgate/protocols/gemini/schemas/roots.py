"""The root of a schema: what may stand there, and what makes no schema at all."""

from gemgate.protocols.gemini.schemas.cleaning import ANNOTATIONS, DEEPER, Cleaned
from gemgate.protocols.gemini.schemas.types import TYPES
from gemgate.protocols.gemini.schemas.unions import flattened, objects_among
from gemgate.protocols.gemini.schemas.values import Schema, as_list, as_schema
from gemgate.protocols.gemini.schemas.walking import branches_of, target_name

WRAPPED = "value"
"""The one property of parameters that were no object."""

MAX_HOPS = 64
"""How many references are followed from a root; each may add its description."""

OF_OBJECTS = frozenset(
    {*ANNOTATIONS, "properties", "required", "additionalProperties", "propertyOrdering", "anyOf"}
    | {"minProperties", "maxProperties"}
)
COMPOSED = frozenset({"$ref", "anyOf", "oneOf", "allOf", "enum", "const"})
MAPS = frozenset({"properties", "patternProperties", "$defs", "definitions", "dependentSchemas", "dependencies"})
SINGLE = DEEPER | MAPS | {"contains", "propertyNames", "not", "if", "then", "else", "default", "discriminator"}
"""Keywords whose value may be an object."""


def mapped(root: Schema) -> Schema:
    """Wrap a bare map of properties, as some servers send it in place of a schema; all else stays as it is."""
    if as_schema(root.get("properties")) is not None or root.keys() & (COMPOSED - {"enum", "const"}) & _told(root):
        return root
    given = root.get("type")
    if isinstance(given, list) or (isinstance(given, str) and TYPES.get(given.strip().lower()) != "object"):
        return root
    strays = {name: value for name, value in root.items() if name not in SINGLE and _is_property(value)}
    if not strays:
        return root
    rest = {key: value for key, value in root.items() if key not in strays}
    return {**rest, "type": "object", "properties": strays}


def _told(root: Schema) -> set[str]:
    return {key for key in COMPOSED if isinstance(root.get(key), (str, list))}


def _is_property(value: object) -> bool:
    schema = as_schema(value)
    if schema is None:
        return False
    return isinstance(schema.get("type"), (str, list)) or any(
        isinstance(schema.get(key), kind) for key, kind in (("$ref", str), ("anyOf", list), ("enum", list))
    )


def wrapped(root: object) -> Schema:
    """Make parameters of a schema that is no object."""
    return {"type": "object", "properties": {WRAPPED: root}, "required": [WRAPPED]}


def is_anything(root: Schema) -> bool:
    """Whether a cleaned root binds nothing."""
    return not root.keys() - set(ANNOTATIONS)


def as_object(cleaned: Cleaned) -> Schema | None:
    """Make an object of a root that is one, points at one or is one of several; None if it is something else."""
    root = cleaned.root
    if root is None:
        return None
    root = _pointed(root, cleaned.definitions)
    if "object" in (as_list(root.get("type")) or [root.get("type")]):
        return _object(root)
    objects = objects_among(root, cleaned.definitions)
    if not objects:
        return None
    base = {key: value for key, value in root.items() if key in ANNOTATIONS}
    return _object(joined(base, objects[0]) if len(objects) == 1 else flattened(base, objects))


def _object(root: Schema) -> Schema:
    made: Schema = {"type": "object"} | {key: value for key, value in root.items() if key in OF_OBJECTS}
    if branches := [branch for branch in branches_of(made) if branch.get("type") != "null"]:
        made["anyOf"] = branches
    else:
        made.pop("anyOf", None)
    return made


def _pointed(root: Schema, definitions: dict[str, Schema]) -> Schema:
    """Follow references from the root, bare ones and those with a description of their own."""
    seen: set[str] = set()
    while True:
        branches = branches_of(root)
        only = branches[0] if len(branches) == 1 and not root.keys() - {*ANNOTATIONS, "anyOf"} else root
        name = target_name(only)
        if name is None or name in seen or len(seen) > MAX_HOPS:
            return root
        seen.add(name)
        root = joined({key: value for key, value in root.items() if key in ANNOTATIONS}, definitions[name])


def joined(outer: Schema, inner: Schema) -> Schema:
    """Give a schema the annotations of the place that it comes to stand in; both descriptions stay."""
    made = {**inner, **outer}
    said, outside = inner.get("description"), outer.get("description")
    if isinstance(said, str) and isinstance(outside, str):
        made["description"] = outside if said in outside else f"{outside} {said}".strip()
    return made
