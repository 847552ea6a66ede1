"""What a schema loses on its way, in short words for the model.

| keyword | becomes |
|---|---|
| multipleOf, uniqueItems, contains, not, if/then/else, dependent*, propertyNames, patternProperties | words |
| minProperties, maxProperties (where there is no field for them), contentEncoding, contentMediaType | words |
| exclusive bounds of fractions, booleans and objects as choices, types that nobody knows | words, where they are read |
| enumDescriptions, examples, example | words: they tell the model what is meant |
| default, format, pattern, additionalProperties, numbers as choices (where there is no field for them) | words |
| $schema, $id, $anchor, $comment, $vocabulary, readOnly, writeOnly, deprecated, xml, externalDocs, … | nothing |
| discriminator, unevaluated*, contentSchema, everything unheard of | nothing |
"""

from collections.abc import Callable, Iterable
from itertools import islice

from msgspec import json

from gemgate.protocols.gemini.schemas.values import Schema, as_count, as_list, as_number, as_schema, is_schema

MAX_WORD = 120
MAX_WORDS = 600
FITTING = MAX_WORDS // 4
"""More words than these never fit, so that nobody looks for them in what is said already."""


def shortened(text: str, limit: int = MAX_WORD) -> str:
    """Cut a text to `limit` characters."""
    return text if len(text) <= limit else text[: limit - 1] + "…"


def compact(value: object) -> str:
    """Write a value as JSON, cut to what a description can bear."""
    return shortened(json.encode(value).decode())


def weight(value: object) -> int:
    """Count the bytes of a value as JSON."""
    return len(json.encode(value))


def listed(values: Iterable[object]) -> str:
    """Write values as JSON with commas between them."""
    return shortened(", ".join(compact(value) for value in values))


def described(description: object, words: Iterable[str]) -> str | None:
    """Append words to a description in one pair of brackets; what it says already is not said again."""
    known = description if isinstance(description, str) else None
    looked_at = islice(dict.fromkeys(words), FITTING)
    fresh = [word for word in looked_at if known is None or word not in known]
    if not fresh:
        return known
    note = f"({shortened('; '.join(fresh), MAX_WORDS)})"
    return f"{known} {note}" if known else note


def noted(schema: Schema, words: Iterable[str]) -> Schema:
    """Append words to the description of a schema, in place."""
    description = described(schema.get("description"), words)
    if description is not None:
        schema["description"] = description
    return schema


def lost_words(raw: Schema) -> list[str]:
    """Say what the keywords mean that no dialect has a place for."""
    said = [WORDS[key](raw[key], raw) for key in raw if key in WORDS]
    return [shortened(word) for word in said if word]


def alternatives(branches: Iterable[object]) -> str | None:
    """Say which names each branch wants if that is all that the branches say; None otherwise."""
    sets: list[str] = []
    for branch in branches:
        schema = as_schema(branch)
        names = as_list(schema.get("required")) if schema else None
        if schema is None or not names or schema.keys() - NAMING:
            return None
        sets.append(", ".join(name for name in names if isinstance(name, str)))
    return shortened("needs " + " or ".join(dict.fromkeys(sets))) if sets else None


NAMING = frozenset({"required", "type", "title", "description"})


def _multiple(value: object, _: Schema) -> str | None:
    number = as_number(value)
    return f"multiple of {compact(number)}" if number is not None else None


def _unique(value: object, _: Schema) -> str | None:
    return "no item twice" if value is True else None


def _contains(value: object, raw: Schema) -> str | None:
    least = as_count(raw.get("minContains"))
    most = as_count(raw.get("maxContains"))
    count = f"at least {1 if least is None else least}" + (f" and at most {most}" if most is not None else "")
    return f"{count} like {compact(value)}" if is_schema(value) else None


def _if(value: object, raw: Schema) -> str | None:
    then = "".join(f" {key} {compact(raw[key])}" for key in ("then", "else") if key in raw)
    return f"if {compact(value)}{then}" if then else None


def _names(value: object, _: Schema) -> str | None:
    schema = as_schema(value)
    if not schema or schema == {"type": "string"}:
        return None
    return f"property names {compact(schema)}"


def _patterns(value: object, _: Schema) -> str | None:
    return f"properties by pattern {compact(value)}" if is_schema(value) and value else None


def _dependent(value: object, _: Schema) -> str | None:
    return f"dependent {compact(value)}" if is_schema(value) and value else None


def _not(value: object, _: Schema) -> str | None:
    return f"not {compact(value)}" if is_schema(value) and value else None


def _encoding(value: object, _: Schema) -> str | None:
    return f"encoded as {shortened(value)}" if isinstance(value, str) and value else None


def _media(value: object, _: Schema) -> str | None:
    return f"holds {shortened(value)}" if isinstance(value, str) and value else None


def _example(value: object, _: Schema) -> str | None:
    return f"e.g. {compact(value)}" if value not in (None, "") else None


def _examples(value: object, _: Schema) -> str | None:
    examples = as_list(value)
    return f"e.g. {listed(examples[:3])}" if examples else None


def _choices(value: object, raw: Schema) -> str | None:
    said, names = as_list(value), as_list(raw.get("enum"))
    pairs = zip(names or (), said or (), strict=False)
    return "; ".join(f"{name}: {text}" for name, text in pairs if isinstance(text, str) and text) or None


WORDS: dict[str, Callable[[object, Schema], str | None]] = {
    "multipleOf": _multiple,
    "divisibleBy": _multiple,
    "uniqueItems": _unique,
    "contains": _contains,
    "not": _not,
    "if": _if,
    "propertyNames": _names,
    "patternProperties": _patterns,
    "dependentRequired": _dependent,
    "dependentSchemas": _dependent,
    "dependencies": _dependent,
    "contentEncoding": _encoding,
    "contentMediaType": _media,
    "example": _example,
    "examples": _examples,
    "enumDescriptions": _choices,
    "markdownEnumDescriptions": _choices,
}
