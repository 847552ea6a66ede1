"""Schemas for `parameters` and `responseSchema`, Gemini's own dialect (notes §7.2, full column)."""

from functools import lru_cache

from msgspec import json

from gemgate.errors import InvalidRequest
from gemgate.hub.parts import JsonText
from gemgate.protocols.gemini.schemas.document import TOO_DEEP, decoded
from gemgate.protocols.gemini.schemas.expansion import expanded
from gemgate.protocols.gemini.schemas.json_schema import MEMORISED_CHARACTERS, MEMORISED_SCHEMAS, rooted


def for_openapi(schema: JsonText, *, parameters: bool) -> JsonText | None:
    """Clean a JSON Schema down to Gemini's own dialect; what it cannot say moves into descriptions.

    References are replaced by what they point at, recursion and growth without bound are cut. `parameters`: the root is
    made an object. None where the field is better left out: no parameters, or a schema that binds nothing. A schema
    that needs no change comes back as the same text. Raises `InvalidRequest` if it is nested too deeply to be read.
    """
    return (_memorised if len(schema) <= MEMORISED_CHARACTERS else _made)(schema, parameters)


def _made(text: JsonText, parameters: bool) -> JsonText | None:
    try:
        text, given = decoded(text)
        found = rooted(given, parameters=parameters, counts_properties=True, cycles=True)
        made = expanded(found.root, found.definitions) if found is not None and found.root is not None else None
        if made is None:
            return None
        return text if made == given else json.encode(made).decode()
    except RecursionError:
        raise InvalidRequest(TOO_DEEP) from None


_memorised = lru_cache(MEMORISED_SCHEMAS)(_made)
