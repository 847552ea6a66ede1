"""What is learnt about a request on the way."""

from typing import Any

from gemgate.errors import UpstreamError
from gemgate.hub.call import Generate
from gemgate.hub.codec import Parsed
from gemgate.hub.events import BlockDelta, Event, Finish, Usage
from gemgate.pipeline.work import Work
from gemgate.upstreams.refusal import UpstreamRefusal

CALL = Generate(model="m", messages=())


async def _ask(*_: Any) -> None:
    raise NotImplementedError


def _write(_: Any) -> Any:
    raise NotImplementedError


def work() -> Work[None]:
    return Work(_ask, Parsed(CALL, _write), CALL)


def refusal(**how: Any) -> UpstreamRefusal:
    return UpstreamRefusal("client", UpstreamError("no"), **how)


def test_each_kind_of_thing_is_given_in_to_once() -> None:
    made = work()
    assert not made.gives_in_to(refusal()) and (made.bare, made.without) == (False, None)
    assert made.gives_in_to(refusal(unsupported="sampling.seed")) and made.without == "sampling.seed"
    assert made.gives_in_to(refusal(signature=True)) and made.bare
    assert not made.gives_in_to(refusal(signature=True))
    assert not made.gives_in_to(refusal(unsupported="sampling.stop")) and made.without == "sampling.seed"


def test_a_broken_answer_is_asked_for_once_more_even_if_it_cost_nothing() -> None:
    made = work()
    assert made.may_try_again(None) and not made.may_try_again(Usage(total_tokens=3))
    assert made.usage == Usage()


def test_what_was_spent_is_counted() -> None:
    made = work()
    assert made.may_try_again(Usage(input_tokens=1, total_tokens=5))
    batch: list[Event] = [BlockDelta(0, "x"), Usage(input_tokens=2, total_tokens=7), Finish(0, "stop")]
    assert made.counted(batch) == [batch[0], Usage(input_tokens=3, total_tokens=12), batch[2]]
    assert made.counted(batch[:1]) == batch[:1]


def test_split_work_learns_by_itself() -> None:
    made = work()
    other = Generate(model="other", messages=())
    split = made.split(other)
    assert split.gives_in_to(refusal(signature=True)) and not made.bare
    assert (split.call, split.parsed, split.ask) == (other, made.parsed, made.ask)
