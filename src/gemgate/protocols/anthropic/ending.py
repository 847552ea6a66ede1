"""Why a message has ended."""

from msgspec import Struct

from gemgate.errors import BrokenAnswer
from gemgate.hub.events import Finish, FinishReason

STOP_REASONS: dict[FinishReason, str] = {
    "stop": "end_turn",
    "length": "max_tokens",
    "tool_calls": "end_turn",
    "content_filter": "refusal",
    "malformed": "end_turn",
    "other": "end_turn",
}


class Ending(Struct, frozen=True):
    """How a message ends; `details` go with a refusal."""

    stop_reason: str
    details: dict[str, object] | None = None


def ending(finish: Finish, *, said: bool, called: bool) -> Ending:
    """Give the end in this format's words: `tool_use` where a client was given a call, and only there.

    Raises `BrokenAnswer` where the model broke off with nothing said: that is no end.
    """
    if finish.reason == "malformed" and not said:
        raise BrokenAnswer(f"The model broke off its answer ({finish.detail}). {finish.message}".rstrip())
    reason = STOP_REASONS[finish.reason]
    if reason == "refusal" or (finish.reason == "other" and not said):
        return Ending("refusal", _refusal(finish))
    return Ending("tool_use" if called and reason == "end_turn" else reason)


def _refusal(finish: Finish) -> dict[str, object]:
    why = finish.message or f"The answer was stopped by the upstream ({finish.detail or finish.reason})."
    return {"type": "refusal", "category": None, "explanation": why}
