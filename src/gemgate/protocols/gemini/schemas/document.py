"""A schema document: its text decoded, and what its references point at."""

import json as python_json
import re
import sys
from urllib.parse import unquote

import msgspec

from gemgate.errors import InvalidRequest
from gemgate.hub.parts import JsonText
from gemgate.protocols.gemini.schemas.values import Schema, as_list, as_schema

REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")
SHELVES = ("$defs", "definitions", "schemas", "defs")
INDEX = re.compile(r"[0-9]{1,9}")
UNSAFE = re.compile(r"[^A-Za-z0-9_.-]+")

TOO_DEEP = "The schema is nested too deeply."
MAX_CHARACTERS = 256 * 1024
TOO_LARGE = "The schema has more than 256 KB; Gemini takes far less. Shorten it."
MAX_TOTAL_CHARACTERS = 1024 * 1024
"""How much all schemas of one request may have together; each counts, also one that was seen before."""


def decoded(text: JsonText) -> tuple[JsonText, object]:
    """Decode a schema; gives its text as every decoder takes it, and its value.

    Raises `InvalidRequest` if it is no JSON or too large, `RecursionError` if it is nested too deeply.
    """
    if len(text) > MAX_CHARACTERS:
        raise InvalidRequest(TOO_LARGE)
    try:
        return text, msgspec.json.decode(text)
    except msgspec.DecodeError:
        mended = _mended(text)
        return mended, msgspec.json.decode(mended)


def _mended(text: JsonText) -> JsonText:
    """Replace what decoders refuse although the grammar of JSON allows it: half surrogates, numbers too large."""
    try:
        value = python_json.loads(text, parse_float=_finite, parse_constant=_refused)
    except ValueError as error:
        raise InvalidRequest(f"The schema is not valid JSON: {error}.", code="invalid_json") from None
    return python_json.dumps(value, ensure_ascii=False).encode(errors="replace").decode()


def _refused(word: str) -> float:
    raise ValueError(f"{word} is no number")


def _finite(text: str) -> float:
    return max(-sys.float_info.max, min(sys.float_info.max, float(text)))


class Document:
    """A decoded schema whose parts point at one another."""

    def __init__(self, root: object) -> None:
        self.root = root
        self._marked: dict[str, object] | None = None
        self._targets: dict[str, object] = {}

    def target(self, reference: str) -> object:
        """Give the schema that a reference points at, through references that are nothing else; None if there is none.

        Pointers may be percent-encoded, and name the wrong shelf of definitions; anchors and `$id`s are known too.
        """
        way: dict[str, None] = {}
        while reference not in self._targets and reference not in way:
            way[reference] = None
            found = self._found(reference)
            schema = as_schema(found)
            if schema is None or (further := reference_of(schema)) is None or not _only_refers(schema):
                self._targets[reference] = found if schema is not None or isinstance(found, bool) else None
            else:
                reference = further
        target = self._targets.get(reference)
        self._targets.update(dict.fromkeys(way, target))
        return target

    def _found(self, reference: str) -> object:
        if reference in ("", "#"):
            return self.root
        before, hash_sign, fragment = reference.partition("#")
        if hash_sign and not before and (fragment := unquote(fragment)).startswith("/"):
            tokens = [token.replace("~1", "/").replace("~0", "~") for token in fragment[1:].split("/")]
            found = self._at(tokens)
            return found if found is not None else self._shelved(tokens[-1])
        if reference in self._marks():
            return self._marks()[reference]
        return self._shelved(fragment or before) if not before or not hash_sign else None

    def _at(self, tokens: list[str]) -> object:
        found = self.root
        for token in tokens:
            listed = as_list(found)
            if listed is None:
                found = (as_schema(found) or {}).get(token)
            else:
                found = listed[int(token)] if INDEX.fullmatch(token) and int(token) < len(listed) else None
        return found

    def _shelved(self, name: str) -> object:
        root = as_schema(self.root) or {}
        components = as_schema(root.get("components")) or {}
        for place in (root, components):
            for shelf in SHELVES:
                if (found := (as_schema(place.get(shelf)) or {}).get(name)) is not None:
                    return found
        return None

    def _marks(self) -> dict[str, object]:
        """List what `$id` and `$anchor` name, found once and only when somebody asks."""
        if self._marked is None:
            self._marked = {}
            waiting = [self.root]
            while waiting:
                node = waiting.pop()
                waiting += as_list(node) or ()
                if schema := as_schema(node):
                    waiting += schema.values()
                    self._mark(schema, self._marked)
        return self._marked

    @staticmethod
    def _mark(schema: Schema, marked: dict[str, object]) -> None:
        for key, sign in (("$id", ""), ("id", ""), ("$anchor", "#"), ("$dynamicAnchor", "#")):
            if isinstance(name := schema.get(key), str) and name:
                marked.setdefault(sign + name, schema)


def reference_of(schema: Schema) -> str | None:
    """Give what a schema refers to; None if it does not."""
    for key in REFERENCES:
        if isinstance(reference := schema.get(key), str):
            return reference
    return None


def _only_refers(schema: Schema) -> bool:
    return all(key.startswith("$") or key == "definitions" for key in schema)


def name_of(reference: str) -> str:
    """Make a name for a definition from the reference to it; letters, digits and `_.-` alone."""
    last = unquote(reference.rstrip("/#").rpartition("/")[2].lstrip("#"))
    return UNSAFE.sub("_", last)[:60].strip("_") or "root"
