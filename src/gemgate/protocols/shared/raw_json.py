"""Members of a request that are read later, or never: what they hold, without decoding them."""

import re
from typing import TypeGuard

import msgspec
from msgspec import UNSET, Raw, UnsetType, json

from gemgate.errors import InvalidRequest
from gemgate.hub.parts import Base64, JsonText

JsonField = Raw | UnsetType
"""A member as it was sent; unset where it was not."""

decode_string = json.Decoder(str, strict=False).decode
decode_members = json.Decoder(dict[str, Raw]).decode
"""Reads the members of an object, each undecoded."""


def is_given(raw: JsonField) -> TypeGuard[Raw]:
    """Whether a member is there and not null."""
    return raw is not UNSET and bytes(memoryview(raw)[:4]) != b"null"


def is_string(raw: Raw) -> bool:
    """Whether it is a string."""
    return bytes(memoryview(raw)[:1]) == b'"'


def is_object(raw: Raw) -> bool:
    """Whether it is an object."""
    return bytes(memoryview(raw)[:1]) == b"{"


def string(raw: Raw) -> Base64:
    """Give a JSON string: a slice of the request where it holds no escapes, which base64 does not."""
    view = memoryview(raw)
    if bytes(view[:1]) != b'"':
        return decode_string(raw)
    inner = view[1:-1]
    return decode_string(raw) if re.search(rb"\\", inner) else inner


def plain_text(raw: JsonField) -> str:
    """Give a string, and "" for anything else."""
    return decode_string(raw) if is_given(raw) and is_string(raw) else ""


def object_text(text: str, otherwise: str) -> JsonText:
    """Keep a JSON object as it is; put anything else under one key."""
    if text.lstrip()[:1] == "{":
        try:
            json.decode(text, type=dict[str, Raw])
        except (msgspec.DecodeError, RecursionError):
            pass
        else:
            return text
    return json.encode({otherwise: text}).decode()


RAW = "_raw"
"""Under this key stand arguments that are no JSON object, which every format wants them to be."""


def arguments(raw: JsonField, path: str) -> JsonText:
    """Read the arguments of a call: an object, or JSON in a string; raises `InvalidRequest`."""
    if not is_given(raw):
        return "{}"
    try:
        if is_object(raw):
            return bytes(raw).decode()
        text = decode_string(raw) if is_string(raw) else bytes(raw).decode()
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InvalidRequest(f"The arguments cannot be read: {error}.", param=path) from error
    return object_text(text, RAW) if text.strip() not in ("", "null") else "{}"


def schema_text(raw: Raw, path: str) -> JsonText | None:
    """Give a schema, which some clients send as JSON within a string; raises `InvalidRequest`."""
    if not is_string(raw):
        return bytes(raw).decode()
    try:
        text = decode_string(raw)
        json.decode(text or "null")
    except (msgspec.MsgspecError, RecursionError) as error:
        raise InvalidRequest("This must be a JSON Schema.", param=path) from error
    return text or None
