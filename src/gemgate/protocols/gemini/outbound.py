"""`Call` → the body of generateContent, streamGenerateContent or countTokens."""

import re
from typing import Any, assert_never, cast

import msgspec
from msgspec import Raw, json

from gemgate.errors import InvalidRequest
from gemgate.hub.abilities import Abilities
from gemgate.hub.call import BuiltIn, Function, Generate, OpaqueTool, Output, Sampling, Tool, ToolChoice, ToolMode
from gemgate.hub.codec import Dropped, Rendered
from gemgate.hub.parts import Message, Part, Text, ToolCall, ToolResult
from gemgate.protocols.gemini import wire
from gemgate.protocols.gemini.parts import FORMAT, from_hub, raw
from gemgate.protocols.gemini.turns import shaped
from gemgate.protocols.shared.reasoning import thinking_settings

SAFETY_OFF = Raw(
    json.encode(
        [
            {"category": f"HARM_CATEGORY_{name}", "threshold": "OFF"}
            for name in ("HARASSMENT", "HATE_SPEECH", "SEXUALLY_EXPLICIT", "DANGEROUS_CONTENT")
        ]
    )
)
"""The adjustable categories; callers who want filters set them."""

MAX_STOP_SEQUENCES = 5
MAX_LOGPROBS = 20
MAX_INT32 = 2**31 - 1
MODES: dict[ToolMode, str] = {"auto": "AUTO", "none": "NONE", "required": "ANY", "validated": "VALIDATED"}
BUILT_INS = {
    "web_search": "google_search",
    "code_execution": "code_execution",
    "url_context": "url_context",
    "maps": "google_maps",
}
EMPTY = Raw(b"{}")
NO_CONFIG = wire.GenerationConfig()

NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.:-]{0,63}")
MAX_NAME = 64
"""The SDK's own text says 128, older documents 64; the smaller holds everywhere (notes §12)."""


def outbound(call: Generate, abilities: Abilities) -> Rendered:
    """Render a request; what the model does not honour is left out and recorded.

    Raises `InvalidRequest` for what must not be left out.
    """
    dropped: list[Dropped] = []
    names = _names(call)
    hint = _json_hint(call, abilities, dropped)
    request = wire.Request(
        contents=_contents(call, abilities, names),
        system_instruction=_system((*call.system, *hint), names),
        safety_settings=SAFETY_OFF,
        generation_config=_config(call, abilities, dropped, json_mode=not hint),
    )
    if call.tools:
        _tools(request, call, abilities, names, dropped)
    body = wire.encoder.encode(request)
    if call.vendor is not None and call.vendor.format == FORMAT:
        try:
            body = json.encode(_overlaid(json.decode(body), json.decode(call.vendor.raw)))
        except RecursionError as error:
            raise InvalidRequest("The request is nested too deeply.", param="messages") from error
    back = {wire_name: name for name, wire_name in names.items() if wire_name != name}
    return Rendered((body,), tuple(dropped), back)


def count_tokens(rendered: Rendered, model: str) -> bytes:
    """Render countTokens in the form that counts the system text and the tools too."""
    try:
        request = json.decode(b"".join(rendered.body), type=dict[str, Raw])
    except msgspec.DecodeError as error:
        raise InvalidRequest("The request cannot be rendered for Gemini.") from error
    request["model"] = Raw(json.encode(f"models/{model}"))
    return json.encode({"generateContentRequest": request})


def _contents(call: Generate, abilities: Abilities, names: dict[str, str]) -> list[wire.Content]:
    turns = shaped(call.messages, prefill=abilities.prefill, signatures=abilities.signatures)
    contents = [_content(turn, names) for turn in turns]
    if not contents and call.system:
        # Gemini refuses a request without contents, and system text alone is a question all the same.
        contents = [wire.Content("user", _parts(call.system, names))]
    if not any(content.parts for content in contents):
        raise InvalidRequest("There is no message to answer. Send at least one with some content.", param="messages")
    return contents


def _content(message: Message, names: dict[str, str]) -> wire.Content:
    return wire.Content(message.role, _parts(message.parts, names))


def _parts(parts: tuple[Part, ...], names: dict[str, str]) -> list[wire.Part]:
    return [made for part in parts if (made := from_hub(part, names))]


def _system(parts: tuple[Part, ...], names: dict[str, str]) -> wire.Content | None:
    return wire.Content(parts=_parts(parts, names)) if parts else None


def _names(call: Generate) -> dict[str, str]:
    """Give every function a name that Gemini accepts, each its own."""
    names: dict[str, str] = {}
    taken: set[str] = set()
    offered = (tool.name for tool in call.tools if isinstance(tool, Function))
    used = (
        part.name
        for message in call.messages
        for part in message.parts
        if isinstance(part, (ToolCall, ToolResult)) and part.name
    )
    for name in (*offered, *used):
        if name not in names:
            names[name] = _accepted(name, taken)
            taken.add(names[name])
    return names


def _accepted(name: str, taken: set[str]) -> str:
    if NAME.fullmatch(name) and name not in taken:
        return name
    base = re.sub(r"[^A-Za-z0-9_.:-]", "_", name)
    base = base if re.match(r"[A-Za-z_]", base) else f"_{base}"
    candidate, number = base[:MAX_NAME], 1
    while candidate in taken:
        number += 1
        suffix = f"_{number}"
        candidate = base[: MAX_NAME - len(suffix)] + suffix
    return candidate


def _json_hint(call: Generate, abilities: Abilities, dropped: list[Dropped]) -> tuple[Part, ...]:
    """Ask for JSON in words where the model refuses JSON mode beside tools."""
    if not (call.tools and (call.output.json or call.output.schema)) or abilities.json_with_tools:
        return ()
    dropped.append(Dropped("output", "this model takes no JSON mode beside tools; it is asked for in the system text"))
    words = "When you answer with text, answer with one JSON document and nothing else."
    return (Text(f"{words} Its JSON Schema: {call.output.schema}" if call.output.schema else words),)


def _config(
    call: Generate, abilities: Abilities, dropped: list[Dropped], *, json_mode: bool
) -> wire.GenerationConfig | None:
    config = wire.GenerationConfig()
    _sampling(config, call.sampling, abilities, dropped)
    _output(config, call.output, abilities, json_mode=json_mode)
    settings, unable = thinking_settings(call.reasoning, abilities.thinking)
    dropped += (Dropped(path, "this model's thinking is not steered that way") for path in unable)
    if settings.budget is not None or settings.level is not None or settings.include_thoughts is not None:
        level = settings.level.upper() if settings.level else None
        config.thinking_config = wire.ThinkingConfig(settings.include_thoughts, settings.budget, level)
    return config if config != NO_CONFIG else None


def _sampling(config: wire.GenerationConfig, sampling: Sampling, abilities: Abilities, dropped: list[Dropped]) -> None:
    if sampling.max_output_tokens is not None:
        config.max_output_tokens = min(sampling.max_output_tokens, MAX_INT32)
    if sampling.seed is not None:
        # Clients draw 64-bit seeds; equal ones must stay equal, nothing else matters.
        config.seed = sampling.seed if abs(sampling.seed) <= MAX_INT32 else sampling.seed & MAX_INT32
    config.stop_sequences = list(sampling.stop[:MAX_STOP_SEQUENCES])
    if len(sampling.stop) > MAX_STOP_SEQUENCES:
        dropped.append(Dropped("sampling.stop", f"Gemini takes at most {MAX_STOP_SEQUENCES} stop sequences"))
    choosing = {"temperature": sampling.temperature, "top_p": sampling.top_p, "top_k": sampling.top_k}
    _set(config, "sampling", choosing, dropped, honoured=abilities.sampling)
    penalties = {
        # Clients send zeros by habit; a zero changes nothing, but some models refuse the field.
        "presence_penalty": sampling.presence_penalty or None,
        "frequency_penalty": sampling.frequency_penalty or None,
    }
    _set(config, "sampling", penalties, dropped, honoured=abilities.penalties)
    if sampling.logprobs is not None:
        if abilities.logprobs:
            config.response_logprobs = True
            config.logprobs = min(sampling.logprobs, MAX_LOGPROBS) or None
        else:
            dropped.append(Dropped("sampling.logprobs", "this model gives no log probabilities"))
    if sampling.candidates > 1:
        if not abilities.candidates:
            raise InvalidRequest("This model gives one answer a request. Ask for one.", param="sampling.candidates")
        config.candidate_count = sampling.candidates


def _set(
    config: wire.GenerationConfig, group: str, values: dict[str, Any], dropped: list[Dropped], *, honoured: bool
) -> None:
    for name, value in values.items():
        if value is not None and honoured:
            setattr(config, name, value)
        elif value is not None:
            dropped.append(Dropped(f"{group}.{name}", "this model does not honour it"))


def _output(config: wire.GenerationConfig, output: Output, abilities: Abilities, *, json_mode: bool) -> None:
    if json_mode and (output.json or output.schema is not None):
        config.response_mime_type = "application/json"
        if output.schema is not None:
            config.response_json_schema = raw(output.schema)
    wanted = [modality for modality in output.modalities if modality not in abilities.output]
    if wanted:
        raise InvalidRequest(f"This model does not make {' or '.join(wanted)}.", param="output.modalities")
    # A model that makes more than text makes it only when asked.
    modalities = output.modalities or (abilities.output if abilities.output != ("text",) else ())
    config.response_modalities = [modality.upper() for modality in modalities]


def _tools(
    request: wire.Request, call: Generate, abilities: Abilities, names: dict[str, str], dropped: list[Dropped]
) -> None:
    # Gemini refuses a name that is declared twice.
    functions = list({tool.name: tool for tool in reversed(call.tools) if isinstance(tool, Function)}.values())[::-1]
    others = [(number, tool) for number, tool in enumerate(call.tools) if not isinstance(tool, Function)]
    if functions and others and not abilities.builtins_with_functions:
        why = "this model takes either functions or built-in tools"
        dropped += (Dropped(f"tools.{number}", why) for number, _ in others)
        others = []
    tools: list[wire.Tool] = []
    if functions:
        tools.append(wire.Tool([_declaration(function, names) for function in functions]))
    tools += (_built_in(tool) for _, tool in others)
    request.tools = tools
    if not tools:
        return
    config = wire.ToolConfig(include_server_side_tool_invocations=bool(functions and others))
    if functions:
        offered = {function.name: names[function.name] for function in functions}
        config.function_calling_config = _choice(call.tool_choice, offered)
    if config != wire.ToolConfig():
        request.tool_config = config


def _declaration(function: Function, names: dict[str, str]) -> wire.FunctionDeclaration:
    declaration = wire.FunctionDeclaration(names[function.name], function.description)
    if function.parameters is not None and function.parameters.strip() not in ("", "{}"):
        declaration.parameters_json_schema = raw(function.parameters)
    if function.vendor is not None and function.vendor.format == FORMAT:
        extras = json.decode(function.vendor.raw, type=dict[str, Raw])
        declaration.response = extras.get("response", msgspec.UNSET)
        declaration.response_json_schema = extras.get("responseJsonSchema", msgspec.UNSET)
        declaration.behavior = json.decode(extras.get("behavior", b'""'), type=str)
    return declaration


def _built_in(tool: Tool) -> wire.Tool:
    match tool:
        case BuiltIn():
            settings = EMPTY
            if tool.vendor is not None and tool.vendor.format == FORMAT:
                settings = raw(tool.vendor.raw)
            made = wire.Tool()
            setattr(made, BUILT_INS[tool.kind], settings)
            return made
        case OpaqueTool():
            if tool.vendor.format != FORMAT:
                raise InvalidRequest(f"Gemini has no such tool: {tool.vendor.raw[:100]}", param="tools")
            return cast("wire.Tool", raw(tool.vendor.raw))
        case Function():
            raise AssertionError(tool)
        case _:
            assert_never(tool)


def _choice(choice: ToolChoice | None, names: dict[str, str]) -> wire.FunctionCallingConfig | None:
    if choice is None:
        return None
    unknown = [name for name in choice.names if name not in names]
    if unknown:
        raise InvalidRequest(f"tool_choice names {unknown[0]!r}, which is not among the tools.", param="tool_choice")
    return wire.FunctionCallingConfig(MODES[choice.mode], [names[name] for name in choice.names])


def _overlaid(below: object, above: object) -> object:
    """Merge `above` over `below`, objects key by key."""
    if isinstance(below, dict) and isinstance(above, dict):
        merged = dict(cast("dict[str, object]", below))
        for key, value in cast("dict[str, object]", above).items():
            merged[key] = _overlaid(merged[key], value) if key in merged else value
        return merged
    return above
