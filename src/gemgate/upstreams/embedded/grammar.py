"""JSON Schema → GBNF, the grammar language that binds llama.cpp's output.

Our own rather than the library's: that one cannot be mixed with free text, lets some bad schemas pass as "anything",
and recurses without limit in native code, where a deep schema would end the process.
"""

import json
from typing import Any, cast

import msgspec

from gemgate.hub.parts import JsonText

Schema = dict[str, Any]

# llama.cpp refuses repetitions above 2,000.
_MAX_REPEAT = 1_000
_MAX_DEPTH = 64
_MAX_RULES = 4_000

_BASE = {
    "value": 'object | array | string | number | "true" | "false" | "null"',
    "object": '"{" (string ": " value (", " string ": " value)*)? "}"',
    "array": '"[" (value (", " value)*)? "]"',
    # Without \\u escapes: half a surrogate pair would not survive as text.
    "string": r'"\"" char* "\""',
    "char": r'[^"\\\x00-\x1F\x7F] | "\\" ["\\/bfnrt]',
    "number": 'integer ("." [0-9]{1,15})? ([eE] [-+]? [0-9]{1,2})?',
    "integer": '"-"? ("0" | [1-9] [0-9]{0,15})',
}

_UNBOUND = frozenset(
    {"pattern", "format", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf"}
    | {"uniqueItems", "contains", "minContains", "maxContains", "unevaluatedItems"}
    | {"minProperties", "maxProperties", "patternProperties", "propertyNames", "unevaluatedProperties"}
    | {"not", "if", "then", "else", "dependentRequired", "dependentSchemas", "dependencies"}
)


class SchemaError(ValueError):
    """A schema that has no grammar; the message says why."""


class Grammar:
    """A grammar in the making; all JSON it allows is written as Python's `json.dumps` would."""

    def __init__(self) -> None:
        self._rules: dict[str, str] = {}
        self._count = 0
        self.ignored: set[str] = set()
        """Keywords met that the grammar cannot bind."""

    def text(self, root: str) -> str:
        """Give the finished grammar, whose start is the expression `root`."""
        rules = {"root": root, **self._rules, **_BASE}
        return "".join(f"{name} ::= {body}\n" for name, body in rules.items())

    def schema(self, text: JsonText) -> str:
        """Add a JSON Schema and give the expression that matches its values; raises `SchemaError`."""
        try:
            root: object = msgspec.json.decode(text)
            return _Schema(self, root).expression(root)
        except msgspec.DecodeError as error:
            raise SchemaError(f"it is not JSON: {error}") from None
        except RecursionError:
            raise SchemaError("it is nested too deeply") from None

    def rule(self, body: str) -> str:
        """Add a rule and give its name."""
        name = self.reserve()
        self.define(name, body)
        return name

    def reserve(self) -> str:
        """Give the name of a rule that is defined later, so that it may refer to itself."""
        if self._count >= _MAX_RULES:
            raise SchemaError("it is too large")
        self._count += 1
        return f"r{self._count}"

    def define(self, name: str, body: str) -> None:
        """Say what a reserved rule matches."""
        self._rules[name] = body


def literal(text: str) -> str:
    """Give the expression that matches exactly `text`."""
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\x7F")


def as_json(value: object) -> str:
    """Write a value as the grammar writes JSON."""
    return json.dumps(value, ensure_ascii=False)


class _Schema:
    """One schema document; `$ref` points into it."""

    def __init__(self, grammar: Grammar, root: object) -> None:
        self._grammar = grammar
        self._root = root
        self._names: dict[str, str] = {}
        self._depth = 0

    def expression(self, schema: object) -> str:
        if schema is True or schema == {}:
            return "value"
        if not isinstance(schema, dict):
            raise SchemaError("a schema must be an object")
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise SchemaError("it is nested too deeply")
        try:
            return self._of(cast(Schema, schema))
        finally:
            self._depth -= 1

    def _of(self, schema: Schema) -> str:
        self._grammar.ignored |= _UNBOUND & schema.keys()
        if "$ref" in schema:
            return self._ref(schema["$ref"])
        if "const" in schema:
            return literal(as_json(schema["const"]))
        if "enum" in schema:
            return self._either([literal(as_json(value)) for value in _list(schema, "enum")])
        if "allOf" in schema:
            return self.expression(self._all(schema))
        for keyword in ("anyOf", "oneOf"):
            if keyword in schema:
                rest = {key: value for key, value in schema.items() if key != keyword}
                return self._either([self._branch(rest, option) for option in _list(schema, keyword)])
        return self._typed(schema)

    def _branch(self, rest: Schema, option: object) -> str:
        binding = rest.keys() & {"type", "properties", "required", "items"}
        # A bare `type` beside the options repeats what they say, and a `$ref` is not opened for it.
        if not isinstance(option, dict) or not binding - {"type"} or "$ref" in option:
            return self.expression(cast(object, option))
        return self.expression(_merged(rest, cast(Schema, option)))

    def _typed(self, schema: Schema) -> str:
        kinds: object = schema.get("type", _implied(schema))
        names: list[object] = list(cast(list[object], kinds)) if isinstance(kinds, list) else [kinds]
        if schema.get("nullable") is True and "null" not in names:
            names.append("null")
        return self._either([self._kind(name, schema) for name in names])

    def _kind(self, kind: object, schema: Schema) -> str:
        match kind:
            case None:
                return "value"
            case "object":
                return self._object(schema)
            case "array":
                return self._array(schema)
            case "string":
                return self._string(schema)
            case "integer":
                return "integer"
            case "number":
                return "number"
            case "boolean":
                return '("true" | "false")'
            case "null":
                return '"null"'
            case _:
                raise SchemaError(f"{kind!r} is no type")

    def _string(self, schema: Schema) -> str:
        if "minLength" not in schema and "maxLength" not in schema:
            return "string"
        return r'"\"" char' + _repeat(schema, "minLength", "maxLength") + r' "\""'

    def _array(self, schema: Schema) -> str:
        first = [self.expression(item) for item in _list(schema, "prefixItems")]
        if first:
            return self._grammar.rule('"[" ' + ' ", " '.join(first) + ' "]"')
        item = self.expression(schema.get("items", True))
        low, high = _bounds(schema, "minItems", "maxItems")
        if high == 0:
            return '"[]"'
        more = f"{{{max(low - 1, 0)},{'' if high is None else high - 1}}}"
        items = f'{item} (", " {item}){more}'
        return self._grammar.rule(f'"[" {items} "]"' if low else f'"[" ({items})? "]"')

    def _object(self, schema: Schema) -> str:
        properties: Schema = dict(_dict(schema, "properties"))
        required = {name for name in _list(schema, "required") if isinstance(name, str)}
        for name in sorted(required - properties.keys()):
            properties[name] = True
        if not properties:
            return '"{}"' if schema.get("additionalProperties") is False else self._map(schema)
        pairs = [
            (f"{literal(as_json(name) + ': ')} {self.expression(value)}", name in required)
            for name, value in properties.items()
        ]
        # From the last to the first: `tail` is what may follow once something has been written.
        tail = '""'
        starts: list[str] = []
        for pair, needed in reversed(pairs):
            start = f"{pair} {tail}"
            starts = [start] if needed else [start, *starts]
            tail = self._grammar.rule(f'", " {start}' if needed else f'(", " {pair})? {tail}')
        if not required:
            starts.append('""')
        return self._grammar.rule(f'"{{" ({" | ".join(starts)}) "}}"')

    def _map(self, schema: Schema) -> str:
        values = schema.get("additionalProperties", True)
        if values is True:
            return "object"
        value = self.expression(values)
        return self._grammar.rule(f'"{{" (string ": " {value} (", " string ": " {value})*)? "}}"')

    def _either(self, options: list[str]) -> str:
        if not options:
            raise SchemaError("a choice must offer something")
        return options[0] if len(options) == 1 else self._grammar.rule(" | ".join(options))

    def _ref(self, pointer: object) -> str:
        if not isinstance(pointer, str):
            raise SchemaError("$ref must be a string")
        if pointer not in self._names:
            name = self._names[pointer] = self._grammar.reserve()
            self._grammar.define(name, self.expression(self._resolve(pointer)))
        return self._names[pointer]

    def _resolve(self, pointer: str) -> object:
        node: object = self._root
        head, *steps = pointer.split("/")
        if head != "#":
            raise SchemaError(f"$ref {pointer!r} leads out of the schema")
        for step in steps:
            key = step.replace("~1", "/").replace("~0", "~")
            if isinstance(node, dict) and key in node:
                node = cast(Schema, node)[key]
            elif isinstance(node, list) and key.isdecimal() and int(key) < len(cast(list[object], node)):
                node = cast(list[object], node)[int(key)]
            else:
                raise SchemaError(f"$ref {pointer!r} leads nowhere")
        return node

    def _all(self, schema: Schema) -> Schema:
        whole = {key: value for key, value in schema.items() if key != "allOf"}
        for part in _list(schema, "allOf"):
            for _ in range(_MAX_DEPTH):
                if not (isinstance(part, dict) and "$ref" in part):
                    break
                part = self._resolve(str(cast(Schema, part)["$ref"]))
            if isinstance(part, dict):
                whole = _merged(whole, cast(Schema, part))
        return whole


def _merged(left: Schema, right: Schema) -> Schema:
    both = {**left, **right}
    if "properties" in left or "properties" in right:
        both["properties"] = {**_dict(left, "properties"), **_dict(right, "properties")}
    if "required" in both:
        both["required"] = [*_list(left, "required"), *_list(right, "required")]
    return both


def _implied(schema: Schema) -> str | None:
    if schema.keys() & {"properties", "required", "additionalProperties"}:
        return "object"
    return "array" if schema.keys() & {"items", "prefixItems"} else None


def _list(schema: Schema, key: str) -> list[object]:
    value: object = schema.get(key, [])
    if not isinstance(value, list):
        raise SchemaError(f"{key} must be an array")
    return cast(list[object], value)


def _dict(schema: Schema, key: str) -> Schema:
    value: object = schema.get(key, {})
    if not isinstance(value, dict):
        raise SchemaError(f"{key} must be an object")
    return cast(Schema, value)


def _bounds(schema: Schema, low_key: str, high_key: str) -> tuple[int, int | None]:
    low, high = schema.get(low_key) or 0, schema.get(high_key)
    if not isinstance(low, int | float) or not isinstance(high, int | float | None) or low < 0:
        raise SchemaError(f"{low_key} and {high_key} must be numbers of at least 0")
    low = int(low)
    if low > _MAX_REPEAT:
        raise SchemaError(f"{low_key} is above {_MAX_REPEAT}")
    # So high a bound is never reached anyway.
    high = None if high is None or high > _MAX_REPEAT else int(high)
    if high is not None and high < low:
        raise SchemaError(f"{high_key} is below {low_key}")
    return low, high


def _repeat(schema: Schema, low_key: str, high_key: str) -> str:
    low, high = _bounds(schema, low_key, high_key)
    return f"{{{low},{'' if high is None else high}}}"
