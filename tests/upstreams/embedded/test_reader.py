import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gemgate.errors import ContextTooLong, InvalidRequest, Unavailable, UpstreamError
from gemgate.hub.events import BlockDelta, BlockEnd, BlockStart, Event, Failure, Finish, ResponseStart
from gemgate.hub.fold import Reply, fold
from gemgate.hub.parts import Text, Thought, ToolCall
from gemgate.upstreams.embedded.reader import ChunkReader


def said(text: str) -> dict[str, Any]:
    return {"id": "chatcmpl-1", "choices": [{"finish_reason": None, "delta": {"content": text}}]}


def finished(reason: str) -> dict[str, Any]:
    return {"choices": [{"finish_reason": reason, "delta": {}}]}


def used(prompt: int, completion: int, cached: int = 0) -> dict[str, Any]:
    details = {"cached_tokens": cached}
    return {
        "choices": [],
        "usage": {"prompt_tokens": prompt, "completion_tokens": completion, "prompt_tokens_details": details},
    }


def read(*chunks: dict[str, Any], calls: bool = False) -> list[Event]:
    reader = ChunkReader("tiny", 1, calls=calls)
    return [event for chunk in chunks for event in reader.feed(0, chunk)] + reader.end()


def test_text_comes_in_one_block():
    events = read(said("Hel"), said("lo"), finished("stop"), used(5, 2, 3))
    assert events[:5] == [
        ResponseStart("chatcmpl-1", "tiny"),
        BlockStart(0, Text("")),
        BlockDelta(0, "Hel"),
        BlockDelta(0, "lo"),
        BlockEnd(0),
    ]
    reply = fold(events)
    assert (reply.usage.input_tokens, reply.usage.cached_tokens) == (5, 3)
    assert (reply.usage.output_tokens, reply.usage.total_tokens) == (2, 7)
    assert events[-1] == Finish(0, "stop", "stop")


def test_progress_begins_the_reply_without_a_block():
    reader = ChunkReader("tiny", 1, calls=False)
    progress = {"id": "c", "choices": [{"delta": {"role": "assistant", "content": None}}], "prompt_progress": {}}
    assert reader.feed(0, progress) == [ResponseStart("c", "tiny")]
    assert reader.feed(0, progress) == []


def test_thoughts_of_another_model_are_thoughts():
    thought = {"choices": [{"delta": {"reasoning_content": "hm"}}]}
    (choice,) = fold(read(thought, thought, said("Yes"), finished("stop"))).choices
    assert choice.parts == (Thought("hmhm"), Text("Yes"))


@given(st.integers(1, 30))
def test_a_call_is_read_however_it_is_cut(size: int):
    text = '{"name": "f", "arguments": {"a":  1.50}}'
    pieces = [text[start : start + size] for start in range(0, len(text), size)]
    (choice,) = fold(read(*map(said, pieces), finished("stop"), calls=True)).choices
    (call,) = choice.parts
    assert isinstance(call, ToolCall)
    assert (call.name, call.arguments, choice.finish.reason) == ("f", '{"a":  1.50}', "tool_calls")
    assert len(call.id) == len("call_") + 24


@pytest.mark.parametrize(("detail", "reason"), [("length", "length"), ("stop", "malformed")])
def test_a_call_that_breaks_off_is_left_out(detail: str, reason: str):
    (choice,) = fold(read(said('{"name": "f", "argu'), finished(detail), calls=True)).choices
    assert (choice.parts, choice.finish.reason) == ((), reason)
    assert "broke off" in choice.finish.message


def test_a_brace_is_text_where_no_functions_are_offered():
    (choice,) = fold(read(said('{"a": 1}'), finished("stop"))).choices
    assert choice.parts == (Text('{"a": 1}'),)


def test_candidates_are_kept_apart_and_the_prompt_is_counted_once():
    reader = ChunkReader("tiny", 2, calls=False)
    events: list[Event] = []
    for index, text in enumerate(("A", "B")):
        for chunk in (said(text), finished("stop"), used(5, 1, index * 4)):
            events += reader.feed(index, chunk)
    reply: Reply = fold(events + reader.end())
    assert [choice.parts for choice in reply.choices] == [(Text("A"),), (Text("B"),)]
    assert (reply.usage.input_tokens, reply.usage.cached_tokens, reply.usage.output_tokens) == (5, 0, 2)


def test_replacement_characters_never_come_through():
    assert "�" not in json.dumps([repr(event) for event in read(said("a�"), said("�"), finished("stop"))])


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (
            {"code": 400, "type": "exceed_context_size_error", "n_prompt_tokens": 9, "n_ctx": 8},
            ContextTooLong,
        ),
        ({"code": 400, "message": "failed to parse grammar", "type": "invalid_request_error"}, InvalidRequest),
        ({"code": 500, "message": "no", "type": "server_error"}, UpstreamError),
    ],
)
def test_an_error_chunk_is_raised(error: dict[str, Any], kind: type[Exception]):
    with pytest.raises(kind) as raised:
        read({"error": error})
    assert type(raised.value) is kind
    if kind is ContextTooLong:
        assert str(raised.value).startswith("prompt is too long: 9 tokens > 8 maximum. ")


def test_a_reply_without_its_end_is_a_failure():
    (failure,) = read(said("Hel"))[3:]
    assert isinstance(failure, Failure)
    assert isinstance(failure.error, Unavailable)
