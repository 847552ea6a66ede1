"""Items that a client sends, as they are kept and shown again: each with an id, and messages in one form."""

import re
from collections.abc import Callable, Mapping, Sequence

import msgspec
from msgspec import UNSET, Raw, Struct, json

from gemgate.errors import InvalidRequest
from gemgate.protocols.openai_responses.kept import KeptItem, packed
from gemgate.protocols.openai_responses.wire import decode_members
from gemgate.protocols.shared.raw_json import JsonField, is_given, is_object, is_string, plain_text
from gemgate.store.protocols import StoredItem, StoredResponse

ID = re.compile(r"[A-Za-z0-9_-]{1,128}")

PREFIXES = {
    "message": "msg",
    "reasoning": "rs",
    "function_call": "fc",
    "function_call_output": "fco",
    "custom_tool_call": "ctc",
    "custom_tool_call_output": "ctco",
    "local_shell_call": "lsh",
    "local_shell_call_output": "lsho",
    "shell_call": "sh",
    "shell_call_output": "sho",
    "apply_patch_call": "apc",
    "apply_patch_call_output": "apco",
    "computer_call": "cu",
    "computer_call_output": "cuo",
    "tool_search_call": "tsc",
    "tool_search_output": "tso",
    "web_search_call": "ws",
    "file_search_call": "fs",
    "code_interpreter_call": "ci",
    "image_generation_call": "ig",
    "mcp_list_tools": "mcpl",
    "mcp_call": "mcp",
    "mcp_approval_request": "mcpr",
    "mcp_approval_response": "mcpa",
    "compaction": "cmp",
}
"""How ids begin; those of other types begin with `item`."""

WITHOUT_STATUS = frozenset(
    {"reasoning", "compaction", "item_reference", "mcp_list_tools", "mcp_approval_request", "mcp_approval_response"}
)


class _Known(Struct):
    id: str = ""


_decode_known = json.Decoder(_Known).decode

COMPLETED = Raw(b'"completed"')


def stored_input(items: Sequence[Raw], new_id: Callable[[], str]) -> list[StoredItem]:
    """Give a request's input as it is kept; ids that it has stay. Raises `InvalidRequest`."""
    return [_given(item, new_id, f"input.{index}", keep_id=True) for index, item in enumerate(items)]


def added(items: Sequence[Raw], referred: Mapping[str, KeptItem], new_id: Callable[[], str]) -> list[StoredItem]:
    """Give items that are added to a conversation, under ids of ours: those they have may be there already.

    In the place of references is what they refer to, under its own id. Raises `InvalidRequest`.
    """
    listed = [_given(item, new_id, f"items.{index}", keep_id=False) for index, item in enumerate(items)]
    return [stored(referred[item.id]) if item.id in referred else item for item in listed]


def item_id(kind: str, new_id: Callable[[], str]) -> str:
    """Make the id of an item of a type."""
    return f"{PREFIXES.get(kind, 'item')}_{new_id()}"


def message(text: str, new_id: Callable[[], str]) -> StoredItem:
    """Give a text of the user's as it is kept."""
    made = item_id("message", new_id)
    return StoredItem(made, json.encode(_message_form(made, {"content": Raw(json.encode(text))}, "user")))


def stored(item: KeptItem) -> StoredItem:
    """Give an item of an answer as it is kept."""
    return StoredItem(_decode_known(item.item).id, item.item, packed(item.parts))


def size(response: StoredResponse, *lists: Sequence[StoredItem]) -> int:
    """Count the bytes that a response takes with its items."""
    return len(response.document) + sum(len(item.json) + len(item.native) for items in lists for item in items)


def _given(item: Raw, new_id: Callable[[], str], path: str, *, keep_id: bool) -> StoredItem:
    if is_string(item):
        return message(plain_text(item), new_id)
    if not is_object(item):
        raise InvalidRequest("This must be an item.", param=path)
    try:
        bytes(item).decode()  # what is not looked at must be text all the same: it is given back
        members = decode_members(item)
        kind = plain_text(members.get("type", UNSET)) or "message"
        given = plain_text(members.get("id", UNSET))
        made = given if ID.fullmatch(given) and (keep_id or kind == "item_reference") else item_id(kind, new_id)
        role = plain_text(members.get("role", UNSET))
        form = _message_form(made, members, role) if kind == "message" else _item_form(made, kind, members)
        return StoredItem(made, json.encode(form))
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"This item cannot be read: {error}.", param=path) from error


def _message_form(made: str, members: dict[str, Raw], role: str) -> dict[str, object]:
    return {
        **_item_form(made, "message", members),
        "content": _content(members.get("content", UNSET), role.lower()),
        "role": role or "user",
    }


def _item_form(made: str, kind: str, members: dict[str, Raw]) -> dict[str, object]:
    form: dict[str, object] = {"id": made, "type": kind}
    if kind not in WITHOUT_STATUS:
        form["status"] = COMPLETED
    if not is_given(members.get("status", UNSET)):
        members = {name: value for name, value in members.items() if name != "status"}
    return {**form, **members, "id": made, "type": kind}


def _content(content: JsonField, role: str) -> object:
    if not is_given(content):
        return ()
    if is_string(content):
        return (_text_part(content, role),)
    return (content,) if is_object(content) else content


def _text_part(text: Raw, role: str) -> dict[str, object]:
    if role == "assistant":
        return {"type": "output_text", "annotations": (), "logprobs": (), "text": text}
    return {"type": "input_text", "text": text}
