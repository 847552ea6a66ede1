"""Which key is next."""

import pytest

from gemgate.keys.cooldown import MAX_SECONDS, Trouble
from gemgate.keys.pool import KeyPool, Lease, lease

SECRETS = ("AIza-one", "AIza-two", "AIza-three")
QUOTA = Trouble(kind="quota")
ASKED = Trouble(kind="quota", retry_after_seconds=30.0)


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def pool(clock: Clock) -> KeyPool:
    return KeyPool(SECRETS, clock)


def taken(pool: KeyPool, count: int, model: str = "m", but_not: tuple[str, ...] = ()) -> list[str]:
    found: list[str] = []
    for _ in range(count):
        key = pool.take(model, but_not=but_not)
        found.append(key.secret[5:] if key else "none")
    return found


def key(pool: KeyPool, name: str) -> Lease:
    return next(key for key in pool.keys if key.secret == f"AIza-{name}")


def test_keys_take_turns(pool: KeyPool) -> None:
    assert taken(pool, 7) == ["one", "two", "three", "one", "two", "three", "one"]
    assert len(pool) == 3


def test_turns_are_shared_by_all_models(pool: KeyPool) -> None:
    assert [taken(pool, 1, model)[0] for model in ("a", "b", "a", "b")] == ["one", "two", "three", "one"]


def test_not_those_that_were_tried(pool: KeyPool) -> None:
    one, two, three = pool.keys
    assert taken(pool, 3, but_not=(two.id,)) == ["one", "three", "one"]
    assert taken(pool, 1, but_not=(one.id, two.id)) == ["three"]
    assert pool.take("m", but_not=(one.id, two.id, three.id)) is None


def test_a_key_rests_for_one_model(pool: KeyPool, clock: Clock) -> None:
    pool.failed(key(pool, "two"), "m", ASKED)
    assert taken(pool, 4) == ["one", "three", "one", "three"]
    assert taken(pool, 3, "other") == ["one", "two", "three"]
    clock.now += 29.9
    assert "two" not in taken(pool, 6)
    clock.now += 0.1
    assert sorted(taken(pool, 3)) == ["one", "three", "two"]


def test_a_bad_key_rests_for_every_model(pool: KeyPool) -> None:
    pool.failed(key(pool, "one"), "m", Trouble(kind="key"))
    assert "one" not in taken(pool, 6)
    assert "one" not in taken(pool, 6, "another")


def test_all_rest(pool: KeyPool, clock: Clock) -> None:
    assert pool.rested_in("m") is None
    for seconds, secret in zip((30.0, 10.0, 20.0), pool.keys, strict=True):
        pool.failed(secret, "m", Trouble(kind="quota", retry_after_seconds=seconds))
    assert pool.take("m") is None
    assert pool.rested_in("m") == 10.0
    assert pool.rested_in("other") is None
    clock.now += 4.0
    assert pool.rested_in("m") == 6.0
    clock.now += 6.0
    assert taken(pool, 2) == ["two", "two"]


def test_the_longer_of_two_rests_counts(pool: KeyPool, clock: Clock) -> None:
    one = KeyPool(SECRETS[:1], clock)
    one.failed(one.keys[0], "m", ASKED)
    one.failed(one.keys[0], "m2", Trouble(kind="key", retry_after_seconds=90.0))
    assert one.rested_in("m") == 90.0
    clock.now += 50.0
    assert one.take("m") is None


def test_a_guess_never_takes_the_whole_pool_away(pool: KeyPool, clock: Clock) -> None:
    for secret in pool.keys:
        pool.failed(secret, "m", QUOTA)
        clock.now += 1.0
    assert taken(pool, 1) == ["one"]  # the one that has rested longest
    pool.failed(key(pool, "one"), "m", QUOTA)
    assert taken(pool, 1) == ["two"]


def test_a_guess_yields_only_when_nothing_else_is_left(pool: KeyPool) -> None:
    pool.failed(key(pool, "one"), "m", QUOTA)
    assert taken(pool, 4) == ["two", "three", "two", "three"]
    pool.failed(key(pool, "two"), "m", ASKED)
    assert taken(pool, 2) == ["three", "three"]
    pool.failed(key(pool, "three"), "m", ASKED)
    assert taken(pool, 2) == ["one", "one"]  # the firm ones rest on
    assert pool.take("m", but_not=(key(pool, "one").id,)) is None


def test_one_key_is_never_lost_by_guesses(clock: Clock) -> None:
    pool = KeyPool(["only"], clock)
    for kind in ("quota", "service", "key", "service") * 5:
        pool.failed(pool.keys[0], "m", Trouble(kind=kind))
        assert pool.take("m") is pool.keys[0]
    rest = pool.rested_in("m")
    assert rest is not None and rest <= MAX_SECONDS


def test_a_key_that_the_upstream_holds_back_is_not_lent_however_few_there_are(clock: Clock) -> None:
    pool = KeyPool(["only"], clock)
    pool.failed(pool.keys[0], "m", ASKED)
    assert pool.take("m") is None


def test_guesses_double_until_success(clock: Clock) -> None:
    pool = KeyPool(["only"], clock)
    only = pool.keys[0]
    waits: list[float | None] = []
    for _ in range(3):
        pool.failed(only, "m", QUOTA)
        waits.append(pool.rested_in("m"))
    pool.worked(only, "m")
    assert pool.rested_in("m") is None
    pool.failed(only, "m", QUOTA)
    waits.append(pool.rested_in("m"))
    assert waits == [5.0, 10.0, 20.0, 5.0]


def test_success_ends_a_bad_keys_rest_and_no_other_models(clock: Clock) -> None:
    pool = KeyPool(["only"], clock)
    only = pool.keys[0]
    pool.failed(only, "m", Trouble(kind="key"))
    pool.failed(only, "other", ASKED)
    pool.worked(only, "m")
    assert pool.rested_in("m") is None
    assert pool.rested_in("other") == 30.0


@pytest.mark.parametrize("kind", ["client", "model", "network"])
def test_faults_of_others_leave_a_key_as_it_is(pool: KeyPool, kind: str) -> None:
    pool.failed(key(pool, "one"), "m", Trouble(kind=kind))  # pyright: ignore[reportArgumentType]
    assert pool.rested_in("m") is None
    assert taken(pool, 3) == ["one", "two", "three"]


def test_duplicates_are_one_key(clock: Clock) -> None:
    pool = KeyPool(["a", "b", "a", "a"], clock)
    assert [key.secret for key in pool.keys] == ["a", "b"]
    assert len(pool) == 2


def test_no_keys(clock: Clock) -> None:
    pool = KeyPool([], clock)
    assert pool.take("m") is None and pool.rested_in("m") is None and len(pool) == 0


def test_ids_are_stable_and_say_nothing(pool: KeyPool, clock: Clock) -> None:
    again = KeyPool(reversed(SECRETS), clock) if False else KeyPool(list(reversed(SECRETS)), clock)
    for one in pool.keys:
        assert len(one.id) == 16 and one.secret not in one.id
        assert pool.get(one.id) is one
        found = again.get(one.id)
        assert found is not None and found.secret == one.secret
    assert pool.get("nobody") is None
    assert lease("a").id != lease("b").id
    assert len({one.id for one in pool.keys}) == 3
