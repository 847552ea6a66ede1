"""References: pointers in all spellings, recursion, and what grows without bound."""

import json
from typing import Any

import pytest

from tests.protocols.gemini.schemas.test_conversion import STRING, TEXT, full, inside, light

Json = Any

PLACE = {"type": "object", "properties": {"city": TEXT}, "required": ["city"]}
PLACED = {"type": "OBJECT", "properties": {"city": STRING}, "required": ["city"]}


@pytest.mark.parametrize(
    ("reference", "beside", "name"),
    [
        ("#/$defs/Place", {"$defs": {"Place": PLACE}}, "Place"),
        ("#/definitions/Place", {"definitions": {"Place": PLACE}}, "Place"),
        ("#/definitions/Place", {"$defs": {"Place": PLACE}}, "Place"),
        ("#/components/schemas/Place", {"components": {"schemas": {"Place": PLACE}}}, "Place"),
        ("#/$defs/a~1b~0c", {"$defs": {"a/b~c": PLACE}}, "a_1b_0c"),
        ("#/$defs/Page%5Bint%5D", {"$defs": {"Page[int]": PLACE}}, "Page_int"),
        ("#/$defs/Outer/$defs/Inner", {"$defs": {"Outer": {"$defs": {"Inner": PLACE}}}}, "Inner"),
        ("#/$defs/Some/anyOf/1", {"$defs": {"Some": {"anyOf": [TEXT, PLACE]}}}, "1"),
        ("#place", {"$defs": {"P": {**PLACE, "$anchor": "place"}}}, "place"),
        ("place.json", {"$defs": {"P": {**PLACE, "$id": "place.json"}}}, "place.json"),
        ("#/$defs/Alias", {"$defs": {"Alias": {"$ref": "#/$defs/Place"}, "Place": PLACE}}, "Alias"),
    ],
)
def test_pointers(reference: str, beside: Json, name: str) -> None:
    given = inside({"$ref": reference}, **beside)
    assert light(given) == inside({"$ref": f"#/$defs/{name}"}, **{"$defs": {name: PLACE}})
    assert full(given) == {"type": "OBJECT", "properties": {"x": PLACED}}


def test_a_pointer_to_a_property() -> None:
    given = {"type": "object", "properties": {"a": PLACE, "b": {"$ref": "#/properties/a"}}}
    assert light(given)["$defs"] == {"a": PLACE}
    assert full(given)["properties"] == {"a": PLACED, "b": PLACED}


def test_siblings_that_describe_stand_around_the_reference() -> None:
    given = inside(
        {"$ref": "#/$defs/P", "description": "home"}, **{"$defs": {"P": {**PLACE, "description": "A place."}}}
    )
    assert light(given)["properties"]["x"] == {"description": "home", "anyOf": [{"$ref": "#/$defs/P"}]}
    assert full(given)["properties"]["x"] == {**PLACED, "description": "home A place."}
    wrapped = inside({"allOf": [{"$ref": "#/$defs/P"}], "description": "home"}, **{"$defs": {"P": PLACE}})
    assert light(wrapped)["properties"]["x"] == {"description": "home", "anyOf": [{"$ref": "#/$defs/P"}]}


def test_siblings_that_bind_are_merged() -> None:
    given = inside({"$ref": "#/$defs/P", "properties": {"zip": TEXT}, "required": ["zip"]}, **{"$defs": {"P": PLACE}})
    merged = {"type": "object", "properties": {"city": TEXT, "zip": TEXT}, "required": ["city", "zip"]}
    assert light(given) == inside(merged)


def test_nullable_beside_a_reference() -> None:
    given = inside({"$ref": "#/$defs/P", "nullable": True}, **{"$defs": {"P": PLACE}})
    assert light(given)["properties"]["x"] == {"anyOf": [{"$ref": "#/$defs/P"}, {"type": "null"}]}
    assert full(given)["properties"]["x"] == {**PLACED, "nullable": True}


def test_definitions_that_nobody_needs_go() -> None:
    assert light({**inside(TEXT), "$defs": {"P": PLACE}}) == inside(TEXT)


def test_a_root_that_is_a_reference() -> None:
    given = {"$ref": "#/$defs/P", "$defs": {"P": PLACE}}
    assert light(given) == PLACE and full(given) == PLACED
    assert light(given, parameters=False) == given


# ── recursion ──

TREE = {
    "type": "object",
    "properties": {"name": TEXT, "children": {"type": "array", "items": {"$ref": "#/$defs/Tree"}}},
}


def test_recursion_through_an_optional_property_stays() -> None:
    given = inside({"$ref": "#/$defs/Tree"}, **{"$defs": {"Tree": TREE}})
    assert light(given) == given


def test_recursion_through_a_required_property_is_made_optional() -> None:
    tree = {**TREE, "required": ["name", "children"]}
    made = light(inside({"$ref": "#/$defs/Tree"}, **{"$defs": {"Tree": tree}}))
    assert made["$defs"]["Tree"] == {**TREE, "required": ["name"], "description": "(children is needed too)"}


def test_only_one_link_of_a_circle_is_opened() -> None:
    def node(other: str) -> Json:
        return {"type": "object", "properties": {"next": {"$ref": f"#/$defs/{other}"}}, "required": ["next"]}

    made = light(inside({"$ref": "#/$defs/A"}, **{"$defs": {"A": node("B"), "B": node("C"), "C": node("A")}}))
    assert [schema.get("required") for schema in made["$defs"].values()] == [["next"], ["next"], None]


def test_what_is_required_on_the_way_to_a_circle_stays() -> None:
    beside = {"$defs": {"Tree": TREE, "Leaf": inside({"$ref": "#/$defs/Tree"}, required=["x"])}}
    made = light(inside({"$ref": "#/$defs/Leaf"}, **beside))
    assert made["$defs"]["Leaf"]["required"] == ["x"]


def test_recursion_that_no_property_can_open_is_cut() -> None:
    value = {"anyOf": [TEXT, {"type": "array", "items": {"$ref": "#/$defs/Json"}}]}
    made = light(inside({"$ref": "#/$defs/Json"}, **{"$defs": {"Json": value}}))
    assert made["$defs"]["Json"]["anyOf"][1]["items"] == {"description": "(again a Json)"}


def test_the_root_may_contain_itself() -> None:
    made = light({"type": "object", "properties": {"name": TEXT, "child": {"$ref": "#"}}, "required": ["child"]})
    assert made["properties"]["child"] == {"$ref": "#/$defs/root"}
    assert made["$defs"]["root"]["properties"] == made["properties"] and "required" not in made["$defs"]["root"]


def test_recursion_is_unrolled_a_little() -> None:
    made = full(inside({"$ref": "#/$defs/Tree"}, **{"$defs": {"Tree": TREE}}))
    levels = 0
    node = made["properties"]["x"]
    while "name" in node["properties"]:
        levels, node = levels + 1, node["properties"]["children"]["items"]
    assert levels == 2 and node["type"] == "OBJECT" and node["description"] == "(again a Tree)"


@pytest.mark.parametrize("reference", ["#/$defs/A", "#/$defs/B", "#/$defs/C"])
def test_references_that_only_lead_round(reference: str) -> None:
    circle = {"A": {"$ref": "#/$defs/B"}, "B": {"$ref": "#/$defs/A"}, "C": {"$ref": "#/$defs/C", "description": "c"}}
    assert light(inside({"$ref": reference}, **{"$defs": circle}))["type"] == "object"
    assert full(inside({"$ref": reference}, **{"$defs": circle}))["properties"]["x"]["type"] == "STRING"


# ── growth ──


def graph(width: int, levels: int) -> Json:
    """Make definitions that would be width^levels schemas if written out."""
    made: Json = {f"D{levels}": TEXT}
    for level in range(levels):
        next_one = {"$ref": f"#/$defs/D{level + 1}"}
        made[f"D{level}"] = {"type": "object", "properties": {f"p{n}": next_one for n in range(width)}}
    return {"$ref": "#/$defs/D0", "$defs": made}


def test_what_would_grow_without_bound_is_cut_where_it_is_deepest() -> None:
    made = full(graph(8, 40))
    assert len(json.dumps(made)) < 1_000_000
    first, last = made["properties"]["p0"], made["properties"]["p7"]
    assert len(first["properties"]) == len(last["properties"]) == 8
    assert "more of it left out" in json.dumps(made)


def test_deep_inheritance_is_merged() -> None:
    made: Json = {"D20": {"type": "object"}}
    for level in range(20):
        base = {"$ref": f"#/$defs/D{level + 1}"}
        made[f"D{level}"] = {"properties": {f"p{level}": TEXT}, "allOf": [base, base]}
    given = {"allOf": [{"$ref": "#/$defs/D0"}], "$defs": made}
    assert len(light(given)["properties"]) == len(full(given)["properties"]) == 20


def test_all_of_cannot_grow_without_bound() -> None:
    def narrowed(name: int) -> Json:
        others = (other for other in range(9) if other != name)
        return {f"p{other}": {"allOf": [{"$ref": f"#/$defs/D{other}"}, {"minProperties": 1}]} for other in others}

    made = {f"D{name}": {"type": "object", "properties": narrowed(name)} for name in range(9)}
    given = inside({"$ref": "#/$defs/D0"}, **{"$defs": made})
    assert len(json.dumps(light(given))) < 2_000_000
    assert len(json.dumps(full(given))) < 2_000_000


def test_a_long_chain_of_definitions() -> None:
    chain = {f"D{n}": inside({"$ref": f"#/$defs/D{n + 1}"}, required=["x"]) for n in range(1_000)}
    given = {"$ref": "#/$defs/D0", "$defs": {**chain, "D1000": inside({"$ref": "#/$defs/D0"}, required=["x"])}}
    assert "required" not in light(given)["$defs"]["D1000"]
    assert len(json.dumps(full(given))) < 10_000
