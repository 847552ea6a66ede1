"""Calls of tools in a history, whatever items they stand in → the hub's calls of functions."""

from msgspec import json

from gemgate.errors import InvalidRequest
from gemgate.hub.parts import JsonText, ToolCall
from gemgate.protocols.openai_responses import wire
from gemgate.protocols.openai_responses.namespaces import flat
from gemgate.protocols.shared.raw_json import JsonField, arguments, is_given, is_string, plain_text

CALLS = frozenset(
    (
        "function_call",
        "custom_tool_call",
        "local_shell_call",
        "shell_call",
        "apply_patch_call",
        "computer_call",
        "tool_search_call",
        "mcp_call",
        "program",
    )
)
"""The items that are calls."""


def call(item: wire.Item, path: str) -> ToolCall:
    """Translate a call, which stands at `path`; raises `InvalidRequest`."""
    name, given = _named(item, path)
    return ToolCall(item.call_id or item.id or "", name, given)


def _named(item: wire.Item, path: str) -> tuple[str, JsonText]:
    """Give the function's name and its arguments, as its schema has them where the item has none of its own."""
    match item.type:
        case "local_shell_call":
            return "local_shell", arguments(item.action, f"{path}.action")
        case "shell_call":
            return "shell", arguments(item.action, f"{path}.action")
        case "apply_patch_call":
            return "apply_patch", arguments(item.operation, f"{path}.operation")
        case "computer_call":
            return "computer", _actions(item)
        case "tool_search_call":
            return "tool_search", arguments(item.arguments, f"{path}.arguments")
        case "program":
            return "program", json.encode({"code": plain_text(item.code)}).decode()
        case "custom_tool_call":
            return flat(item.namespace, _name(item, path)), json.encode({"input": _text(item.input)}).decode()
        case "mcp_call":
            return flat(item.server_label, _name(item, path)), arguments(item.arguments, f"{path}.arguments")
        case _:
            return flat(item.namespace, _name(item, path)), arguments(item.arguments, f"{path}.arguments")


def _name(item: wire.Item, path: str) -> str:
    if not item.name:
        raise InvalidRequest("A call must name its tool.", param=f"{path}.name")
    return item.name


def _text(raw: JsonField) -> str:
    if not is_given(raw):
        return ""
    return plain_text(raw) if is_string(raw) else bytes(raw).decode()


def _actions(item: wire.Item) -> JsonText:
    if is_given(item.actions):
        return f'{{"actions":{bytes(item.actions).decode()}}}'
    return f'{{"actions":[{bytes(item.action).decode()}]}}' if is_given(item.action) else '{"actions":[]}'
