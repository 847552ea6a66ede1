"""Ids of calls, as they are shown and as they come back."""

import re
from itertools import count

import pytest

from gemgate.hub.events import BlockStart
from gemgate.hub.parts import ToolCall
from gemgate.protocols.gemini.call_ids import CallIds
from gemgate.protocols.gemini.reader import GeminiReader
from tests.protocols.replaying import FORMS, Json, chunk, document, events


def ids(*payloads: bytes, whole: bool = False) -> list[str]:
    numbers = count(1)
    reader = GeminiReader(whole=whole, new_id=lambda: f"{next(numbers):024x}")
    batches = [*(reader.feed(payload) for payload in payloads), reader.end()]
    starts = [event.part for event in events(batches) if isinstance(event, BlockStart)]
    return [part.id for part in starts if isinstance(part, ToolCall)]


def call(**more: str) -> Json:
    return {"functionCall": {"name": "f", "args": {}, **more}}


@pytest.mark.parametrize("given", ["a", "call_1", "x-Y_9", "a" * 40])
def test_an_id_that_fits_is_kept(given: str) -> None:
    assert ids(document(call(id=given))) == [given]


@pytest.mark.parametrize("given", ["", "a" * 41, "a b", "é", "a/b", "a:b", "a\n", "a.b"])
def test_one_that_does_not_fit_is_replaced(given: str) -> None:
    assert ids(document(call(id=given))) == ["call_" + "1".zfill(24)]


@pytest.mark.parametrize("form", FORMS)
def test_ids_are_unique_in_a_reply(form: str) -> None:
    parts = [call(id="a"), call(), call(id="a"), call(), call(id="b")]
    whole = form == "whole"
    payloads = [document(*parts)] if whole else [*(chunk(part) for part in parts), chunk(finishReason="STOP")]
    found = ids(*payloads, whole=whole)
    assert [found[0], found[4]] == ["a", "b"] and len(set(found)) == 5
    assert all(re.fullmatch(r"[A-Za-z0-9_-]{1,40}", one) for one in found)


def test_ids_are_unique_across_choices() -> None:
    first, second = ids(chunk(call(id="a")), chunk(call(id="a"), index=1), chunk(finishReason="STOP"))
    assert first == "a" and second.startswith("call_")


def test_a_call_that_comes_in_pieces_has_one_too() -> None:
    piece: Json = {"functionCall": {"name": "f", "partialArgs": [{"jsonPath": "$.a", "numberValue": 1}]}}
    begun = {"functionCall": {**piece["functionCall"], "willContinue": True}}
    assert ids(chunk(begun), chunk({"functionCall": {}}, finishReason="STOP")) == ["call_" + "1".zfill(24)]


def test_an_id_of_ours_that_the_upstream_has_used_is_made_anew() -> None:
    made = iter(["1", "2"])
    given = CallIds(lambda: next(made))
    assert [given.own("call_1"), given.own("")] == ["call_1", "call_2"]
