"""The real model: what comes out of it, and what happens when nobody wants it any more."""

import asyncio
import contextlib
import json
from typing import Any

import pytest

from gemgate.errors import ContextTooLong, InvalidRequest, Unavailable
from gemgate.hub.call import Function, Output, Reasoning, Sampling, ToolChoice
from gemgate.hub.events import BlockDelta, BlockStart, Finish, ResponseStart, Usage
from gemgate.hub.parts import Message, Text, ToolCall, ToolResult
from gemgate.upstreams.embedded import EmbeddedUpstream

from .asking import TARGET, ask, begin, counted, events_of, generate, text_of

pytestmark = pytest.mark.asyncio(loop_scope="session")

COUNT = "Count: 1, 2, 3, 4, 5, 6, 7, 8. Go on."
ENDLESS = Sampling(temperature=1.0, max_output_tokens=2_000)
WEATHER = Function(
    name="get_weather",
    description="Weather of a city",
    parameters=json.dumps(
        {
            "type": "object",
            "properties": {"city": {"type": "string", "maxLength": 12}, "unit": {"enum": ["c", "f"]}},
            "required": ["city", "unit"],
        }
    ),
)


async def test_an_answer_comes_token_by_token_in_order(upstream: EmbeddedUpstream):
    reply = await begin(upstream, generate("Say hello."))
    batches = [batch async for batch in reply]
    events = [event for batch in batches for event in batch]
    assert isinstance(events[0], ResponseStart)
    assert events[0].model == upstream.model_name == "smollm2-135m-instruct"
    assert events[1] == BlockStart(0, Text(""))
    assert sum(isinstance(event, BlockDelta) for event in events) > 1
    assert len(batches) > 3
    assert isinstance(events[-2], Usage)
    assert isinstance(events[-1], Finish)


async def test_usage_is_counted_as_count_tokens_does(upstream: EmbeddedUpstream):
    counts: list[int] = []
    for text in ("Hi", "Hi there, how are you?", "你好，世界"):
        call = generate(text, system=(Text("Be brief."),), sampling=Sampling(max_output_tokens=2))
        counts.append(await counted(upstream, call))
        usage = (await ask(upstream, call)).usage
        assert usage.input_tokens == counts[-1]
        assert usage.output_tokens == 2
        assert usage.total_tokens == counts[-1] + 2
    assert counts[0] < counts[1] < counts[2]


async def test_the_same_seed_gives_the_same_text(upstream: EmbeddedUpstream):
    call = generate("Tell a story.", sampling=Sampling(temperature=0, seed=5, max_output_tokens=12))
    (first,), (second,) = (await ask(upstream, call)).choices, (await ask(upstream, call)).choices
    assert text_of(first) == text_of(second) != ""


async def test_the_token_limit_ends_an_answer(upstream: EmbeddedUpstream):
    reply = await ask(upstream, generate(COUNT, sampling=Sampling(max_output_tokens=3)))
    assert reply.usage.output_tokens == 3
    assert reply.choices[0].finish.reason == "length"


async def test_stop_sequences_end_an_answer_and_stay_out_of_it(upstream: EmbeddedUpstream):
    free = Sampling(temperature=0, seed=1, max_output_tokens=12)
    (whole,) = (await ask(upstream, generate(COUNT, sampling=free))).choices
    stop = text_of(whole)[4:7]
    bound = Sampling(temperature=0, seed=1, max_output_tokens=12, stop=(stop,))
    (choice,) = (await ask(upstream, generate(COUNT, sampling=bound))).choices
    assert text_of(choice) == text_of(whole).split(stop)[0]
    assert choice.finish.reason == "stop"


async def test_candidates_come_one_after_the_other(upstream: EmbeddedUpstream):
    sampling = Sampling(temperature=1.0, seed=3, candidates=2, max_output_tokens=12)
    reply = await ask(upstream, generate("Name an animal.", sampling=sampling))
    assert [choice.index for choice in reply.choices] == [0, 1]
    assert text_of(reply.choices[0]) != text_of(reply.choices[1])
    assert reply.usage.output_tokens <= 24


@pytest.mark.parametrize("limit", [2, 7])
async def test_characters_are_never_broken(upstream: EmbeddedUpstream, limit: int):
    sampling = Sampling(temperature=1.5, seed=limit, max_output_tokens=limit)
    events = await events_of(upstream, generate("写诗 🌧️", sampling=sampling))
    for event in events:
        if isinstance(event, BlockDelta):
            assert event.text.encode().decode() == event.text
            assert "�" not in event.text


async def test_json_follows_its_schema(upstream: EmbeddedUpstream):
    schema = {
        "type": "object",
        "properties": {
            "name": {"type": "string", "maxLength": 10},
            "age": {"type": ["integer", "null"]},
            "mood": {"anyOf": [{"const": "glad"}, {"const": "sad"}]},
            "tags": {"type": "array", "items": {"$ref": "#/$defs/tag"}, "minItems": 1, "maxItems": 2},
        },
        "required": ["name", "age", "mood", "tags"],
        "$defs": {"tag": {"type": "object", "properties": {"on": {"type": "boolean"}}, "required": ["on"]}},
    }
    sampling = Sampling(temperature=1.0, max_output_tokens=200)
    call = generate("Ada is 36.", output=Output(json=True, schema=json.dumps(schema)), sampling=sampling)
    (choice,) = (await ask(upstream, call)).choices
    answer: dict[str, Any] = json.loads(text_of(choice))
    assert choice.finish.reason == "stop"
    assert list(answer) == ["name", "age", "mood", "tags"]
    assert len(answer["name"]) <= 10
    assert answer["age"] is None or isinstance(answer["age"], int)
    assert answer["mood"] in ("glad", "sad")
    assert 1 <= len(answer["tags"]) <= 2
    assert all(isinstance(tag["on"], bool) for tag in answer["tags"])


async def test_json_without_a_schema_is_an_object(upstream: EmbeddedUpstream):
    reply = await ask(upstream, generate("Give JSON.", output=Output(json=True)))
    assert text_of(reply.choices[0]).startswith("{")


async def test_a_forced_function_is_called_with_valid_arguments(upstream: EmbeddedUpstream):
    call = generate(
        "What is the weather in Paris?",
        tools=(Function(name="noop"), WEATHER),
        tool_choice=ToolChoice("required", ("get_weather",)),
        sampling=Sampling(max_output_tokens=100),
    )
    reply = await ask(upstream, call)
    (choice,) = reply.choices
    (part,) = choice.parts
    assert isinstance(part, ToolCall)
    assert part.name == "get_weather"
    assert reply.usage.input_tokens == await counted(upstream, call)
    arguments = json.loads(part.arguments)
    assert set(arguments) == {"city", "unit"}
    assert arguments["unit"] in ("c", "f")
    assert choice.finish.reason == "tool_calls"


async def test_a_function_without_parameters_is_called_with_none(upstream: EmbeddedUpstream):
    call = generate(
        "Go",
        tools=(Function(name='say "hi"\n你'),),
        tool_choice=ToolChoice("required"),
        sampling=Sampling(max_output_tokens=60),
    )
    ((part,),) = [choice.parts for choice in (await ask(upstream, call)).choices]
    assert isinstance(part, ToolCall)
    assert (part.name, part.arguments) == ('say "hi"\n你', "{}")


async def test_free_choice_gives_text_or_a_call(upstream: EmbeddedUpstream):
    sampling = Sampling(temperature=1.0, max_output_tokens=40)
    call = generate("What is the weather in Paris?", tools=(WEATHER,), sampling=sampling)
    (choice,) = (await ask(upstream, call)).choices
    if choice.finish.reason == "tool_calls":
        assert isinstance(choice.parts[0], ToolCall)
    else:
        assert text_of(choice)
        assert not text_of(choice).startswith("{")


async def test_a_conversation_with_results_goes_on(upstream: EmbeddedUpstream):
    said = (
        Message("user", (Text("Weather in Rome?"),)),
        Message("model", (ToolCall("c", "get_weather", '{"city": "Rome", "unit": "c"}'),)),
        Message("user", (ToolResult("c", "get_weather", '{"output": "sunny"}'),)),
    )
    reply = await ask(upstream, generate(said, tools=(WEATHER,), tool_choice=ToolChoice("none")))
    assert text_of(reply.choices[0])


async def test_what_is_dropped_is_known_before_anything_is_asked(upstream: EmbeddedUpstream):
    assert upstream.prepare(generate("Hi"), TARGET).dropped == ()
    prepared = upstream.prepare(generate("Hi", reasoning=Reasoning(effort="high")), TARGET)
    assert [dropped.path for dropped in prepared.dropped] == ["reasoning.effort"]


async def test_an_overlong_prompt_is_refused_before_it_is_read(upstream: EmbeddedUpstream):
    with pytest.raises(ContextTooLong, match=r"^prompt is too long: \d+ tokens > 8192 maximum\. .*GEMINI_API_KEY"):
        await begin(upstream, generate("hello " * 9_000))
    assert await ask(upstream, generate("Hi"))


async def test_two_requests_queue_and_a_third_is_turned_away(upstream: EmbeddedUpstream):
    running = await begin(upstream, generate(COUNT, sampling=ENDLESS))
    waiting = asyncio.create_task(begin(upstream, generate("Hi")))
    await asyncio.sleep(0)
    with pytest.raises(Unavailable, match="line is full") as refusal:
        await begin(upstream, generate("Hi"))
    assert refusal.value.retry_after_seconds is not None
    assert 1 <= refusal.value.retry_after_seconds <= 60
    assert not waiting.done()
    await running.aclose()
    async with asyncio.timeout(3):
        reply = await waiting
        assert [event async for batch in reply for event in batch]


async def test_a_consumer_that_is_cancelled_frees_its_place(upstream: EmbeddedUpstream):
    reply = await begin(upstream, generate(COUNT, sampling=ENDLESS))
    begun = asyncio.Event()

    async def consume() -> None:
        async for batch in reply:
            if any(isinstance(event, BlockDelta) for event in batch):
                begun.set()

    consumer = asyncio.create_task(consume())
    await begun.wait()
    consumer.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await consumer
    async with asyncio.timeout(3):
        await ask(upstream, generate("Hi", sampling=Sampling(max_output_tokens=1)))


async def test_who_leaves_the_line_is_forgotten(upstream: EmbeddedUpstream):
    running = await begin(upstream, generate(COUNT, sampling=ENDLESS))
    for _ in range(3):
        waiting = asyncio.create_task(begin(upstream, generate("Hi")))
        await asyncio.sleep(0)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting
    await running.aclose()
    await running.aclose()
    await ask(upstream, generate("Hi", sampling=Sampling(max_output_tokens=1)))


async def test_leaving_while_a_long_prompt_is_read_stops_it(upstream: EmbeddedUpstream):
    reply = await begin(upstream, generate("hello " * 1_000))
    async with asyncio.timeout(5):
        await reply.aclose()
        await ask(upstream, generate("Hi", sampling=Sampling(max_output_tokens=1)))


async def test_a_grammar_that_llama_refuses_is_the_clients_fault(upstream: EmbeddedUpstream):
    looping = '{"$ref": "#"}'
    with pytest.raises(InvalidRequest):
        await begin(upstream, generate("Hi", output=Output(json=True, schema=looping)))
    assert await ask(upstream, generate("Hi"))
