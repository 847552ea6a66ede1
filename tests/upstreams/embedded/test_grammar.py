import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gemgate.upstreams.embedded import EmbeddedUpstream
from gemgate.upstreams.embedded.grammar import Grammar, SchemaError, literal


def grammar(schema: object) -> Grammar:
    built = Grammar()
    built.text(built.schema(json.dumps(schema)))
    return built


def rules(schema: object) -> str:
    built = Grammar()
    return built.text(built.schema(json.dumps(schema)))


def test_an_object_begins_with_any_property_up_to_its_first_required_one():
    schema = {
        "type": "object",
        "properties": {"a": {"type": "integer"}, "b": {"type": "string"}, "c": {"type": "boolean"}},
        "required": ["b"],
    }
    lines = dict(line.split(" ::= ") for line in rules(schema).splitlines())
    rest_after_b = lines["r2"].removeprefix('", " "\\"b\\": " string ')
    assert lines["root"] == "r4"
    assert lines["r4"] == rf'"{{" ("\"a\": " integer r2 | "\"b\": " string {rest_after_b}) "}}"'
    assert lines[rest_after_b] == r'(", " "\"c\": " ("true" | "false"))? ""'


def test_a_schema_may_refer_to_itself():
    tree = {"$defs": {"node": {"properties": {"next": {"$ref": "#/$defs/node"}}}}, "$ref": "#/$defs/node"}
    assert "r1 ::= " in rules(tree)


@pytest.mark.parametrize(
    ("schema", "why"),
    [
        ({"type": "banana"}, "'banana' is no type"),
        ({"$ref": "#/nope"}, "leads nowhere"),
        ({"$ref": "https://example.com/x"}, "leads out of the schema"),
        ({"$ref": 7}, r"\$ref must be a string"),
        ({"enum": []}, "must offer something"),
        ({"properties": []}, "properties must be an object"),
        ({"anyOf": {}}, "anyOf must be an array"),
        ({"type": "array", "minItems": 10**9}, "above 1000"),
        ({"type": "array", "minItems": 3, "maxItems": 2}, "below"),
        ({"type": "string", "minLength": "x"}, "must be numbers"),
        (False, "must be an object"),
        ([], "must be an object"),
    ],
)
def test_a_schema_without_a_grammar_says_why(schema: object, why: str):
    with pytest.raises(SchemaError, match=why):
        grammar(schema)


def test_text_that_is_no_json_is_refused():
    with pytest.raises(SchemaError, match="not JSON"):
        Grammar().schema("{")


@pytest.mark.parametrize("depth", [100, 100_000])
def test_a_deep_schema_is_refused(depth: int):
    with pytest.raises(SchemaError, match="too deeply"):
        Grammar().schema('{"items":' * depth + "{}" + "}" * depth)


def test_a_large_schema_is_refused():
    with pytest.raises(SchemaError, match="too large"):
        grammar({"properties": {f"p{index}": {"type": "string"} for index in range(10_000)}})


def test_what_cannot_be_bound_is_told():
    schema = {"properties": {"a": {"type": "string", "pattern": "x"}, "b": {"type": "integer", "minimum": 3}}}
    assert grammar(schema).ignored == {"pattern", "minimum"}


def test_all_of_is_merged():
    text = rules({"allOf": [{"properties": {"a": {}}}, {"$ref": "#/$defs/b"}], "$defs": {"b": {"required": ["b"]}}})
    assert r"\"a\": " in text
    assert r"\"b\": " in text


@given(st.text(st.characters(codec="utf-8")))
def test_a_literal_is_one_quoted_line(text: str):
    quoted = literal(text)
    assert json.loads(quoted.replace("\\x7F", "\x7f"), strict=False) == text
    assert "\n" not in quoted


def _bounded(kind: str, low: str, high: str, **more: object) -> st.SearchStrategy[dict[str, Any]]:
    bounds = st.tuples(st.integers(0, 3), st.integers(0, 3))
    return bounds.map(lambda pair: {"type": kind, low: pair[0], high: sum(pair), **more})


def _larger(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    some = st.lists(inner, min_size=1, max_size=3)
    properties = st.dictionaries(st.text(max_size=3), inner, max_size=4)
    return st.one_of(
        inner.flatmap(lambda item: _bounded("array", "minItems", "maxItems", items=item)),
        some.map(lambda items: {"type": "array", "prefixItems": items}),
        some.map(lambda options: {"anyOf": options}),
        some.map(lambda parts: {"allOf": parts}),
        inner.map(lambda value: {"type": "object", "additionalProperties": value}),
        st.builds(
            lambda known, required: {"type": "object", "properties": known, "required": required},
            properties,
            st.lists(st.sampled_from(["a", "\\", "é"]), max_size=2),
        ),
    )


SCHEMAS = st.recursive(
    st.sampled_from(
        [{"type": ["string", "null"]}, {"enum": ['"\\\n', 1.5, None, "你\x7f"]}, {"nullable": True}, {}, True]
    )
    | _bounded("string", "minLength", "maxLength"),
    _larger,
    max_leaves=8,
)


@given(SCHEMAS)
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
def test_llama_accepts_every_grammar(upstream: EmbeddedUpstream, schema: dict[str, Any]):
    model = upstream._model
    assert model is not None
    chunks: list[Any] = []
    request = {"messages": [{"role": "user", "content": "Hi"}], "max_tokens": 2, "grammar": rules(schema)}
    model.generate(request, lambda chunk: bool(chunks.append(chunk)))
    assert "error" not in chunks[-1]
