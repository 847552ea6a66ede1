"""What a response repeats of its request, and what stands there where nothing was given."""

from collections.abc import Callable, Mapping
from typing import Literal

import msgspec
from msgspec import Raw, Struct, json

from gemgate.protocols.openai_responses.echoed_tools import echoed_choice, echoed_tools
from gemgate.protocols.shared.raw_json import decode_members, is_given, is_object, is_string

Check = Callable[[Raw], Raw | None]
"""Gives what is repeated of a member; `None` for what cannot be."""

Members = dict[str, Raw]

NULL = Raw(b"null")

_encode = json.Encoder().encode


class _Reasoning(Struct):
    effort: str | None = None
    summary: str | None = None


class _Format(Struct):
    type: str
    name: str | None = None
    schema: dict[str, Raw] | None = None
    description: str | None = None
    strict: bool | None = None
    json_schema: dict[str, Raw] | None = None


class _Text(Struct):
    format: _Format | None = None
    verbosity: str | None = None


PLAIN = {"type": "text"}


def echoed(request: Mapping[str, Raw]) -> bytes:
    """Write the members, separated by commas; what is large is copied as it is."""
    given = {name: _member(name, _repeated(raw, *REPEATED[name])) for name, raw in request.items() if name in REPEATED}
    return b",".join((ABSENT | given).values())


def _member(name: str, value: bytes) -> bytes:
    return b'"%b":%b' % (name.encode(), value)


def _repeated(raw: Raw, check: Check, absent: bytes) -> bytes:
    """Repeat a member, on one line: a stream is made of lines."""
    if not is_given(raw):
        return absent
    try:
        made = check(raw)
        if made is None:
            return absent
        data = bytes(made)
        data.decode()
        return json.format(data, indent=-1) if b"\n" in data or b"\r" in data else data
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return absent


def _as(kind: object) -> Check:
    """Repeat a value of this type, however it was written."""
    decode = json.Decoder(kind, strict=False).decode
    return lambda raw: Raw(_encode(decode(raw)))


def _is(kind: object) -> Check:
    """Repeat a value as it is, if it is of this type."""
    decode = json.Decoder(kind).decode

    def check(raw: Raw) -> Raw:
        decode(raw)
        return raw

    return check


def _reasoning(raw: Raw) -> Raw | None:
    if not is_object(raw):
        return None
    given = json.decode(raw, type=_Reasoning, strict=False)
    return Raw(_encode(decode_members(raw) | {"effort": given.effort, "summary": given.summary}))


def _text(raw: Raw) -> Raw | None:
    if not is_object(raw):
        return None
    given = json.decode(raw, type=_Text, strict=False)
    made = {"format": _format(given.format), "verbosity": given.verbosity or "medium"}
    return Raw(_encode(decode_members(raw) | made))


def _format(given: _Format | None) -> dict[str, object]:
    """Write a format flat, with all that clients rely on."""
    if given is None:
        return dict(PLAIN)
    if given.type != "json_schema":
        return {"type": given.type}
    if given.json_schema is not None:
        given = json.decode(_encode({"type": Raw(b'"json_schema"')} | given.json_schema), type=_Format, strict=False)
    return {
        "type": given.type,
        "description": given.description,
        "name": given.name or "",
        "schema": given.schema or {},
        "strict": bool(given.strict),
    }


def _metadata(raw: Raw) -> Raw | None:
    """Repeat the values as texts, which they are to be."""
    members = decode_members(raw)
    return Raw(_encode({name: value if is_string(value) else bytes(value).decode() for name, value in members.items()}))


def _text_or_none(raw: Raw) -> Raw | None:
    return raw if json.decode(raw, type=str) else None


_number = _as(float)
_count = _as(int)

REPEATED: dict[str, tuple[Check, bytes]] = {
    "frequency_penalty": (_number, b"0.0"),
    "instructions": (_is(str | list[Raw]), b"null"),
    "max_output_tokens": (_count, b"null"),
    "max_tool_calls": (_count, b"null"),
    "metadata": (_metadata, b"{}"),
    "parallel_tool_calls": (_as(bool), b"true"),
    "presence_penalty": (_number, b"0.0"),
    "previous_response_id": (_text_or_none, b"null"),
    "prompt_cache_key": (_text_or_none, b"null"),
    "prompt_cache_retention": (_text_or_none, b"null"),
    "reasoning": (_reasoning, b'{"effort":null,"summary":null}'),
    "safety_identifier": (_text_or_none, b"null"),
    "temperature": (_number, b"1.0"),
    "text": (_text, b'{"format":{"type":"text"},"verbosity":"medium"}'),
    "tool_choice": (echoed_choice, b'"auto"'),
    "tools": (echoed_tools, b"[]"),
    "top_logprobs": (_count, b"0"),
    "top_p": (_number, b"1.0"),
    "truncation": (_is(Literal["auto", "disabled"]), b'"disabled"'),
    "user": (_text_or_none, b"null"),
}
"""Members by name, how each is repeated, and what stands there otherwise."""

ABSENT = {name: _member(name, absent) for name, (_, absent) in REPEATED.items()}
"""All of them where nothing was given, in their order."""
