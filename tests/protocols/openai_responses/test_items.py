"""The input as a list of items."""

import json
from typing import Any

import pytest
from msgspec import UNSET, Raw

from gemgate.errors import InvalidRequest
from gemgate.protocols.openai_responses.conversation import listed_items, references
from tests.protocols.openai_responses.conversing import HI, raw

SPOKEN = {"type": "message", "role": "user", "content": [{"type": "input_text", "text": 'a "b" ü'}]}


def listed(given: Any) -> list[Any]:
    return [json.loads(bytes(item)) for item in listed_items(raw(given))]


def test_texts_become_messages_and_the_rest_stays_what_it_is() -> None:
    odd = {"type": "x", "a": [1, {"b": None}]}
    assert listed('a "b" ü') == [SPOKEN]
    assert listed(HI) == [HI]
    assert listed([HI, 'a "b" ü', odd]) == [HI, SPOKEN, odd]
    assert listed([]) == [] and listed_items(UNSET) == [] and listed_items(Raw(b"null")) == []


@pytest.mark.parametrize(("given", "param"), [(5, "input"), ([5], "input.0"), ([HI, None], "input.1")])
def test_what_is_no_item_is_refused(given: Any, param: str) -> None:
    with pytest.raises(InvalidRequest) as error:
        listed_items(raw(given))
    assert error.value.param == param


def test_references_are_found() -> None:
    given = [
        HI,
        {"type": "item_reference", "id": "a"},
        {"id": "b"},
        {"type": None, "id": "c"},
        {"type": "item_reference", "id": "a"},
        {"type": "image_generation_call", "id": "d"},
        {"type": "image_generation_call", "id": "e", "result": "x"},
        {"type": "function_call", "id": "f"},
        {"role": "user", "id": "g", "content": "x"},
        {"type": "item_reference", "id": 5},
        "item_reference",
    ]
    assert references(raw(given)) == ["a", "b", "c", "d"]
    assert references(raw({"type": "item_reference", "id": "a"})) == ["a"]


@pytest.mark.parametrize("given", [None, "x", 5, [], [5, {"id": "a"}], HI, [[{"id": "a"}]]])
def test_there_may_be_none(given: Any) -> None:
    assert references(raw(given)) == []


@pytest.mark.parametrize("at", range(262_100, 262_160))
def test_a_reference_is_found_wherever_it_stands(at: int) -> None:
    body = b'["' + b"a" * (at - 9) + b'",{"type":"item_reference","id":"a"}]'
    assert references(Raw(body)) == ["a"]
