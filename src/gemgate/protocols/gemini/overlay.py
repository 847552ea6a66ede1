"""What a client says in Gemini's own words, merged over the rendered request last."""

from typing import cast

from msgspec import Raw, json
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


def overlaid(request: wire.Request, vendor: JsonText) -> bytes:
    """Encode a request with a JSON object of Gemini's request fields, in either spelling, merged over it.

    Objects are merged key by key. Turns and system text are never decoded again; only a whole one replaces them.
    """
    merged: dict[str, object] = {"contents": Raw(wire.encoder.encode(request.contents))}
    if request.system_instruction is not None:
        merged["systemInstruction"] = Raw(wire.encoder.encode(request.system_instruction))
    rest = replace(request, contents=[], system_instruction=None)
    try:
        above = camel(json.decode(vendor), wire.Request)
        merged.update(json.decode(wire.encoder.encode(rest), type=dict[str, object]))
        return json.encode(_merged(merged, above))
    except RecursionError as error:
        raise InvalidRequest("The request is nested too deeply.", param="vendor") from error


def _merged(below: object, above: object) -> object:
    if not (isinstance(below, dict) and isinstance(above, dict)):
        return above
    merged = dict(cast("dict[str, object]", below))
    for key, value in cast("dict[str, object]", above).items():
        merged.pop(TWINS.get(key, ""), None)
        merged[key] = _merged(merged[key], value) if key in merged else value
    return merged
