"""How far a long decode is followed (notes §2.8)."""

from gemgate.protocols.gemini.reader import GeminiReader

MAX_HOPS = 64
MAX_IDLE_HOPS = 3
"""How often the same token is tried again after a hop that brought nothing."""


class Hops:
    """Counts the hops of one reply; `max_output_tokens` is what the caller wants of it, thoughts included."""

    __slots__ = ("_hops", "_idle", "_max_output_tokens", "_token")

    def __init__(self, max_output_tokens: int | None) -> None:
        self._max_output_tokens = max_output_tokens
        self._hops = 1
        self._idle = 0
        self._token = ""

    def next(self, reader: GeminiReader) -> str:
        """Give the token to go on with after a hop; empty if the reply is over, or has had its share."""
        token = reader.checkpoint
        if not token:
            return ""
        self._idle = self._idle + 1 if token == self._token else 0
        if self._idle > MAX_IDLE_HOPS or self._hops >= MAX_HOPS or self._is_spent(reader):
            return ""
        self._hops += 1
        self._token = token
        return token

    def _is_spent(self, reader: GeminiReader) -> bool:
        if self._max_output_tokens is None:
            return False
        usage = reader.usage
        return usage.output_tokens + usage.thought_tokens >= self._max_output_tokens
