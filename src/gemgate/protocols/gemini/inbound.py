"""The body of generateContent or countTokens → `Call`, for upstreams that do not speak Gemini's language."""

import math
from functools import partial
from typing import cast, get_args

import msgspec
from msgspec import UNSET, json

from gemgate.errors import InvalidRequest
from gemgate.hub.call import (
    BuiltIn,
    BuiltInKind,
    CountTokens,
    Effort,
    Function,
    Generate,
    OpaqueTool,
    Output,
    Reasoning,
    Sampling,
    Tool,
    ToolChoice,
    ToolMode,
)
from gemgate.hub.codec import Dropped, Parsed
from gemgate.hub.parts import JsonText, Message, Opaque, Part, Vendor
from gemgate.protocols.gemini import wire
from gemgate.protocols.gemini.parts import FORMAT, to_hub
from gemgate.protocols.gemini.schema import json_schema
from gemgate.protocols.gemini.spelling import camel
from gemgate.protocols.gemini.writer import Framing, GeminiWriter
from gemgate.protocols.shared.reading import unreadable

PATHS = {
    "messages": "contents",
    "system": "systemInstruction",
    "sampling.temperature": "generationConfig.temperature",
    "sampling.top_p": "generationConfig.topP",
    "sampling.top_k": "generationConfig.topK",
    "sampling.max_output_tokens": "generationConfig.maxOutputTokens",
    "sampling.stop": "generationConfig.stopSequences",
    "sampling.seed": "generationConfig.seed",
    "sampling.presence_penalty": "generationConfig.presencePenalty",
    "sampling.frequency_penalty": "generationConfig.frequencyPenalty",
    "sampling.logprobs": "generationConfig.responseLogprobs",
    "sampling.candidates": "generationConfig.candidateCount",
    "reasoning": "generationConfig.thinkingConfig",
    "reasoning.effort": "generationConfig.thinkingConfig.thinkingLevel",
    "reasoning.budget_tokens": "generationConfig.thinkingConfig.thinkingBudget",
    "reasoning.include_thoughts": "generationConfig.thinkingConfig.includeThoughts",
    "output": "generationConfig.responseMimeType",
    "output.json": "generationConfig.responseMimeType",
    "output.modalities": "generationConfig.responseModalities",
    "output.schema": "generationConfig.responseSchema",
    "tool_choice": "toolConfig",
    "vendor": "safetySettings",
}

MODES: dict[str, ToolMode] = {"AUTO": "auto", "NONE": "none", "ANY": "required", "VALIDATED": "validated"}
BUILT_INS: dict[str, BuiltInKind] = {
    "google_search": "web_search",
    "code_execution": "code_execution",
    "url_context": "url_context",
    "google_maps": "maps",
}
ONLY_GEMINI = {
    "speech_config": "generationConfig.speechConfig",
    "image_config": "generationConfig.imageConfig",
    "media_resolution": "generationConfig.mediaResolution",
    "response_format": "generationConfig.responseFormat",
}
"""Settings that no other upstream has a word for, with their paths."""


def inbound_generate(body: bytes | memoryview, *, model: str, stream: bool, framing: Framing = "sse") -> Parsed:
    """Parse a request for an answer; raises `InvalidRequest`."""
    document = _document(body)
    request = _request(document)
    dropped: list[Dropped] = []
    config = request.generation_config or wire.GenerationConfig()
    for attribute, path in ONLY_GEMINI.items():
        if getattr(config, attribute) is not UNSET:
            dropped.append(Dropped(path, "only Gemini itself has this setting"))
    if request.cached_content:
        raise InvalidRequest("Cached content lives at Gemini; this upstream cannot reach it.", param="cachedContent")
    system = request.system_instruction.parts if request.system_instruction else []
    call = Generate(
        model=model,
        messages=tuple(_message(content) for content in request.contents),
        system=tuple(_part(part) for part in system),
        sampling=_sampling(config),
        reasoning=_reasoning(config.thinking_config),
        output=_output(config),
        tools=_tools(document),
        tool_choice=_choice(request.tool_config),
        stream=stream,
        vendor=_vendor(request),
    )
    return Parsed(call, partial(GeminiWriter, framing=framing), tuple(dropped), PATHS)


def inbound_count(body: bytes | memoryview, *, model: str) -> Parsed:
    """Parse countTokens in both its forms: contents alone, or a whole `generateContentRequest`."""
    document = _document(body)
    inner = document.get("generateContentRequest", document.get("generate_content_request"))
    parsed = inbound_generate(json.encode(inner) if inner is not None else body, model=model, stream=False)
    assert isinstance(parsed.call, Generate)
    return Parsed(CountTokens(parsed.call), parsed.write, parsed.dropped, parsed.paths)


def _document(body: bytes | memoryview) -> dict[str, object]:
    try:
        return json.decode(body, type=dict[str, object])
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise unreadable(error) from error


def _request(document: dict[str, object]) -> wire.Request:
    try:
        return wire.decode_request(json.encode(camel(document, wire.Request)))
    except (msgspec.MsgspecError, RecursionError) as error:
        raise unreadable(error) from error


def _message(content: wire.Content) -> Message:
    role = "model" if content.role == "model" else "user"
    return Message(role, tuple(_part(part) for part in content.parts))


def _part(part: wire.Part) -> Part:
    return to_hub(part, {}) or Opaque(Vendor(FORMAT, wire.encoder.encode(part).decode()))


def _sampling(config: wire.GenerationConfig) -> Sampling:
    for attribute in ("temperature", "top_p", "top_k", "presence_penalty", "frequency_penalty"):
        if not math.isfinite(getattr(config, attribute) or 0.0):
            path = PATHS[f"sampling.{attribute}"]
            raise InvalidRequest(f"{path} must be a number.", param=path)
    return Sampling(
        temperature=config.temperature,
        top_p=config.top_p,
        top_k=None if config.top_k is None else int(config.top_k),
        max_output_tokens=config.max_output_tokens or None,
        stop=tuple(stop for stop in config.stop_sequences if stop),
        seed=config.seed,
        presence_penalty=config.presence_penalty or None,
        frequency_penalty=config.frequency_penalty or None,
        logprobs=(config.logprobs or 0) if config.response_logprobs else None,
        candidates=config.candidate_count or 1,
    )


def _reasoning(config: wire.ThinkingConfig | None) -> Reasoning:
    if config is None:
        return Reasoning()
    level = (config.thinking_level or "").lower().removeprefix("thinking_level_")
    if level and config.thinking_budget is not None:
        raise InvalidRequest(
            "thinkingBudget and thinkingLevel exclude each other. Send one of them.",
            param="generationConfig.thinkingConfig",
        )
    if level in ("xhigh", "max"):
        level = "max"
    effort = cast("Effort", level) if level in get_args(Effort) else None
    return Reasoning(
        effort=effort, budget_tokens=config.thinking_budget, include_thoughts=config.include_thoughts or None
    )


def _output(config: wire.GenerationConfig) -> Output:
    schema: JsonText | None = None
    if config.response_json_schema is not UNSET:
        schema = bytes(config.response_json_schema).decode()
    elif config.response_schema is not UNSET:
        schema = json_schema(bytes(config.response_schema).decode())
    modalities = tuple(modality.lower() for modality in config.response_modalities)
    return Output(
        modalities=() if modalities == ("text",) else modalities,
        json=config.response_mime_type == "application/json",
        schema=schema,
    )


def _tools(document: dict[str, object]) -> tuple[Tool, ...]:
    """Read tools from the document itself, so that a tool this file does not know is kept whole."""
    made: list[Tool] = []
    entries = camel(document.get("tools") or [], wire.Tool)
    for entry in cast("list[object]", entries if isinstance(entries, list) else [entries]):
        if not isinstance(entry, dict):
            raise InvalidRequest("A tool must be an object.", param="tools")
        known = json.decode(json.encode(cast("dict[str, object]", entry)), type=wire.Tool)
        made += (_function(declaration) for declaration in known.function_declarations)
        for attribute, kind in BUILT_INS.items():
            settings = getattr(known, attribute)
            if settings is not UNSET:
                made.append(BuiltIn(kind, Vendor(FORMAT, bytes(settings).decode())))
        names = {field.encode_name for field in msgspec.structs.fields(wire.Tool)}
        unknown = {key: value for key, value in cast("dict[str, object]", entry).items() if key not in names}
        if unknown:
            made.append(OpaqueTool(Vendor(FORMAT, json.encode(unknown).decode())))
    return tuple(made)


def _function(declaration: wire.FunctionDeclaration) -> Function:
    parameters: JsonText | None = None
    if declaration.parameters_json_schema is not UNSET:
        parameters = bytes(declaration.parameters_json_schema).decode()
    elif declaration.parameters is not UNSET:
        parameters = json_schema(bytes(declaration.parameters).decode())
    extras: dict[str, object] = {}
    if declaration.response is not UNSET:
        extras["response"] = declaration.response
    if declaration.response_json_schema is not UNSET:
        extras["responseJsonSchema"] = declaration.response_json_schema
    if declaration.behavior:
        extras["behavior"] = declaration.behavior
    vendor = Vendor(FORMAT, json.encode(extras).decode()) if extras else None
    return Function(name=declaration.name, description=declaration.description, parameters=parameters, vendor=vendor)


def _choice(config: wire.ToolConfig | None) -> ToolChoice | None:
    calling = config.function_calling_config if config else None
    if calling is None or not calling.mode:
        return None
    return ToolChoice(MODES.get(calling.mode.upper(), "auto"), tuple(calling.allowed_function_names))


def _vendor(request: wire.Request) -> Vendor | None:
    if request.safety_settings is UNSET or bytes(request.safety_settings) == b"[]":
        return None
    return Vendor(FORMAT, json.encode({"safetySettings": request.safety_settings}).decode())
