"""The client leaves."""

import asyncio

import pytest

from gemgate.pipeline.departure import Departure
from gemgate.pipeline.exchange import ClientGone, Exchange, Leaving
from tests.pipeline.client import Client


@pytest.fixture(params=["watched", "told"])
def scene(request: pytest.FixtureRequest) -> "Scene":
    return Scene(told=request.param == "told")


class Scene:
    """A client that can leave, with either way of noticing it."""

    def __init__(self, *, told: bool) -> None:
        self.client = Client()
        self.exchange: Exchange = self.client.exchange()
        if told:
            self.exchange.leaving = Leaving()

    def leave(self) -> None:
        if self.exchange.leaving is None:
            self.client.leaves()
        elif self.exchange.leaving.callback is not None:
            self.exchange.leaving.callback()


async def others() -> set["asyncio.Task[object]"]:
    for _ in range(3):
        await asyncio.sleep(0)
    return asyncio.all_tasks() - {asyncio.current_task()}  # pyright: ignore[reportReturnType]


async def test_leaving_cancels_what_is_under_way(scene: Scene) -> None:
    ended: list[str] = []

    async def serve() -> None:
        async with Departure(scene.exchange):
            try:
                await asyncio.Event().wait()
            finally:
                ended.append("cleaned up")

    task = asyncio.create_task(serve())
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    scene.leave()
    with pytest.raises(ClientGone):
        await task
    assert ended == ["cleaned up"] and task.cancelling() == 0
    assert await others() == set()


async def test_who_stays_is_served_and_nothing_is_left(scene: Scene) -> None:
    async with Departure(scene.exchange):
        await asyncio.sleep(0)
    assert await others() == set()
    scene.leave()  # when nobody minds any more
    await asyncio.sleep(0)


async def test_leaving_after_the_end_is_no_fault(scene: Scene) -> None:
    async with Departure(scene.exchange):
        scene.exchange.ended = True
        scene.leave()
        for _ in range(5):
            await asyncio.sleep(0)
    assert await others() == set()


async def test_errors_stay_what_they_are(scene: Scene) -> None:
    with pytest.raises(KeyError):
        async with Departure(scene.exchange):
            raise KeyError
    assert await others() == set()


async def test_a_cancellation_from_elsewhere_stays_one(scene: Scene) -> None:
    async def serve() -> None:
        async with Departure(scene.exchange):
            await asyncio.Event().wait()

    task = asyncio.create_task(serve())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await others() == set()


async def test_more_of_the_body_is_no_leaving() -> None:
    client = Client()
    client.says(b"late", more=True)
    async with Departure(client.exchange()):
        for _ in range(5):
            await asyncio.sleep(0)


async def test_a_callback_of_the_next_request_stays() -> None:
    """The connection may serve its next request before the last one has come to its end."""
    exchange = Client().exchange()
    leaving = exchange.leaving = Leaving()
    left: list[str] = []
    async with Departure(exchange):
        exchange.ended = True
        leaving.callback = next_callback = lambda: left.append("next")
    assert leaving.callback is next_callback
    async with Departure(exchange):
        assert leaving.callback is not next_callback
    assert leaving.callback is None


async def test_a_client_that_is_told_of_is_not_watched() -> None:
    """The body may still be under way: two cannot wait for it."""
    client = Client()
    exchange = client.exchange()
    exchange.leaving = Leaving()
    client.says(b"body")
    async with Departure(exchange):
        assert await others() == set()
        assert await exchange.receive() == {"type": "http.request", "body": b"body", "more_body": False}
