"""What the worst schemas that a client may send cost: time in step with their size, and answers that stay small."""

import json
import time
from collections.abc import Callable

import pytest

from gemgate.protocols.gemini.schemas.document import MAX_CHARACTERS, MAX_TOTAL_CHARACTERS
from gemgate.protocols.gemini.schemas.json_schema import for_json_schema
from gemgate.protocols.gemini.schemas.openapi import for_openapi

Clean = Callable[..., str | None]
Made = dict[str, object]
both = pytest.mark.parametrize("clean", [for_json_schema, for_openapi])

STRING: Made = {"type": "string"}
NAMES = [f"v{number}" for number in range(4_000)]
TWIN = 3.2
"""What twice the size may cost, in times of the single one: a square would be four."""


def inside(properties: Made, **rest: object) -> Made:
    return {"type": "object", "properties": properties, **rest}


def to(name: object) -> Made:
    return {"$ref": f"#/$defs/{name}"}


def chain(count: int) -> Made:
    definitions = {f"a{n}": to(f"a{n + 1}") for n in range(count)} | {f"a{count}": STRING}
    return inside({f"p{n}": to(f"a{n}") for n in range(count)}, **{"$defs": definitions})


def ring(count: int) -> Made:
    definitions = {f"a{n}": to(f"a{(n + 1) % count}") for n in range(count)}
    return inside({f"p{n}": to(f"a{n}") for n in range(count)}, **{"$defs": definitions})


def wrapped_chain(count: int) -> Made:
    definitions = {f"a{n}": {"allOf": [to(f"a{n + 1}")]} for n in range(count)} | {f"a{count}": STRING}
    return inside({f"p{n}": to(f"a{n}") for n in range(count)}, **{"$defs": definitions})


def names_alike(count: int) -> Made:
    names = [f"é{chr(0x4E00 + n)}" for n in range(count)]
    return inside({f"p{n}": to(name) for n, name in enumerate(names)}, **{"$defs": dict.fromkeys(names, STRING)})


def choices(count: int) -> Made:
    lists = [{"enum": [f"{sign}{n}" for n in range(count)]} for sign in "ab"]
    return inside({"x": {"allOf": lists}})


def choices_of_objects(count: int) -> Made:
    lists = [{"enum": [{sign: n} for n in range(count)]} for sign in "ab"]
    return inside({"x": {"allOf": lists}})


def parts_of_an_object(count: int) -> Made:
    return {"allOf": [inside({f"p{n}": {}}, required=[f"p{n}"]) for n in range(count)]}


def parts_of_a_property(count: int) -> Made:
    return {"allOf": [inside({"p": inside({f"q{n}": {}})}) for n in range(count)]}


def duties_of_a_circle(count: int) -> Made:
    names = [f"n{n}" for n in range(count)]
    return inside({"x": to("a")}, **{"$defs": {"a": inside({name: to("a") for name in names}, required=names)}})


def unknown_types(count: int) -> Made:
    return inside({"x": {"type": [f"t{n}" for n in range(count)], "description": "d" * 8 * count}})


def duties_twice(count: int) -> Made:
    one, other = ([f"{sign}{n}" for n in range(count)] for sign in "ab")
    return inside({"x": inside({"a": {}}, required=one, anyOf=[inside({"b": {}}, required=other)] * 2)})


@both
@pytest.mark.parametrize(
    ("shape", "count"),
    [
        (chain, 1_900),
        (ring, 1_900),
        (wrapped_chain, 1_600),
        (names_alike, 2_300),
        (choices, 7_000),
        (choices_of_objects, 5_000),
        (parts_of_an_object, 1_600),
        (parts_of_a_property, 1_500),
        (duties_of_a_circle, 3_000),
        (unknown_types, 7_000),
        (duties_twice, 4_000),
    ],
)
def test_twice_the_size_costs_twice_the_time(clean: Clean, shape: Callable[[int], Made], count: int) -> None:
    once, twice = _seconds(clean, shape(count)), _seconds(clean, shape(2 * count))
    assert twice < max(TWIN * once, 0.8)  # a busy machine triples small times on its own
    assert twice < 2


def _seconds(clean: Clean, given: Made) -> float:
    text = json.dumps(given, ensure_ascii=False, separators=(",", ":"))
    assert len(text) < MAX_CHARACTERS
    best = 60.0
    for number in range(2):
        fresh = text[:-1] + " " * number + "}"  # a text that is known costs nothing
        started = time.process_time()
        clean(fresh, parameters=True)
        best = min(best, time.process_time() - started)
    return best


BIG = {
    "description": {"type": "string", "description": "d" * 40_000},
    "choices": {"enum": NAMES},
    "numbers": {"enum": list(range(8_000))},
    "alternatives": {"type": "string", "anyOf": [{"minLength": number} for number in range(1_500)]},
    "items": {"type": "array", "items": inside(dict.fromkeys(NAMES[:2_000], STRING))},
    "positions": {"type": "array", "prefixItems": [{"const": name} for name in NAMES[:2_000]]},
    "duties": {"type": "object", "required": NAMES},
    "default": {"type": "object", "properties": {"a": STRING}, "default": NAMES},
    "words": {"type": "object", "not": {"enum": NAMES}},
}


@both
@pytest.mark.parametrize("beside", [{}, {"description": "x"}, {"minItems": 1}, {"properties": {"b": STRING}}])
@pytest.mark.parametrize("big", BIG)
def test_what_is_referred_to_a_thousand_times_is_not_copied_a_thousand_times(
    clean: Clean, beside: Made, big: str
) -> None:
    given = inside({f"p{n}": to("big") | beside for n in range(1_000)}, **{"$defs": {"big": BIG[big]}})
    started = time.process_time()
    made = clean(json.dumps(given), parameters=True)
    assert time.process_time() - started < 2
    assert made is not None and len(made) < 1_500_000
    assert len(json.loads(made)["properties"]) == 1_000


@both
def test_a_long_chain_of_described_definitions_does_not_pile_its_words_up(clean: Clean) -> None:
    definitions = {f"a{n}": {"anyOf": [to(f"a{n + 1}")], "description": f"{n} " + "d" * 40} for n in range(1_500)}
    definitions["a1500"] = inside({"x": STRING})
    made = clean(json.dumps({**to("a0"), "$defs": definitions}), parameters=True)
    assert made is None or len(json.loads(made).get("description", "")) < 5_000


def test_a_request_may_have_several_of_the_largest_schemas() -> None:
    assert MAX_TOTAL_CHARACTERS >= 4 * MAX_CHARACTERS
