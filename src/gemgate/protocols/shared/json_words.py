"""Asking for JSON in words, where a model cannot be bound to it."""

from gemgate.hub.parts import JsonText

WORDS = "When you answer with text, answer with one JSON document and nothing else."


def json_words(schema: JsonText | None) -> str:
    """Give the words to put into the system text."""
    return f"{WORDS} Its JSON Schema: {schema}" if schema is not None else WORDS
