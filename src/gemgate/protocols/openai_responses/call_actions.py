"""Arguments of functions that stand for a client's own tools → what the items of those tools hold."""

from typing import Literal, assert_never

import msgspec
from msgspec import Raw, Struct, json

from gemgate.hub.parts import JsonText
from gemgate.protocols.shared.raw_json import decode_members, is_object

ActionKind = Literal["local_shell", "shell", "apply_patch", "computer", "tool_search"]

ITEMS: dict[ActionKind, tuple[str, str]] = {
    "local_shell": ("local_shell_call", "lsh"),
    "shell": ("shell_call", "sh"),
    "apply_patch": ("apply_patch_call", "apc"),
    "computer": ("computer_call", "cu"),
    "tool_search": ("tool_search_call", "tsc"),
}
"""The type of the item, and how its id begins."""

Members = dict[str, Raw]


class _Words(Struct):
    command: list[str] | str = ""
    commands: list[str] | str = ""


_decode_words = json.Decoder(_Words, strict=False).decode
_encode = json.Encoder().encode


def action(kind: ActionKind, arguments: JsonText) -> dict[str, object]:
    """Give the members that say what is to be done; what the model left out is empty, so that clients can read it."""
    given = _members(arguments)
    match kind:
        case "local_shell":
            return {"action": _local_command(_inner(given, "action"))}
        case "shell":
            return {"action": _commands(_inner(given, "action"))}
        case "apply_patch":
            return {"operation": _operation(_inner(given, "operation"))}
        case "computer":
            return _moves(given)
        case "tool_search":
            return {"arguments": given, "execution": "client"}
        case _:
            assert_never(kind)


def _members(arguments: JsonText | Raw) -> Members:
    try:
        return decode_members(arguments)
    except (msgspec.MsgspecError, RecursionError):
        return {}


def _inner(given: Members, name: str) -> Members:
    """Take it out of the member that holds it in the item, where the model has written that too."""
    return _members(given[name]) if name in given and is_object(given[name]) else given


def _words(given: Members) -> _Words:
    try:
        return _decode_words(_encode(given))
    except msgspec.MsgspecError:
        return _Words()


def _local_command(given: Members) -> dict[str, object]:
    command = _words(given).command
    words = command if isinstance(command, list) else ["bash", "-lc", command]
    made: dict[str, object] = {"env": {}}
    return made | given | {"type": "exec", "command": words}


def _commands(given: Members) -> dict[str, object]:
    words = _words(given)
    commands = words.commands or words.command
    rest = {name: value for name, value in given.items() if name not in ("command", "commands")}
    made: dict[str, object] = {"commands": commands if isinstance(commands, list) else [commands]}
    return made | rest


def _operation(given: Members) -> dict[str, object]:
    known: dict[str, object] = {"type": "update_file", "path": ""}
    if bytes(given.get("type", Raw(b""))) != b'"delete_file"':
        known["diff"] = ""
    return known | given


def _moves(given: Members) -> dict[str, object]:
    """Clients of the newer tool read `actions`, those of the older one `action`."""
    made: dict[str, object] = {"pending_safety_checks": []}
    if "actions" in given:
        try:
            moves = json.decode(given["actions"], type=list[Raw])
        except msgspec.MsgspecError:
            moves = []
    else:
        single = _inner(given, "action")
        moves = [Raw(_encode(single))] if "type" in single else []
    if len(moves) == 1:
        made["action"] = moves[0]
    return made | {"actions": moves}
