"""stub"""

from msgspec import Struct


class Lease(Struct, frozen=True):
    """An upstream key, lent for one attempt; `id` is safe to log and store, `secret` is not."""

    id: str
    secret: str
