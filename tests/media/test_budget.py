"""Memory for media: shared, waited for in line, and given back."""

import asyncio

import pytest

from gemgate.media.base64_pieces import Encoded
from gemgate.media.budget import Budget, Share


async def turns() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_who_comes_first_is_served_first() -> None:
    """A small wish does not pass a large one that waits."""
    budget = Budget(10)
    await budget.take(6)
    large, small = asyncio.create_task(budget.take(8)), asyncio.create_task(budget.take(1))
    await turns()
    assert not large.done() and not small.done() and budget.used_bytes == 6
    budget.give(6)
    await turns()
    assert large.done() and small.done() and budget.used_bytes == 9


async def test_more_than_there_ever_is_is_all_of_it() -> None:
    budget = Budget(10)
    await budget.take(99)
    assert budget.used_bytes == 10


@pytest.mark.parametrize("given_first", [True, False])
async def test_who_leaves_the_line_takes_nothing(given_first: bool) -> None:
    budget = Budget(10)
    await budget.take(10)
    leaving, staying = asyncio.create_task(budget.take(9)), asyncio.create_task(budget.take(5))
    await turns()
    if given_first:  # both in the same turn of the loop
        budget.give(10)
        leaving.cancel()
    else:
        leaving.cancel()
        budget.give(10)
    await turns()
    assert leaving.cancelled() and staying.done() and budget.used_bytes == 5
    staying = asyncio.create_task(budget.take(5))
    await turns()
    assert staying.done()


async def test_who_leaves_lets_the_next_pass() -> None:
    budget = Budget(10)
    await budget.take(5)
    leaving, next_one = asyncio.create_task(budget.take(9)), asyncio.create_task(budget.take(5))
    await turns()
    leaving.cancel()
    await turns()
    assert next_one.done() and budget.used_bytes == 10


async def test_a_share_grows_and_shrinks() -> None:
    budget = Budget(10)
    share = Share(budget)
    await share.grow(3)
    await share.grow(2)
    assert (share.size, budget.used_bytes, share.waits) == (3, 3, False)
    await share.grow(8)
    share.shrink(5)
    share.shrink(6)
    assert (share.size, budget.used_bytes) == (5, 5)
    waiting = Share(budget)
    growing = asyncio.create_task(waiting.grow(9))
    await turns()
    assert waiting.waits and not growing.done()
    share.shrink(0)
    share.shrink(0)
    await growing
    assert budget.used_bytes == 9


async def test_a_share_ends_with_all_views_of_what_it_belongs_to() -> None:
    budget = Budget(10)
    share = Share(budget)
    await share.grow(4)
    data = Encoded(b"abcd")
    share.belongs_to(data)
    view = memoryview(data).toreadonly()[1:2]
    del data
    assert budget.used_bytes == 4
    del view
    assert budget.used_bytes == 0
