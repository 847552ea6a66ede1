"""The objects that chunks and whole completions share."""

from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence

from gemgate.errors import UpstreamError
from gemgate.hub.events import Citation, Finish, FinishReason, TokenLogprob, Usage
from gemgate.hub.parts import Inline, Media, Remote, Signature, ToolCall, Uri
from gemgate.protocols.openai_chat.track import ContentTrack

FINISH_REASONS: dict[FinishReason, str] = {
    "stop": "stop",
    "length": "length",
    "tool_calls": "tool_calls",
    "content_filter": "content_filter",
    "malformed": "stop",
    "other": "stop",
}


def finish_reason(finish: Finish, *, said: bool) -> str:
    """Give the reason in this format's words; an answer that broke off with nothing said is an error, not an end."""
    if finish.reason == "malformed" and not said:
        raise UpstreamError(f"The model broke off its answer ({finish.detail}). {finish.message}".rstrip())
    if finish.reason == "other" and not said:
        return "content_filter"
    return FINISH_REASONS[finish.reason]


def refusal(finish: Finish) -> str:
    """Say why nothing was said."""
    return finish.message or f"The answer was stopped by the upstream ({finish.detail or finish.reason})."


def call_object(part: ToolCall, new_id: Callable[[], str]) -> dict[str, object]:
    """Give a tool call."""
    call: dict[str, object] = {
        "id": part.id or f"call_{new_id()}",
        "type": "function",
        "function": {"name": part.name, "arguments": part.arguments},
    }
    if part.signature is not None:
        call["extra_content"] = google(part.signature)
    return call


def is_speech(part: Media) -> bool:
    """Whether a part is sound carried in the reply itself."""
    return part.mime_type.startswith("audio/") and isinstance(part.source, Inline)


def audio_object(part: Media, new_id: Callable[[], str]) -> dict[str, object]:
    """Give sound as this format holds it: the upstream's own bytes, in base64."""
    match part.source:
        case Inline() as inline:
            return {"id": f"audio_{new_id()}", "data": inline.text, "expires_at": 0, "transcript": ""}
        case Uri() | Remote():
            raise AssertionError(part)


def joined(*pieces: str) -> str:
    """Join pieces of base64, each padded by itself; raises `UpstreamError` for what is none."""
    try:
        return b64encode(b"".join(b64decode(piece) for piece in pieces)).decode()
    except ValueError as error:
        raise UpstreamError("The upstream's sound is not base64.") from error


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
    content = [_token(token) | {"top_logprobs": [_token(other) for other in token.alternatives]} for token in tokens]
    return {"content": content, "refusal": None}


def _token(token: TokenLogprob) -> dict[str, object]:
    return {"token": token.token, "logprob": token.logprob, "bytes": list(token.token.encode())}


def usage_object(usage: Usage) -> dict[str, object]:
    """Give token counts: results of upstream tools count as prompt, thoughts as completion."""
    prompt_details = {"cached_tokens": usage.cached_tokens}
    completion_details = {"reasoning_tokens": usage.thought_tokens}
    for modality in ("audio", "image"):
        if modality in usage.input_by_modality:
            prompt_details[f"{modality}_tokens"] = usage.input_by_modality[modality]
        if modality in usage.output_by_modality:
            completion_details[f"{modality}_tokens"] = usage.output_by_modality[modality]
    return {
        "prompt_tokens": usage.input_tokens + usage.tool_tokens,
        "completion_tokens": usage.output_tokens + usage.thought_tokens,
        "total_tokens": usage.total_tokens,
        "prompt_tokens_details": prompt_details,
        "completion_tokens_details": completion_details,
    }


def google(signature: Signature) -> dict[str, object]:
    """Give `extra_content` with a signature."""
    return {"google": {"thought_signature": signature.value}}
