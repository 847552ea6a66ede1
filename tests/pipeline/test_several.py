"""Several choices from answers that come one by one: together, in step with the client, and ended together."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from gemgate.errors import BrokenAnswer, GemgateError, RateLimited, Unavailable, UpstreamError
from gemgate.hub.call import Generate, Sampling
from gemgate.hub.events import BlockDelta, BlockEnd, BlockStart, Event, Failure, Finish, ResponseStart, Usage
from gemgate.hub.fold import fold
from gemgate.hub.parts import Code, Part, Text, ToolCall
from gemgate.pipeline.attempt import begin
from gemgate.pipeline.several import WAITING_BATCHES, Several, all_begun, singles
from gemgate.upstreams.refusal import UpstreamRefusal
from tests.pipeline.told import Fake, House, Reply, Step, answered, broken, ended, refused, said

OVERLOADED: Event = Failure(Unavailable("Overloaded."))


def test_a_call_is_split_into_calls_for_one() -> None:
    call = Generate(model="m", messages=(), sampling=Sampling(candidates=3, seed=7, temperature=0.5))
    split = singles(call)
    assert [one.sampling.seed for one in split] == [7, 8, 9]
    assert {(one.sampling.candidates, one.sampling.temperature, one.model) for one in split} == {(1, 0.5, "m")}
    unseeded = singles(Generate(model="m", messages=(), sampling=Sampling(candidates=2)))
    assert [one.sampling.seed for one in unseeded] == [None, None]


async def several(*replies: Reply) -> Several:
    return Several([await begin(reply) for reply in replies])


async def events_of(made: Several) -> list[list[Event]]:
    return [made.first, *[batch async for batch in made.rest()]]


async def test_choices_of_different_pace() -> None:
    gate = asyncio.Event()
    slow: list[Step] = [said(Text("slow ")), gate, said(Text("but sure"), start=False), ended(10)]
    replies = [Reply(slow), Reply(answered("quick", 4)), Reply([said(Text("at once")) + ended(2)])]
    made = await several(*replies)
    assert [type(event) for event in made.first].count(ResponseStart) == 1
    rest = made.rest()
    waiting = asyncio.ensure_future(anext(rest))
    await asyncio.sleep(0)
    gate.set()
    batches = [made.first, await waiting, *[batch async for batch in rest]]
    whole = fold(event for batch in batches for event in batch)
    texts = ["".join(part.text for part in choice.parts if isinstance(part, Text)) for choice in whole.choices]
    assert texts == ["slow but sure", "quick", "at once"] and whole.usage.total_tokens == 16
    assert [type(event) for event in batches[-1]] == [Usage, Finish, Finish, Finish]
    assert [event.choice for event in batches[-1] if isinstance(event, Finish)] == [0, 1, 2]
    assert sum(isinstance(event, (Usage, Finish)) for batch in batches[:-1] for event in batch) == 0
    await made.aclose()
    assert all(reply.closed for reply in replies)


async def test_all_in_one_batch() -> None:
    made = await several(*(Reply([said(Text(text)) + ended(2)]) for text in "abc"))
    assert [type(event) for event in made.first[-4:]] == [Usage, Finish, Finish, Finish]
    assert [batch async for batch in made.rest()] == []
    await made.aclose()


async def test_a_failure_in_the_middle_is_the_end_of_all() -> None:
    never = asyncio.Event()
    replies = [
        Reply([said(Text("one")), never]),
        Reply([said(Text("two")), [BlockStart(0, Text("more")), BlockEnd(0), Usage(total_tokens=4), OVERLOADED]]),
        Reply(answered("three", 3)),
    ]
    made = await several(*replies)
    batches = await events_of(made)
    assert batches[-1][-1] == OVERLOADED and BlockStart(1, Text("more")) in batches[-1]
    assert not any(isinstance(event, Finish) for batch in batches for event in batch)
    usages = [event for batch in batches for event in batch if isinstance(event, Usage)]
    assert len(usages) == 1 and usages[0].total_tokens >= 4
    await made.aclose()
    assert all(reply.closed for reply in replies)


async def test_a_failure_in_the_first_batch_comes_last_and_at_once() -> None:
    never = asyncio.Event()
    replies = [Reply([[*said(Text("one")), OVERLOADED]]), Reply([said(Text("two")), never])]
    made = await several(*replies)
    assert made.first[-1] == OVERLOADED and BlockStart(1, Text("two")) in made.first
    async with asyncio.timeout(5):
        assert [batch async for batch in made.rest()] == []
    await made.aclose()
    assert all(reply.closed for reply in replies)


async def test_an_error_while_reading_is_raised() -> None:
    class Breaking(Reply):
        async def __aiter__(self) -> AsyncIterator[list[Event]]:
            yield said(Text("one"))
            raise UpstreamError("gone")

    replies = [Reply([said(Text("two")), asyncio.Event()]), Breaking([])]
    made = await several(*replies)
    with pytest.raises(UpstreamError, match="gone"):
        await events_of(made)
    await made.aclose()
    assert all(reply.closed for reply in replies)


async def test_a_slow_client_holds_the_upstreams_back() -> None:
    many: list[list[Event]] = [[BlockDelta(0, "x")] for _ in range(200)]
    replies = [Reply([[ResponseStart("", ""), BlockStart(0, Text(""))], *many, ended()]) for _ in range(2)]
    made = await several(*replies)
    rest = made.rest()
    await anext(rest)
    for _ in range(50):
        await asyncio.sleep(0)
    assert sum(reply.given for reply in replies) <= WAITING_BATCHES + 3 * len(replies)
    assert sum(len(batch) for batch in [batch async for batch in rest][:-1]) == 2 * 200 - 1
    await made.aclose()


# ── beginning ──


async def test_one_that_does_not_begin_ends_the_others() -> None:
    """One has begun, one waits for its first event, one fails."""
    started = [Reply(answered("a")), Reply([asyncio.Event()])]
    cancelled: list[str] = []

    async def waiting() -> Any:
        try:
            return await begin(started[1])
        except asyncio.CancelledError:
            cancelled.append("waiting")
            raise

    async def failing() -> Any:
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        raise RateLimited("Enough.")

    with pytest.raises(RateLimited):
        await all_begun([lambda: begin(started[0]), waiting, failing])
    assert cancelled == ["waiting"] and all(reply.closed for reply in started)


async def test_being_cancelled_at_the_beginning_ends_all() -> None:
    replies = [Reply(answered("a")), Reply([asyncio.Event()])]
    beginning = asyncio.create_task(all_begun([lambda: begin(replies[0]), lambda: begin(replies[1])]))
    for _ in range(5):
        await asyncio.sleep(0)
    beginning.cancel()
    with pytest.raises(asyncio.CancelledError):
        await beginning
    assert all(reply.closed for reply in replies)


# ── through the handler ──


@pytest.mark.parametrize("stream", [True, False])
async def test_three_choices(stream: bool) -> None:
    gate = asyncio.Event()
    slow: list[Step] = [said(Text("a")), gate, said(Text("A"), start=False), ended(10)]
    house = House(Fake(slow, answered("b", 4), answered("c", 2)))
    serving = asyncio.create_task(house.serve(n=3, seed=1, stream=stream, stream_options={"include_usage": True}))
    if stream:
        await house.client.got(b'"c"')
        assert house.finishes == []
    gate.set()
    assert await serving is None
    assert sorted(call.sampling.seed or 0 for call in house.fake.calls) == [1, 2, 3]
    assert {call.sampling.candidates for call in house.fake.calls} == {1}
    assert house.exchange.attempts == 3 and b"x-gemgate-dropped" not in house.client.headers
    if stream:
        assert [house.told(choice=index) for index in range(3)] == ["aA", "b", "c"]
        assert sorted(house.finishes) == [(index, "stop") for index in range(3)]
        assert house.chunks[-1]["usage"]["total_tokens"] == 16
    else:
        choices = house.document["choices"]
        assert [(one["index"], one["message"]["content"]) for one in choices] == [(0, "aA"), (1, "b"), (2, "c")]
        assert house.document["usage"]["total_tokens"] == 16


@pytest.mark.parametrize("stream", [True, False])
async def test_one_that_is_refused_fails_the_request(stream: bool) -> None:
    wrong = UpstreamRefusal("client", UpstreamError("no"))
    house = House(Fake(answered("a"), [asyncio.Event()], wrong))
    error = await house.serve(n=3, stream=stream)
    assert isinstance(error, UpstreamError) and not house.exchange.started
    assert [reply.closed for reply in house.fake.replies] == [True, True]


async def test_each_choice_has_its_own_attempts() -> None:
    fake = Fake(refused("quota"), answered("b"), refused("client", unsupported="sampling.seed"), *[answered("c")] * 2)
    house = House(fake)
    assert await house.serve(n=3, seed=1) is None
    assert len(house.finishes) == 3 and len(fake.asked) == 5


async def test_one_that_fails_in_the_middle_ends_the_stream() -> None:
    failing: list[Step] = [said(Text("b")), [OVERLOADED]]
    house = House(Fake([said(Text("a")), asyncio.Event()], failing, answered("c")))
    assert await house.serve(n=3) is None
    assert house.chunks[-1]["error"]["message"] == "Overloaded." and house.finishes == []
    assert [house.told(choice=index) for index in range(3)] == ["a", "b", "c"]


async def test_one_that_fails_in_the_middle_fails_a_whole_answer() -> None:
    failing: list[Step] = [said(Text("b")), [OVERLOADED]]
    house = House(Fake([said(Text("a")), asyncio.Event()], failing, answered("c")))
    error: GemgateError | None = await house.serve(n=3, stream=False)
    assert isinstance(error, Unavailable) and not house.exchange.started


@pytest.mark.parametrize("stream", [True, False])
async def test_leaving_stops_all(stream: bool) -> None:
    def held(text: str) -> Sequence[Step]:
        return [said(Text(text)), asyncio.Event()]

    house = House(Fake(held("a"), held("b"), held("c")))
    before = asyncio.all_tasks()
    serving = asyncio.create_task(house.serve(n=3, stream=stream))
    if stream:
        await house.client.got(b'"c"')
    while len(house.fake.replies) < 3 or any(reply.given < 1 for reply in house.fake.replies):
        await asyncio.sleep(0)
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
    assert [reply.closed for reply in house.fake.replies] == [True] * 3
    assert asyncio.all_tasks() - before == set(), "something goes on"


# ── one that breaks off with nothing said ──


def contents(house: House, *, stream: bool, count: int = 3) -> list[str]:
    if stream:
        return [house.told(choice=index) for index in range(count)]
    return [one["message"]["content"] for one in house.document["choices"]]


@pytest.mark.parametrize("one_batch", [True, False])
@pytest.mark.parametrize("stream", [True, False])
async def test_it_alone_is_asked_for_once_more(stream: bool, one_batch: bool) -> None:
    bad = broken("hmm", tokens=5)
    fake = Fake(answered("a", 1), [bad[0] + bad[1]] if one_batch else bad, answered("c", 1), answered("B", 1))
    house = House(fake)
    assert await house.serve(n=3, seed=1, stream=stream, stream_options={"include_usage": True}) is None
    assert contents(house, stream=stream) == ["a", "B", "c"]
    assert [call.sampling.seed for call in fake.calls] == [1, 2, 3, 2]
    told = house.chunks[-1] if stream else house.document
    assert told["usage"]["total_tokens"] == 8 and house.exchange.attempts == 4
    if stream:
        assert sorted(house.finishes) == [(index, "stop") for index in range(3)]
        assert house.client.body.count(b'"role":"assistant"') == 3


@pytest.mark.parametrize("first", [True, False])
async def test_the_beginning_of_a_reply_is_told_once(first: bool) -> None:
    bad, good = broken("hmm"), answered("good")
    house = House(Fake(*((bad, good) if first else (good, bad)), answered("again")))
    assert await house.serve(n=2) is None
    assert len({chunk["id"] for chunk in house.chunks}) == 1 and len(house.finishes) == 2


@pytest.mark.parametrize("again", [broken("hm hm"), UpstreamError("gone")])
@pytest.mark.parametrize("stream", [True, False])
async def test_if_that_is_in_vain_the_others_stay(stream: bool, again: Any) -> None:
    house = House(Fake(answered("a"), broken("hmm"), answered("c"), again))
    assert await house.serve(n=3, stream=stream) is None
    assert contents(house, stream=stream) == ["a", "", "c"] and len(house.fake.asked) == 4
    if stream:
        assert sorted(house.finishes) == [(0, "stop"), (1, "content_filter"), (2, "stop")]
        assert "MALFORMED" in house.told("refusal", 1) and house.client.body.endswith(b"[DONE]\n\n")
    else:
        choice = house.document["choices"][1]
        assert choice["finish_reason"] == "content_filter" and "MALFORMED" in choice["message"]["refusal"]


@pytest.mark.parametrize("stream", [True, False])
async def test_if_all_of_them_break_off_twice_that_is_an_error(stream: bool) -> None:
    house = House(Fake(*[broken("hmm")] * 4, answered("never")))
    error = await house.serve(n=2, stream=stream)
    assert len(house.fake.asked) == 4
    if stream:
        assert error is None and house.chunks[-1]["error"]["code"] == "broken_answer" and house.finishes == []
    else:
        assert isinstance(error, BrokenAnswer)


@pytest.mark.parametrize("part", [Text("half"), ToolCall("1", "f", "{}"), Code("1", "py", "1")])
async def test_what_has_said_something_is_not_asked_for_again(part: Part) -> None:
    house = House(Fake(answered("a"), [said(part), ended(3, "malformed")], answered("never")))
    assert await house.serve(n=2) is None
    assert len(house.fake.asked) == 2 and len(house.finishes) == 2


async def test_a_failure_of_the_second_in_the_middle_is_the_end_of_all() -> None:
    house = House(Fake(answered("a"), broken(), [said(Text("b")), [OVERLOADED]]))
    assert await house.serve(n=2) is None
    assert house.chunks[-1]["error"]["message"] == "Overloaded." and house.told(choice=1) == "b"


async def test_what_one_choice_learns_the_others_know() -> None:
    """Here the others are asked when the first has learnt."""
    fake = Fake(refused("client", unsupported="sampling.seed"), *[answered("a")] * 3)
    house = House(fake)
    assert await house.serve(n=3, seed=1) is None
    assert [call.sampling.seed for call in fake.calls] == [1, None, None, None]
