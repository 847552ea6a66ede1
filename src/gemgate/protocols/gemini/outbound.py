"""`Call` → the body of generateContent, streamGenerateContent or countTokens."""

from collections.abc import Sequence

import msgspec
from msgspec import Raw, Struct, json

from gemgate.errors import InvalidRequest
from gemgate.hub.abilities import Abilities
from gemgate.hub.call import Generate, Output
from gemgate.hub.codec import Dropped, Rendered
from gemgate.hub.parts import Detail, Media, Message, Part, Text
from gemgate.protocols.gemini import wire
from gemgate.protocols.gemini.generation import generation_config
from gemgate.protocols.gemini.media import fitted
from gemgate.protocols.gemini.names import accepted_names
from gemgate.protocols.gemini.overlay import overlaid
from gemgate.protocols.gemini.parts import FORMAT, from_hub
from gemgate.protocols.gemini.segments import segments
from gemgate.protocols.gemini.tools import offer
from gemgate.protocols.gemini.turns import ended, is_plain, shaped, signed
from gemgate.protocols.shared.json_words import json_words

SAFETY_OFF = Raw(
    json.encode(
        [
            {"category": f"HARM_CATEGORY_{name}", "threshold": "OFF"}
            for name in ("HARASSMENT", "HATE_SPEECH", "SEXUALLY_EXPLICIT", "DANGEROUS_CONTENT")
        ]
    )
)
"""The adjustable categories; callers who want filters set them."""


class _Conversation(Struct):
    """The turns and the system text as the model takes them, and how closely it shall look at all their media."""

    turns: Sequence[Message]
    system: tuple[Part, ...]
    detail: Detail | None = None


def outbound(call: Generate, abilities: Abilities) -> Rendered:
    """Render a request; what the model does not honour is left out and recorded.

    Raises `InvalidRequest` for what must not be left out.
    """
    dropped: list[Dropped] = []
    large: list[memoryview] = []
    plain = is_plain(call.messages) and not any(type(part) is Media for part in call.system)
    names = {} if plain and not call.tools else accepted_names(call)
    conversation = _conversation(call, abilities, dropped, plain=plain)
    # Contents before the system text: large media are marked in the order in which both are encoded.
    contents = _contents(conversation, names, large)
    offered = offer(call, abilities, names, dropped)
    hint = _json_hint(call.output, dropped) if offered.tools and not abilities.json_with_tools else ()
    request = wire.Request(
        contents=contents,
        system_instruction=_system((*conversation.system, *hint), names, large),
        tools=offered.tools,
        tool_config=offered.config,
        safety_settings=SAFETY_OFF,
        generation_config=generation_config(call, abilities, dropped, json_mode=not hint, detail=conversation.detail),
    )
    if call.vendor is not None and call.vendor.format == FORMAT:
        body = overlaid(request, call.vendor.raw)
    else:
        body = wire.encoder.encode(request)
    back = {wire_name: name for name, wire_name in names.items() if wire_name != name}
    return Rendered(segments(body, large), tuple(dropped), back)


def count_tokens(rendered: Rendered, model: str) -> bytes:
    """Render countTokens in the form that counts the system text and the tools too."""
    try:
        request = json.decode(b"".join(rendered.body), type=dict[str, Raw])
    except msgspec.DecodeError as error:
        raise InvalidRequest("The request cannot be rendered for Gemini.") from error
    request["model"] = Raw(json.encode(f"models/{model}"))
    return json.encode({"generateContentRequest": request})


def _conversation(call: Generate, abilities: Abilities, dropped: list[Dropped], *, plain: bool) -> _Conversation:
    """Bring the messages into the shape that the model insists on."""
    detail: Detail | None = None
    system = call.system
    if plain:
        turns = ended(call.messages, prefill=abilities.prefill)
    else:
        media = fitted(call.messages, system, detail_per_part=abilities.detail_per_part)
        turns = shaped(media.messages, prefill=abilities.prefill, media_in_results=abilities.media_in_results)
        system, detail = media.system, media.closest
        if len(media.details) > 1 or detail == "ultra_high":
            why = "this model looks at all media with one detail, the closest of what is asked that it can"
            dropped.append(Dropped("media.detail", why))
    images = "image" in abilities.output
    if abilities.signatures and (images or not plain):
        turns, lost = signed(turns, images=images)
        if lost:
            why = "a signature of the model's thinking was lost; the documented dummy stands in"
            dropped.append(Dropped("signatures", why))
    return _Conversation(turns, system, detail)


def _contents(conversation: _Conversation, names: dict[str, str], large: list[memoryview]) -> list[wire.Content]:
    contents = [wire.Content(turn.role, _parts(turn.parts, names, large)) for turn in conversation.turns]
    if not contents and conversation.system:
        # Gemini refuses a request without contents, and system text alone is a question all the same.
        contents = [wire.Content("user", _parts(conversation.system, names, large))]
    if not any(content.parts for content in contents):
        raise InvalidRequest("There is no message to answer. Send at least one with some content.", param="messages")
    return contents


def _parts(parts: tuple[Part, ...], names: dict[str, str], large: list[memoryview]) -> list[wire.Part]:
    made: list[wire.Part] = []
    for part in parts:
        if type(part) is Text and part.signature is None and part.vendor is None:  # by far the most frequent
            made.append(wire.Part(text=part.text))
        elif wired := from_hub(part, names, large):
            made.append(wired)
    return made


def _system(parts: tuple[Part, ...], names: dict[str, str], large: list[memoryview]) -> wire.Content | None:
    return wire.Content(parts=_parts(parts, names, large)) if parts else None


def _json_hint(output: Output, dropped: list[Dropped]) -> tuple[Part, ...]:
    """Ask for JSON in words where the model refuses JSON mode beside tools."""
    if not output.json and output.schema is None:
        return ()
    dropped.append(Dropped("output", "this model takes no JSON mode beside tools; it is asked for in the system text"))
    return (Text(json_words(output.schema)),)
