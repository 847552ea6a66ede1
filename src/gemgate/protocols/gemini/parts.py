"""Gemini's parts ↔ the hub's, both ways: what one way takes, the other gives back."""

from typing import assert_never, cast, get_args

from msgspec import UNSET, Raw, json

from gemgate.hub.parts import (
    Code,
    CodeResult,
    Detail,
    Inline,
    JsonText,
    Media,
    Opaque,
    Part,
    Remote,
    Signature,
    Text,
    Thought,
    ToolCall,
    ToolResult,
    Uri,
    Vendor,
)
from gemgate.protocols.gemini import wire
from gemgate.protocols.gemini.segments import placed

FORMAT = "gemini"

OUTCOMES = {"OUTCOME_OK": "ok", "OUTCOME_FAILED": "failed", "OUTCOME_DEADLINE_EXCEEDED": "deadline_exceeded"}
OUTCOME_NAMES = {hub: name for name, hub in OUTCOMES.items()}

RESOLUTIONS: dict[Detail, Raw] = {
    detail: Raw(json.encode({"level": f"MEDIA_RESOLUTION_{detail.upper()}"})) for detail in get_args(Detail)
}


def signature(part: wire.Part) -> Signature | None:
    """Take a part's signature."""
    return Signature(FORMAT, part.thought_signature) if part.thought_signature else None


def modifiers(part: wire.Part) -> Vendor | None:
    """Gather what only Gemini says about a part."""
    found: dict[str, object] = {
        name: value for attribute, name in wire.MODIFIERS.items() if (value := getattr(part, attribute)) is not UNSET
    }
    result = part.function_response
    if result is not None and result.scheduling:
        found["scheduling"] = result.scheduling
    if result is not None and result.will_continue:
        found["willContinue"] = True
    return Vendor(FORMAT, json.encode(found).decode()) if found else None


def to_hub(part: wire.Part, names: dict[str, str]) -> Part | None:
    """Translate a complete part; `None` if it is of a kind newer than this file."""
    mark, extra = signature(part), modifiers(part)
    if (call := part.function_call) is not None:
        # Whole replies are indented as a page; streamed ones are not.
        arguments = "{}" if call.args is UNSET else json.format(call.args, indent=-1).decode()
        return ToolCall(call.id, names.get(call.name, call.name), arguments, mark, extra)
    if (result := part.function_response) is not None:
        response = "{}" if result.response is UNSET else bytes(result.response).decode()
        media = tuple(item for inner in result.parts if isinstance(item := to_hub(inner, names), Media))
        return ToolResult(result.id, result.name, response, media, mark, extra)
    if (blob := part.inline_data) is not None:
        return Media(blob.mime_type, Inline(blob.data), part.thought, mark, extra)
    if (file := part.file_data) is not None:
        return Media(file.mime_type, Uri(file.file_uri), part.thought, mark, extra)
    if (code := part.executable_code) is not None:
        return Code(code.id, code.language.lower(), code.code, mark, extra)
    if (outcome := part.code_execution_result) is not None:
        return CodeResult(outcome.id, OUTCOMES.get(outcome.outcome, outcome.outcome), outcome.output, mark, extra)
    if part.text is not None:
        return (Thought if part.thought else Text)(part.text, mark, extra)
    return None


def from_hub(part: Part, names: dict[str, str], large: list[memoryview] | None = None) -> wire.Part | None:
    """Translate a part for Gemini; `None` if it belongs to another format alone.

    `names` maps the client's function names to those that Gemini accepts. Large media join `large`, if given, and are
    marked in the part (`segments`); otherwise they are copied.
    """
    match part:
        case Text():
            made = wire.Part(text=part.text)
        case Thought():
            made = wire.Part(text=part.text, thought=True)
        case Media():
            made = _media(part, large)
        case ToolCall():
            call = wire.FunctionCall(part.id, names.get(part.name, part.name), raw(part.arguments))
            made = wire.Part(function_call=call)
        case ToolResult():
            media = [_media(inner, large) for inner in part.media]
            name = names.get(part.name, part.name)
            made = wire.Part(function_response=wire.FunctionResponse(part.id, name, raw(part.response), media))
        case Code():
            made = wire.Part(executable_code=wire.ExecutableCode(part.id, part.language.upper(), part.code))
        case CodeResult():
            outcome = OUTCOME_NAMES.get(part.outcome, part.outcome)
            made = wire.Part(code_execution_result=wire.CodeExecutionResult(part.id, outcome, part.output))
        case Opaque():
            # An encoder writes raw JSON where it meets it; the type of the list need not know.
            return cast("wire.Part", raw(part.vendor.raw)) if part.vendor.format == FORMAT else None
        case _:
            assert_never(part)
    if part.signature is not None and part.signature.format == FORMAT:
        made.thought_signature = part.signature.value
    if part.vendor is not None and part.vendor.format == FORMAT:
        _restore(made, part.vendor.raw)
    return made


def _media(part: Media, large: list[memoryview] | None) -> wire.Part:
    match part.source:
        case Inline(data=data):
            made = wire.Part(inline_data=wire.Blob(part.mime_type, placed(data, large)), thought=part.thought)
        case Uri(uri=uri):
            made = wire.Part(file_data=wire.FileData(part.mime_type, uri), thought=part.thought)
        case Remote():
            raise AssertionError("media at an address are brought in before a request is rendered")
        case _:
            assert_never(part.source)
    if part.detail is not None:
        made.media_resolution = RESOLUTIONS[part.detail]
    return made


def raw(text: JsonText) -> Raw:
    """Hold JSON text for the encoder to write as it is."""
    return Raw(text.encode())


def _restore(made: wire.Part, vendor: JsonText) -> None:
    found = json.decode(vendor, type=dict[str, Raw])
    for attribute, name in wire.MODIFIERS.items():
        if name in found:
            setattr(made, attribute, found[name])
    if made.function_response is not None:
        if "scheduling" in found:
            made.function_response.scheduling = json.decode(found["scheduling"], type=str)
        made.function_response.will_continue = "willContinue" in found
