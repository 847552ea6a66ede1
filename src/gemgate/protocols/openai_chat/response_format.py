"""The form of the answer."""

import msgspec
from msgspec import UNSET, Raw, json

from gemgate.errors import InvalidRequest
from gemgate.hub.call import Output
from gemgate.hub.codec import Dropped
from gemgate.hub.parts import JsonText
from gemgate.protocols.openai_chat import wire
from gemgate.protocols.shared.raw_json import JsonField, schema_text
from gemgate.protocols.shared.unknown import unknown

PATH = "response_format"
FORM = frozenset(field.name for field in msgspec.structs.fields(wire.ResponseFormat))
SCHEMA = frozenset(field.name for field in msgspec.structs.fields(wire.JsonSchema))


def output_of(form: wire.ResponseFormat | None, modalities: tuple[str, ...]) -> Output:
    """Translate `response_format`; raises `InvalidRequest`."""
    kind = None if form is None else form.type or ("json_schema" if form.json_schema is not None else None)
    if form is None or kind is None or kind == "text":
        return Output(modalities=modalities)
    if kind == "json_object":
        return Output(json=True, schema=_schema(form.schema, f"{PATH}.schema"), modalities=modalities)
    if kind != "json_schema":
        raise InvalidRequest(
            f"{kind[:80]!r} is no response format. It is one of text, json_object, json_schema.", param=PATH
        )
    if form.json_schema is None and form.schema is UNSET:
        raise InvalidRequest("json_schema is missing; it holds the schema.", param=f"{PATH}.json_schema")
    named = form.json_schema or form
    path = f"{PATH}.json_schema.schema" if form.json_schema is not None else f"{PATH}.schema"
    schema = _schema(named.schema, path)
    if schema is not None and named.description:
        schema = _described(schema, named.description)
    return Output(json=True, schema=schema, modalities=modalities)


def _schema(raw: JsonField, path: str) -> JsonText | None:
    return None if raw is UNSET or bytes(raw) == b"null" else schema_text(raw, path)


def _described(schema: JsonText, description: str) -> JsonText:
    """Put the description beside a schema into it, where it has none itself; its name means nothing to a model."""
    try:
        members = json.decode(schema, type=dict[str, Raw])
    except msgspec.ValidationError:
        return schema  # `true` is a schema too
    if "description" in members:
        return schema
    return json.encode({**members, "description": description}).decode()


def unknown_form(raw: Raw | None) -> list[Dropped]:
    """Record what is not known of the form."""
    if raw is None or bytes(memoryview(raw)[:1]) != b"{":
        return []
    members = wire.decode_members(raw)
    found = unknown(members, FORM, PATH)
    below = members.get("json_schema")
    if below is not None and bytes(below) != b"null":
        found += unknown(wire.decode_members(below), SCHEMA, f"{PATH}.json_schema")
    return found
