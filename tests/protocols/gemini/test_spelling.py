from typing import Any

import pytest

from gemgate.protocols.gemini.spelling import camel
from gemgate.protocols.gemini.wire import Part, Request

DATA = {"mime_type": 1, "inline_data": {"file_uri": 2}, "thought_signature": [{"function_call": None}]}


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"inline_data": {"mime_type": "a", "data": "b"}}, {"inlineData": {"mimeType": "a", "data": "b"}}),
        ({"function_call": {"name": "f", "args": DATA}}, {"functionCall": {"name": "f", "args": DATA}}),
        (
            {"function_response": {"response": DATA, "parts": [{"inline_data": {"mime_type": "a"}}]}},
            {"functionResponse": {"response": DATA, "parts": [{"inlineData": {"mimeType": "a"}}]}},
        ),
        ({"part_metadata": DATA}, {"partMetadata": DATA}),
        ({"tool_call": {"tool_type": "X"}}, {"toolCall": {"tool_type": "X"}}),
        ({"text": None, "thought": True}, {"thought": True}),
        ("words", {"text": "words"}),
    ],
)
def test_parts(given: Any, wanted: Any) -> None:
    """Notes §2.3: names of fields change, the user's data never."""
    assert camel(given, Part) == wanted


def test_a_request() -> None:
    schema = {"type": "object", "properties": {"mime_type": {"type": "string"}}, "any_of": []}
    given = {
        "system_instruction": "s",
        "contents": {"parts": "a"},
        "tools": {"function_declarations": {"name": "f", "parameters_json_schema": schema}},
        "generation_config": {"response_json_schema": schema, "thinking_config": {"thinking_level": "LOW"}},
        "labels": {"snake_case": "x"},
        "unknown_field": DATA,
    }
    assert camel(given, Request) == {
        "systemInstruction": {"parts": [{"text": "s"}]},
        "contents": [{"parts": [{"text": "a"}]}],
        "tools": [{"functionDeclarations": [{"name": "f", "parametersJsonSchema": schema}]}],
        "generationConfig": {"responseJsonSchema": schema, "thinkingConfig": {"thinkingLevel": "LOW"}},
        "labels": {"snake_case": "x"},
        "unknown_field": DATA,
    }
    assert camel(5, Request) == 5
