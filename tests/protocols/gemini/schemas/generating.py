"""JSON Schemas of every kind, right and wrong, made from a seeded generator."""

import json
from copy import deepcopy
from random import Random
from typing import Any

Json = Any

NAMES = ["a", "b", "title", "default", "format", "const", "$ref", "type", "properties", "items", "required", "enum"]
NAMES += ["$defs", "anyOf", "nullable", "description", "a/b", "x~y", "ключ", "", "50%", "allOf", "value"]
DEFINED = ["A", "B", "C", "x/y", "p~q", "Gen[int]", "with space", "root", "D%41"]
TYPES = ["string", "number", "integer", "boolean", "array", "object", "null"]
ODD_TYPES = ["any", "string ", "STRING", "str", "dict", "list", "int", "float", "bool", "None", "file", "", 7, None]
JUNK: list[Json] = [None, True, False, 0, -1, 1.5, 10**30, "", "x", "5", [], {}, [1, "a"], {"a": 1}, [[]], {"type": []}]
SCALARS: list[Json] = ["", "a", "b", "long text", 0, 1, -3, 2.5, 1.0, 2**63, 10**40, True, False, None, "1", "true"]
FORMATS = ["date-time", "enum", "email", "uuid", "int32", "int64", "float", "double", "uri", "", 5]
PATTERNS = ["^a+$", "(?=x)y", "(a)\\1", "[", ""]
NUMERIC = ["minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"]
COUNTS = ["minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"]
TEXTS = ["title", "description", "$comment", "$id", "$anchor", "$schema", "contentEncoding", "contentMediaType"]
FLAGS = ["nullable", "readOnly", "writeOnly", "deprecated", "uniqueItems", "x-unheard-of"]
SINGLE = ["items", "additionalProperties", "not", "contains", "propertyNames", "additionalItems"]
SINGLE += ["unevaluatedProperties", "unevaluatedItems", "contentSchema"]
MAPS = ["properties", "properties", "properties", "patternProperties", "dependentSchemas"]
LISTS = ["anyOf", "anyOf", "oneOf", "allOf", "allOf", "prefixItems"]


class Generator:
    """A source of schemas; the same seed gives the same ones."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)

    def document(self) -> Json:
        root = self.schema(self.random.randint(0, 4))
        if isinstance(root, dict) and self.random.random() < 0.5:
            root["type"] = "object"
            root["properties"] = {name: self.schema(3) for name in self.some(NAMES, 6)}
        if isinstance(root, dict) and self.random.random() < 0.7:
            shelf = self.random.choice(["$defs", "$defs", "definitions"])
            root[shelf] = {name: self.schema(2) for name in self.some(DEFINED, 5)}
        return root

    def some(self, choices: list[Any], most: int) -> list[Any]:
        return self.random.sample(choices, self.random.randint(0, min(most, len(choices))))

    def schema(self, depth: int) -> Json:
        pick = self.random.random()
        if pick < 0.04:
            return deepcopy(self.random.choice(JUNK))
        if pick < 0.16:
            return self.reference(depth)
        made: dict[str, Json] = {}
        if self.random.random() < 0.75:
            made["type"] = self.type()
        for _ in range(self.random.randint(0, 4)):
            self.add(made, depth)
        for key in list(made):
            if self.random.random() < 0.03:
                made[key] = deepcopy(self.random.choice(JUNK))
        return made

    def type(self) -> Json:
        pick = self.random.random()
        if pick < 0.3:
            return "object"
        if pick < 0.7:
            return self.random.choice(TYPES)
        if pick < 0.88:
            return self.some(TYPES, 3)
        return self.random.choice(ODD_TYPES)

    def reference(self, depth: int) -> Json:
        name = self.random.choice(DEFINED)
        token = name.replace("~", "~0").replace("/", "~1")
        odd = ["#", "#/properties/a", "#/items", f"#/definitions/{token}", "#/$defs/Nowhere", "other.json", name]
        odd += ["#/$defs/x%2Fy", "#/$defs/with%20space", "#/anyOf/0", "#anchor", "https://example.com/s.json#/a", "#/"]
        reference = self.random.choice(odd) if self.random.random() < 0.3 else f"#/$defs/{token}"
        made: dict[str, Json] = {self.random.choice(["$ref"] * 9 + ["$dynamicRef"]): reference}
        while self.random.random() < 0.35:
            self.add(made, depth)
        return made

    def add(self, made: dict[str, Json], depth: int) -> None:
        """Add one keyword."""
        random = self.random
        match random.randint(0, 13):
            case 0:
                made[random.choice(NUMERIC)] = random.choice([0, 1, 5, -2, 0.5, 2.5, 10**19, True, "3", None])
            case 1:
                made[random.choice(COUNTS)] = random.choice([0, 1, 3, 2.0, 2.5, -1, "4", 2**63, 2**70, None, "x"])
            case 2:
                made[random.choice(TEXTS)] = random.choice(["text", "", "(x)", "längerer Text", 5, None])
            case 3:
                made[random.choice(FLAGS)] = random.choice([True, True, False, "yes", None])
            case 4:
                made["enum"] = random.choice(
                    [self.some(SCALARS, 5), self.some(["a", "b", "", None], 4), [], [{"a": 1}]]
                )
            case 5:
                made[random.choice(["const", "default", "example"])] = random.choice([*SCALARS, {"a": [1]}, [1]])
            case 6:
                made["format"] = random.choice(FORMATS)
            case 7:
                made["pattern"] = random.choice(PATTERNS)
            case 8:
                made["required"] = random.choice([self.some([*NAMES, 5, None], 6), True, False, "a", ["a", "a"], []])
            case 9 | 10 if depth > 0:
                made[random.choice(MAPS)] = {name: self.schema(depth - 1) for name in self.some(NAMES, 5)}
            case 11 if depth > 0:
                made[random.choice(SINGLE)] = self.schema(depth - 1)
            case 12 if depth > 0:
                made[random.choice(LISTS)] = [self.schema(depth - 1) for _ in range(random.randint(0, 3))]
            case _:
                self.add_rare(made)

    def add_rare(self, made: dict[str, Json]) -> None:
        rare: list[tuple[str, Json]] = [
            ("if", {"properties": {"a": {"const": 1}}}),
            ("then", {"required": ["b"]}),
            ("else", {"required": ["a"]}),
            ("dependentRequired", {"a": ["b"]}),
            ("dependencies", {"a": ["b"]}),
            ("propertyOrdering", self.some(NAMES, 4)),
            ("examples", self.some(SCALARS, 4)),
            ("enumDescriptions", ["first", "second"]),
            ("additionalProperties", self.random.choice([True, False])),
            ("items", [{"type": self.type()}, {"type": "string"}]),
            ("minContains", 2),
            ("anyOf", [{"required": ["a"]}, {"required": ["b"]}]),
            ("anyOf", [{"type": "null"}, {"type": self.type()}]),
            ("discriminator", {"propertyName": "a"}),
        ]
        key, value = self.random.choice(rare)
        made[key] = value

    def text(self) -> str:
        """Give a document as text."""
        return json.dumps(self.document())
