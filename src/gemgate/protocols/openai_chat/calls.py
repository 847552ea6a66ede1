"""Calls of tools, as answers show them."""

from collections.abc import Callable

from gemgate.hub.parts import ToolCall
from gemgate.protocols.openai_chat.marks import google
from gemgate.protocols.shared.free_input import free_input


def call_object(part: ToolCall, new_id: Callable[[], str], custom: frozenset[str]) -> dict[str, object]:
    """Give a tool call; `custom` names the functions that stand for tools called with free text."""
    call: dict[str, object] = {"id": part.id or f"call_{new_id()}"}
    if part.name in custom:
        call |= {"type": "custom", "custom": {"name": part.name, "input": free_input(part.arguments)}}
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
