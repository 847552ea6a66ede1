"""Schemas for `parametersJsonSchema` and `responseJsonSchema`."""

from functools import lru_cache

from msgspec import json

from gemgate.errors import InvalidRequest
from gemgate.hub.parts import JsonText
from gemgate.protocols.gemini.schemas.cleaning import Cleaned, cleaned
from gemgate.protocols.gemini.schemas.cycles import open_cycles
from gemgate.protocols.gemini.schemas.document import TOO_DEEP, Document, decoded, reference_of
from gemgate.protocols.gemini.schemas.roots import as_object, is_anything, mapped, wrapped
from gemgate.protocols.gemini.schemas.values import Schema, as_schema
from gemgate.protocols.gemini.schemas.walking import reachable

MEMORISED_CHARACTERS = 65_536
MEMORISED_SCHEMAS = 512


def for_json_schema(schema: JsonText, *, parameters: bool) -> JsonText | None:
    """Clean a JSON Schema for Gemini's JSON Schema fields; what they cannot say moves into descriptions.

    `parameters`: the root is made an object. None where the field is better left out: no parameters, or a schema that
    binds nothing. A schema that needs no change comes back as the same text. Raises `InvalidRequest` if it is nested
    too deeply to be read.
    """
    return (_memorised if len(schema) <= MEMORISED_CHARACTERS else _made)(schema, parameters)


def _made(text: JsonText, parameters: bool) -> JsonText | None:
    try:
        text, given = decoded(text)
        made = _shaped(given, parameters=parameters)
        if made is None:
            return None
        return text if made == given else json.encode(made).decode()
    except RecursionError:
        raise InvalidRequest(TOO_DEEP) from None


_memorised = lru_cache(MEMORISED_SCHEMAS)(_made)


def _shaped(given: object, *, parameters: bool) -> Schema | None:
    found = rooted(given, parameters=parameters, counts_properties=False, cycles=False)
    if found is None or found.root is None:
        return None
    definitions = reachable(found.root, found.definitions) if found.definitions else {}
    return {**found.root, "$defs": definitions} if definitions else found.root


def rooted(given: object, *, parameters: bool, counts_properties: bool, cycles: bool) -> Cleaned | None:
    """Clean a decoded schema and shape its root; None if it is not worth sending.

    `cycles` leaves recursion as it is, for those who unroll it.
    """
    schema = as_schema(given)
    if not schema:
        return None
    schema = mapped(schema)
    document = Document(schema)
    found = cleaned(schema, document, counts_properties=counts_properties)
    if found.root is None:
        return None
    if is_anything(found.root):
        # Parameters that are said elsewhere are an object all the same.
        elsewhere = parameters and reference_of(schema) is not None
        return Cleaned({"type": "object", **found.root}, {}) if elsewhere else None
    if parameters and as_object(found) is None:
        found = cleaned(wrapped(schema), document, counts_properties=counts_properties)
    if not cycles and found.definitions:
        open_cycles(found.definitions)
    return Cleaned(as_object(found), found.definitions) if parameters else found
