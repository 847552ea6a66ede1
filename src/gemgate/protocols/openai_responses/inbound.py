"""A request for a response → `Call`."""

import math
from collections.abc import Collection, Mapping, Sequence
from functools import partial

import msgspec
from msgspec import UNSET, Raw, Struct, json
from msgspec.structs import replace

from gemgate.errors import InvalidRequest
from gemgate.hub.call import Generate, Sampling
from gemgate.hub.codec import Dropped, Parsed
from gemgate.hub.parts import Message, ToolCall, Vendor
from gemgate.protocols.openai_responses import wire
from gemgate.protocols.openai_responses.conversation import Conversation, Past, conversation
from gemgate.protocols.openai_responses.style import Style
from gemgate.protocols.openai_responses.summing import summing
from gemgate.protocols.openai_responses.text_format import CHAT_FORMAT, Form, form_of
from gemgate.protocols.openai_responses.thinking import ENCRYPTED, Wish, told, wish
from gemgate.protocols.openai_responses.tools import Tools, tools
from gemgate.protocols.openai_responses.writer import ResponsesWriter
from gemgate.protocols.shared.empty import EMPTY, NOTHING
from gemgate.protocols.shared.native import GOOGLE
from gemgate.protocols.shared.nested import read as read_member
from gemgate.protocols.shared.raw_json import is_given
from gemgate.protocols.shared.reading import unreadable
from gemgate.protocols.shared.service_tiers import service_tier
from gemgate.protocols.shared.unknown import UNKNOWN, unknown

NO_EFFECT = frozenset(
    (
        "metadata",
        "user",
        "safety_identifier",
        "prompt_cache_key",
        "prompt_cache_retention",
        "prompt_cache_options",
        "client_metadata",
        "access_programs",
        "stream_options",
        "image",
        "type",
        "generate",
        "extra_headers",
        "extra_query",
        "timeout",
    )
)
"""Fields that change nothing in the answer, so that leaving them out loses nothing; some come with WebSockets alone."""

PENALTIES = ("presence_penalty", "frequency_penalty")
WITHOUT = {
    "max_tool_calls": "the model calls tools as often as it sees fit",
    "moderation": "the upstream has filters of its own, and does not tell what they say",
    "context_management": "the conversation is sent as it is",
}
"""What has nothing like it upstream, and why. `truncation` is not among them: all is sent, and a prompt that is too
long is an error that says so."""

UNDERSTOOD = (
    frozenset(field.encode_name for field in msgspec.structs.fields(wire.Request))
    | NO_EFFECT
    | WITHOUT.keys()
    | {CHAT_FORMAT, *PENALTIES}
)

PLAIN = NO_EFFECT | {
    "model",
    "input",
    "instructions",
    "stream",
    "store",
    "background",
    "previous_response_id",
    "conversation",
    "max_output_tokens",
    "temperature",
    "top_p",
    "include",
    "truncation",
    "parallel_tool_calls",
}
"""Fields of plain requests: with no others nothing else need be looked for."""

LOGPROBS = "message.output_text.logprobs"
INCLUDED = frozenset(
    (
        "",
        LOGPROBS,
        ENCRYPTED,
        "web_search_call.action.sources",
        "code_interpreter_call.outputs",
        "message.input_image.image_url",
        "file_search_call.results",
        "computer_call_output.output.image_url",
    )
)
"""What is there in any case, is read elsewhere, or belongs to tools, which tell themselves where they are lost."""
MISSING = "missing_required_parameter"

PATHS = {
    "messages": "input",
    "system": "instructions",
    "media.detail": "detail",
    "signatures": ENCRYPTED,
    "sampling.temperature": "temperature",
    "sampling.top_p": "top_p",
    "sampling.presence_penalty": "presence_penalty",
    "sampling.frequency_penalty": "frequency_penalty",
    "sampling.logprobs": "top_logprobs",
    "sampling.max_output_tokens": "max_output_tokens",
    # What the request does not say of thinking, a suffix of the model's name does.
    "reasoning.effort": "model",
    "reasoning.budget_tokens": "model",
    "reasoning.include_thoughts": "model",
    "output": "text.format",
    "output.schema": "text.format.schema",
    "vendor": "service_tier",
}

NO_PAST = Past()
NO_STYLE = Style()

decode_number = json.Decoder(float | None, strict=False).decode
decode_count = json.Decoder(int | None, strict=False).decode


class Asked(Struct, frozen=True):
    """A request as it was read: what is known of it, and all its members."""

    request: wire.Request
    members: dict[str, Raw]


def read(body: bytes | memoryview, *, counts: bool = False) -> Asked:
    """Read a request body and look at what can be told without the past; raises `InvalidRequest`.

    `counts` is for a request that is only to be counted: it need not ask for anything.
    """
    try:
        asked = Asked(wire.decode(body), wire.decode_members(body))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise unreadable(error) from error
    _check(asked.request)
    if isinstance(asked.request.conversation, wire.Conversation):
        _check_conversation(asked.members["conversation"])
    if not counts:
        _check_input(asked)
    return asked


def understood(asked: Asked, past: Past = NO_PAST, style: Style = NO_STYLE) -> Parsed:
    """Translate a request; raises `InvalidRequest`, and `NotFound` for a reference to nothing.

    `past` is what it goes on from. `style` is how the surface wants the answer; what the request says is filled in.
    """
    try:
        return _parsed(asked.request, asked.members, past, style)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise unreadable(error) from error


def inbound(body: bytes | memoryview) -> Parsed:
    """Parse a request for an answer without what the server keeps; raises `InvalidRequest`."""
    return understood(read(body))


def _check(request: wire.Request) -> None:
    if not request.model:
        raise InvalidRequest("The request names no model; it is required.", param="model", code=MISSING)
    if is_given(request.prompt) and bytes(request.prompt) not in EMPTY:
        raise InvalidRequest(
            "prompt names a template that is kept elsewhere; this server has none. Send instructions and input.",
            param="prompt",
            code="unsupported_parameter",
        )
    if request.previous_response_id and request.conversation_id:
        raise InvalidRequest(
            "previous_response_id and conversation exclude each other. Send one of them.",
            param="previous_response_id",
            code="mutually_exclusive_parameters",
        )
    if request.background and request.store is False:
        raise InvalidRequest(
            "An answer that is made in the background must be stored to be asked for. Leave out store.",
            param="background",
        )


def _check_conversation(raw: Raw) -> None:
    members = wire.decode_members(raw)
    if members and "id" not in members:
        raise InvalidRequest("A conversation is named by its id.", param="conversation.id", code=MISSING)


def _check_input(asked: Asked) -> None:
    request = asked.request
    if not (is_given(request.input) or request.previous_response_id or request.conversation_id):
        chats = _is_said(asked.members, "messages")
        raise InvalidRequest(
            "There is nothing to answer. Send input, or a previous_response_id or a conversation to go on from."
            + (" messages is Chat's; here it is input." if chats else ""),
            param="input",
            code=MISSING,
        )


def _parsed(request: wire.Request, members: dict[str, Raw], past: Past, style: Style) -> Parsed:
    talk = conversation(request.input, past, request.instructions)
    is_plain = members.keys() <= PLAIN and not talk.defined
    more = NO_MORE if is_plain else _more(request, members, talk)
    call = Generate(
        model=request.model,
        messages=talk.messages,
        system=talk.system,
        sampling=_sampling(request, more.penalties),
        reasoning=more.wish.reasoning,
        output=more.form.output,
        tools=more.offered.tools,
        tool_choice=more.offered.choice,
        parallel_calls=request.parallel_tool_calls is not False,
        stream=bool(request.stream),
        vendor=more.vendor,
    )
    style = replace(style, echo=members, called=more.offered.called, reasoning=told(request), compacts=talk.compacts)
    if talk.compacts:
        call = summing(call)
    dropped = (*more.dropped, *talk.dropped) if more.dropped or talk.dropped else ()
    if request.include:
        dropped += _not_included(request.include)
    paths = PATHS | more.paths | talk.paths if more.paths or talk.paths else PATHS
    if not request.top_logprobs and call.sampling.logprobs is not None:
        paths = paths | {"sampling.logprobs": "include"}
    return Parsed(call, partial(ResponsesWriter, style=style), dropped, paths, talk.remote, talk.families)


class _More(Struct, frozen=True, kw_only=True):
    """What a request asks beyond its messages and how tokens are chosen."""

    wish: Wish = Wish()
    form: Form = Form()
    offered: Tools = Tools()
    penalties: Mapping[str, float] = {}
    vendor: Vendor | None = None
    dropped: tuple[Dropped, ...] = ()
    paths: dict[str, str] = {}


NO_MORE = _More()


def _more(request: wire.Request, members: dict[str, Raw], talk: Conversation) -> _More:
    wished = wish(request.reasoning, members.get("reasoning"))
    form = form_of(request.text, members.get(CHAT_FORMAT, UNSET))
    offered = tools(request, talk.defined, lambda: _called(talk.messages))
    dropped = unknown(members, UNDERSTOOD)
    dropped += (Dropped(name, why) for name, why in WITHOUT.items() if _is_said(members, name))
    tier = service_tier(request.service_tier, dropped)
    if "max_tool_calls" in members:
        _check_count("max_tool_calls", read_member(decode_count, members["max_tool_calls"], "max_tool_calls"))
    return _More(
        wish=wished,
        form=form,
        offered=offered,
        penalties=_penalties(members),
        vendor=Vendor(GOOGLE, json.encode({"service_tier": tier}).decode()) if tier is not None else None,
        dropped=(*dropped, *wished.dropped, *form.dropped, *offered.dropped),
        paths=wished.paths | form.paths | offered.paths,
    )


def _not_included(asked: Sequence[str]) -> tuple[Dropped, ...]:
    """Record what is to be included and cannot be."""
    return tuple(Dropped(f"include.{at}", UNKNOWN) for at, name in enumerate(asked) if name not in INCLUDED)


def _is_said(members: Mapping[str, Raw], name: str) -> bool:
    return name in members and bytes(members[name]) not in NOTHING


def _called(messages: Collection[Message]) -> set[str]:
    """Name the functions that the conversation has called."""
    return {part.name for message in messages for part in message.parts if isinstance(part, ToolCall)}


def _sampling(request: wire.Request, penalties: Mapping[str, float]) -> Sampling:
    for name, count in (("max_output_tokens", request.max_output_tokens), ("top_logprobs", request.top_logprobs)):
        _check_count(name, count)
    for name, value in (("temperature", request.temperature), ("top_p", request.top_p)):
        _check_number(name, value)
    wants_logprobs = bool(request.top_logprobs) or LOGPROBS in (request.include or ())
    return Sampling(
        temperature=request.temperature,
        top_p=request.top_p,
        max_output_tokens=request.max_output_tokens or None,
        presence_penalty=penalties.get("presence_penalty"),
        frequency_penalty=penalties.get("frequency_penalty"),
        logprobs=(request.top_logprobs or 0) if wants_logprobs else None,
    )


def _penalties(members: Mapping[str, Raw]) -> dict[str, float]:
    found: dict[str, float] = {}
    for name in PENALTIES:
        value = read_member(decode_number, members[name], name) if name in members else None
        _check_number(name, value)
        if value:
            found[name] = value
    return found


def _check_count(name: str, count: int | None) -> None:
    if count is not None and count < 0:
        raise InvalidRequest(f"{name} must not be negative.", param=name, code="integer_below_min_value")


def _check_number(name: str, value: float | None) -> None:
    if value is not None and not math.isfinite(value):
        raise InvalidRequest(f"{name} must be a number.", param=name)
