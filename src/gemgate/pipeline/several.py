"""Several choices from an upstream that gives one answer a request: as many requests at once, one reply."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence

from msgspec.structs import replace

from gemgate.hub.call import Generate
from gemgate.hub.events import Event, Failure, Finish, ResponseStart, Usage
from gemgate.hub.usage import total
from gemgate.pipeline.contracts import Answer
from gemgate.pipeline.insistent import Heard

WAITING_BATCHES = 8
"""How many batches may wait for a slow client before the upstreams have to."""


def singles(call: Generate) -> list[Generate]:
    """Split a call for several choices into calls for one; a seed is another one for each."""
    sampling, count = replace(call.sampling, candidates=1), call.sampling.candidates
    if sampling.seed is None:
        return [replace(call, sampling=sampling)] * count
    return [replace(call, sampling=replace(sampling, seed=sampling.seed + index)) for index in range(count)]


async def all_begun(begin: Sequence[Callable[[], Awaitable[Answer]]]) -> "Several":
    """Begin all answers at once; if one fails, the others are given up and its error is raised."""
    tasks = [asyncio.ensure_future(each()) for each in begin]
    try:
        return Several(await asyncio.gather(*tasks))
    except BaseException:
        for task in tasks:
            task.cancel()
        for outcome in await asyncio.gather(*tasks, return_exceptions=True):
            if not isinstance(outcome, BaseException):
                await outcome.aclose()
        raise


class Several:
    """The answers of several requests as the choices of one reply; usage is that of all of them.

    A choice that broke off with nothing said does not spoil the others: it ends for an `other` reason.
    """

    def __init__(self, answers: Sequence[Answer]) -> None:
        self._answers = answers
        self._usages: list[Usage] = []
        self._finishes: dict[int, Finish] = {}
        self._heard = [Heard() for _ in answers]
        self._queue: asyncio.Queue[list[Event] | BaseException | None] = asyncio.Queue(WAITING_BATCHES)
        self._tasks: list[asyncio.Task[None]] = []
        begun = [event for index, answer in enumerate(answers) for event in self._taken(index, answer.first)]
        self._failed = any(isinstance(event, Failure) for event in begun)
        self.first = self._failing(begun) if self._failed else begun
        if not any(self._goes_on(answer.first) for answer in answers) and not self._failed:
            self.first += self._end()

    async def rest(self) -> AsyncIterator[list[Event]]:
        """Give the batches of all answers as they come, at last the usage and how each of them ended."""
        waiting = [index for index, answer in enumerate(self._answers) if self._goes_on(answer.first)]
        if not waiting or self._failed:
            return
        self._tasks = [asyncio.create_task(self._read(index)) for index in waiting]
        left = len(waiting)
        while left:
            batch = await self._queue.get()
            if isinstance(batch, BaseException):
                raise batch
            if batch is None:
                left -= 1
            elif batch and isinstance(batch[-1], Failure):
                yield self._failing(batch)
                return
            elif batch:
                yield batch
        yield self._end()

    async def aclose(self) -> None:
        """Stop all of them."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for answer in self._answers:
            await answer.aclose()

    async def _read(self, index: int) -> None:
        try:
            async for batch in self._answers[index].rest():
                await self._queue.put(self._taken(index, batch))
        except Exception as error:
            await self._queue.put(error)
        else:
            await self._queue.put(None)

    @staticmethod
    def _goes_on(first: list[Event]) -> bool:
        return not isinstance(first[-1], (Finish, Failure))

    def _taken(self, index: int, events: list[Event]) -> list[Event]:
        """Number the events of an answer as its choice's; what concerns the whole reply is kept for its end."""
        taken: list[Event] = []
        self._heard[index].hear(events)
        for event in events:
            if isinstance(event, Usage):
                self._usages.append(event)
            elif isinstance(event, Finish):
                self._finishes[index] = replace(event, choice=index)
            elif isinstance(event, Failure):
                taken.append(event)
            elif isinstance(event, ResponseStart):
                taken += (event,) if index == 0 else ()
            else:
                taken.append(replace(event, choice=index) if index else event)
        return taken

    def _failing(self, events: list[Event]) -> list[Event]:
        """Give the last batch of a reply that breaks off with one of its choices: the failure comes last, and once."""
        said = [event for event in events if not isinstance(event, Failure)]
        failure = next(event for event in events if isinstance(event, Failure))
        spent = [total(self._usages)] if self._usages else []
        return [*said, *spent, failure]

    def _end(self) -> list[Event]:
        ends = [self._finishes[index] for index in sorted(self._finishes)]
        if not all(heard.broke for heard in self._heard):
            ends = [replace(end, reason="other") if self._heard[end.choice].broke else end for end in ends]
        return [total(self._usages), *ends]
