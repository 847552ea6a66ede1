"""What a client says in Gemini's own words, merged over the rendered request last."""

from collections.abc import Mapping
from typing import cast

import msgspec
from msgspec import json
from msgspec.structs import replace

from gemgate.errors import InvalidRequest
from gemgate.hub.parts import JsonText
from gemgate.protocols.gemini import wire
from gemgate.protocols.gemini.spelling import camel

TWINS = {
    "thinkingBudget": "thinkingLevel",
    "thinkingLevel": "thinkingBudget",
    "responseSchema": "responseJsonSchema",
    "responseJsonSchema": "responseSchema",
}
"""Fields that exclude each other: the client's own word silences the other one."""

CATEGORY_NUMBERS = {
    7: "HARM_CATEGORY_HARASSMENT",
    8: "HARM_CATEGORY_HATE_SPEECH",
    9: "HARM_CATEGORY_SEXUALLY_EXPLICIT",
    10: "HARM_CATEGORY_DANGEROUS_CONTENT",
}


def overlaid(request: wire.Request, vendor: JsonText) -> bytes:
    """Encode a request with a JSON object of Gemini's request fields, in either spelling, merged over it.

    Objects are merged key by key, safety settings by category; tools and parts of the system text join the rendered
    ones. Turns are never decoded again; only whole `contents` replace them. Raises `InvalidRequest`.
    """
    rest = replace(request, contents=[], system_instruction=None)
    try:
        above = cast("dict[str, object]", camel(json.decode(vendor), wire.Request))
        below: dict[str, object] = {"contents": request.contents}
        if request.system_instruction is not None:
            below["systemInstruction"] = request.system_instruction
        below.update(json.decode(wire.encoder.encode(rest), type=dict[str, object]))
        return json.encode(_merged(below, above | _joined(request, below, above)))
    except RecursionError as error:
        raise InvalidRequest("The request is nested too deeply.", param="vendor") from error
    except msgspec.DecodeError as error:
        raise InvalidRequest(f"Gemini's own fields cannot be read: {error}.", param="vendor") from error


def _joined(request: wire.Request, below: Mapping[str, object], above: Mapping[str, object]) -> dict[str, object]:
    """Give the fields of which both sides hold a list, with the entries of both."""
    joined: dict[str, object] = {}
    if isinstance(above.get("tools"), list):
        tools = (*_list(below.get("tools")), *_list(above["tools"]))
        joined["tools"] = list({json.encode(tool): tool for tool in tools}.values())
    if isinstance(above.get("safetySettings"), list):
        settings = (*_list(below.get("safetySettings")), *_list(above["safetySettings"]))
        joined["safetySettings"] = list(dict(map(_by_category, settings)).values())
    told, system = request.system_instruction, above.get("systemInstruction")
    if told is not None and isinstance(system, dict):
        parts = [*told.parts, *_list(cast("dict[str, object]", system).get("parts"))]
        joined["systemInstruction"] = {"parts": parts}
    return joined


def _list(value: object) -> list[object]:
    return cast("list[object]", value) if isinstance(value, list) else []


def _by_category(setting: object) -> tuple[object, object]:
    """Give a safety setting with its category in Gemini's own spelling before it: one of each may be sent."""
    if not isinstance(setting, dict):
        return json.encode(setting), setting
    setting = cast("dict[str, object]", setting)
    category = setting.get("category")
    if isinstance(category, int):
        category = CATEGORY_NUMBERS.get(category, category)
    elif isinstance(category, str):
        category = category.upper()
    else:
        return json.encode(setting), setting
    return category, setting | {"category": category}


def _merged(below: object, above: object) -> object:
    if not (isinstance(below, dict) and isinstance(above, dict)):
        return above
    merged = dict(cast("dict[str, object]", below))
    for key, value in cast("dict[str, object]", above).items():
        merged.pop(TWINS.get(key, ""), None)
        merged[key] = _merged(merged[key], value) if key in merged else value
    return merged
