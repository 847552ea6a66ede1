"""Which result answers which call, however a client has treated their ids (acceptance 2 and 11)."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemgate.hub.parts import Message, Text, ToolCall, ToolResult
from gemgate.protocols.gemini.pairing import Pairing, after_their_calls

LONG = "call_" + "A1b2C3d4" * 5


def paired(calls: list[tuple[str, str]], results: list[tuple[str, str, str]]) -> tuple[list[str | None], list[str]]:
    """Calls as (id, name), results as (id, name, what came out) → what each call got, and what is left."""
    pairing = Pairing(
        [ToolCall(key, name, "{}") for key, name in calls], [ToolResult(key, name, out) for key, name, out in results]
    )
    return [result and result.response for result in pairing.results], [result.response for result in pairing.unasked]


@pytest.mark.parametrize(
    ("calls", "results", "found"),
    [
        pytest.param([("1", "f"), ("2", "f")], [("2", "f", "B"), ("1", "f", "A")], "AB", id="by id"),
        pytest.param([("1", "f"), ("2", "g")], [("2", "", "B"), ("1", "", "A")], "AB", id="by id without names"),
        pytest.param([("", "f")] * 3, [("", "f", out) for out in "ABC"], "ABC", id="no ids: in order"),
        pytest.param(
            [("", "f"), ("", "g"), ("", "f")], [("", "g", "B"), ("", "f", "A"), ("", "f", "C")], "ABC", id="by name"
        ),
        pytest.param(
            [("1", "f"), ("2", "f"), ("3", "f")],
            [("", "f", out) for out in "ABC"],
            "ABC",
            id="ids lost on the way back",
        ),
        pytest.param([("", "f"), ("", "f")], [("x", "f", "A"), ("y", "f", "B")], "AB", id="ids made up by the client"),
        pytest.param([("1", "f"), ("2", "g")], [("", "", "A"), ("", "", "B")], "AB", id="neither ids nor names"),
        pytest.param(
            [("1", "f"), ("2", "f"), ("3", "f")], [("", "f", "A"), ("2", "f", "B"), ("", "f", "C")], "ABC", id="one id"
        ),
        pytest.param(
            [(f"{LONG}x", "f"), ("call_Zz-9", "f")],
            [("CALL_ZZ_9", "f", "B"), (f"{LONG}x"[:40].lower(), "f", "A")],
            "AB",
            id="lower-cased, cut and cleaned, in another order",
        ),
        pytest.param(
            [("a", "f"), ("b", "g"), ("c", "f")],
            [("x", "f", "A"), ("y", "f", "C"), ("z", "g", "B")],
            "ABC",
            id="foreign",
        ),
        pytest.param([("a", "f"), ("b", "g")], [("x", "", "A"), ("y", "", "B")], "AB", id="foreign without names"),
        pytest.param([("a", "f"), ("b", "g")], [("x", "", "A"), ("y", "f", "B")], "BA", id="foreign, one named"),
        pytest.param([("c", "f"), ("c", "f")], [("c", "f", "A"), ("c", "f", "B")], "AB", id="one id for two calls"),
    ],
)
def test_pairs(calls: list[tuple[str, str]], results: list[tuple[str, str, str]], found: str) -> None:
    assert paired(calls, results) == (list(found), [])


def test_of_one_id_the_last_counts() -> None:
    assert paired([("1", "f"), ("2", "f")], [("1", "f", "old"), ("2", "f", "B"), ("1", "f", "A")]) == (["A", "B"], [])


def test_foreign_results_that_do_not_fit_answer_nothing() -> None:
    assert paired([("a", "f"), ("b", "f")], [("x", "f", "A")]) == ([None, None], ["A"])
    assert paired([("a", "f")], [("x", "h", "A")]) == ([None], ["A"])
    assert paired([("a", "f")], [("x", "f", "A"), ("y", "f", "B")]) == ([None], ["A", "B"])


def test_ids_that_look_alike_are_not_guessed_at() -> None:
    """Two calls that differ in nothing a client keeps: only what fits as a whole is paired."""
    assert paired([("a_1", "f"), ("a-1", "f")], [("A1", "f", "A")]) == ([None, None], ["A"])


PAIR = st.tuples(st.sampled_from(["", "1", "2", "a-1", "A_1"]), st.sampled_from(["f", "g"]))


@given(st.lists(PAIR, max_size=5), st.lists(PAIR, max_size=5))
def test_no_result_answers_twice_and_none_appears_from_nowhere(
    calls: list[tuple[str, str]], results: list[tuple[str, str]]
) -> None:
    given_results = [(key, name, str(number)) for number, (key, name) in enumerate(results)]
    found, left = paired(calls, given_results)
    used = [out for out in found if out is not None] + left
    assert len(found) == len(calls) and len(set(used)) == len(used)
    for key in {key for key, _ in calls if key}:
        exact = [number for given_key, _, number in given_results if given_key == key]
        answered = [out for (call_key, _), out in zip(calls, found, strict=True) if call_key == key and out in exact]
        asked = sum(call_key == key for call_key, _ in calls)
        assert answered == exact[-asked:], "all that fit, the latest, in order"
        assert not set(exact) & set(left)


def test_thousands_of_calls_are_paired_in_linear_time() -> None:
    calls = [(f"call-{number}", "f") for number in range(5_000)]
    results = [(f"CALL_{number}", "f", str(number)) for number in reversed(range(5_000))]
    begun = time.process_time()
    found, left = paired(calls, results)
    assert time.process_time() - begun < 2
    assert found == [str(number) for number in range(5_000)] and left == []


# ── results before their calls ──


def step(*keys: str) -> Message:
    return Message("model", tuple(ToolCall(key, "f", "{}") for key in keys))


def answers(*keys: str) -> Message:
    return Message("user", tuple(ToolResult(key, "f", "{}") for key in keys))


ASKED = Message("user", (Text("a"),))


@pytest.mark.parametrize(
    ("messages", "moved"),
    [
        ([ASKED, step("1"), answers("1")], None),
        ([answers("0"), step("1"), answers("1")], None),
        ([answers("1"), step("1")], [Message("user", ()), step("1"), answers("1")]),
        (
            [answers("2", "1"), step("1"), step("2"), ASKED, step("3")],
            [Message("user", ()), step("1"), step("2"), answers("2", "1"), ASKED, step("3")],
        ),
        (
            [answers("3", "1"), step("1"), ASKED, step("2"), step("3"), ASKED],
            [Message("user", ()), step("1"), answers("1"), ASKED, step("2"), step("3"), answers("3"), ASKED],
        ),
    ],
)
def test_early_results_follow_the_step_that_asks(messages: list[Message], moved: list[Message] | None) -> None:
    assert after_their_calls(messages) == (moved or messages)


def test_thousands_of_early_results_are_moved_in_linear_time() -> None:
    keys = [str(number) for number in range(8_000)]
    begun = time.process_time()
    made = after_their_calls([*map(answers, keys), *map(step, keys)])
    assert time.process_time() - begun < 2
    assert made[-1] == answers(*keys)
