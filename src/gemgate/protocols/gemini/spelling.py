"""Both spellings of Gemini's JSON → the one that the wire types know.

Google's own SDK mixes camelCase and snake_case in one body, and protobuf JSON takes both everywhere (notes §2.3). Keys
are changed only where the wire types name a field: user data (arguments, results, schemas, labels) stays as it came.
"""

from functools import cache
from typing import cast, get_args, get_type_hints

import msgspec
from msgspec import Struct

from gemgate.protocols.gemini import wire


@cache
def _fields(kind: type[Struct]) -> dict[str, tuple[str, type[Struct] | None]]:
    """Map both spellings of each field to its name on the wire and the struct inside it, if any."""
    hints = get_type_hints(kind)
    fields: dict[str, tuple[str, type[Struct] | None]] = {}
    for field in msgspec.structs.fields(kind):
        inner = _struct_in(hints[field.name])
        fields[field.encode_name] = fields[field.name] = (field.encode_name, inner)
    return fields


def _struct_in(hint: object) -> type[Struct] | None:
    if isinstance(hint, type) and issubclass(hint, Struct):
        return hint
    return next((found for part in get_args(hint) if (found := _struct_in(part)) is not None), None)


def camel(value: object, kind: type[Struct]) -> object:
    """Respell the keys of `value`, an object or a list of objects of `kind`; nulls are left out.

    Shorthands are written out: a part that is a string, contents that are a string or a single object.
    """
    if isinstance(value, list):
        return [camel(item, kind) for item in cast("list[object]", value)]
    if isinstance(value, str):
        return _written_out(value, kind)
    if not isinstance(value, dict):
        return value
    fields = _fields(kind)
    made: dict[str, object] = {}
    for key, item in cast("dict[str, object]", value).items():
        name, inner = fields.get(key, (key, None))
        if item is not None:
            made[name] = _listed(camel(item, inner), name) if inner is not None else item
    return made


def _written_out(text: str, kind: type[Struct]) -> object:
    if kind is wire.Part:
        return {"text": text}
    if kind is wire.Content:
        return {"parts": [{"text": text}]}
    return text


LISTS = frozenset({"contents", "parts", "tools", "functionDeclarations"})


def _listed(value: object, name: str) -> object:
    if name in LISTS and not isinstance(value, list):
        return [value]
    return cast("object", value)
