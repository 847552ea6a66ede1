"""The objects that chunks and whole completions share."""

from collections.abc import Sequence

from gemgate.errors import BrokenAnswer
from gemgate.hub.events import Citation, Finish, FinishReason, TokenLogprob, Usage
from gemgate.protocols.openai_chat.style import Style
from gemgate.protocols.shared.logprobs import token_object
from gemgate.protocols.shared.track import ContentTrack

FINISH_REASONS: dict[FinishReason, str] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "content_filter": "content_filter",
    "malformed": "stop",
    "other": "stop",
}


def finish_reason(finish: Finish, style: Style, *, said: bool, called: bool) -> str:
    """Give the reason in this format's words; a client that was given a call must see that it is to run it.

    Raises `BrokenAnswer` where the model broke off with nothing said: that is no end.
    """
    if finish.reason == "malformed" and not said:
        raise BrokenAnswer(f"The model broke off its answer ({finish.detail}). {finish.message}".rstrip())
    if finish.reason == "other" and not said:
        return "content_filter"
    reason = FINISH_REASONS[finish.reason]
    if called and reason == "stop":
        reason = "tool_calls"
    return "function_call" if reason == "tool_calls" and style.legacy_calls else reason


def refusal(finish: Finish) -> str:
    """Say why nothing was said, or nothing more."""
    return finish.message or f"The answer was stopped by the upstream ({finish.detail or finish.reason})."


def annotation(citation: Citation, track: ContentTrack) -> dict[str, object]:
    """Give a source; offsets count characters of `content`."""
    return {
        "type": "url_citation",
        "url_citation": {
            "start_index": track.place(citation.start),
            "end_index": track.place_end(citation.start, citation.end),
            "url": citation.url,
            "title": citation.title,
        },
    }


def logprobs_object(tokens: Sequence[TokenLogprob]) -> dict[str, object]:
    """Give the probabilities of tokens."""
    return {"content": [token_object(token) for token in tokens], "refusal": None}


def usage_object(usage: Usage) -> dict[str, object]:
    """Give token counts: results of upstream tools count as prompt, thoughts as completion."""
    prompt_details = {"cached_tokens": usage.cached_tokens}
    completion_details = {"reasoning_tokens": usage.thought_tokens}
    for modality in ("audio", "image"):
        if modality in usage.input_by_modality:
            prompt_details[f"{modality}_tokens"] = usage.input_by_modality[modality]
        if modality in usage.output_by_modality:
            completion_details[f"{modality}_tokens"] = usage.output_by_modality[modality]
    prompt = usage.input_tokens + usage.tool_tokens
    completion = usage.output_tokens + usage.thought_tokens
    return {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": usage.total_tokens or prompt + completion,
        "prompt_tokens_details": prompt_details,
        "completion_tokens_details": completion_details,
    }
