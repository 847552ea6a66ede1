"""Turn order as Gemini insists on it (notes §5.1), from whatever history comes."""

from typing import Any

import pytest

from gemgate.hub.abilities import Abilities
from gemgate.hub.parts import (
    Inline,
    Media,
    Message,
    Opaque,
    Part,
    Signature,
    Text,
    Thought,
    ToolCall,
    ToolResult,
    Uri,
    Vendor,
)
from gemgate.protocols.gemini.outbound import outbound
from gemgate.protocols.gemini.turns import (
    CONTINUE,
    DUMMY_SIGNATURE,
    MISSING_RESULT,
    OPENING,
    current_turn,
    ended,
    is_plain,
    shaped,
    signed,
)
from tests.protocols.shaping import NEW, OLD, ask, checked

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
    return list(shaped(messages, **({"prefill": True, "media_in_results": True} | how)))


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


def test_of_a_result_given_twice_the_last_counts() -> None:
    """Acceptance 11: nothing is left over as text."""
    doubled = turns(user("a"), model(call("1")), user(result("1"), result("1", output="again")))
    assert doubled[2] == user(result("1", output="again"))
    apart = turns(user("a"), model(call("1")), user(result("1")), user("b", result("1")))
    assert apart[2:] == [user(result("1")), user("b")]


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


SIGNED = [
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
]


def marks(messages: list[Message]) -> list[Signature | None]:
    return [part.signature for message in messages for part in message.parts if isinstance(part, ToolCall)]


def test_the_first_call_of_each_step_of_the_current_turn_is_signed() -> None:
    """Rules 1, 2 and 3."""
    found, lost = signed(turns(*SIGNED), images=False)
    assert marks(found) == [None, DUMMY_SIGNATURE, None, MARK, DUMMY_SIGNATURE] and lost
    assert current_turn(found) == found.index(user("now"))
    assert signed(found, images=False) == (found, False)


def test_a_lost_signature_is_recorded_once() -> None:
    assert [drop.path for drop in outbound(ask(*SIGNED), NEW).dropped] == ["signatures"]
    assert outbound(ask(*SIGNED[3:4], *SIGNED[6:8]), NEW).dropped == ()


def test_models_that_do_not_insist_get_no_dummy() -> None:
    """Rule 8."""
    assert outbound(ask(*SIGNED), OLD).dropped == ()
    assert DUMMY_SIGNATURE.value not in str(checked(ask(*SIGNED)))


IMAGE = Media("image/png", Inline("AAAA"))
SIGNED_IMAGE = Media("image/png", Inline("AAAA"), signature=MARK)
DRAFT = Media("image/png", Inline("AAAA"), thought=True)


def test_image_models_insist_on_texts_and_images_of_all_turns() -> None:
    """Rule 10, acceptance 4: the second edit of an image works though the client kept no signature."""
    history = [
        user("draw", IMAGE),
        model(Thought("hm"), DRAFT, "here", IMAGE, "and", SIGNED_IMAGE, Media("image/png", Uri("https://x/y"))),
        user("now blue"),
    ]
    found, lost = signed(history, images=True)
    assert lost and [found[0], found[2]] == [history[0], history[2]]
    kept = [part.signature for part in found[1].parts if not isinstance(part, Opaque)]
    assert kept == [None, None, DUMMY_SIGNATURE, DUMMY_SIGNATURE, None, MARK, None]
    assert signed(history, images=False) == (history, False)


def test_image_models_insist_in_plain_talk_too() -> None:
    abilities = Abilities(signatures=True, output=("text", "image"))
    call_of_talk = ask(user("a"), model("b"), user("c"))
    (drop,) = outbound(call_of_talk, abilities).dropped
    assert drop.path == "signatures" and "signature" in drop.why
    body = checked(call_of_talk, abilities=abilities)
    assert body["contents"][1]["parts"] == [{"text": "b", "thoughtSignature": DUMMY_SIGNATURE.value}]
    assert outbound(ask(user("a"), model(Text("b", MARK)), user("c")), abilities).dropped == ()


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
    assert is_plain(talk) and turns(*talk) == list(talk)
    assert ended(talk, prefill=False) == talk
    assert list(ended(talk[:2], prefill=False)) == [*talk[:2], CONTINUE]
    assert ended(talk[:2], prefill=True) == talk[:2]
    assert turns() == []


@pytest.mark.parametrize(
    "talk", [(), (user(),), (user(""),), (model("a"),), (user("a"), user("b")), (user("a"), model(call("1")))]
)
def test_what_is_not_plain(talk: tuple[Message, ...]) -> None:
    assert not is_plain(talk)


def test_parts_that_nothing_is_left_of_do_not_break_the_order() -> None:
    """Acceptance 13: a foreign part alone would be a turn without parts."""
    foreign = Opaque(Vendor("other", "{}"))
    own = Opaque(Vendor("gemini", '{"toolCall":{}}'))
    marked = Text("", Signature("other", "b"))
    assert turns(user("a"), model(foreign, marked), user("b")) == [user("a"), user("b")]
    assert turns(user("a"), model(foreign, own), user("b")) == [user("a"), model(own), user("b")]


def test_results_before_their_call_are_moved_behind_it() -> None:
    """Acceptance 12: histories that were trimmed or put together anew."""
    found = turns(user("a", result("1")), model(call("1"), call("2")), model("so"), user(result("2")))
    assert found == [user("a"), model(call("1"), call("2"), "so"), user(result("1"), result("2"))]
    found = turns(user("a"), model("b"), user(result("1")), model(call("1")), user("c"))
    assert found == [user("a"), model("b", call("1")), user(result("1")), user("c")]
    assert turns(user(result("1")), model(call("1"))) == [OPENING, model(call("1")), user(result("1"))]


def test_ids_that_are_used_again_later_stay_with_their_own_step() -> None:
    history = (
        user("a"),
        model(call("c")),
        user(result("c", output="1")),
        model(call("c")),
        user(result("c", output="2")),
    )
    assert turns(*history) == list(history)


def test_media_of_results_stand_beside_where_they_must() -> None:
    """Notes §8: after all results of the content."""
    one, two = ToolResult("1", "f", "{}", (IMAGE,)), ToolResult("2", "f", "{}")
    history = (user("a"), model(call("1"), call("2")), user("look", one, two))
    assert turns(*history)[2] == user(one, two, "look")
    assert turns(*history, media_in_results=False)[2] == user(ToolResult("1", "f", "{}"), two, IMAGE, "look")


def test_media_of_results_that_nobody_asked_for_stay() -> None:
    found = turns(user("a"), user(ToolResult("9", "h", "{}", (IMAGE,))))
    assert found[1] == user("[result of h: {}]", IMAGE)
