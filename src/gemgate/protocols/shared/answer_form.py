"""The form of an answer, as OpenAI's formats ask for it: text, JSON, or JSON of a schema."""

import msgspec
from msgspec import UNSET, Raw, Struct, json

from gemgate.errors import InvalidRequest
from gemgate.hub.call import Output
from gemgate.hub.codec import Dropped
from gemgate.hub.parts import JsonText
from gemgate.protocols.shared.raw_json import JsonField, decode_members, is_given, schema_text
from gemgate.protocols.shared.unknown import unknown


class NamedSchema(Struct):
    """A named schema of the answer."""

    name: str | None = None
    description: str | None = None
    schema: JsonField = UNSET
    strict: bool | None = None


class AnswerForm(Struct):
    """The form of the answer; the schema stands below `json_schema`, or flat."""

    type: str | None = None
    json_schema: NamedSchema | None = None
    schema: JsonField = UNSET
    name: str | None = None
    description: str | None = None
    strict: bool | None = None


FORM = frozenset(field.name for field in msgspec.structs.fields(AnswerForm))
SCHEMA = frozenset(field.name for field in msgspec.structs.fields(NamedSchema))


def output_of(form: AnswerForm | None, path: str, *, flat: bool, modalities: tuple[str, ...] = ()) -> Output:
    """Translate the form that stands at `path`; raises `InvalidRequest`.

    `flat` is whether the format itself has the schema beside the type; either is understood.
    """
    kind = None if form is None else form.type or ("json_schema" if form.json_schema is not None else None)
    if form is None or kind is None or kind == "text":
        return Output(modalities=modalities)
    if kind == "json_object":
        return Output(json=True, schema=_schema(form.schema, f"{path}.schema"), modalities=modalities)
    if kind != "json_schema":
        raise InvalidRequest(
            f"{kind[:80]!r} is no form of an answer. It is one of text, json_object, json_schema.",
            param=f"{path}.type" if flat else path,
        )
    if form.json_schema is None and form.schema is UNSET:
        missing = "schema" if flat else "json_schema"
        raise InvalidRequest("The schema of the answer is missing.", param=f"{path}.{missing}")
    named = form.json_schema or form
    schema = _schema(named.schema, schema_path(form, path))
    if schema is not None and named.description:
        schema = _described(schema, named.description)
    return Output(json=True, schema=schema, modalities=modalities)


def schema_path(form: AnswerForm, path: str) -> str:
    """Tell where the schema of a form stands."""
    return f"{path}.json_schema.schema" if form.json_schema is not None else f"{path}.schema"


def _schema(raw: JsonField, path: str) -> JsonText | None:
    return schema_text(raw, path) if is_given(raw) else None


def _described(schema: JsonText, description: str) -> JsonText:
    """Put the description beside a schema into it, where it has none itself; its name means nothing to a model."""
    try:
        members = json.decode(schema, type=dict[str, Raw])
    except msgspec.ValidationError:
        return schema  # `true` is a schema too
    if "description" in members:
        return schema
    return json.encode({**members, "description": description}).decode()


def unknown_form(raw: Raw | None, path: str) -> list[Dropped]:
    """Record what is not known of the form."""
    if raw is None or bytes(memoryview(raw)[:1]) != b"{":
        return []
    members = decode_members(raw)
    found = unknown(members, FORM, path)
    below = members.get("json_schema")
    if below is not None and bytes(below) != b"null":
        found += unknown(decode_members(below), SCHEMA, f"{path}.json_schema")
    return found
