"""A conversation made short: what triggers it, what comes of it, and what it takes the place of."""

import json
from typing import Any

import pytest
from msgspec import Raw

from gemgate.errors import BrokenAnswer, UpstreamError
from gemgate.hub.call import Generate
from gemgate.hub.events import BlockDelta, BlockEnd, BlockStart, Citations, Event, Failure, Finish, FinishReason, Usage
from gemgate.hub.parts import Code, Message, Text, Thought, ToolCall
from gemgate.protocols.openai_responses.compaction import introduced, opened_summary, sealed_summary
from gemgate.protocols.openai_responses.conversation import Past, conversation
from gemgate.protocols.openai_responses.inbound import inbound
from gemgate.protocols.openai_responses.kept import KeptItem
from gemgate.protocols.openai_responses.shortened import shortened
from gemgate.protocols.openai_responses.style import Style
from gemgate.protocols.openai_responses.summing import WORDS
from tests.protocols.openai_responses.replies import blocks, both, reply, told, writer

SHORT = Style(compacts=True, stored=True, keeps_parts=True)
TRIGGER = {"type": "compaction_trigger"}


def item(**members: Any) -> KeptItem:
    return KeptItem(json.dumps({"type": "message"} | members).encode())


USER = item(role="user", content=[{"type": "input_text", "text": "Find it."}], id="msg_1")
SYSTEM = item(role="developer", content="Be brief.", id="msg_2")
CALL = KeptItem(b'{"type":"function_call","id":"fc_1"}', (ToolCall("c", "find", "{}"),))
RESULT = item(type="function_call_output", call_id="c", output="here")
SUMMARY = item(type="compaction", id="cmp_1", encrypted_content=sealed_summary("It is here."))
LATER = item(role="user", content="Thanks.", id="msg_3")


def test_what_the_model_says_becomes_one_item() -> None:
    made = both(
        [
            *reply(
                *blocks(Thought("hm")),
                *(BlockStart(0, Text("It ")), BlockDelta(0, "is "), BlockDelta(0, "here. "), BlockEnd(0)),
                *(BlockStart(1, Text("no")), BlockDelta(1, "no"), BlockEnd(1)),
                *blocks(Code("", "python", "print()"), Text("\nAll.")),
                Citations(0, ()),
                usage=Usage(input_tokens=3, output_tokens=2, total_tokens=5),
            )
        ],
        SHORT,
    )
    (found,) = made["output"]
    assert list(found) == ["id", "type", "encrypted_content"] and found["id"].startswith("cmp_")
    assert opened_summary(found["encrypted_content"]) == "It is here. \nAll."
    assert made["status"] == "completed" and made["usage"]["input_tokens"] == 3


def test_it_is_told_as_an_item() -> None:
    names = [event["type"] for _, event in told(reply(*blocks(Text("x"))), SHORT)]
    assert names == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.output_item.done",
        "response.completed",
    ]


def test_it_is_kept_as_its_json() -> None:
    made = writer(SHORT)
    made.whole([event for batch in reply(*blocks(Text("x"))) for event in batch])
    assert made.finished is not None
    (kept,) = made.finished.output
    assert kept.parts is None and json.loads(kept.item)["type"] == "compaction"


def test_a_summary_that_was_cut_off_is_one() -> None:
    assert both(reply(*blocks(Text("x")), reason="length"), SHORT)["status"] == "completed"


@pytest.mark.parametrize(
    ("made", "reason", "error"),
    [
        (blocks(Text(" \n")), "stop", BrokenAnswer),
        (blocks(Thought("x")), "stop", BrokenAnswer),
        ([], "malformed", BrokenAnswer),
        (blocks(Text("I can")), "content_filter", UpstreamError),
    ],
)
def test_without_a_summary_there_is_an_error(
    made: list[Event], reason: FinishReason, error: type[UpstreamError]
) -> None:
    with pytest.raises(error, match="no summary") as caught:
        both(reply(*made, reason=reason), SHORT)
    assert type(caught.value) is error


def test_what_the_upstream_fails_of_is_an_error() -> None:
    with pytest.raises(UpstreamError, match="Oh"):
        writer(SHORT).whole([BlockStart(0, Text("x")), Failure(UpstreamError("Oh."))])


def test_another_may_follow_one_that_broke_off() -> None:
    made = writer(SHORT)
    began = made.stream([BlockStart(0, Thought("x")), BlockEnd(0)])
    with pytest.raises(BrokenAnswer):
        made.stream([Finish(0, "malformed")])
    made.stream(blocks(Text("now")))
    made.stream([Finish(0, "stop")])
    assert began and b'"status":"completed"' in made.end()


def test_a_trigger_asks_for_a_summary() -> None:
    body: Any = {
        "model": "m",
        "stream": True,
        "tools": [{"type": "function", "name": "f"}],
        "temperature": 0,
        "input": [{"role": "user", "content": "hi"}, TRIGGER],
    }
    parsed = inbound(json.dumps(body).encode())
    call = parsed.call
    assert isinstance(call, Generate)
    assert call.messages == (Message("user", (Text("hi"),)), WORDS)
    assert call.stream and call.tools == () and call.sampling.temperature is None


def test_one_that_is_kept_asks_for_nothing() -> None:
    past = Past([USER, item(**TRIGGER)])
    assert not conversation(Raw(b'"go on"'), past, Raw(b"null")).compacts
    assert conversation(Raw(json.dumps([TRIGGER]).encode()), past, Raw(b"null")).compacts


def test_a_summary_takes_the_place_of_what_was_done() -> None:
    history = [SYSTEM, USER, CALL, RESULT, SUMMARY, LATER]
    assert shortened(history) == [SYSTEM, USER, SUMMARY, LATER]
    talk = conversation(Raw(b'"And now?"'), Past(history), Raw(b"null"))
    said = [part.text for message in talk.messages for part in message.parts if isinstance(part, Text)]
    assert said == ["Find it.", introduced("It is here."), "Thanks.", "And now?"]
    assert talk.system == (Text("Be brief."),)


def test_the_last_summary_counts() -> None:
    again = item(type="compaction", encrypted_content=sealed_summary("Still here."))
    assert shortened([USER, SUMMARY, CALL, again]) == [USER, again]


@pytest.mark.parametrize(
    "history",
    [
        [],
        [USER, CALL, RESULT],
        [USER, item(role="user", content='"compaction"')],
        [USER, KeptItem(b'{"compaction"'), CALL],
        [USER, KeptItem(SUMMARY.item, (Text("x"),))],
    ],
)
def test_without_one_all_counts(history: list[KeptItem]) -> None:
    assert list(shortened(history)) == history
