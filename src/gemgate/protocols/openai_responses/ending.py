"""Why a response has ended."""

from typing import Literal

from msgspec import Struct

from gemgate.errors import BrokenAnswer
from gemgate.hub.events import Finish, FinishReason

Reason = Literal["max_output_tokens", "content_filter"]

INCOMPLETE: dict[FinishReason, Reason | None] = {
    "stop": None,
    "length": "max_output_tokens",
    "tool_calls": None,
    "content_filter": "content_filter",
    "malformed": None,
    "other": None,
}


class Ending(Struct, frozen=True):
    """How a response ends: completed, or cut off for a reason."""

    reason: Reason | None = None

    @property
    def status(self) -> Literal["completed", "incomplete"]:
        """The word for it."""
        return "incomplete" if self.reason else "completed"


def ending(finish: Finish, *, said: bool) -> Ending:
    """Give the end in this format's words.

    Raises `BrokenAnswer` where the model broke off with nothing said: that is no end.
    """
    if finish.reason == "malformed" and not said:
        raise BrokenAnswer(f"The model broke off its answer ({finish.detail}). {finish.message}".rstrip())
    if finish.reason == "other" and not said:
        return Ending("content_filter")
    return Ending(INCOMPLETE[finish.reason])
