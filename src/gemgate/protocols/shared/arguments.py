"""Arguments of a call → the pieces of JSON that a client puts together."""

import msgspec
from msgspec import Raw, json

from gemgate.errors import UpstreamError
from gemgate.hub.parts import JsonText
from gemgate.protocols.shared.raw_json import RAW, object_text

NOTHING = ("", "{}", "null")


class Arguments:
    """The arguments of one call; pieces pass through as soon as they can be the beginning of an object."""

    __slots__ = ("_pieces", "_told")

    def __init__(self, begun: JsonText) -> None:
        self._pieces = [begun]
        self._told = False

    def add(self, more: str) -> str:
        """Take a piece, and give what can be told now; may be empty."""
        self._pieces.append(more)
        if self._told:
            return more
        text = "".join(self._pieces)
        self._told = text.lstrip().startswith("{")
        return text if self._told else ""

    def rest(self) -> str:
        """Give what has not been told yet.

        Raises `UpstreamError` where pieces have been told that make no object.
        """
        text = "".join(self._pieces)
        if not self._told:
            return "" if text.strip() in NOTHING else object_text(text, RAW)
        if not _is_object(text):
            raise UpstreamError("The upstream's call has arguments that are no JSON object. Try again.")
        return ""


def _is_object(text: JsonText) -> bool:
    try:
        json.decode(text, type=dict[str, Raw])
    except (msgspec.DecodeError, RecursionError):
        return False
    return True
