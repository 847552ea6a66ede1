"""How long a key rests."""

from datetime import datetime, timedelta
from typing import assert_never
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from msgspec import Struct

from gemgate.errors import FailureKind

BASE_SECONDS = {"quota": 5.0, "key": 300.0, "service": 1.0}
MAX_SECONDS = 600.0
MAX_ASKED_SECONDS = 24 * 3600.0


class Trouble(Struct, frozen=True, kw_only=True):
    """Why a key failed; `retry_after_seconds` is what the upstream asked for, `daily` that a day's quota is used up."""

    kind: FailureKind
    retry_after_seconds: float | None = None
    daily: bool = False

    @property
    def whole_key(self) -> bool:
        """Whether it concerns the key for every model."""
        return self.kind == "key"


class Cooldown(Struct, frozen=True):
    """A rest until a time of the monotonic clock; `firm` if the upstream asked for it; `count` in a row."""

    until: float
    firm: bool
    count: int


def cooldown(trouble: Trouble, now: float, before: Cooldown | None) -> Cooldown:
    """Decide the rest after trouble; rests of our own guess double each time.

    Failures that come while a key rests already are of the same storm: they count once, and never shorten its rest.
    """
    under_way = before if before is not None and before.until > now else None
    count = under_way.count if under_way else before.count + 1 if before else 1
    rest = _rest(trouble, now, count)
    if under_way is not None and (under_way.firm, under_way.until) > (rest.firm, rest.until):
        return under_way
    return rest


def _rest(trouble: Trouble, now: float, count: int) -> Cooldown:
    if trouble.daily:
        return Cooldown(now + seconds_to_quota_reset(), True, count)
    if trouble.retry_after_seconds is not None:
        return Cooldown(now + min(trouble.retry_after_seconds, MAX_ASKED_SECONDS), True, count)
    match trouble.kind:
        case "quota" | "key" | "service":
            base = BASE_SECONDS[trouble.kind]
        case "client" | "model" | "network":
            base = 0.0  # not the key's fault
        case _:
            assert_never(trouble.kind)
    return Cooldown(now + min(base * 2 ** min(count - 1, 10), MAX_SECONDS), False, count)


def seconds_to_quota_reset(now: datetime | None = None) -> float:
    """Tell how long it is to midnight in California, when daily quotas begin anew."""
    try:
        pacific = ZoneInfo("America/Los_Angeles")
    except ZoneInfoNotFoundError:
        return 3600.0  # no time zone data here: ask again in an hour
    now = (now or datetime.now(pacific)).astimezone(pacific)
    midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    # By the clock on the wall a day has 24 hours; where summer time begins or ends it has 23 or 25.
    return midnight.timestamp() - now.timestamp()
