import asyncio

import pytest

from gemgate.errors import Unavailable
from gemgate.upstreams.embedded.line import Line


async def test_first_come_first_served():
    line = Line(1, 2)
    served: list[int] = []
    await line.enter()

    async def customer(number: int) -> None:
        await line.enter()
        served.append(number)
        line.leave(1)

    async with asyncio.TaskGroup() as group:
        for number in range(2):
            group.create_task(customer(number))
        await asyncio.sleep(0)
        assert served == []
        line.leave(1)
    assert served == [0, 1]
    await line.enter()


async def test_a_full_line_turns_away_with_an_honest_estimate():
    line = Line(1, 0)
    for _ in range(50):
        await line.enter()
        line.leave(3)
    await line.enter()
    with pytest.raises(Unavailable, match="waiting line is full") as refusal:
        await line.enter()
    assert refusal.value.retry_after_seconds in (3, 4)


async def test_who_leaves_the_line_gives_up_the_turn():
    line = Line(1, 5)
    await line.enter()
    early, late = asyncio.create_task(line.enter()), asyncio.create_task(line.enter())
    await asyncio.sleep(0)
    early.cancel()
    line.leave(1)
    await late
    # The place comes and its owner goes in the same moment.
    last = asyncio.create_task(line.enter())
    await asyncio.sleep(0)
    line.leave(1)
    last.cancel()
    with pytest.raises(asyncio.CancelledError):
        await last
    async with asyncio.timeout(1):
        await line.enter()


async def test_a_closed_line_serves_nobody():
    line = Line(1, 5)
    await line.enter()
    waiting = asyncio.create_task(line.enter())
    await asyncio.sleep(0)
    line.close()
    with pytest.raises(Unavailable, match="shutting down"):
        await waiting
    with pytest.raises(Unavailable):
        await line.enter()
