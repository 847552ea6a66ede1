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
    """How a response ends: completed, cut off for a reason, or failed of an `error`.

    `refusal` is why nothing was said, in the upstream's own words, if it has any.
    """

    reason: Reason | None = None
    refusal: str = ""
    error: BrokenAnswer | None = None

    @property
    def status(self) -> Literal["completed", "incomplete", "failed"]:
        """The word for it."""
        if self.error is not None:
            return "failed"
        return "incomplete" if self.reason else "completed"


def ending(finish: Finish, *, said: bool, called: bool) -> Ending:
    """Give the end in this format's words.

    Where the model broke off it has failed, unless a client was given a call to go on with. Raises `BrokenAnswer` where
    it broke off with nothing said: that is no end.
    """
    if finish.reason == "malformed" and not called:
        error = BrokenAnswer(f"The model broke off its answer ({finish.detail}). {finish.message}".rstrip())
        if not said:
            raise error
        return Ending(error=error)
    reason = INCOMPLETE[finish.reason]
    if finish.reason == "other" and not said:
        reason = "content_filter"
    return Ending(reason, finish.message if reason == "content_filter" and not said else "")
