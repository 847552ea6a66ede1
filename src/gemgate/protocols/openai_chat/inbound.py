"""A chat completion request → `Call`."""

import math
from collections.abc import Sequence
from functools import partial
from typing import cast, get_args

import msgspec
from msgspec import UNSET, Raw, json

from gemgate.errors import InvalidRequest
from gemgate.hub.call import (
    BuiltIn,
    BuiltInKind,
    Effort,
    Function,
    Generate,
    Output,
    Reasoning,
    Sampling,
    ToolChoice,
    ToolMode,
)
from gemgate.hub.codec import Dropped, Parsed
from gemgate.hub.parts import JsonText, Message, Part, Signature, Text, ToolCall, ToolResult, Vendor
from gemgate.protocols.openai_chat import wire
from gemgate.protocols.openai_chat.writer import ChatWriter
from gemgate.protocols.shared.reading import unreadable

GOOGLE = "gemini"
"""The format whose payload travels in the `google` slots of this one."""

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

DEFAULTS = {"parallel_tool_calls": b"true", "verbosity": b'"medium"'}
"""Values that ask for what happens anyway."""

REFUSED = {
    "logprobs": "Log probabilities are not served yet. Leave the field out.",
    "top_logprobs": "Log probabilities are not served yet. Leave the field out.",
    "modalities": "Only text answers are served here yet. Leave the field out, or use the Gemini API's own format.",
    "audio": "Spoken answers are not served here yet. Leave the field out, or use the Gemini API's own format.",
    "web_search_options": "Web search is not served here yet. Use the Gemini API's own format (googleSearch).",
    "functions": "This form of functions is not served. Send `tools` instead.",
    "function_call": "This form of functions is not served. Send `tool_choice` instead.",
}
"""Fields that would change the answer and are not served: better no answer than a wrong one."""

HARMLESS = {"modalities": (["text"],), "logprobs": (False,), "function_call": ("none", "auto")}
"""Values of refused fields that ask for nothing."""

EMPTY_VALUES = frozenset({b"null", b"[]", b"{}", b'""', b"0", b"false", b"0.0"})

SERVICE_TIERS = {"flex": "flex", "priority": "priority", "fast": "priority"}
DEFAULT_TIERS = frozenset({"auto", "default", "standard"})

BUILT_INS: dict[str, BuiltInKind] = {
    "codeExecution": "code_execution",
    "code_execution": "code_execution",
    "googleSearch": "web_search",
    "google_search": "web_search",
    "urlContext": "url_context",
    "url_context": "url_context",
    "googleMaps": "maps",
    "google_maps": "maps",
}
"""Functions of these names and without parameters mean the upstream's own tools (notes §6.1)."""

MODES: dict[str, ToolMode] = {"auto": "auto", "none": "none", "required": "required", "any": "required"}

PATHS = {
    "sampling.temperature": "temperature",
    "sampling.top_p": "top_p",
    "sampling.top_k": "top_k",
    "sampling.stop": "stop",
    "sampling.seed": "seed",
    "sampling.presence_penalty": "presence_penalty",
    "sampling.frequency_penalty": "frequency_penalty",
    "sampling.candidates": "n",
    "reasoning": "model",
    "reasoning.effort": "reasoning_effort",
    "output": "response_format",
    "output.schema": "response_format.json_schema.schema",
    "output.modalities": "modalities",
    "vendor": "safety_settings",
}


def inbound(body: bytes | memoryview) -> Parsed:
    """Parse a request body; raises `InvalidRequest`."""
    try:
        request = wire.decode(body)
        members = wire.decode_members(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise unreadable(error) from error
    dropped = [*_unknown(members), *_unknown_extras(members)]
    extension, google_path = _google(request)
    reasoning = _reasoning(request, extension)
    limit_field = "max_completion_tokens" if request.max_completion_tokens else "max_tokens"
    paths = PATHS | {
        "sampling.max_output_tokens": limit_field,
        "reasoning.budget_tokens": f"{google_path}.thinking_config.thinking_budget",
        "reasoning.include_thoughts": f"{google_path}.thinking_config.include_thoughts",
    }
    if request.reasoning_effort is None:
        paths["reasoning.effort"] = f"{google_path}.thinking_config.thinking_level"
    if request.safety_settings is UNSET:
        paths["vendor"] = f"{google_path}.safety_settings"
    if not request.messages:
        raise InvalidRequest("There is no message to answer. Send at least one.", param="messages")
    system, messages = _conversation(request.messages)
    call = Generate(
        model=request.model,
        messages=messages,
        system=system,
        sampling=_sampling(request),
        reasoning=reasoning,
        output=_output(request.response_format),
        tools=tuple(_tool(tool, number) for number, tool in enumerate(request.tools or ())),
        tool_choice=_choice(request),
        stream=bool(request.stream),
        vendor=_vendor(request, extension, dropped),
    )
    options = request.stream_options
    write = partial(ChatWriter, include_usage=bool(options and options.include_usage))
    return Parsed(call, write, tuple(dropped), paths)


def _unknown(members: dict[str, Raw]) -> list[Dropped]:
    """Refuse what would change the answer; record what is not known at all. Empty values ask for nothing."""
    dropped: list[Dropped] = []
    for name, raw in members.items():
        if name in UNDERSTOOD:
            continue
        value = bytes(raw)
        if value == DEFAULTS.get(name) or (name in HARMLESS and json.decode(value) in HARMLESS[name]):
            continue
        if value == b"null" or (value in EMPTY_VALUES and name not in DEFAULTS):
            continue
        if name in REFUSED:
            raise InvalidRequest(REFUSED[name], param=name, code="unsupported_parameter")
        dropped.append(Dropped(name, "nothing upstream corresponds to it"))
    return dropped


def _unknown_extras(members: dict[str, Raw]) -> list[Dropped]:
    """Record what `extra_body` holds beside `google`."""
    extras: dict[str, Raw] = wire.decode_extras(members.get("extra_body", b"null")) or {}
    return [
        Dropped(f"extra_body.{name}", "nothing upstream corresponds to it")
        for name, raw in extras.items()
        if name != "google" and bytes(raw) not in EMPTY_VALUES
    ]


def _google(request: wire.Request) -> tuple[wire.GoogleExtension, str]:
    """Find `google`, sent literally under `extra_body` or unpacked beside the other fields; gives its path too."""
    raw, path = request.google, "google"
    if request.extra_body is not None and request.extra_body.google is not UNSET:
        raw, path = request.extra_body.google, "extra_body.google"
    if raw is UNSET or bytes(raw) == b"null":
        return wire.GoogleExtension(), "extra_body.google"
    value = _snake(json.decode(raw))
    known = {field.name for field in msgspec.structs.fields(wire.GoogleExtension)}
    if isinstance(value, dict):
        for name in cast("dict[str, object]", value):
            if name not in known:
                raise InvalidRequest("This extension is not served here yet.", param=f"{path}.{name}")
    try:
        return msgspec.convert(value, wire.GoogleExtension, strict=False), path
    except msgspec.ValidationError as error:
        fault = unreadable(error)
        raise InvalidRequest(fault.message, param=f"{path}.{fault.param}" if fault.param else path) from error


SPELLINGS = {
    "thinkingConfig": "thinking_config",
    "includeThoughts": "include_thoughts",
    "thinkingBudget": "thinking_budget",
    "thinkingLevel": "thinking_level",
    "safetySettings": "safety_settings",
}


def _snake(value: object) -> object:
    if not isinstance(value, dict):
        return value
    made = {SPELLINGS.get(key, key): item for key, item in cast("dict[str, object]", value).items()}
    if "thinking_config" in made:
        made["thinking_config"] = _snake(made["thinking_config"])
    if "safety_settings" in made:
        made["safety_settings"] = Raw(json.encode(made["safety_settings"]))
    return made


def _reasoning(request: wire.Request, extension: wire.GoogleExtension) -> Reasoning:
    thinking = extension.thinking_config or wire.ThinkingConfig()
    effort = request.reasoning_effort or None
    if effort is not None and (thinking.thinking_level or thinking.thinking_budget is not None):
        raise InvalidRequest(
            "reasoning_effort and a thinking level or budget exclude each other. Send one of them.",
            param="reasoning_effort",
        )
    if thinking.thinking_level and thinking.thinking_budget is not None:
        raise InvalidRequest("thinking_level and thinking_budget exclude each other.", param="thinking_config")
    level = (effort or thinking.thinking_level or "").lower()
    level = "max" if level == "xhigh" else level
    if level and level not in get_args(Effort):
        known = ", ".join(get_args(Effort))
        raise InvalidRequest(f"{level!r} is no effort. It is one of {known}.", param="reasoning_effort")
    return Reasoning(
        effort=cast("Effort", level) if level else None,
        budget_tokens=thinking.thinking_budget,
        include_thoughts=thinking.include_thoughts or None,
    )


def _conversation(given: Sequence[wire.Message]) -> tuple[tuple[Part, ...], tuple[Message, ...]]:
    """Leading system messages are the system text; later ones stay where they are, as the user's words."""
    system: list[Part] = []
    messages: list[Message] = []
    names: dict[str, str] = {}
    for number, message in enumerate(given):
        path = f"messages.{number}"
        match message.role:
            case "system" | "developer":
                texts = _texts(message, path)
                if messages:
                    messages.append(Message("user", texts))
                else:
                    system += texts
            case "user":
                messages.append(Message("user", _texts(message, path)))
            case "assistant":
                parts = _assistant(message, path)
                names.update((part.id, part.name) for part in parts if isinstance(part, ToolCall))
                messages.append(Message("model", parts))
            case "tool" | "function":
                result = _result(message, names, path)
                if messages and messages[-1].parts and isinstance(messages[-1].parts[-1], ToolResult):
                    messages[-1] = Message("user", (*messages[-1].parts, result))
                else:
                    messages.append(Message("user", (result,)))
            case role:
                raise InvalidRequest(
                    f"{role!r} is no role. It is one of system, developer, user, assistant, tool.",
                    param=f"{path}.role",
                )
    return tuple(system), tuple(messages)


def _texts(message: wire.Message, path: str) -> tuple[Text, ...]:
    if isinstance(message.content, str):
        return (Text(message.content),) if message.content else ()
    texts: list[Text] = []
    for number, part in enumerate(message.content or ()):
        text = part.text if part.type in ("text", "input_text", "output_text") else part.refusal
        if text is None:
            raise InvalidRequest(
                f"Content of type {part.type!r} is not served here yet. Send text, or use the Gemini API's own format.",
                param=f"{path}.content.{number}",
                code="unsupported_content",
            )
        if text:
            texts.append(Text(text))
    return tuple(texts)


def _assistant(message: wire.Message, path: str) -> tuple[Part, ...]:
    if message.audio is not UNSET and bytes(message.audio) != b"null":
        raise InvalidRequest("Spoken turns are not served here yet.", param=f"{path}.audio")
    parts: list[Part] = list(_texts(message, path))
    if message.refusal:
        parts.append(Text(message.refusal))
    mark = _signature(message.extra_content)
    if mark is not None:
        last = parts.pop() if parts else Text("")
        assert isinstance(last, Text)
        parts.append(Text(last.text, mark))
    for number, call in enumerate(message.tool_calls or ()):
        if call.function is None:
            raise InvalidRequest("Only calls of functions are served.", param=f"{path}.tool_calls.{number}")
        mark = _signature(call.extra_content)
        parts.append(_call(call.id, call.function, mark, f"{path}.tool_calls.{number}.function"))
    if message.function_call is not None:
        parts.append(_call("", message.function_call, None, f"{path}.function_call"))
    return tuple(parts)


def _call(call_id: str, function: wire.FunctionCall, mark: Signature | None, path: str) -> ToolCall:
    if not function.name:
        raise InvalidRequest("A call must name its function.", param=f"{path}.name")
    return ToolCall(call_id, function.name, _object(function.arguments or "", "_raw"), mark)


def _result(message: wire.Message, names: dict[str, str], path: str) -> ToolResult:
    text = "".join(part.text for part in _texts(message, path))
    call_id = message.tool_call_id or ""
    return ToolResult(call_id, names.get(call_id) or message.name or "", _object(text, "output"))


def _object(text: str, otherwise: str) -> JsonText:
    """Keep a JSON object as it is; put anything else under one key."""
    if text.lstrip()[:1] == "{":
        try:
            json.decode(text, type=dict[str, Raw])
        except (msgspec.DecodeError, RecursionError):
            pass
        else:
            return text
    return "{}" if not text and otherwise == "_raw" else json.encode({otherwise: text}).decode()


def _signature(extra: wire.ExtraContent | None) -> Signature | None:
    if extra is None or extra.google is None or not extra.google.thought_signature:
        return None
    return Signature(GOOGLE, extra.google.thought_signature)


def _sampling(request: wire.Request) -> Sampling:
    limit = request.max_completion_tokens or request.max_tokens or 0
    stop = [request.stop] if isinstance(request.stop, str) else request.stop or []
    if (request.n or 1) > 1:
        raise InvalidRequest("More than one choice is not served yet. Send n = 1.", param="n")
    for name in ("temperature", "top_p", "presence_penalty", "frequency_penalty"):
        if not math.isfinite(getattr(request, name) or 0.0):
            raise InvalidRequest(f"{name} must be a number.", param=name)
    return Sampling(
        temperature=request.temperature,
        top_p=request.top_p,
        top_k=request.top_k or None,
        max_output_tokens=limit if limit > 0 else None,
        stop=tuple(text for text in stop if text),
        seed=request.seed,
        presence_penalty=request.presence_penalty or None,
        frequency_penalty=request.frequency_penalty or None,
    )


def _output(form: wire.ResponseFormat | None) -> Output:
    if form is None or form.type == "text":
        return Output()
    if form.type == "json_object":
        return Output(json=True)
    if form.type != "json_schema" or form.json_schema is None:
        raise InvalidRequest(
            f"{form.type!r} is no response format. It is one of text, json_object, json_schema.",
            param="response_format",
        )
    schema = form.json_schema.schema
    return Output(json=True, schema=None if schema is UNSET else bytes(schema).decode())


def _tool(tool: wire.Tool, number: int) -> Function | BuiltIn:
    function = tool.function
    if tool.type != "function" or function is None or not function.name:
        raise InvalidRequest(
            f"Tools of type {tool.type!r} are not served here yet. Offer functions with a name.",
            param=f"tools.{number}",
            code="unsupported_tool",
        )
    parameters: JsonText | None = None
    if function.parameters is not UNSET and bytes(function.parameters) != b"null":
        parameters = bytes(function.parameters).decode()
    if function.name in BUILT_INS and parameters in (None, "{}"):
        return BuiltIn(BUILT_INS[function.name])
    return Function(name=function.name, description=function.description or "", parameters=parameters)


def _choice(request: wire.Request) -> ToolChoice | None:
    choice = request.tool_choice
    if choice is None or not request.tools:
        return None
    if isinstance(choice, str):
        if choice not in MODES:
            raise InvalidRequest(f"{choice!r} is no tool choice. It is auto, none or required.", param="tool_choice")
        return ToolChoice(MODES[choice])
    if choice.type != "function" or choice.function is None:
        raise InvalidRequest(f"A tool choice of type {choice.type!r} is not served yet.", param="tool_choice")
    return ToolChoice("required", (choice.function.name,))


def _vendor(request: wire.Request, extension: wire.GoogleExtension, dropped: list[Dropped]) -> Vendor | None:
    extras: dict[str, object] = {}
    settings = extension.safety_settings if extension.safety_settings is not UNSET else request.safety_settings
    if settings is not UNSET and bytes(settings) not in EMPTY_VALUES:
        extras["safetySettings"] = settings
    tier = request.service_tier
    if tier in SERVICE_TIERS:
        extras["serviceTier"] = SERVICE_TIERS[tier]
    elif tier and tier not in DEFAULT_TIERS:
        dropped.append(Dropped("service_tier", f"there is no tier {tier!r} upstream"))
    return Vendor(GOOGLE, json.encode(extras).decode()) if extras else None
