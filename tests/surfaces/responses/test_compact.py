"""Compaction: what the model is asked, and what comes of it."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from openai.types.responses.compacted_response import CompactedResponse

from gemgate.errors import BrokenAnswer, InvalidRequest, RateLimited, UpstreamError
from gemgate.hub.events import Finish, Usage
from gemgate.hub.parts import Text, Thought
from gemgate.protocols.openai_responses.compaction import opened_summary
from gemgate.protocols.openai_responses.summing import INSTRUCTION
from gemgate.store.protocols import StoredResponse
from gemgate.surfaces.responses.compact import CUT, KEPT_CHARS
from gemgate.surfaces.responses.items import message
from gemgate.upstreams.refusal import UpstreamRefusal
from tests.pipeline.told import Outcome, answered, ended, said
from tests.surfaces.responses.rooms import DAY_SECONDS, Room, error_of, room, shown

ASKED: Any = [
    {"role": "user", "content": "What is 2+2?"},
    {"role": "assistant", "content": "4."},
    {"type": "function_call", "call_id": "c", "name": "add", "arguments": "{}"},
    {"type": "function_call_output", "call_id": "c", "output": "6"},
    {"role": "user", "content": [{"type": "input_text", "text": "And"}, {"type": "input_text", "text": "3+3?"}]},
]


def body(**fields: Any) -> bytes:
    return json.dumps({"model": "m", "input": ASKED, "instructions": "Be brief."} | fields).encode()


@pytest.fixture
async def here(tmp_path: Path) -> AsyncIterator[Room]:
    async with room(tmp_path) as made:
        yield made


def will(here: Room, *outcomes: Outcome) -> None:
    """Have the upstream do this."""
    here.fake.outcomes = [*outcomes]


async def compacted(here: Room, *outcomes: Outcome, **fields: Any) -> Any:
    will(here, *outcomes)
    return await shown(here.compaction.compact, body(**fields))


async def test_it_is_the_users_words_and_a_summary(here: Room) -> None:
    will(here, answered("They asked for sums."))
    document = await shown(here.compaction.compact, body())
    found = CompactedResponse.construct(**document)  # the original's messages of users are no output items either
    assert list(document) == ["id", "object", "created_at", "output", "usage"]
    assert document["id"].startswith("resp_") and found.created_at == 1_000_000
    first, second, short = document["output"]
    assert [(item["role"], item["content"]) for item in (first, second)] == [
        ("user", [{"type": "input_text", "text": "What is 2+2?"}]),
        ("user", [{"type": "input_text", "text": "And\n3+3?"}]),
    ]
    assert list(short) == ["id", "type", "encrypted_content"] and short["id"].startswith("cmp_")
    assert opened_summary(short["encrypted_content"]) == "They asked for sums."
    assert (found.usage.input_tokens, found.usage.output_tokens, found.usage.total_tokens) == (1, 2, 3)


async def test_the_model_is_asked_to_sum_up_and_nothing_else(here: Room) -> None:
    tools = [{"type": "function", "name": "add", "parameters": {"type": "object"}}]
    await compacted(here, answered("x"), tools=tools, tool_choice="required", stream=True, max_output_tokens=5)
    (call,) = here.fake.calls
    assert not call.tools and call.tool_choice is None and not call.stream
    assert call.sampling.max_output_tokens is None and call.reasoning.effort == "minimal"
    assert call.system == (Text("Be brief."),)
    assert [message.role for message in call.messages] == ["user", "model", "user", "user", "user"]
    assert call.messages[-1].parts == (Text(INSTRUCTION),)


async def test_what_came_of_it_can_be_gone_on_from_and_compacted_again(here: Room) -> None:
    first = await compacted(here, answered("They asked for sums."))
    again = await compacted(here, answered("Sums, all in all."), input=[*first["output"], "And 4+4?"])
    (call,) = here.fake.calls[1:]
    told = [part.text for message in call.messages for part in message.parts if isinstance(part, Text)]
    assert any(text.endswith("They asked for sums.") for text in told)
    *words, short = again["output"]
    assert [item["content"][0]["text"] for item in words] == ["What is 2+2?", "And\n3+3?", "And 4+4?"]
    assert [item["id"] for item in words[:2]] == [item["id"] for item in first["output"][:2]]
    assert opened_summary(short["encrypted_content"]) == "Sums, all in all."


async def test_a_kept_response_is_gone_on_from(here: Room) -> None:
    given = [message("Kept?", lambda: "1")]
    response = StoredResponse(
        id="resp_1", caller_id="me", status="completed", document=b"{}", created_at=0, expires_at=here.now + DAY_SECONDS
    )
    await here.store.put_response(response, given, [])
    found = await compacted(here, answered("x"), input=[], previous_response_id="resp_1")
    assert [item["id"] for item in found["output"][:-1]] == ["msg_1"]
    error = await error_of(here.compaction.compact, body(previous_response_id="resp_1"), caller="you")
    assert error.code == "previous_response_not_found"


async def test_of_long_words_the_newest_are_kept(here: Room) -> None:
    long = [{"role": "user", "content": f"{number} " + "x" * (KEPT_CHARS // 3)} for number in range(5)]
    found = await compacted(here, answered("x"), input=long)
    texts = [item["content"][0]["text"] for item in found["output"][:-1]]
    assert [text[:2] for text in texts] == ["2 ", "3 ", "4 "]
    assert texts[0].endswith(CUT) and sum(map(len, texts)) == KEPT_CHARS + len(CUT)
    assert texts[2] == long[4]["content"]


async def test_images_are_left_to_the_summary(here: Room) -> None:
    image = {"type": "input_image", "image_url": "data:image/png;base64,iVBORw0KGgo="}
    asked = [
        {"role": "user", "content": [image]},
        {"role": "user", "content": [image, {"type": "input_text", "text": "?"}]},
    ]
    found = await compacted(here, answered("x"), input=asked)
    assert [item["content"] for item in found["output"][:-1]] == [[{"type": "input_text", "text": "?"}]]


async def test_thoughts_are_no_summary(here: Room) -> None:
    thinking = [said(Thought("hm"), Text("Sums.")), ended()]
    found = await compacted(here, thinking)
    assert opened_summary(found["output"][-1]["encrypted_content"]) == "Sums."


async def test_a_summary_that_was_cut_off_is_one(here: Room) -> None:
    found = await compacted(here, [said(Text("Sums")), ended(reason="length")])
    assert opened_summary(found["output"][-1]["encrypted_content"]) == "Sums"


@pytest.mark.parametrize("nothing", [[said(Text(" \n")), ended()], [said(Thought("hm")), ended()], [said(), ended()]])
async def test_an_empty_one_is_asked_for_once_more_and_then_an_error(here: Room, nothing: Outcome) -> None:
    again = await compacted(here, nothing, answered("Sums."))
    assert opened_summary(again["output"][-1]["encrypted_content"]) == "Sums." and len(here.fake.asked) == 2
    will(here, nothing, nothing)
    error = await error_of(here.compaction.compact, body())
    assert isinstance(error, BrokenAnswer) and error.status == 502


async def test_a_filtered_one_is_an_error_at_once(here: Room) -> None:
    will(here, [said(Text("Su")), [Usage(total_tokens=1), Finish(0, "content_filter", "SAFETY")]])
    error = await error_of(here.compaction.compact, body())
    assert isinstance(error, UpstreamError) and "SAFETY" in error.message and len(here.fake.asked) == 1


async def test_what_the_upstream_refuses_is_an_error(here: Room) -> None:
    will(here, UpstreamRefusal("quota", RateLimited("used up", retry_after_seconds=600)))
    assert (await error_of(here.compaction.compact, body())).status == 429


async def test_there_must_be_something_to_compact(here: Room) -> None:
    error = await error_of(here.compaction.compact, body(input=[]))
    assert isinstance(error, InvalidRequest) and error.param == "input"
