"""Whether another attempt follows: each kind of refusal, with keys left or none, below the limit or at it."""

import logging
from collections.abc import Collection
from datetime import date

import pytest

from gemgate.catalog.catalog import Catalog, Target
from gemgate.errors import FailureKind, RateLimited, UpstreamError
from gemgate.keys.pool import KeyPool, Lease, lease
from gemgate.pipeline import attempt as module
from gemgate.pipeline.attempt import Attempts
from gemgate.upstreams.refusal import UpstreamRefusal
from tests.pipeline.client import Client

TODAY = date(2026, 11, 1)
OLD = Target(asked="asked", model="old", successor="new", web_search=True)
PLAIN = Target(asked="asked", model="plain")


class Scene:
    def __init__(
        self, keys: int = 3, *, limit: int = 4, target: Target = PLAIN, pinned: bool = False, repeatable: bool = True
    ) -> None:
        self.now = 0.0
        secrets = [f"key-{number}" for number in range(keys)]
        self.keys = [lease(secret) for secret in secrets]
        self.pool = KeyPool(secrets, lambda: self.now)
        self.exchange = Client().exchange()
        self.exchange.asked_model = target.asked
        self.attempts = Attempts(
            self.exchange,
            "up",
            self.pool,
            Catalog.load(),
            target,
            limit=limit,
            today=TODAY,
            pinned=self.keys[0] if pinned else None,
            repeatable=repeatable,
        )
        self.used: list[Lease] = []

    async def goes_on(self, kind: FailureKind, **how: float) -> bool:
        """Take a key and fail; tell whether another attempt follows."""
        self.used.append(self.attempts.take())
        refusal = UpstreamRefusal(kind, UpstreamError("no"), **how)  # pyright: ignore[reportArgumentType]
        try:
            await self.attempts.refused(refusal)
        except UpstreamRefusal as raised:
            assert raised is refusal
            return False
        return True

    def resting(self, model: str = "plain") -> Collection[str]:
        return {key.id for key in self.keys if self.pool._rest(key.id, model, self.now) is not None}


@pytest.fixture(autouse=True)
def pauses(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """No test waits; each pause is noted."""
    noted: list[int] = []

    async def pause(count: int) -> None:
        noted.append(count)

    monkeypatch.setattr(module, "_pause", pause)
    return noted


@pytest.mark.parametrize("keys", [1, 3])
@pytest.mark.parametrize(
    ("kind", "alone", "with_others"),
    [
        ("client", False, False),
        ("model", False, False),
        ("quota", False, True),
        ("key", False, True),
        ("service", True, True),
        ("network", True, True),
    ],
)
async def test_the_policy(kind: FailureKind, alone: bool, with_others: bool, keys: int) -> None:
    scene = Scene(keys)
    assert await scene.goes_on(kind) is (alone if keys == 1 else with_others)
    assert bool(scene.resting()) is (kind in ("quota", "key", "service"))


@pytest.mark.parametrize("kind", ["service", "network"])
async def test_trouble_of_the_service_never_beyond_the_limit(kind: FailureKind) -> None:
    scene = Scene(9, limit=3)
    assert [await scene.goes_on(kind) for _ in range(3)] == [True, True, False]
    assert len({lease.id for lease in scene.used}) == 3
    assert scene.exchange.attempts == 3 and scene.exchange.upstream == "up"


@pytest.mark.parametrize("kind", ["quota", "key"])
async def test_every_key_is_tried_once_whatever_the_limit(kind: FailureKind) -> None:
    scene = Scene(6, limit=2)
    assert [await scene.goes_on(kind) for _ in range(6)] == [True] * 5 + [False]
    assert len({lease.id for lease in scene.used}) == scene.exchange.attempts == 6


async def test_used_up_keys_leave_the_service_its_attempts() -> None:
    scene = Scene(6, limit=2)
    kinds: list[FailureKind] = ["quota", "key", "service", "quota", "service"]
    assert [await scene.goes_on(kind) for kind in kinds] == [True] * 4 + [False]


async def test_an_internal_error_is_tried_twice() -> None:
    """It may be the request's own; each attempt is paid for."""
    scene = Scene(6, limit=4)
    assert [await scene.goes_on("service", status=500) for _ in range(2)] == [True, False]
    scene = Scene(6, limit=1)
    assert not await scene.goes_on("service", status=500)
    scene = Scene(6, limit=4)
    assert [await scene.goes_on("service", status=503) for _ in range(4)] == [True, True, True, False]


@pytest.mark.parametrize(("kind", "on"), [("quota", True), ("key", True), ("service", False), ("network", False)])
async def test_what_would_do_harm_twice_is_not_repeated(kind: FailureKind, on: bool) -> None:
    """The upstream may have made the thing before it broke; a refused key has made nothing."""
    assert await Scene(3, repeatable=False).goes_on(kind) is on


async def test_each_refusal_is_logged_without_the_key(caplog: pytest.LogCaptureFixture) -> None:
    scene = Scene(2)
    with caplog.at_level(logging.INFO, "gemgate"):
        await scene.goes_on("quota", status=429)
        await scene.goes_on("network")
    said = [record.getMessage() for record in caplog.records if record.levelno == logging.INFO]
    assert len(said) == 2 and "key-" not in "".join(said)
    for line, used, words in zip(said, scene.used, (("quota", "429"), ("network", "none")), strict=True):
        assert all(word in line for word in (*words, "req_1", used.id[:8], "plain")) and used.id not in line


async def test_a_request_for_no_model_is_told_of_none() -> None:
    scene = Scene(1)
    scene.attempts.take()
    assert scene.exchange.sent_model == "plain"
    scene = Scene(1)
    scene.exchange.asked_model = ""
    scene.attempts.take()
    assert scene.exchange.sent_model == ""


async def test_trouble_of_the_service_pauses_only_when_no_other_key_is_left(pauses: list[int]) -> None:
    scene = Scene(2, limit=9)
    for _ in range(4):
        assert await scene.goes_on("service")
    assert pauses[0] == 2  # the second failure was the first without another key
    assert len({lease.id for lease in scene.used[:2]}) == 2


async def test_the_only_key_goes_on_after_a_pause(pauses: list[int]) -> None:
    scene = Scene(1, limit=4)
    assert [await scene.goes_on("network") for _ in range(4)] == [True, True, True, False]
    assert pauses == [1, 2, 3]


@pytest.mark.parametrize(("kind", "on"), [("quota", False), ("key", False), ("service", True), ("network", True)])
async def test_a_pinned_key_is_never_exchanged(kind: FailureKind, on: bool, pauses: list[int]) -> None:
    scene = Scene(3, pinned=True)
    assert await scene.goes_on(kind) is on
    if on:
        await scene.goes_on(kind)
    assert {lease.id for lease in scene.used} == {scene.keys[0].id}


async def test_a_successor_follows_once() -> None:
    scene = Scene(2, target=OLD)
    assert await scene.goes_on("model")
    target = scene.attempts.target
    assert (target.asked, target.model, target.web_search) == ("asked", "new", True)
    assert scene.exchange.sent_model == "old"
    scene.attempts.take()
    assert scene.exchange.sent_model == "new"
    assert not await scene.goes_on("model")
    assert scene.resting("old") == scene.resting("new") == set()


async def test_all_keys_rest() -> None:
    scene = Scene(2)
    for key, seconds in zip(scene.keys, (30.0, 12.0), strict=True):
        scene.pool.failed(
            key, "plain", UpstreamRefusal("quota", UpstreamError("x"), retry_after_seconds=seconds).trouble
        )
    with pytest.raises(RateLimited) as caught:
        scene.attempts.take()
    assert caught.value.retry_after_seconds == 12.0
    assert scene.exchange.attempts == 0 and scene.exchange.upstream == "none"


async def test_a_key_of_another_models_trouble_is_fit() -> None:
    scene = Scene(1)
    scene.pool.failed(scene.keys[0], "else", UpstreamRefusal("quota", UpstreamError("x"), daily=True).trouble)
    assert scene.attempts.take() == scene.keys[0]


async def test_success_forgets_the_trouble() -> None:
    scene = Scene(1)
    await scene.goes_on("service")
    assert scene.resting()
    scene.attempts.take()
    scene.attempts.worked()
    assert not scene.resting()
