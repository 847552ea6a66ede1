"""Any JSON Schema → the subset that Gemini takes as JSON Schema (notes §7.2, light column).

What has no place is said in the description of the schema that lost it. Only places of schemas are walked: properties
may be called like keywords.
"""

from collections import deque

from msgspec import Struct

from gemgate.protocols.gemini.schemas.bounds import add_counts, add_range
from gemgate.protocols.gemini.schemas.document import Document, name_of, reference_of
from gemgate.protocols.gemini.schemas.enums import choices_of
from gemgate.protocols.gemini.schemas.merging import combined
from gemgate.protocols.gemini.schemas.types import TYPES, types_of
from gemgate.protocols.gemini.schemas.values import Schema, as_count, as_list, as_names, as_schema, is_schema
from gemgate.protocols.gemini.schemas.walking import DEFINITIONS, shorten_ways
from gemgate.protocols.gemini.schemas.words import alternatives, listed, lost_words, noted, shortened, weight

ANNOTATIONS = ("title", "description", "default")
STRUCTURE = frozenset({"properties", "items", "prefixItems", "additionalProperties", "anyOf"})
DEEPER = STRUCTURE | {"oneOf", "allOf", "additionalItems"}
KEPT = DEEPER | {
    *("type", "nullable", "enum", "const", "format", "pattern", "required", "propertyOrdering", "$ref"),
    *("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"),
    *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", *ANNOTATIONS),
}
"""What is read here; all else goes, or becomes words."""
BESIDE_REFERENCE = KEPT - {*ANNOTATIONS, "$ref", "type", "nullable", "required", "additionalProperties"}
"""Siblings of a reference that narrow what it points at, beyond what words can say."""
FORMATTED = frozenset({"string", "number", "integer"})

MAX_DEPTH = 48
MAX_MERGED = 128 * 1024
"""How many bytes of JSON `allOf` may copy from definitions, so that a small text cannot grow without bound."""

TOO_DEEP = "nested deeper than can be told"
NULL: Schema = {"type": "null"}


class Cleaned(Struct, frozen=True):
    """A schema and the definitions it refers to, `#/$defs/…`; the root is None where nothing is valid."""

    root: Schema | None
    definitions: dict[str, Schema]


def cleaned(raw: object, document: Document, *, counts_properties: bool) -> Cleaned:
    """Clean `raw`, a schema of the document; `counts_properties` keeps minProperties and maxProperties as fields."""
    cleaner = _Cleaner(document, counts_properties=counts_properties)
    root = cleaner.schema(raw, 1)
    definitions = cleaner.referred()
    shorten_ways(root or {}, definitions)
    return Cleaned(root, definitions)


class _Cleaner:
    def __init__(self, document: Document, *, counts_properties: bool) -> None:
        self._document = document
        self._counts_properties = counts_properties
        self._names: dict[int, str] = {}
        self._taken: set[str] = set()
        self._numbers: dict[str, int] = {}
        """the last number that was put behind a name"""
        self._waiting: deque[tuple[str, Schema]] = deque()
        self._room = MAX_MERGED
        self._inside: list[int] = []
        """what the schema being built was merged from, after what those around it were"""
        self._outside = 0
        """how many of them belong to those around it"""

    def referred(self) -> dict[str, Schema]:
        """Clean the definitions that were referred to so far, and those that they refer to."""
        definitions: dict[str, Schema] = {}
        while self._waiting:
            name, raw = self._waiting.popleft()
            definitions[name] = self.schema(raw, 1) or {}
        return definitions

    def schema(self, raw: object, depth: int) -> Schema | None:
        """Clean whatever stands where a schema may stand; None if nothing is valid."""
        if is_schema(raw):
            return self._schema(raw, depth) if depth < MAX_DEPTH else self._leaf(raw, depth)
        if isinstance(raw, str) and raw.strip().lower() in TYPES:
            return self._schema({"type": raw}, depth)
        return None if raw is False else {}

    def _leaf(self, raw: Schema, depth: int) -> Schema | None:
        shallow = {key: value for key, value in raw.items() if key not in DEEPER}
        made = self._schema(shallow, depth)
        if made is not None and (len(shallow) < len(raw) or made.keys() & STRUCTURE):
            return {"description": f"({TOO_DEEP})"}
        return made

    def _schema(self, raw: Schema, depth: int) -> Schema | None:
        words: list[str] = []
        if raw.keys() <= KEPT and "$ref" not in raw and "allOf" not in raw:
            return self._built(raw, words, depth)
        raw = _simplified(raw)
        reference = reference_of(raw)
        if "allOf" in raw or (reference is not None and raw.keys() & BESIDE_REFERENCE):
            return self._whole(raw, words, depth)
        words += lost_words(raw)
        if reference is not None:
            return self._referring(raw, reference, words, depth)
        return self._built(raw, words, depth)

    # ── references ──

    def _referring(self, raw: Schema, reference: str, words: list[str], depth: int) -> Schema | None:
        target = self._document.target(reference)
        schema = as_schema(target)
        if target is None:
            words.append(f"see {shortened(reference)}")
        if schema is None:
            rest = {key: value for key, value in raw.items() if key in KEPT and key != "$ref"}
            return self._built(rest, words, depth) if target is not False else None
        pointed: Schema = {"$ref": f"{DEFINITIONS}{self._named(reference, schema)}"}
        if wanted := as_names(raw.get("required")):
            words.append(f"needs {shortened(', '.join(wanted))}")
        null = raw.get("nullable") is True or "null" in types_of({"type": raw.get("type")}, [])
        outer = noted(_annotations(raw), words)
        if not outer and not null:
            return pointed
        outer["anyOf"] = [pointed, dict(NULL)] if null else [pointed]
        return outer

    def _named(self, reference: str, target: Schema) -> str:
        """Name a definition, always the same for the same schema however it is pointed at."""
        if (known := self._names.get(id(target))) is not None:
            return known
        name = base = name_of(reference)
        while name in self._taken:
            self._numbers[base] = number = self._numbers.get(base, 1) + 1
            name = f"{base}_{number}"
        self._taken.add(name)
        self._names[id(target)] = name
        self._waiting.append((name, target))
        return name

    # ── allOf ──

    def _whole(self, raw: Schema, words: list[str], depth: int) -> Schema | None:
        """Clean a schema that is merged from several."""
        outside, self._outside = self._outside, len(self._inside)
        merged = self._merged(raw, words, depth)
        made = self._built(merged, words, depth) if merged is not None else None
        del self._inside[self._outside :]
        self._outside = outside
        return made

    def _merged(self, raw: Schema, words: list[str], depth: int) -> Schema | None:
        """Merge a schema with its `allOf` and what it refers to; its own keywords win. None if nothing is valid."""
        raw = _simplified(raw)
        words += lost_words(raw)
        parts: list[Schema] = []
        if (reference := reference_of(raw)) is not None:
            pointed = self._pointed(reference, words, depth)
            if pointed is None:
                return None
            parts.append(pointed)
        for member in as_list(raw.get("allOf")) or ():
            schema = as_schema(member)
            if member is False:
                return None
            if schema is None:
                continue
            if depth >= MAX_DEPTH:
                words.append(TOO_DEEP)
                break
            merged = self._merged(schema, words, depth + 1)
            if merged is None:
                return None
            parts.append(merged)
        parts.append({key: value for key, value in raw.items() if key in KEPT and key not in ("$ref", "allOf")})
        return combined(parts, words)

    def _pointed(self, reference: str, words: list[str], depth: int) -> Schema | None:
        target = self._document.target(reference)
        schema = as_schema(target)
        if schema is None:
            if target is None:
                words.append(f"see {shortened(reference)}")
            return None if target is False else {}
        if id(schema) in self._inside[self._outside :]:
            return {}
        if id(schema) in self._inside or self._room < 0 or len(self._inside) >= MAX_DEPTH:
            words.append(f"also a {name_of(reference)}")
            return {}
        self._room -= weight(schema)
        self._inside.append(id(schema))
        return self._merged(schema, words, depth + 1)

    # ── keywords ──

    def _built(self, raw: Schema, words: list[str], depth: int) -> Schema:
        """Build a schema from keywords that hold neither `allOf` nor references."""
        types = types_of(raw, words)
        if "enum" in raw or "const" in raw:
            choices = choices_of(raw, types, words)
            if choices is not None and choices.values:
                chosen: Schema = {"type": _spelled(choices.types), "enum": [*choices.values]}
                if isinstance(raw.get("format"), str) and raw["format"]:
                    chosen["format"] = raw["format"]
                outer = _annotations(raw)
                outer.update({"anyOf": [chosen, dict(NULL)]} if choices.null else chosen)
                return noted(outer, words) if words else outer
            if choices is not None:
                kinds = tuple(kind for kind in choices.types if kind != "null")
                types = (*kinds, "null") if choices.null else kinds
        made: Schema = {"type": _spelled(types)} if types else {}
        if isinstance(raw.get("format"), str) and raw["format"] and (not types or not FORMATTED.isdisjoint(types)):
            made["format"] = raw["format"]
        made.update(_annotations(raw))
        for kind in types:
            self._add_kind(kind, made, raw, words, depth)
        if "integer" in types or "number" in types:
            add_range(made, raw, words, whole="number" not in types)
        if "anyOf" in raw or "oneOf" in raw:
            self._add_alternatives(made, raw, words, depth)
        return noted(made, words) if words else made

    def _add_kind(self, kind: str, made: Schema, raw: Schema, words: list[str], depth: int) -> None:
        match kind:
            case "object":
                self._add_object(made, raw, words, depth)
            case "array":
                self._add_array(made, raw, depth)
            case "string":
                if isinstance(raw.get("pattern"), str):
                    made["pattern"] = raw["pattern"]
                add_counts(made, raw, ("minLength", "maxLength"))
            case _:
                pass

    def _add_object(self, made: Schema, raw: Schema, words: list[str], depth: int) -> None:
        given = as_schema(raw.get("properties"))
        lifted: list[str] = []
        properties: Schema = {}
        for name, inner in given.items() if given else ():
            schema = self.schema(inner, depth + 1)
            if schema is not None:
                properties[name] = schema
                # Draft 3 says `required: true` on the property.
                if is_schema(inner) and inner.get("required") is True:
                    lifted.append(name)
        if given is not None:
            made["properties"] = properties
        wanted = as_names(raw.get("required"))
        required = list(dict.fromkeys([name for name in wanted if name in properties] + lifted))
        if required or raw.get("required") == []:
            made["required"] = required
        if wanted and not properties:
            words.append(f"needs {shortened(', '.join(wanted))}")
        self._add_additional(made, raw, depth)
        if ordering := [name for name in as_names(raw.get("propertyOrdering")) if name in properties]:
            made["propertyOrdering"] = ordering
        self._add_property_counts(made, raw, words)

    def _add_additional(self, made: Schema, raw: Schema, depth: int) -> None:
        additional = raw.get("additionalProperties")
        if is_schema(additional):
            schema = self.schema(additional, depth + 1)
            made["additionalProperties"] = False if schema is None else schema
        elif isinstance(additional, bool) and not (additional is False and raw.get("patternProperties")):
            made["additionalProperties"] = additional

    def _add_property_counts(self, made: Schema, raw: Schema, words: list[str]) -> None:
        if self._counts_properties:
            add_counts(made, raw, ("minProperties", "maxProperties"))
            return
        for key, word in (("minProperties", "least"), ("maxProperties", "most")):
            if key in raw and (count := as_count(raw[key])) is not None:
                words.append(f"at {word} {count} properties")

    def _add_array(self, made: Schema, raw: Schema, depth: int) -> None:
        items = raw.get("items")
        first = as_list(raw.get("prefixItems")) or as_list(items)
        if first:
            made["prefixItems"] = [self.schema(inner, depth + 1) or {} for inner in first]
            items = raw.get("additionalItems") if isinstance(items, list) else items
        add_counts(made, raw, ("minItems", "maxItems"))
        if items is False and first:
            made.setdefault("maxItems", len(first))
        if is_schema(items) or isinstance(items, str) or items is True:
            made["items"] = self.schema(items, depth + 1) or {}
        elif not first:
            made["items"] = {"type": "string"}

    def _add_alternatives(self, made: Schema, raw: Schema, words: list[str], depth: int) -> None:
        given = [_branches(raw[key]) for key in ("anyOf", "oneOf") if key in raw]
        told = [branches for branches in given if branches]
        words += [alternatives(branches) or f"and one of: {listed(branches)}" for branches in told[1:]]
        if not told:
            return
        if (word := alternatives(told[0])) is not None:
            words.append(word)
            return
        outside = as_schema(raw.get("properties")) or {}
        built = [self._branch(branch, outside, depth) for branch in told[0]]
        left = [branch for branch in built if branch is not None]
        if left and raw.get("nullable") is True and "type" not in made and NULL not in left:
            left.append(dict(NULL))
        if left and all(branch.get("type") == "null" for branch in left):
            if "type" not in made:
                made["type"] = "null"
                made.pop("format", None)
        elif left:
            made["anyOf"] = left

    def _branch(self, raw: object, outside: Schema, depth: int) -> Schema | None:
        """Clean one alternative; that it wants properties which stand outside of it, only words can say."""
        made = self.schema(raw, depth + 1)
        schema = as_schema(raw)
        if made is None or not schema or "required" not in schema or "$ref" in made:
            return made
        inside = as_schema(schema.get("properties")) or {}
        missing = [name for name in as_names(schema["required"]) if name in outside and name not in inside]
        if missing and (inside or "needs" not in str(made.get("description"))):
            noted(made, [f"needs {shortened(', '.join(missing))}"])
        return made


def _simplified(raw: Schema) -> Schema:
    """Respell a reference of another draft, and unwrap an `allOf` that only carries one reference."""
    reference = reference_of(raw)
    if reference is None:
        members = as_list(raw.get("allOf"))
        only = as_schema(members[0]) if members and len(members) == 1 else None
        if only is None or only.keys() != {"$ref"} or raw.keys() & (BESIDE_REFERENCE - {"allOf"}):
            return raw
        reference = reference_of(only)
        raw = {key: value for key, value in raw.items() if key != "allOf"}
    return {**raw, "$ref": reference} if reference is not None else raw


def _annotations(raw: Schema) -> Schema:
    made: Schema = {}
    for key in ANNOTATIONS:
        if key in raw and (key == "default" or isinstance(raw[key], str)):
            made[key] = raw[key]
    return made


def _spelled(types: tuple[str, ...]) -> object:
    return types[0] if len(types) == 1 else [*types]


def _branches(given: object) -> list[object]:
    if is_schema(given):
        return [given]
    return as_list(given) or []
