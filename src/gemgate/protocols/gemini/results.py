"""Results of functions as Gemini takes them."""

import re
from typing import cast

import msgspec
from msgspec import json
from msgspec.structs import replace

from gemgate.hub.parts import JsonText, Media, ToolResult

INSIDE = ("image/", "application/pdf", "text/plain")
"""Types of media that may stand in a result itself, on models that take any there."""

REFERENCE = "$ref"
_MAYBE_REFERENCE = re.compile(r'"\$ref"|\\u00(?:24|72|65|66)')
"""The key as it is, or one of its letters escaped."""


def fitting(result: ToolResult, *, media_inside: bool) -> tuple[ToolResult, tuple[Media, ...]]:
    """Give a result as Gemini takes it, and the media that must stand beside it."""
    if _refers(result.response):
        # Newer models refuse the key wherever it stands (acceptance 10).
        result = replace(result, response=json.encode({"output": result.response}).decode())
    if not result.media:
        return result, ()
    inside = tuple(media for media in result.media if media_inside and _may_stay(media))
    beside = tuple(media for media in result.media if not (media_inside and _may_stay(media)))
    return replace(result, media=inside), beside


def _may_stay(media: Media) -> bool:
    return media.mime_type.startswith(INSIDE)


def _refers(response: JsonText) -> bool:
    if _MAYBE_REFERENCE.search(response) is None:
        return False
    try:
        waiting: list[object] = [json.decode(response)]
    except (msgspec.DecodeError, RecursionError):
        return True
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict):
            members = cast("dict[str, object]", value)
            if REFERENCE in members:
                return True
            waiting += members.values()
        elif isinstance(value, list):
            waiting += cast("list[object]", value)
    return False
