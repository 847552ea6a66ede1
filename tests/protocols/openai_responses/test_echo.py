"""What a response repeats of its request: whatever that was, the response is one that clients can read."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import Raw

from gemgate.protocols.openai_responses import wire
from gemgate.protocols.openai_responses.style import Style
from gemgate.protocols.openai_responses.writer import ResponsesWriter
from tests.acceptance.responses_grammar import Json, check, events_of
from tests.bed.recordings import load_recordings, needs_recordings
from tests.protocols.fuzzing import documents
from tests.protocols.openai_responses.replies import echoing, reply, strict, whole, writer
from tests.protocols.replaying import identity, written


def echo(**members: Any) -> Json:
    return whole(reply(), echoing(**members))


FUNCTION = {"type": "function", "name": "f", "description": "d", "parameters": {"type": "object"}, "strict": True}
BARE = {"type": "function", "name": "f", "description": None, "parameters": None, "strict": False}
FORMAT = {"type": "json_schema", "name": "n", "schema": {"type": "object"}, "description": None, "strict": True}


@pytest.mark.parametrize(
    ("name", "given", "repeated"),
    [
        ("instructions", "be kind", "be kind"),
        ("instructions", 5, None),
        ("temperature", 0.3, 0.3),
        ("temperature", "0.3", 0.3),
        ("temperature", "warm", 1.0),
        ("temperature", None, 1.0),
        ("top_p", 0, 0.0),
        ("max_output_tokens", 10, 10),
        ("max_output_tokens", "10", 10),
        ("max_output_tokens", [], None),
        ("top_logprobs", 3, 3),
        ("metadata", {"a": "b"}, {"a": "b"}),
        ("metadata", {"a": 5, "b": "c"}, {"a": "5", "b": "c"}),
        ("metadata", [1], {}),
        ("previous_response_id", "", None),
        ("truncation", "bogus", "disabled"),
        ("parallel_tool_calls", False, False),
        ("truncation", "auto", "auto"),
        ("prompt_cache_key", "k", "k"),
        ("previous_response_id", "resp_1", "resp_1"),
        ("user", {"a": 1}, None),
        ("reasoning", {"effort": "low"}, {"effort": "low", "summary": None}),
        (
            "reasoning",
            {"summary": "auto", "context": "all_turns"},
            {"effort": None, "summary": "auto", "context": "all_turns"},
        ),
        ("reasoning", "high", {"effort": None, "summary": None}),
        ("text", {"verbosity": "low"}, {"format": {"type": "text"}, "verbosity": "low"}),
        ("text", {"format": {"type": "json_object"}}, {"format": {"type": "json_object"}, "verbosity": "medium"}),
        (
            "text",
            {"format": {"type": "json_schema", "name": "n", "schema": {"type": "object"}, "strict": True}},
            {"format": FORMAT, "verbosity": "medium"},
        ),
        (
            "text",
            {
                "format": {
                    "type": "json_schema",
                    "json_schema": {"name": "n", "schema": {"type": "object"}, "strict": True},
                }
            },
            {"format": FORMAT, "verbosity": "medium"},
        ),
        ("text", {"format": "json"}, {"format": {"type": "text"}, "verbosity": "medium"}),
        ("tools", [FUNCTION], [FUNCTION]),
        ("tools", [{"type": "function", "name": "f"}], [BARE]),
        ("tools", [{"type": "function", "function": {"name": "f"}}], [BARE]),
        ("tools", ["web_search", 5, {}, {"type": "function"}], []),
        ("tools", [{"type": "code_interpreter"}], [{"type": "code_interpreter", "container": {"type": "auto"}}]),
        ("tools", {"type": "function"}, []),
        (
            "tools",
            [{"type": "mcp", "server_label": "x", "authorization": "secret", "headers": {"a": "secret"}}],
            [{"type": "mcp", "server_label": "x", "headers": {"a": "<redacted>"}}],
        ),
        (
            "tools",
            [{"type": "mcp", "server_label": "x", "server_url": "https://u:pw@x.test:8/a?token=t"}],
            [{"type": "mcp", "server_label": "x", "server_url": "https://x.test:8/<redacted>"}],
        ),
        (
            "tools",
            [{"type": "mcp", "server_label": "x", "server_url": "https://x.test?token=t"}],
            [{"type": "mcp", "server_label": "x", "server_url": "https://x.test/<redacted>"}],
        ),
        (
            "tools",
            [{"type": "mcp", "server_label": "x", "server_url": "secret"}],
            [{"type": "mcp", "server_label": "x", "server_url": "<redacted>"}],
        ),
        ("tool_choice", "required", "required"),
        ("tool_choice", "any", "auto"),
        ("tool_choice", 5, "auto"),
        ("tool_choice", {"type": "function", "name": "f"}, {"type": "function", "name": "f"}),
        ("tool_choice", {"type": "function", "function": {"name": "f"}}, {"type": "function", "name": "f"}),
    ],
)
def test_what_is_repeated(name: str, given: Any, repeated: Any) -> None:
    made = echo(**{name: given})
    assert made[name] == repeated
    strict(made)


def test_the_conversation() -> None:
    made = whole(reply(), Style(conversation_id="conv_1"))
    assert made["conversation"] == {"id": "conv_1"}
    strict(made)


def test_what_is_large_is_copied_as_it_is() -> None:
    """And on one line."""
    spaced = b'[ {"type":"function", "name":"f", "description":"1.0\\n", "parameters":{"a":1.00},  "strict":null} ]'
    made = ResponsesWriter(identity(), style=Style(echo={"tools": Raw(spaced)}))
    assert spaced in made.whole([event for batch in reply() for event in batch])
    made = ResponsesWriter(identity(), style=Style(echo={"tools": Raw(spaced.replace(b", ", b",\r\n"))}))
    stream = written(made, reply())
    assert check(events_of(stream)) == [] and b'"a":1.00' in stream


def test_what_is_no_text_is_not_repeated() -> None:
    style = Style(echo={"user": Raw(b'"\xff"'), "metadata": Raw(b'{"a":"\xff"}')})
    made = whole(reply(), style)
    assert (made["user"], made["metadata"]) == (None, {})


NAMES = sorted(msgspec.structs.asdict(wire.Request()))


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(st.sampled_from(NAMES), documents(["type", "name", "function", "format", "effort", "tools"])))
def test_any_request_gives_a_response(members: Json) -> None:
    made = writer(echoing(**members))
    assert check(events_of(written(made, reply()))) == []


@needs_recordings
def test_every_recorded_request_is_repeated() -> None:
    """As strictly as the official SDK can be; some of the requests are answered with an error by the original."""
    rows = [row for row in load_recordings("openai") if row.path == "/v1/responses" and row.status == 200]
    asked = [row for row in rows if row.method == "POST"]
    assert len(asked) > 300
    for row in asked:
        style = Style(echo={name: Raw(json.dumps(value).encode()) for name, value in row.request.items()})
        made = whole(reply(), style)
        try:
            strict(made)
        except Exception as error:
            error.add_note(f"recording {row.id}")
            raise
        assert len(made["tools"]) == len(row.request.get("tools") or ())
