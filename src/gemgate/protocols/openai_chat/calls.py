"""Calls of tools, as answers show them."""

from collections.abc import Callable

import msgspec
from msgspec import json

from gemgate.hub.parts import JsonText, ToolCall
from gemgate.protocols.openai_chat.marks import google


def call_object(part: ToolCall, new_id: Callable[[], str], custom: frozenset[str]) -> dict[str, object]:
    """Give a tool call; `custom` names the functions that stand for tools called with free text."""
    call: dict[str, object] = {"id": part.id or f"call_{new_id()}"}
    if part.name in custom:
        call |= {"type": "custom", "custom": {"name": part.name, "input": free_text(part.arguments)}}
    else:
        call |= {"type": "function", "function": _function(part)}
    if part.signature is not None:
        call["extra_content"] = google(part.signature)
    return call


def legacy_call(part: ToolCall) -> dict[str, object]:
    """Give a call as it was before there were tools."""
    call = _function(part)
    if part.signature is not None:
        call["extra_content"] = google(part.signature)
    return call


def _function(part: ToolCall) -> dict[str, object]:
    return {"name": part.name, "arguments": part.arguments}


def free_text(arguments: JsonText) -> str:
    """Take the text out of the one argument that stands for it."""
    try:
        members = json.decode(arguments, type=dict[str, object])
    except msgspec.MsgspecError:
        return arguments
    value = members.get("input")
    return value if isinstance(value, str) else arguments
