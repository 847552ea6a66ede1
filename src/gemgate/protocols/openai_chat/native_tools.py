"""Tools of Gemini's own shape: `{"google_search": {}}`, `{"functionDeclarations": […]}`, and what only it knows."""

from typing import cast

import msgspec
from msgspec import Raw, Struct, json

from gemgate.errors import InvalidRequest
from gemgate.hub.call import BuiltIn, Function, OpaqueTool, Tool
from gemgate.hub.codec import Dropped
from gemgate.hub.parts import JsonText, Vendor
from gemgate.protocols.openai_chat import wire
from gemgate.protocols.shared.built_ins import kind_of
from gemgate.protocols.shared.empty import EMPTY
from gemgate.protocols.shared.native import GOOGLE
from gemgate.protocols.shared.reading import unreadable
from gemgate.protocols.shared.unknown import UNKNOWN

TYPES = frozenset({"STRING", "NUMBER", "INTEGER", "BOOLEAN", "ARRAY", "OBJECT", "NULL"})
DATA = frozenset({"enum", "default", "example", "const"})
"""Members of a schema that hold data, not schemas."""
CAMEL = {
    "any_of": "anyOf",
    "property_ordering": "propertyOrdering",
    **{f"{end}_{of}": f"{end}{of.title()}" for end in ("min", "max") for of in ("items", "length", "properties")},
}
Json = dict[str, object]
PASSED = {"response": "response", "responsejsonschema": "responseJsonSchema", "behavior": "behavior"}
"""What is said of a function in Gemini's words alone, and how its codec spells it."""


class _Declaration(Struct):
    name: str = ""
    description: str | None = None


def native(raw: bytes, path: str, dropped: list[Dropped]) -> list[Tool]:
    """Read one entry, which may hold several tools; raises `InvalidRequest`."""
    members = wire.decode_members(raw)
    if not members:
        raise InvalidRequest("A tool must say what it is.", param=path)
    found: list[Tool] = []
    unknown: dict[str, Raw] = {}
    for name, value in members.items():
        kind = kind_of(name)
        if _key(name) == "functiondeclarations":
            found += _functions(value, f"{path}.{name}", dropped)
        elif kind is not None:
            settings = bytes(value)
            found.append(BuiltIn(kind, None if settings in EMPTY else Vendor(GOOGLE, settings.decode())))
        else:
            unknown[name] = value
    if unknown:
        found.append(OpaqueTool(Vendor(GOOGLE, json.encode(unknown).decode())))
    return found


def _functions(raw: Raw, path: str, dropped: list[Dropped]) -> list[Function]:
    if bytes(raw) == b"null":
        return []
    try:
        listed = json.decode(raw, type=list[Raw])
        return [_function(one, f"{path}.{number}", dropped) for number, one in enumerate(listed)]
    except msgspec.ValidationError as error:
        raise InvalidRequest(f"These are no function declarations: {unreadable(error).message}", param=path) from error


def _function(raw: Raw, path: str, dropped: list[Dropped]) -> Function:
    members = {_key(name): (name, value) for name, value in wire.decode_members(raw).items()}
    given = json.decode(raw, type=_Declaration, strict=False)
    if not given.name:
        raise InvalidRequest("A function must have a name.", param=f"{path}.name")
    known = {"name", "description", "parameters", "parametersjsonschema", *PASSED}
    for key, (name, value) in members.items():
        if key not in known and bytes(value) not in EMPTY:
            dropped.append(Dropped(f"{path}.{name}", UNKNOWN))
    parameters: JsonText | None = None
    for key in ("parameters", "parametersjsonschema"):
        if key in members and bytes(members[key][1]) != b"null":
            parameters = json_schema(members[key][1])
    extras = {PASSED[key]: value for key, (_, value) in members.items() if key in PASSED and bytes(value) not in EMPTY}
    return Function(
        name=given.name,
        description=given.description or "",
        parameters=parameters,
        vendor=Vendor(GOOGLE, json.encode(extras).decode()) if extras else None,
    )


def json_schema(raw: Raw) -> JsonText:
    """Spell the types of Gemini's dialect as JSON Schema does; what else tells them apart is cleaned away later."""
    return json.encode(_lowered(json.decode(raw))).decode()


def _lowered(node: object) -> object:
    match node:
        case dict():
            return {CAMEL.get(name, name): _member(name, value) for name, value in cast("Json", node).items()}
        case list():
            return [_lowered(value) for value in cast("list[object]", node)]
        case _:
            return node


def _member(name: str, value: object) -> object:
    if name in DATA:
        return value
    if name == "properties" and isinstance(value, dict):
        return {given: _lowered(inner) for given, inner in cast("Json", value).items()}
    return value.lower() if name == "type" and isinstance(value, str) and value in TYPES else _lowered(value)


def _key(name: str) -> str:
    return name.replace("_", "").lower()
