"""Turn order as Gemini insists on it (notes §5.1), from whatever history comes."""

from typing import Any

from gemgate.hub.parts import Message, Part, Signature, Text, Thought, ToolCall, ToolResult
from gemgate.protocols.gemini.turns import CONTINUE, DUMMY_SIGNATURE, MISSING_RESULT, OPENING, current_turn, shaped

MARK = Signature("gemini", "c2ln")


def user(*parts: Part | str) -> Message:
    return Message("user", tuple(Text(part) if isinstance(part, str) else part for part in parts))


def model(*parts: Part | str) -> Message:
    return Message("model", tuple(Text(part) if isinstance(part, str) else part for part in parts))


def call(key: str, name: str = "f", mark: Signature | None = None) -> ToolCall:
    return ToolCall(key, name, "{}", mark)


def result(key: str, name: str = "f", output: str = "x") -> ToolResult:
    return ToolResult(key, name, f'{{"output":"{output}"}}')


def turns(*messages: Message, **how: Any) -> list[Message]:
    return shaped(messages, **({"prefill": True, "signatures": False} | how))


def test_good_order_stays() -> None:
    """Rule 4: calls together, then their results together."""
    history = (user("a"), model("ok", call("1"), call("2", "g")), user(result("1"), result("2", "g")), model("done"))
    assert turns(*history) == list(history)


def test_results_in_the_order_of_the_calls() -> None:
    """Acceptance 11: paired by id, so that data of same-name calls is not swapped."""
    found = turns(user("a"), model(call("1"), call("2")), user(result("2", output="two"), result("1", output="one")))
    assert found[2] == user(result("1", output="one"), result("2", output="two"))


def test_results_without_ids_are_paired_by_name_in_order() -> None:
    found = turns(
        user("a"),
        model(call("", "f"), call("", "g"), call("", "f")),
        user(result("", "g", "g"), result("", output="1"), result("", output="2")),
    )
    assert found[2] == user(result("", output="1"), result("", "g", "g"), result("", output="2"))


def test_missing_results_are_made_up() -> None:
    """Rule 5: as many results as calls."""
    missing = ToolResult("2", "g", MISSING_RESULT)
    assert turns(user("a"), model(call("1"), call("2", "g")), user(result("1")))[2] == user(result("1"), missing)
    assert turns(user("a"), model(call("2", "g")))[2] == user(missing)
    assert turns(user("a"), model(call("2", "g")), user("never mind"))[2] == user(missing, "never mind")


def test_results_that_nobody_asked_for_become_text() -> None:
    found = turns(user("a"), user(result("9", "h")))
    assert found[1] == user('[result of h: {"output":"x"}]')
    doubled = turns(user("a"), model(call("1")), user(result("1"), result("1", output="again")))
    assert doubled[2] == user(result("1"), '[result of f: {"output":"again"}]')


def test_equal_results_that_nobody_asked_for_stay_apart() -> None:
    found = turns(user("a"), model(call("1")), user(result("1"), result("1")))
    assert found[2].parts[0] == result("1") and len(found[2].parts) == 2


def test_text_beside_results_comes_after_them() -> None:
    assert turns(user("a"), model(call("1")), user("look", result("1")))[2] == user(result("1"), "look")


def test_neighbours_of_the_model_are_one_step() -> None:
    found = turns(user("a"), model("b"), model(call("1")), model(call("2")), user(result("1"), result("2")))
    assert found == [user("a"), model("b", call("1"), call("2")), user(result("1"), result("2"))]


def test_a_trimmed_history_opens_with_the_user() -> None:
    """Acceptance 12: a call must follow a turn of the user."""
    assert turns(model(call("1")), user(result("1"))) == [OPENING, model(call("1")), user(result("1"))]


def test_the_end_belongs_to_the_user_where_it_must() -> None:
    assert turns(user("a"), model("b"), prefill=False) == [user("a"), model("b"), CONTINUE]
    assert turns(user("a"), model("b")) == [user("a"), model("b")]


def test_empty_parts_vanish_and_signed_ones_stay() -> None:
    """Acceptance 13, and rule 6."""
    signed = Text("", MARK)
    assert turns(user("", "a"), model("", Thought("")), model(signed), user("")) == [user("a"), model(signed)]
    assert turns(user("")) == []


def test_the_first_call_of_each_step_of_the_current_turn_is_signed() -> None:
    """Rules 1, 2 and 3."""
    found = turns(
        user("old"),
        model(call("0")),
        user(result("0")),
        user("now"),
        model("so", call("1"), call("2")),
        user(result("1"), result("2")),
        model(call("3", mark=MARK)),
        user(result("3")),
        model(call("4", mark=Signature("other", "b"))),
        user(result("4")),
        signatures=True,
    )
    marks = [part.signature for message in found for part in message.parts if isinstance(part, ToolCall)]
    assert marks == [None, DUMMY_SIGNATURE, None, MARK, DUMMY_SIGNATURE]
    assert current_turn(found) == found.index(user("now"))


def test_models_that_do_not_insist_get_no_dummy() -> None:
    """Rule 8."""
    found = turns(user("a"), model(call("1")), user(result("1")))
    assert found[1] == model(call("1"))


def test_results_in_several_messages_answer_one_step() -> None:
    found = turns(
        user("a"),
        model(call("1"), call("2"), call("3")),
        user(result("3")),
        user("look", result("1")),
        user("and on"),
        user(result("2")),
        model("done"),
    )
    answers = user(result("1"), result("2"), result("3"))
    assert found == [
        user("a"),
        model(call("1"), call("2"), call("3")),
        answers,
        user("look"),
        user("and on"),
        model("done"),
    ]


def test_results_after_the_models_next_message_answer_nothing() -> None:
    found = turns(user("a"), model(call("1")), user("b"), model("c"), user(result("1")))
    assert found[2] == user(ToolResult("1", "f", MISSING_RESULT), "b")
    assert found[4] == user('[result of f: {"output":"x"}]')


def test_empty_messages_never_answer() -> None:
    found = turns(
        user("a"), model(call("1")), user(""), user(), model("", call("2")), user(""), user(result("2"), result("1"))
    )
    assert found == [user("a"), model(call("1"), call("2")), user(result("1"), result("2"))]


def test_plain_talk_is_left_alone() -> None:
    talk = (user("a"), model("b"), user("c", "d"))
    assert turns(*talk) == list(talk) and turns(*talk, signatures=True) == list(talk)
    assert turns(*talk[:2], prefill=False) == [*talk[:2], CONTINUE]
    assert turns() == []
