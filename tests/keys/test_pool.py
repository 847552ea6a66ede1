"""Which key is next."""

import pytest

from gemgate.keys import pool as module
from gemgate.keys.cooldown import MAX_SECONDS, Trouble
from gemgate.keys.pool import KeyPool, Lease, lease

SECRETS = ("AIza-one", "AIza-two", "AIza-three")
KEYS = [lease(secret) for secret in SECRETS]
ONLY = lease("only")
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


def key(name: str) -> Lease:
    return lease(f"AIza-{name}")


def test_keys_take_turns(pool: KeyPool) -> None:
    assert taken(pool, 7) == ["one", "two", "three", "one", "two", "three", "one"]


def test_turns_are_shared_by_all_models(pool: KeyPool) -> None:
    assert [taken(pool, 1, model)[0] for model in ("a", "b", "a", "b")] == ["one", "two", "three", "one"]


def test_not_those_that_were_tried(pool: KeyPool) -> None:
    one, two, three = KEYS
    assert taken(pool, 3, but_not=(two.id,)) == ["one", "three", "one"]
    assert taken(pool, 1, but_not=(one.id, two.id)) == ["three"]
    assert pool.take("m", but_not=(one.id, two.id, three.id)) is None


def test_a_key_rests_for_one_model(pool: KeyPool, clock: Clock) -> None:
    pool.failed(key("two"), "m", ASKED)
    assert taken(pool, 4) == ["one", "three", "one", "three"]
    assert taken(pool, 3, "other") == ["one", "two", "three"]
    clock.now += 29.9
    assert "two" not in taken(pool, 6)
    clock.now += 0.1
    assert sorted(taken(pool, 3)) == ["one", "three", "two"]


def test_a_bad_key_rests_for_every_model(pool: KeyPool) -> None:
    pool.failed(key("one"), "m", Trouble(kind="key"))
    assert "one" not in taken(pool, 6)
    assert "one" not in taken(pool, 6, "another")


def test_all_rest(pool: KeyPool, clock: Clock) -> None:
    assert pool.rested_in("m") is None
    for seconds, secret in zip((30.0, 10.0, 20.0), KEYS, strict=True):
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
    one.failed(KEYS[0], "m", ASKED)
    one.failed(KEYS[0], "m2", Trouble(kind="key", retry_after_seconds=90.0))
    assert one.rested_in("m") == 90.0
    clock.now += 50.0
    assert one.take("m") is None


def test_a_guess_never_takes_the_whole_pool_away(pool: KeyPool, clock: Clock) -> None:
    for secret in KEYS:
        pool.failed(secret, "m", QUOTA)
        clock.now += 1.0
    assert taken(pool, 1) == ["one"]  # the one that has rested longest
    pool.failed(key("one"), "m", QUOTA)
    assert taken(pool, 1) == ["two"]


def test_a_guess_yields_only_when_nothing_else_is_left(pool: KeyPool) -> None:
    pool.failed(key("one"), "m", QUOTA)
    assert taken(pool, 4) == ["two", "three", "two", "three"]
    pool.failed(key("two"), "m", ASKED)
    assert taken(pool, 2) == ["three", "three"]
    pool.failed(key("three"), "m", ASKED)
    assert taken(pool, 2) == ["one", "one"]  # the firm ones rest on
    assert pool.take("m", but_not=(key("one").id,)) is None


def test_one_key_is_never_lost_by_guesses(clock: Clock) -> None:
    pool = KeyPool(["only"], clock)
    for kind in ("quota", "service", "key", "service") * 5:
        pool.failed(ONLY, "m", Trouble(kind=kind))
        assert pool.take("m") == ONLY
    rest = pool.rested_in("m")
    assert rest is not None and rest <= MAX_SECONDS


def test_a_key_that_the_upstream_holds_back_is_not_lent_however_few_there_are(clock: Clock) -> None:
    pool = KeyPool(["only"], clock)
    pool.failed(ONLY, "m", ASKED)
    assert pool.take("m") is None


def test_guesses_double_until_success(clock: Clock) -> None:
    pool = KeyPool(["only"], clock)
    waits: list[float | None] = []
    for _ in range(3):
        pool.failed(ONLY, "m", QUOTA)
        waits.append(pool.rested_in("m"))
        clock.now += waits[-1] or 0.0
    pool.worked(ONLY, "m")
    assert pool.rested_in("m") is None
    pool.failed(ONLY, "m", QUOTA)
    waits.append(pool.rested_in("m"))
    assert waits == [5.0, 10.0, 20.0, 5.0]


def test_success_ends_a_bad_keys_rest_and_no_other_models(clock: Clock) -> None:
    pool = KeyPool(["only"], clock)
    pool.failed(ONLY, "m", Trouble(kind="key"))
    pool.failed(ONLY, "other", ASKED)
    pool.worked(ONLY, "m")
    assert pool.rested_in("m") is None
    assert pool.rested_in("other") == 30.0


@pytest.mark.parametrize("kind", ["client", "model", "network"])
def test_faults_of_others_leave_a_key_as_it_is(pool: KeyPool, kind: str) -> None:
    pool.failed(key("one"), "m", Trouble(kind=kind))  # pyright: ignore[reportArgumentType]
    assert pool.rested_in("m") is None
    assert taken(pool, 3) == ["one", "two", "three"]


def test_duplicates_are_one_key(clock: Clock) -> None:
    pool = KeyPool(["a", "b", "a", "a"], clock)
    assert [key.secret for key in (pool.take("m"), pool.take("m"), pool.take("m")) if key] == ["a", "b", "a"]
    assert not pool.has("m", but_not=(lease("a").id, lease("b").id))


def test_no_keys(clock: Clock) -> None:
    pool = KeyPool([], clock)
    assert pool.take("m") is None and pool.rested_in("m") is None and not pool.has("m", but_not=())


def test_ids_are_stable_and_say_nothing(pool: KeyPool, clock: Clock) -> None:
    again = KeyPool(list(reversed(SECRETS)), clock)
    for one in KEYS:
        assert len(one.id) == 16 and one.secret not in one.id
        assert pool.get(one.id) == one
        found = again.get(one.id)
        assert found is not None and found.secret == one.secret
    assert pool.get("nobody") is None
    assert lease("a").id != lease("b").id
    assert len({one.id for one in KEYS}) == 3


def test_asking_whether_there_is_a_key_takes_none(pool: KeyPool) -> None:
    assert pool.has("m", but_not=()) and pool.has("m", but_not=(key("one").id,))
    assert not pool.has("m", but_not=[one.id for one in KEYS])
    assert taken(pool, 3) == ["one", "two", "three"]


def test_success_keeps_a_rest_that_the_upstream_asked_for(clock: Clock) -> None:
    """A request that began before the refusal says nothing about the quota now."""
    pool = KeyPool(["only"], clock)
    pool.failed(ONLY, "m", ASKED)
    pool.worked(ONLY, "m")
    assert pool.rested_in("m") == 30.0
    clock.now += 31.0
    pool.worked(ONLY, "m")
    pool.failed(ONLY, "m", QUOTA)
    assert pool.rested_in("m") == 5.0  # counted from one again


def test_a_storm_of_failures_counts_once(clock: Clock) -> None:
    pool = KeyPool(["only"], clock)
    for _ in range(50):
        pool.failed(ONLY, "m", QUOTA)
    assert pool.rested_in("m") == 5.0
    pool.failed(ONLY, "m", ASKED)
    for trouble in (QUOTA, Trouble(kind="quota", retry_after_seconds=2.0), Trouble(kind="service")):
        pool.failed(ONLY, "m", trouble)
    assert pool.rested_in("m") == 30.0 and pool.take("m") is None


def test_a_firm_rest_wins_over_a_longer_guess(clock: Clock) -> None:
    pool = KeyPool(["only"], clock)
    pool.failed(ONLY, "m", Trouble(kind="key"))  # a guess of 300 s, for every model
    pool.failed(ONLY, "m", ASKED)
    assert pool.take("m") is None and pool.take("other") == ONLY


def test_rests_that_are_over_are_forgotten(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """Models' names come from clients."""
    monkeypatch.setattr(module, "MAX_RESTS", 10)
    pool = KeyPool(["only"], clock)
    for number in range(200):
        pool.failed(ONLY, f"made-up-{number}", QUOTA)
        clock.now += 1.0
    assert len(pool._rests) <= 11
    assert pool.rested_in("made-up-199") == 4.0
