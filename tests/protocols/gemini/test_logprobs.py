"""Probabilities of tokens."""

import json
from typing import Any

import pytest
from msgspec import Raw

from gemgate.hub.events import LEAST_LOGPROB, Logprobs, TokenLogprob
from gemgate.hub.fold import fold
from gemgate.protocols.gemini.logprobs import joined, logprobs
from tests.protocols.replaying import chunk, document, events, gemini_stream, gemini_whole, read

Json = dict[str, Any]


def token(text: str, logprob: float | str | None) -> Json:
    made = {"token": text, "tokenId": 7, "logProbability": logprob}
    return {key: value for key, value in made.items() if value is not None}


def result(*tokens: Json, tops: list[list[Json]] | None = None) -> Json:
    found: Json = {"chosenCandidates": list(tokens)}
    return found | ({"topCandidates": [{"candidates": top} for top in tops]} if tops is not None else {})


def raw(document: object) -> Raw:
    return Raw(json.dumps(document).encode())


HI = result(token("Hi", -0.05), tops=[[token("Hi", -0.05), token("Hello", -3.5)]])
THERE = result(token(" there", -0.1), token("!", -0.2), tops=[[token(" there", -0.1)], [token("!", -0.2)]])
READ = (
    TokenLogprob("Hi", -0.05, (TokenLogprob("Hi", -0.05), TokenLogprob("Hello", -3.5))),
    TokenLogprob(" there", -0.1, (TokenLogprob(" there", -0.1),)),
    TokenLogprob("!", -0.2, (TokenLogprob("!", -0.2),)),
)
BOTH = {key: [*HI[key], *THERE[key]] for key in HI}


def test_streamed_they_come_with_their_text() -> None:
    payloads = [
        chunk({"text": "Hi"}, logprobsResult=HI),
        chunk({"text": " there!"}, logprobsResult=THERE),
        chunk(finishReason="STOP", avgLogprobs=-0.1),
    ]
    batches = read(payloads)
    assert [event.tokens for event in events(batches) if isinstance(event, Logprobs)] == [READ[:1], READ[1:]]
    assert isinstance(batches[0][-1], Logprobs), "after the text they belong to"
    choice = fold(events(batches)).choices[0]
    assert choice.logprobs == READ and choice.finish.vendor
    assert json.loads(choice.finish.vendor.raw) == {"logprobsResult": BOTH, "avgLogprobs": -0.1}


def test_whole_they_are_the_same() -> None:
    payload = document({"text": "Hi there!"}, logprobsResult=BOTH)
    choice = fold(events(read([payload], whole=True))).choices[0]
    assert choice.logprobs == READ and choice.finish.vendor
    assert json.loads(choice.finish.vendor.raw) == {"logprobsResult": BOTH}


def test_in_their_own_format_they_go_through() -> None:
    payloads = [chunk({"text": "Hi"}, logprobsResult=HI), document({"text": " there!"}, logprobsResult=THERE)]
    shown = [json.loads(gemini_whole(read(payloads))), json.loads(gemini_stream(read(payloads))[-1])]
    assert [reply["candidates"][0]["logprobsResult"] for reply in shown] == [BOTH, BOTH]


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ("-Infinity", LEAST_LOGPROB),
        ("NaN", LEAST_LOGPROB),
        ("Infinity", LEAST_LOGPROB),
        (None, 0.0),
        (-0.5, -0.5),
        (-3, -3.0),
    ],
)
def test_what_is_no_number(given: float | str | None, shown: float) -> None:
    found = logprobs(raw(result(token("a", given), tops=[[token("b", given)]])))
    assert found == (TokenLogprob("a", shown, (TokenLogprob("b", shown),)),)


def test_lists_of_unequal_length() -> None:
    assert logprobs(raw(result(token("a", -1), token("b", -2)))) == (TokenLogprob("a", -1.0), TokenLogprob("b", -2.0))
    short = result(token("a", -1), token("b", -2), tops=[[token("c", -3)]])
    assert [len(found.alternatives) for found in logprobs(raw(short))] == [1, 0]
    assert logprobs(raw({"topCandidates": [{"candidates": [token("a", -1)]}]})) == ()


ODD = [5, [], "x", {"chosenCandidates": 5}, {"chosenCandidates": [{"token": {}}]}, {"topCandidates": {}}, {}]
ODD += [{"topCandidates": [{}], "chosenCandidates": 5}]


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("first", [True, False])
def test_what_cannot_be_read_says_nothing(odd: object, first: bool) -> None:
    results = [odd, HI] if first else [HI, odd]
    payloads = [chunk({"text": "a"}, logprobsResult=result) for result in results]
    choice = fold(events(read([*payloads, chunk(finishReason="STOP")]))).choices[0]
    assert choice.logprobs[-1 if first else 0] == READ[0] and choice.finish.vendor
    assert json.loads(choice.finish.vendor.raw)["logprobsResult"]["topCandidates"] == HI["topCandidates"]


@pytest.mark.parametrize("odd", ODD)
def test_what_cannot_be_read_is_still_shown_as_it_came(odd: object) -> None:
    finish = fold(events(read([document({"text": "a"}, logprobsResult={"new": odd})]))).choices[0].finish
    assert finish.vendor and json.loads(finish.vendor.raw) == {"logprobsResult": {"new": odd}}


def test_of_fields_that_are_no_lists_the_last_counts() -> None:
    assert json.loads(bytes(joined([raw({"sum": 1, "x": 2}), raw({"sum": 3})]))) == {"sum": 3, "x": 2}
