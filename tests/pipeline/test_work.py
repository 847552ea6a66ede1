"""What is learnt about a request on the way."""

from typing import Any

from gemgate.errors import UpstreamError
from gemgate.hub.call import Generate
from gemgate.hub.codec import Parsed
from gemgate.hub.events import BlockDelta, Event, Finish, Usage
from gemgate.pipeline.work import Learnt, Work
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
    assert not made.gives_in_to(refusal()) and made.heeded() == Learnt()
    assert made.gives_in_to(refusal(unsupported="sampling.seed")) and made.heeded() == Learnt(without="sampling.seed")
    assert made.gives_in_to(refusal(signature=True)) and made.heeded() == Learnt(bare=True, without="sampling.seed")
    assert not made.gives_in_to(refusal(signature=True))
    assert not made.gives_in_to(refusal(unsupported="sampling.stop")) and made.learnt.without == "sampling.seed"


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


def test_works_that_were_split_learn_from_each_other() -> None:
    made = work()
    one, other = made.split(Generate(model="one", messages=())), made.split(Generate(model="other", messages=()))
    assert (one.call.model, one.parsed, one.ask) == ("one", made.parsed, made.ask)
    one.heeded()
    assert one.gives_in_to(refusal(signature=True))
    assert made.learnt == other.heeded() == Learnt(bare=True)
    assert not other.gives_in_to(refusal(signature=True)), "it was asked without"


def test_who_was_asked_before_the_other_learnt_is_asked_once_more() -> None:
    made = work()
    one, other = made.split(CALL), made.split(CALL)
    assert one.gives_in_to(refusal(unsupported="sampling.seed")) and one.heeded().without == "sampling.seed"
    assert other.gives_in_to(refusal(unsupported="sampling.stop")) and other.heeded().without == "sampling.seed"
    assert not other.gives_in_to(refusal(unsupported="sampling.stop"))


def test_an_answer_of_several_is_not_asked_for_again_as_a_whole() -> None:
    made = work()
    made.insists = False
    assert not made.may_try_again(Usage(total_tokens=3)) and made.usage is None
