"""Signs of life."""

import asyncio
import itertools

import pytest

from gemgate.pipeline.heartbeat import Heartbeat


class Beats:
    def __init__(self) -> None:
        self.count = 0
        self.times: list[float] = []
        self.news = asyncio.Event()

    async def beat(self) -> None:
        self.count += 1
        self.times.append(asyncio.get_running_loop().time())
        self.news.set()

    async def next(self) -> None:
        self.news.clear()
        await asyncio.wait_for(self.news.wait(), 5)


async def test_it_fires_again_and_again() -> None:
    beats, began = Beats(), asyncio.get_running_loop().time()
    heartbeat = Heartbeat(0.02, beats.beat)
    for _ in range(3):
        await beats.next()
    await heartbeat.stop()
    moments = [began, *beats.times]
    assert all(later - earlier > 0.018 for earlier, later in itertools.pairwise(moments))


async def test_a_touch_puts_it_off() -> None:
    beats, loop = Beats(), asyncio.get_running_loop()
    heartbeat = Heartbeat(0.2, beats.beat)
    await asyncio.sleep(0.1)
    heartbeat.touch()
    touched = loop.time()
    await beats.next()
    await heartbeat.stop()
    assert beats.times[0] - touched >= 0.19


async def test_stopping_ends_it() -> None:
    beats = Beats()
    heartbeat = Heartbeat(0.01, beats.beat)
    await heartbeat.stop()
    await heartbeat.stop()
    await asyncio.sleep(0.05)
    assert beats.count == 0


async def _stopped_in_a_beat() -> int:
    begun, go = asyncio.Event(), asyncio.Event()
    count = 0

    async def slow() -> None:
        nonlocal count
        count += 1
        begun.set()
        await go.wait()

    heartbeat = Heartbeat(0.01, slow)
    await begun.wait()
    stopping = asyncio.create_task(heartbeat.stop())
    await asyncio.sleep(0)
    assert not stopping.done()  # a beat under way is finished first
    go.set()
    await stopping
    await asyncio.sleep(0.05)
    try:
        return count
    finally:
        await heartbeat.stop()


async def test_stopping_waits_for_a_beat_and_no_other_follows() -> None:
    assert await _stopped_in_a_beat() == 1


async def test_a_beat_that_fails_is_the_last() -> None:
    begun = asyncio.Event()

    async def broken() -> None:
        begun.set()
        raise ConnectionError("gone")

    heartbeat = Heartbeat(0.01, broken)
    await begun.wait()
    await heartbeat.stop()
    with pytest.raises(TimeoutError):
        begun.clear()
        await asyncio.wait_for(begun.wait(), 0.05)
