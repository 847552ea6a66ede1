"""How long keys rest."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pytest

from gemgate.errors import FailureKind
from gemgate.keys import cooldown as module
from gemgate.keys.cooldown import MAX_SECONDS, Cooldown, Trouble, cooldown, seconds_to_quota_reset

PACIFIC = ZoneInfo("America/Los_Angeles")


def rests(kind: FailureKind, count: int) -> list[float]:
    found: list[float] = []
    before: Cooldown | None = None
    now = 100.0
    for _ in range(count):
        before = cooldown(Trouble(kind=kind), now, before)
        assert not before.firm
        found.append(before.until - now)
        now = before.until
    return found


def test_guesses_double_up_to_a_limit() -> None:
    assert rests("service", 4) == [1.0, 2.0, 4.0, 8.0]
    assert rests("quota", 9) == [5.0, 10.0, 20.0, 40.0, 80.0, 160.0, 320.0, MAX_SECONDS, MAX_SECONDS]
    assert rests("key", 3) == [300.0, MAX_SECONDS, MAX_SECONDS]
    assert rests("service", 2000)[-1] == MAX_SECONDS


@pytest.mark.parametrize("kind", ["client", "model", "network"])
def test_what_is_not_the_keys_fault_costs_no_rest(kind: FailureKind) -> None:
    assert rests(kind, 3) == [0.0, 0.0, 0.0]


def test_what_the_upstream_asks_for_is_kept() -> None:
    found = cooldown(Trouble(kind="quota", retry_after_seconds=34.4), 100.0, None)
    assert found == Cooldown(134.4, True, 1)
    again = cooldown(Trouble(kind="quota", retry_after_seconds=2.0), 200.0, found)
    assert again == Cooldown(202.0, True, 2)
    assert cooldown(Trouble(kind="quota", retry_after_seconds=0.0), 100.0, None) == Cooldown(100.0, True, 1)


ASKED = Cooldown(130.0, True, 2)
GUESSED = Cooldown(110.0, False, 2)


@pytest.mark.parametrize(
    ("before", "trouble", "after"),
    [
        (GUESSED, Trouble(kind="quota"), Cooldown(110.0, False, 2)),
        (Cooldown(101.0, False, 1), Trouble(kind="quota"), Cooldown(105.0, False, 1)),
        (GUESSED, Trouble(kind="quota", retry_after_seconds=5.0), Cooldown(105.0, True, 2)),
        (ASKED, Trouble(kind="quota"), ASKED),
        (ASKED, Trouble(kind="key"), ASKED),
        (ASKED, Trouble(kind="quota", retry_after_seconds=5.0), ASKED),
        (ASKED, Trouble(kind="quota", retry_after_seconds=60.0), Cooldown(160.0, True, 2)),
    ],
)
def test_failures_during_a_rest_count_once_and_never_shorten_or_soften_it(
    before: Cooldown, trouble: Trouble, after: Cooldown
) -> None:
    assert cooldown(trouble, 100.0, before) == after


def test_nobody_rests_longer_than_a_day() -> None:
    found = cooldown(Trouble(kind="quota", retry_after_seconds=1e9), 0.0, None)
    assert found.until == 24 * 3600


def test_a_daily_quota_lasts_until_the_reset_whatever_else_was_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "seconds_to_quota_reset", lambda: 4321.0)
    found = cooldown(Trouble(kind="quota", retry_after_seconds=10.0, daily=True), 100.0, None)
    assert found == Cooldown(4421.0, True, 1)


@pytest.mark.parametrize(
    ("now", "hours"),
    [
        (datetime(2026, 6, 10, 0, 0, tzinfo=PACIFIC), 24.0),
        (datetime(2026, 6, 10, 23, 30, tzinfo=PACIFIC), 0.5),
        (datetime(2026, 6, 10, 6, 0, tzinfo=UTC), 1.0),  # 23:00 in summer
        (datetime(2026, 12, 10, 6, 0, tzinfo=UTC), 2.0),  # 22:00 in winter
        (datetime(2026, 12, 31, 12, 0, tzinfo=PACIFIC), 12.0),
        (datetime(2028, 2, 28, 12, 0, tzinfo=PACIFIC), 12.0),
        (datetime(2026, 3, 8, 0, 30, tzinfo=PACIFIC), 22.5),  # summer time begins: a day of 23 hours
        (datetime(2026, 3, 8, 12, 0, tzinfo=PACIFIC), 12.0),
        (datetime(2026, 11, 1, 0, 30, tzinfo=PACIFIC), 24.5),  # it ends: a day of 25
        (datetime(2026, 11, 1, 1, 30, fold=1, tzinfo=PACIFIC), 22.5),
        (datetime(2026, 10, 31, 12, 0, tzinfo=PACIFIC), 12.0),
    ],
)
def test_the_reset_is_at_midnight_in_california(now: datetime, hours: float) -> None:
    assert seconds_to_quota_reset(now) == hours * 3600
    reset = now.astimezone(UTC) + timedelta(seconds=seconds_to_quota_reset(now))
    assert reset.astimezone(PACIFIC).strftime("%H:%M") == "00:00"


def test_now_is_now() -> None:
    assert 0 < seconds_to_quota_reset() <= 25 * 3600


def test_without_time_zones_it_is_asked_again_in_an_hour(monkeypatch: pytest.MonkeyPatch) -> None:
    def none(_: str) -> ZoneInfo:
        raise ZoneInfoNotFoundError

    monkeypatch.setattr(module, "ZoneInfo", none)
    assert seconds_to_quota_reset() == 3600.0
