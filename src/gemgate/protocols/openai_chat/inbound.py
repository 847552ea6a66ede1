"""A chat completion request → `Call`."""

import math
from collections.abc import Sequence
from functools import partial

import msgspec
from msgspec import UNSET, Raw, Struct, json

from gemgate.errors import InvalidRequest
from gemgate.hub.call import Generate, Output, Reasoning, Sampling
from gemgate.hub.codec import Dropped, Parsed
from gemgate.hub.parts import Vendor
from gemgate.protocols.openai_chat import wire
from gemgate.protocols.openai_chat.extensions import CONFIG, Extension, extension, reasoning
from gemgate.protocols.openai_chat.generation_config import MAX_CHOICES, NUMBERS
from gemgate.protocols.openai_chat.messages import conversation
from gemgate.protocols.openai_chat.parts_left import unknown_parts
from gemgate.protocols.openai_chat.style import AudioFormat, Images, Style
from gemgate.protocols.openai_chat.tools import Tools, tools
from gemgate.protocols.openai_chat.writer import ChatWriter
from gemgate.protocols.shared.answer_form import output_of, unknown_form
from gemgate.protocols.shared.empty import NOTHING
from gemgate.protocols.shared.native import GOOGLE
from gemgate.protocols.shared.raw_json import JsonField
from gemgate.protocols.shared.reading import unreadable
from gemgate.protocols.shared.service_tiers import service_tier
from gemgate.protocols.shared.unknown import UNKNOWN, unknown
from gemgate.protocols.shared.voices import voice

NO_EFFECT = frozenset(
    (
        "user",
        "metadata",
        "store",
        "safety_identifier",
        "prompt_cache_key",
        "prompt_cache_retention",
        "prompt_cache_options",
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
    "stream",
    "stream_options",
    "temperature",
    "top_p",
    "top_k",
    "max_tokens",
    "max_completion_tokens",
    "stop",
    "seed",
    "n",
    "presence_penalty",
    "frequency_penalty",
}
"""Fields of plain requests, which most are: with no others nothing else need be looked for."""

DEFAULTS = {"verbosity": b'"medium"'}
"""Values that ask for what happens anyway."""

FORM = "response_format"
MODALITIES = ("text", "image", "audio")
AUDIO_FORMATS: dict[str, AudioFormat] = {"wav": "wav", "pcm16": "pcm16", "pcm": "pcm16"}

PATHS = {
    "media.detail": "detail",
    "signatures": "thought_signature",
    "sampling.temperature": "temperature",
    "sampling.top_p": "top_p",
    "sampling.top_k": "top_k",
    "sampling.stop": "stop",
    "sampling.seed": "seed",
    "sampling.presence_penalty": "presence_penalty",
    "sampling.frequency_penalty": "frequency_penalty",
    "sampling.logprobs": "logprobs",
    "sampling.candidates": "n",
    "sampling.max_output_tokens": "max_tokens",
    # What the request does not say of thinking, a suffix of the model's name does.
    "reasoning.effort": "model",
    "reasoning.budget_tokens": "model",
    "reasoning.include_thoughts": "model",
    "output": "response_format",
    "output.schema": "response_format.json_schema.schema",
    "output.modalities": "modalities",
}


def inbound(body: bytes | memoryview, *, images: Images = "content") -> Parsed:
    """Parse a request body; raises `InvalidRequest`.

    `images` is where images of the answer go if the request does not say: into `content` as markdown, or into the
    field `images`.
    """
    try:
        return _parsed(wire.decode(body), wire.decode_members(body), images)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise unreadable(error) from error


def _parsed(request: wire.Request, members: dict[str, Raw], images: Images) -> Parsed:
    if not request.messages:
        raise InvalidRequest("There is no message to answer. Send at least one.", param="messages")
    talk = conversation(request.messages)
    sampling = _sampling(request)
    more = NO_MORE if members.keys() <= PLAIN else _more(request, members, sampling)
    offered = more.offered
    call = Generate(
        model=request.model,
        messages=talk.messages,
        system=talk.system,
        sampling=more.sampling or sampling,
        reasoning=more.reasoning,
        output=more.output,
        tools=offered.tools,
        tool_choice=offered.choice,
        parallel_calls=request.parallel_tool_calls is not False and not request.functions,
        stream=bool(request.stream),
        vendor=more.vendor,
    )
    options = request.stream_options
    style = Style(
        include_usage=options is not None and bool(options.include_usage),
        images="field" if request.modalities and "image" in more.output.modalities else images,
        custom=offered.custom,
        legacy_calls=bool(request.functions) and not request.tools,
        audio=more.audio,
    )
    lost = unknown_parts(members["messages"]) if talk.listed else []
    dropped = (*more.dropped, *talk.dropped, *lost) if more.dropped or talk.dropped or lost else ()
    paths = PATHS | more.paths | talk.paths if more.paths or talk.paths else PATHS
    if request.max_completion_tokens:
        paths = paths | {"sampling.max_output_tokens": "max_completion_tokens"}
    return Parsed(call, partial(ChatWriter, style=style), dropped, paths, talk.remote)


class _More(Struct, frozen=True, kw_only=True):
    """What a request asks beyond its messages and how tokens are chosen."""

    sampling: Sampling | None = None
    reasoning: Reasoning = Reasoning()
    output: Output = Output()
    offered: Tools = Tools()
    vendor: Vendor | None = None
    audio: AudioFormat = "pcm16"
    dropped: tuple[Dropped, ...] = ()
    paths: dict[str, str] = {}


NO_MORE = _More()


def _more(request: wire.Request, members: dict[str, Raw], sampling: Sampling) -> _More:
    beyond = extension(request)
    wish, paths = reasoning(request, beyond)
    offered = tools(request, beyond.tools)
    modalities = _modalities(request.modalities or (), "modalities")
    if not request.modalities:
        where = f"{beyond.settings.path}.response_modalities"
        modalities = _modalities(beyond.settings.modalities, where) or tuple(map(str.lower, beyond.settings.modalities))
        paths |= {"output.modalities": where} if modalities else {}
    vendor, dropped = _vendor(request, beyond)
    dropped += unknown_form(members.get("response_format"), FORM)
    sampling = beyond.settings.filled(sampling, paths, dropped)
    output = beyond.settings.shaped(
        output_of(request.response_format, FORM, flat=False, modalities=modalities), paths, dropped
    )
    paths["vendor"] = beyond.path if request.safety_settings is UNSET else "safety_settings"
    return _More(
        sampling=sampling,
        reasoning=wish,
        output=output,
        offered=offered,
        vendor=vendor,
        audio=_audio_format(request, modalities),
        dropped=(*_unknown(members), *_unknown_extras(members), *offered.dropped, *dropped),
        paths=paths | offered.paths,
    )


def _unknown(members: dict[str, Raw]) -> list[Dropped]:
    """Record what is not known. Empty values ask for nothing."""
    dropped: list[Dropped] = []
    for name, raw in members.items():
        if name in UNDERSTOOD:
            continue
        value = bytes(raw)
        if value == DEFAULTS.get(name) or (value in NOTHING and name not in DEFAULTS) or value == b"null":
            continue
        dropped.append(Dropped(name, UNKNOWN))
    return dropped


def _unknown_extras(members: dict[str, Raw]) -> list[Dropped]:
    """Record what `extra_body` holds beside `google`."""
    return unknown(wire.decode_extras(members.get("extra_body", b"null")) or {}, {"google"}, "extra_body")


def _sampling(request: wire.Request) -> Sampling:
    limit = request.max_completion_tokens or request.max_tokens or 0
    stop = [request.stop] if isinstance(request.stop, str) else request.stop or []
    for name in NUMBERS:
        value: float | None = getattr(request, name)
        if value is not None and not math.isfinite(value):
            raise InvalidRequest(f"{name} must be a number.", param=name)
    if request.n is not None and request.n > MAX_CHOICES:
        raise InvalidRequest(f"At most {MAX_CHOICES} choices at once.", param="n")
    wants_logprobs = bool(request.logprobs) or bool(request.top_logprobs)
    return Sampling(
        temperature=request.temperature,
        top_p=request.top_p,
        top_k=request.top_k or None,
        max_output_tokens=limit if limit > 0 else None,
        stop=tuple(text for text in stop if text),
        seed=request.seed if request.seed is not None else _seen(request.seen),
        presence_penalty=request.presence_penalty or None,
        frequency_penalty=request.frequency_penalty or None,
        logprobs=max(request.top_logprobs or 0, 0) if wants_logprobs else None,
        candidates=max(request.n or 1, 1),
    )


def _seen(raw: JsonField) -> int | None:
    """Read `seen`, a slip for `seed` in the pages of one service; anything but a number is left alone."""
    if raw is UNSET:
        return None
    try:
        return json.decode(raw, type=int, strict=False)
    except msgspec.MsgspecError:
        return None


def _modalities(given: Sequence[str], path: str) -> tuple[str, ...]:
    """Say what the answer is made of; text alone is what every model does if nothing is said."""
    asked = [word.lower() for word in given]
    for word in asked:
        if word not in MODALITIES:
            known = ", ".join(MODALITIES)
            raise InvalidRequest(f"{word[:80]!r} is no modality. It is one of {known}.", param=path)
    if "audio" in asked:
        return ("audio",)  # what speaks writes nothing beside it
    return tuple(dict.fromkeys(asked)) if "image" in asked else ()


def _audio_format(request: wire.Request, modalities: tuple[str, ...]) -> AudioFormat:
    asked = (request.audio.format if request.audio is not None else None) or "pcm16"
    if "audio" not in modalities:
        return "pcm16"
    if asked not in AUDIO_FORMATS:
        raise InvalidRequest(
            f"{asked[:80]!r} is no format that this server makes. It is wav or pcm16.", param="audio.format"
        )
    if AUDIO_FORMATS[asked] == "wav" and request.stream:
        raise InvalidRequest("A stream's sound is pcm16. Ask for that, or for no stream.", param="audio.format")
    return AUDIO_FORMATS[asked]


def _vendor(request: wire.Request, extension: Extension) -> tuple[Vendor | None, list[Dropped]]:
    """Gather what only Gemini's own codec understands."""
    native = dict(extension.native)
    dropped: list[Dropped] = []
    tier = service_tier(request.service_tier, dropped)
    if tier is not None:
        native["service_tier"] = tier
    if request.audio is not None and request.audio.voice:
        given = request.audio.voice
        name = given if isinstance(given, str) else given.id or given.name
        config = native.setdefault(CONFIG, {})
        assert isinstance(config, dict)
        if name and "speech_config" not in config:
            config["speech_config"] = {"voice_config": {"prebuilt_voice_config": {"voice_name": voice(name)}}}
        if not config:
            del native[CONFIG]
    return (Vendor(GOOGLE, json.encode(native).decode()) if native else None), dropped
