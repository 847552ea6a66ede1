"""Telling of trouble that may come back with every request, without filling the log."""

import logging
from collections.abc import Callable

LOGGER = logging.getLogger("gemgate")

QUIET_SECONDS = 60.0


class Trouble:
    """Warns at most once a minute; `seconds` is a clock."""

    def __init__(self, seconds: Callable[[], float]) -> None:
        self._seconds = seconds
        self._told_at: float | None = None

    def tell(self, what: str, error: Exception) -> None:
        """Warn that something does not work, and why."""
        now = self._seconds()
        if self._told_at is not None and 0 <= now - self._told_at < QUIET_SECONDS:
            return
        self._told_at = now
        LOGGER.warning("%s (%s)", what, str(error) or type(error).__name__)
