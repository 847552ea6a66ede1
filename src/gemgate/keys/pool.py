"""The pool of upstream keys: one is lent for each attempt, and how it did is reported back."""

import hashlib
from collections.abc import Callable, Collection, Sequence

from msgspec import Struct

from gemgate.keys.cooldown import Cooldown, Trouble, cooldown

KEY_ID_LENGTH = 16
MAX_RESTS = 10_000
"""Models' names come from clients: beyond this, rests that are over are forgotten."""


class Lease(Struct, frozen=True):
    """An upstream key, lent for one attempt; `id` is safe to log and store, `secret` is not."""

    id: str
    secret: str


def lease(secret: str) -> Lease:
    """Give a key its id: a digest, so that it is the same after a restart."""
    digest = hashlib.sha256(b"gemgate key " + secret.encode()).hexdigest()
    return Lease(digest[:KEY_ID_LENGTH], secret)


class KeyPool:
    """Keys in turn, those that rest left out.

    A key rests for one model or for all (`Trouble.whole_key`). A rest that the upstream asked for is kept; one of our
    own guess yields when nothing else is left, so that a wrong guess never takes the whole pool away.
    """

    def __init__(self, secrets: Sequence[str], clock: Callable[[], float]) -> None:
        self._keys = [lease(secret) for secret in dict.fromkeys(secrets)]
        self._by_id = {key.id: key for key in self._keys}
        self._clock = clock
        self._next = 0
        self._rests: dict[tuple[str, str], Cooldown] = {}

    def get(self, key_id: str) -> Lease | None:
        """Find a key by its id."""
        return self._by_id.get(key_id)

    def take(self, model: str, *, but_not: Collection[str] = ()) -> Lease | None:
        """Lend the next key that may serve a model; `but_not` lists ids that have been tried.

        `None` if there is none; `rested_in` tells how long to wait.
        """
        position = self._find(model, but_not)
        if position is None:
            return None
        self._next = position + 1
        return self._keys[position]

    def has(self, model: str, *, but_not: Collection[str]) -> bool:
        """Tell whether there is a key to take."""
        return self._find(model, but_not) is not None

    def _find(self, model: str, but_not: Collection[str]) -> int | None:
        """Find the next key that does not rest, or else the one whose guessed rest ends first."""
        now = self._clock()
        count = len(self._keys)
        guessed: tuple[float, int] | None = None
        for step in range(count):
            position = (self._next + step) % count
            key = self._keys[position]
            if key.id in but_not:
                continue
            rest = self._rest(key.id, model, now)
            if rest is None:
                return position
            if not rest.firm and (guessed is None or rest.until < guessed[0]):
                guessed = rest.until, position
        return guessed[1] if guessed is not None else None

    def rested_in(self, model: str) -> float | None:
        """Tell in how many seconds the first key may serve a model again; `None` if none rests."""
        now = self._clock()
        rests = [rest for key in self._keys if (rest := self._rest(key.id, model, now)) is not None]
        return min((rest.until - now for rest in rests), default=None)

    def failed(self, key: Lease, model: str, trouble: Trouble) -> None:
        """Let a key rest after trouble that was its own."""
        now = self._clock()
        scope = "" if trouble.whole_key else model
        self._rests[key.id, scope] = cooldown(trouble, now, self._rests.get((key.id, scope)))
        if len(self._rests) > MAX_RESTS:
            self._rests = {of: rest for of, rest in self._rests.items() if rest.until > now}

    def worked(self, key: Lease, model: str) -> None:
        """Forget a key's trouble: success resets the count. A rest that the upstream asked for is kept to its end."""
        if self._rests:
            for scope in (model, ""):
                rest = self._rests.get((key.id, scope))
                if rest is not None and not (rest.firm and rest.until > self._clock()):
                    del self._rests[key.id, scope]

    def _rest(self, key_id: str, model: str, now: float) -> Cooldown | None:
        if not self._rests:
            return None
        found = [
            rest for scope in ("", model) if (rest := self._rests.get((key_id, scope))) is not None and rest.until > now
        ]
        return max(found, key=lambda rest: (rest.firm, rest.until), default=None)
