"""What this process has remembered lately, so that it need not ask the store for it."""

from collections.abc import Iterable, Mapping

ROW_BYTES = 200
"""What a row costs beside its value, roughly."""


class RecentRows:
    """Rows by key, at most `max_bytes` of them; those longest untouched go first."""

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._rows: dict[bytes, tuple[bytes, float]] = {}

    def add(self, rows: Mapping[bytes, bytes], expires_at: float) -> None:
        """Keep rows until `expires_at`; what exceeds the bound alone is not kept."""
        for key, value in rows.items():
            self._drop(key)
            if len(value) + ROW_BYTES > self._max_bytes:
                continue
            self._rows[key] = (value, expires_at)
            self._bytes += len(value) + ROW_BYTES
        while self._bytes > self._max_bytes:
            self._drop(next(iter(self._rows)))

    def find(self, keys: Iterable[bytes], now: float) -> dict[bytes, bytes]:
        """Find what has not expired."""
        found: dict[bytes, bytes] = {}
        for key in keys:
            row = self._rows.get(key)
            if row is None:
                continue
            value, expires_at = row
            if expires_at <= now:
                self._drop(key)
                continue
            found[key] = value
            # A dict keeps the order of insertion: to move a row to its end is to touch it.
            del self._rows[key]
            self._rows[key] = row
        return found

    def _drop(self, key: bytes) -> None:
        row = self._rows.pop(key, None)
        if row is not None:
            self._bytes -= len(row[0]) + ROW_BYTES
