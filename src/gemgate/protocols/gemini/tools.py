"""Tools and the choice among them, as Gemini takes both (notes §2.5, §3.2 and §6.1)."""

from collections.abc import Iterable, Mapping
from typing import assert_never, cast

import msgspec
from msgspec import Raw, Struct, json

from gemgate.errors import InvalidRequest
from gemgate.hub.abilities import Abilities
from gemgate.hub.call import BuiltIn, BuiltInKind, Function, Generate, OpaqueTool, ToolChoice, ToolMode
from gemgate.hub.codec import Dropped
from gemgate.hub.parts import Vendor
from gemgate.protocols.gemini import wire
from gemgate.protocols.gemini.parts import FORMAT, raw
from gemgate.protocols.gemini.schemas.document import MAX_TOTAL_CHARACTERS
from gemgate.protocols.gemini.schemas.json_schema import for_json_schema
from gemgate.protocols.gemini.schemas.openapi import for_openapi

MODES: dict[ToolMode, str] = {"auto": "AUTO", "none": "NONE", "required": "ANY", "validated": "VALIDATED"}
BUILT_INS: dict[BuiltInKind, str] = {
    "web_search": "google_search",
    "code_execution": "code_execution",
    "url_context": "url_context",
    "maps": "google_maps",
}
"""Images are no tool: a model makes them or does not."""
NO_IMAGES = "this model makes no images"
EMPTY = Raw(b"{}")
AUTO = ToolChoice()

Own = BuiltIn | OpaqueTool
"""A tool that Gemini runs itself."""


class Offer(Struct):
    """The tools of a request and how they are used."""

    tools: list[wire.Tool]
    config: wire.ToolConfig | None = None


NOTHING = Offer([])


def offer(call: Generate, abilities: Abilities, names: Mapping[str, str], dropped: list[Dropped]) -> Offer:
    """Offer what the model can have of a call's tools; `names` maps function names to those that Gemini accepts.

    Of functions with one name the last is offered. What is merely offered and cannot be had joins `dropped`; raises
    `InvalidRequest` if it is forced.
    """
    if not call.tools and call.tool_choice is None:
        return NOTHING
    choice = call.tool_choice or AUTO
    functions = _functions(call, choice)
    _check_size(call, functions.values())
    images = "image" in abilities.output
    own = {} if choice.mode == "none" else _own(call, dropped, images=images)
    if functions and own and not abilities.builtins_with_functions:
        why = "this model takes either functions or built-in tools"
        dropped += (Dropped(f"tools.{number}", why) for number in own)
        own = {}
    if choice.mode == "required" and not functions:
        _check_forced(call, own, dropped, images=images)
    if not functions and not own:
        return NOTHING
    # Entries of their own: functions and built-in tools in one are refused.
    declared = [_declaration(function, number, abilities, names) for number, function in functions.items()]
    tools = [wire.Tool(declared)] if declared else []
    tools += (_entry(tool) for tool in own.values())
    config = wire.ToolConfig(include_server_side_tool_invocations=bool(functions and own))
    if functions:
        strict = abilities.signatures and any(function.strict for function in functions.values())
        config.function_calling_config = _calling(call.tool_choice, names, validated=bool(own) or strict)
    return Offer(tools, config if config != wire.ToolConfig() else None)


def _functions(call: Generate, choice: ToolChoice) -> dict[int, Function]:
    """Give the functions to declare, by their position among the tools.

    Gemini refuses a name that is declared twice, and allowed names under AUTO.
    """
    functions = {tool.name: (number, tool) for number, tool in enumerate(call.tools) if isinstance(tool, Function)}
    if choice.mode == "none":
        return dict(functions.values())
    unknown = [name for name in choice.names if name not in functions]
    if unknown:
        raise InvalidRequest(f"tool_choice names {unknown[0]!r}, which is not among the tools.", param="tool_choice")
    if choice.mode == "auto" and choice.names:
        allowed = set(choice.names)
        return dict(place for name, place in functions.items() if name in allowed)
    return dict(functions.values())


def _check_size(call: Generate, functions: Iterable[Function]) -> None:
    schemas = (call.output.schema, *(function.parameters for function in functions))
    if sum(len(schema) for schema in schemas if schema) > MAX_TOTAL_CHARACTERS:
        words = f"All schemas together have more than {MAX_TOTAL_CHARACTERS // 1024} KB; Gemini takes far less."
        raise InvalidRequest(f"{words} Offer fewer functions, or shorten them.", param="tools")


def _own(call: Generate, dropped: list[Dropped], *, images: bool) -> dict[int, Own]:
    """Find the tools that Gemini runs, each once, by their position; of two of a kind the one with settings stays.

    `images` is whether the model makes them by itself.
    """
    own: dict[int, Own] = {}
    kinds: dict[str, int] = {}
    for number, tool in enumerate(call.tools):
        match tool:
            case BuiltIn("image_generation"):
                if not images:
                    dropped.append(Dropped(f"tools.{number}", NO_IMAGES))
            case BuiltIn():
                at = kinds.setdefault(tool.kind, number)
                if at == number or _settings(tool.vendor) != EMPTY:
                    own[at] = tool
            case OpaqueTool():
                if tool.vendor.format == FORMAT:
                    own[number] = tool
                else:
                    dropped.append(Dropped(f"tools.{number}", "Gemini has no such tool"))
            case Function():
                pass
            case _:
                assert_never(tool)
    return own


def _check_forced(call: Generate, own: Mapping[int, Own], dropped: list[Dropped], *, images: bool) -> None:
    """Refuse a call that must use a tool where there is none; Gemini's own cannot be forced."""
    if own:
        dropped.append(Dropped("tool_choice", "Gemini cannot be made to use its own tools; they are offered"))
        return
    if any(isinstance(tool, BuiltIn) and tool.kind == "image_generation" for tool in call.tools):
        if images:
            return
        raise InvalidRequest(
            "tool_choice asks for an image, and this model makes none. Ask a model that does.",
            param="tool_choice",
            code="unsupported_tool",
        )
    foreign = next((tool for tool in call.tools if isinstance(tool, OpaqueTool)), None)
    if foreign is not None:
        raise InvalidRequest(f"Gemini has no such tool: {foreign.vendor.raw[:100]}", param="tools")
    raise InvalidRequest("tool_choice asks for a tool, and none is offered.", param="tool_choice")


def _declaration(
    function: Function, number: int, abilities: Abilities, names: Mapping[str, str]
) -> wire.FunctionDeclaration:
    declaration = wire.FunctionDeclaration(names[function.name], function.description)
    if function.parameters is not None and function.parameters.strip() not in ("", "{}"):
        clean = for_json_schema if abilities.json_schema else for_openapi
        try:
            parameters = clean(function.parameters, parameters=True)
        except InvalidRequest as error:
            error.param = f"tools.{number}"
            raise
        if parameters is not None and abilities.json_schema:
            declaration.parameters_json_schema = raw(parameters)
        elif parameters is not None:
            declaration.parameters = raw(parameters)
    if function.vendor is not None and function.vendor.format == FORMAT:
        extras = json.decode(function.vendor.raw, type=dict[str, Raw])
        declaration.response = extras.get("response", msgspec.UNSET)
        declaration.response_json_schema = extras.get("responseJsonSchema", msgspec.UNSET)
        declaration.behavior = json.decode(extras.get("behavior", b'""'), type=str)
    return declaration


def _entry(tool: Own) -> wire.Tool:
    match tool:
        case BuiltIn():
            made = wire.Tool()
            setattr(made, BUILT_INS[tool.kind], _settings(tool.vendor))
            return made
        case OpaqueTool():
            # An encoder writes raw JSON where it meets it; the type of the list need not know.
            return cast("wire.Tool", raw(tool.vendor.raw))
        case _:
            assert_never(tool)


def _settings(vendor: Vendor | None) -> Raw:
    return raw(vendor.raw) if vendor is not None and vendor.format == FORMAT else EMPTY


def _calling(
    choice: ToolChoice | None, names: Mapping[str, str], *, validated: bool
) -> wire.FunctionCallingConfig | None:
    """Say how functions are called; `validated` binds what is left to the model."""
    if choice is None:
        return wire.FunctionCallingConfig(MODES["validated"]) if validated else None
    match choice.mode:
        case "auto":
            return wire.FunctionCallingConfig(MODES["validated" if validated else "auto"])
        case "none":
            return wire.FunctionCallingConfig(MODES["none"])
        case "required" | "validated":
            return wire.FunctionCallingConfig(MODES[choice.mode], _sent(choice.names, names))
        case _:
            assert_never(choice.mode)


def _sent(wanted: Iterable[str], names: Mapping[str, str]) -> list[str]:
    return [names[name] for name in dict.fromkeys(wanted)]
