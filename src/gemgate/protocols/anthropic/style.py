"""How an answer is written, as the request asks."""

from msgspec import Struct


class Style(Struct, frozen=True):
    """The forms that one answer may have.

    `thinking`: whether thoughts may be shown at all; a client that has switched thinking off is shown none, and no
    signatures in their place.
    """

    thinking: bool = True
