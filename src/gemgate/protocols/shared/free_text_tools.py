"""Tools that are called with free text: a function of one string stands in for each."""

import msgspec
from msgspec import Struct, json

from gemgate.errors import InvalidRequest
from gemgate.hub.call import Function
from gemgate.hub.parts import JsonText
from gemgate.protocols.shared.raw_json import JsonField, is_given

TEXT_INPUT = '{"type":"object","properties":{"input":{"type":"string"}},"required":["input"]}'


class _Grammar(Struct):
    definition: str = ""
    syntax: str = ""


class _Format(Struct):
    grammar: _Grammar | None = None
    definition: str = ""
    syntax: str = ""


def free_text_function(name: str, description: str | None, form: JsonField, path: str) -> Function:
    """Make the function; the grammar of its `form`, which stands in the tool at `path`, is put into words.

    Raises `InvalidRequest` for one that cannot be read.
    """
    words = [description or ""]
    text = bytes(form).decode() if is_given(form) else ""
    if '"grammar"' in text:
        words.append(f"`input` must follow this grammar: {_grammar(text, path)}")
    return Function(name=name, description="\n".join(word for word in words if word), parameters=TEXT_INPUT)


def _grammar(form: JsonText, path: str) -> str:
    """Give a grammar in its own words, nested or flat."""
    try:
        found = json.decode(form, type=_Format)
    except msgspec.MsgspecError as error:
        raise InvalidRequest(f"This grammar cannot be read: {error}.", param=f"{path}.format") from error
    grammar = found.grammar or _Grammar(found.definition, found.syntax)
    return f"{grammar.definition} ({grammar.syntax})" if grammar.syntax else grammar.definition
