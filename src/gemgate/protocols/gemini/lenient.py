"""Replies that are not quite as promised: nulls for absent fields, errors in an array."""

from typing import cast

from msgspec import json

from gemgate.protocols.gemini import wire


def decode_leniently(payload: bytes) -> wire.Response:
    """Decode a reply whose nulls count as absent, or an error in a one-element array (notes §2.7)."""
    return wire.decode_response(plain(payload))


def plain(payload: bytes) -> bytes:
    """Give a document without its nulls, out of the array if it is alone in one."""
    value = without_nulls(json.decode(payload))
    if isinstance(value, list):
        items = cast("list[object]", value)
        value = items[0] if len(items) == 1 else items
    return json.encode(value)


def without_nulls(value: object) -> object:
    """Give a JSON value without the members that are null."""
    if isinstance(value, dict):
        members = cast("dict[str, object]", value).items()
        return {key: without_nulls(item) for key, item in members if item is not None}
    if isinstance(value, list):
        return [without_nulls(item) for item in cast("list[object]", value)]
    return value
