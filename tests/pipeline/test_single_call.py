"""One call at a time, in whole batches and in pieces."""

import json

import pytest

from gemgate.hub.events import BlockDelta, BlockEnd, BlockStart, Event
from gemgate.hub.fold import fold
from gemgate.hub.parts import Signature, Text, Thought, ToolCall
from gemgate.pipeline.single_call import SingleCall
from tests.pipeline.told import Fake, House, ended, said

PARIS, ROME = ToolCall("1", "weather", '{"city":"Paris"}', Signature("gemini", "YQ==")), ToolCall("2", "weather", "")


def test_what_comes_after_the_first_call_is_left_out() -> None:
    one = SingleCall()
    assert one.filtered(said(Thought("hm"), Text("wait"), PARIS)) == said(Thought("hm"), Text("wait"), PARIS)
    assert one.filtered(said(ROME, Text("so"), PARIS, start=False)) == said(Text("so"), start=False)
    assert one.filtered(ended()) == ended()


def test_calls_in_pieces() -> None:
    one = SingleCall()
    first: list[Event] = [BlockStart(0, ROME), BlockDelta(0, '{"a"')]
    assert one.filtered(first) == first
    more: list[Event] = [BlockDelta(0, ":1}"), BlockEnd(0)]
    assert one.filtered([*more, BlockStart(0, ROME), BlockDelta(0, "{")]) == more
    assert one.filtered([BlockDelta(0, "}")]) == []
    assert one.filtered([BlockEnd(0), BlockStart(0, Text("x")), BlockEnd(0)]) == [BlockStart(0, Text("x")), BlockEnd(0)]


def test_each_choice_has_its_first() -> None:
    one = SingleCall()
    events: list[Event] = []
    for choice in (0, 1, 0, 1):
        events += (BlockStart(choice, ROME), BlockDelta(choice, f"{choice}"), BlockEnd(choice))
    assert one.filtered(events) == events[:6]


@pytest.mark.parametrize("parallel", [True, False])
@pytest.mark.parametrize("pieces", [True, False])
async def test_in_a_stream(parallel: bool, pieces: bool) -> None:
    batches = [said(PARIS, ROME), ended(reason="tool_calls")]
    if pieces:
        batches = [*([event] for event in batches[0]), batches[1]]
    house = House(Fake(batches))
    assert await house.serve(parallel_tool_calls=parallel) is None
    calls = [call for chunk in house.chunks for one in chunk["choices"] for call in one["delta"].get("tool_calls", ())]
    assert {call["index"] for call in calls} == ({0, 1} if parallel else {0})
    assert house.finishes == [(0, "tool_calls")]


async def test_in_a_whole_answer() -> None:
    house = House(Fake([said(PARIS, ROME), ended(reason="tool_calls")]))
    assert await house.serve(parallel_tool_calls=False, stream=False) is None
    (call,) = house.document["choices"][0]["message"]["tool_calls"]
    assert json.loads(call["function"]["arguments"]) == {"city": "Paris"}
    assert call["extra_content"]["google"]["thought_signature"] == "YQ=="


def test_a_reply_stays_well_formed() -> None:
    one = SingleCall()
    events = [event for batch in ([*said(PARIS), *said(ROME, start=False)], ended()) for event in one.filtered(batch)]
    assert fold(events).choices[0].parts == (PARIS,)
