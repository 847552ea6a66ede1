"""Tools of a request, and the choice among them, as a response repeats them."""

import re
from collections.abc import Mapping
from typing import Literal

import msgspec
from msgspec import UNSET, Raw, Struct, json

from gemgate.protocols.shared.raw_json import JsonField, decode_members, is_object, is_string, plain_text

REDACTED = "<redacted>"
"""Secrets of a tool are not repeated."""
ABSENT: dict[str, object] = {"description": None, "parameters": None, "strict": False}
"""What a function has that was not said."""
CHOICES = frozenset({"none", "auto", "required"})

Members = dict[str, Raw]


class _Complete(Struct):
    """A function with all that clients rely on."""

    type: Literal["function"]
    name: str
    description: str | None
    parameters: Raw
    strict: bool | None


class _Known(Struct):
    type: JsonField = UNSET


_decode_complete = json.Decoder(list[_Complete]).decode
_decode_list = json.Decoder(list[Raw]).decode
_decode_known = json.Decoder(_Known).decode
_encode = json.Encoder().encode


def echoed_tools(raw: Raw) -> Raw:
    """Repeat tools; what a form lacks that clients rely on is filled in. A list that needs nothing stays as it is."""
    try:
        _decode_complete(raw)
    except msgspec.MsgspecError:
        return _completed(raw)
    return raw


def _completed(raw: Raw) -> Raw:
    try:
        given = _decode_list(raw)
    except msgspec.MsgspecError:
        return Raw(b"[]")
    tools = [tool for tool in map(_tool, given) if tool is not None]
    untouched = len(tools) == len(given) and all(made is was for made, was in zip(tools, given, strict=True))
    return raw if untouched else Raw(_encode(tools))


def echoed_choice(raw: Raw) -> Raw | None:
    """Repeat the choice among tools; `None` for what is none."""
    if is_string(raw):
        return raw if plain_text(raw) in CHOICES else None
    if not is_object(raw):
        return None
    members = decode_members(raw)
    if not _has_type(members):
        return None
    inner = members.get("function")
    if inner is not None and is_object(inner):
        return Raw(_encode({"type": members["type"]} | decode_members(inner)))
    return raw


def _tool(raw: Raw) -> Raw | None:
    if not is_object(raw):
        return None
    known = _decode_known(raw)
    match plain_text(known.type):
        case "":
            return None
        case "function":
            return _function(raw, decode_members(raw))
        case "code_interpreter":
            return Raw(_encode({"container": {"type": "auto"}} | decode_members(raw)))
        case "mcp":
            return _without_secrets(decode_members(raw))
        case _:
            return raw


def _function(raw: Raw, members: Members) -> Raw | None:
    """Write a function flat; members that it lacks are null, and it was not made strict."""
    inner = members.pop("function", None)
    if inner is not None and is_object(inner):
        members |= decode_members(inner)
    if "name" not in members or not is_string(members["name"]):
        return None
    missing = ABSENT.keys() - members.keys()
    return Raw(_encode(ABSENT | members)) if inner is not None or missing else raw


def _without_secrets(members: Members) -> Raw:
    made: dict[str, object] = dict(members)
    made.pop("authorization", None)
    headers = members.get("headers")
    if headers is not None:
        made["headers"] = dict.fromkeys(decode_members(headers), REDACTED) if is_object(headers) else None
    if url := plain_text(members.get("server_url", UNSET)):
        made["server_url"] = _without_credentials(url)
    return Raw(_encode(made))


def _without_credentials(url: str) -> str:
    """Show where a server is; users, paths and queries may hold secrets."""
    scheme, separator, rest = url.partition("://")
    host = re.split(r"[/?#]", rest, maxsplit=1)[0].rpartition("@")[2]
    return f"{scheme}://{host}/{REDACTED}" if separator and host else REDACTED


def _has_type(members: Mapping[str, Raw]) -> bool:
    return "type" in members and is_string(members["type"])
