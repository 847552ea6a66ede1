"""A message request → `Call`."""

import math
from functools import partial

import msgspec
from msgspec import Raw, Struct

from gemgate.errors import InvalidRequest
from gemgate.hub.call import BuiltIn, CountTokens, Generate, Output, Sampling
from gemgate.hub.codec import Dropped, Parsed
from gemgate.protocols.anthropic import wire
from gemgate.protocols.anthropic.messages import Conversation, conversation
from gemgate.protocols.anthropic.output_form import output_of
from gemgate.protocols.anthropic.style import Style
from gemgate.protocols.anthropic.thinking import Wish, wish
from gemgate.protocols.anthropic.tools import Tools, tools
from gemgate.protocols.anthropic.writer import MessagesWriter
from gemgate.protocols.shared.nested import read_or_none
from gemgate.protocols.shared.raw_json import is_given
from gemgate.protocols.shared.reading import unreadable
from gemgate.protocols.shared.unknown import unknown

NO_EFFECT = frozenset(
    (
        "metadata",
        "cache_control",
        "diagnostics",
        "user_profile_id",
        "workspace_id",
        "betas",
        "anthropic_version",
        "anthropic_beta",
        "extra_headers",
        "extra_query",
        "timeout",
    )
)
"""Fields that change nothing in the answer, so that leaving them out loses nothing."""

UNDERSTOOD = frozenset(field.encode_name for field in msgspec.structs.fields(wire.Request)) | NO_EFFECT

PLAIN = NO_EFFECT | {
    "model",
    "messages",
    "system",
    "stream",
    "max_tokens",
    "temperature",
    "top_p",
    "top_k",
    "stop_sequences",
}
"""Fields of plain requests: with no others nothing else need be looked for."""

NUMBERS = ("temperature", "top_p")
DEFAULT_TIERS = frozenset({"auto", "standard_only", "standard", "default"})
THINKING = frozenset(field.encode_name for field in msgspec.structs.fields(wire.Thinking))
OUTPUT_CONFIG = frozenset(field.encode_name for field in msgspec.structs.fields(wire.OutputConfig))
KEPT_THINKING = "clear_thinking_"
"""An edit of the conversation that concerns the other model's thoughts alone."""

PATHS = {
    "signatures": "thinking.signature",
    "sampling.temperature": "temperature",
    "sampling.top_p": "top_p",
    "sampling.top_k": "top_k",
    "sampling.stop": "stop_sequences",
    "sampling.max_output_tokens": "max_tokens",
    # What the request does not say of thinking, a suffix of the model's name does.
    "reasoning.effort": "model",
    "reasoning.budget_tokens": "model",
    "reasoning.include_thoughts": "model",
    "output": "output_config.format",
    "output.schema": "output_config.format.schema",
}


def inbound(body: bytes | memoryview) -> Parsed:
    """Parse a request for an answer; raises `InvalidRequest`."""
    try:
        return _parsed(wire.decode(body), wire.decode_members(body))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise unreadable(error) from error


def inbound_count(body: bytes | memoryview) -> Parsed:
    """Parse a request for the length of a prompt; raises `InvalidRequest`."""
    parsed = inbound(body)
    assert isinstance(parsed.call, Generate)
    return msgspec.structs.replace(parsed, call=CountTokens(parsed.call))


def _parsed(request: wire.Request, members: dict[str, Raw]) -> Parsed:
    if not request.messages:
        raise InvalidRequest("There is no message to answer. Send at least one.", param="messages")
    talk = conversation(request.system, request.messages)
    is_plain = members.keys() <= PLAIN and not talk.defined and talk.effort is None
    more = NO_MORE if is_plain else _more(request, members, talk)
    choice = request.tool_choice
    call = Generate(
        model=request.model,
        messages=talk.messages,
        system=talk.system,
        sampling=_sampling(request),
        reasoning=more.wish.reasoning,
        output=more.output,
        tools=more.offered.tools,
        tool_choice=more.offered.choice,
        parallel_calls=not (isinstance(choice, wire.ToolChoice) and choice.disable_parallel_tool_use),
        stream=bool(request.stream),
    )
    dropped = (*more.dropped, *talk.dropped) if more.dropped or talk.dropped else ()
    paths = PATHS | more.paths | talk.paths if more.paths or talk.paths else PATHS
    style = Style(thinking=more.wish.shown, server_tools=any(type(tool) is BuiltIn for tool in call.tools))
    return Parsed(call, partial(MessagesWriter, style=style), dropped, paths, talk.remote, talk.families)


class _More(Struct, frozen=True, kw_only=True):
    """What a request asks beyond its messages and how tokens are chosen."""

    wish: Wish = Wish()
    output: Output = Output()
    offered: Tools = Tools()
    dropped: tuple[Dropped, ...] = ()
    paths: dict[str, str] = {}


NO_MORE = _More()


def _more(request: wire.Request, members: dict[str, Raw], talk: Conversation) -> _More:
    thinking = wish(request, talk.effort)
    output, output_paths = output_of(request)
    offered = tools(request, talk.defined, talk.withdrawn, talk.named)
    dropped = [
        *unknown(members, UNDERSTOOD),
        *_unknown_below(members.get("thinking"), THINKING, "thinking"),
        *_unknown_below(members.get("output_config"), OUTPUT_CONFIG, "output_config"),
    ]
    if request.service_tier and request.service_tier not in DEFAULT_TIERS:
        dropped.append(Dropped("service_tier", f"there is no tier {request.service_tier[:80]!r} upstream"))
    if request.speed and request.speed != "standard":
        dropped.append(Dropped("speed", "the upstream has one speed"))
    if not _is_kept(request):
        dropped.append(Dropped("context_management", "the conversation is sent as it is"))
    return _More(
        wish=thinking,
        output=output,
        offered=offered,
        dropped=(*dropped, *thinking.dropped, *offered.dropped),
        paths=thinking.paths | output_paths | offered.paths,
    )


def _unknown_below(raw: Raw | None, understood: frozenset[str], place: str) -> list[Dropped]:
    return [] if raw is None or not is_given(raw) else unknown(wire.decode_members(raw), understood, place)


def _is_kept(request: wire.Request) -> bool:
    """Whether the conversation stays as it is."""
    if not is_given(request.context_management):
        return True
    found = read_or_none(wire.decode_context, request.context_management)
    return found is not None and all((edit.type or "").startswith(KEPT_THINKING) for edit in found.edits or ())


def _sampling(request: wire.Request) -> Sampling:
    limit, stop = request.max_tokens, request.stop_sequences
    if limit is not None and limit <= 0:
        raise InvalidRequest("max_tokens must be greater than 0.", param="max_tokens")
    for name in NUMBERS:
        value: float | None = getattr(request, name)
        if value is not None and not math.isfinite(value):
            raise InvalidRequest(f"{name} must be a number.", param=name)
    return Sampling(
        temperature=request.temperature,
        top_p=request.top_p,
        top_k=request.top_k or None,
        max_output_tokens=limit,
        stop=tuple(text for text in ((stop,) if isinstance(stop, str) else stop or ()) if text),
    )
