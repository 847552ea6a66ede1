"""The model's own messages as they come back: signatures, code, images and what other servers have put there."""

import json
from typing import Any

import pytest

from gemgate.hub.parts import Code, CodeResult, Inline, Media, Signature, Text, Thought, ToolCall
from gemgate.protocols.shared.seals import HEAD, UNSIGNED, Seal, sealed
from tests.protocols.anthropic.asking import HI, PNG, Json, assistant, history, lost, parse, refusal, result, text, use
from tests.protocols.anthropic.replies import content

MARK = Signature("gemini", "YWJj/+==")


def thinking(target: str, mark: Signature | None = MARK, thought: str = "hm") -> Json:
    return {"type": "thinking", "thinking": thought, "signature": sealed(Seal(target, mark))}


# ── signatures ──


def test_an_empty_text_is_nothing() -> None:
    assert assistant(text("a"), text("")) == (Text("a"),)


def test_a_seal_signs_the_call_it_names() -> None:
    parts = assistant(thinking("call-2"), use("1"), use("2", x=1), use("2"))
    assert parts == (ToolCall("1", "f", "{}"), ToolCall("2", "f", '{"x": 1}', MARK), ToolCall("2", "f", "{}"))


def test_a_seal_may_stand_behind_its_call_or_a_message_before_it() -> None:
    assert assistant(use("1"), thinking("call-1")) == (ToolCall("1", "f", "{}", MARK),)
    run = history({"role": "assistant", "content": [thinking("call-1")]}, {"role": "assistant", "content": [use("1")]})
    assert run[2].parts == (ToolCall("1", "f", "{}", MARK),)


def test_a_seal_signs_nothing_beyond_the_users_next_words() -> None:
    later = history(
        {"role": "assistant", "content": [thinking("call-1"), thinking("code-1")]},
        HI,
        {"role": "assistant", "content": [use("1"), text("a")]},
    )
    assert later[1].parts == () and later[3].parts == (ToolCall("1", "f", "{}"), Text("a"))


def test_a_sealed_thought_is_the_models_own() -> None:
    assert assistant(thinking("thought"), text("a")) == (Thought("hm", MARK), Text("a"))
    assert assistant({"type": "thinking", "thinking": "hm", "signature": sealed(UNSIGNED)}, text("a")) == (Text("a"),)


def test_seals_in_redacted_thinking() -> None:
    assert assistant({"type": "redacted_thinking", "data": sealed(Seal("call-1", MARK))}, use("1")) == (
        ToolCall("1", "f", "{}", MARK),
    )


@pytest.mark.parametrize(
    "block",
    [
        {"type": "thinking", "thinking": "hm", "signature": "EqQBCkYIBxgCKkDq"},
        {"type": "thinking", "thinking": "hm", "signature": ""},
        {"type": "thinking", "thinking": "hm"},
        {"type": "thinking"},
        {"type": "redacted_thinking", "data": "EqQBCkYIBxgCKkDq"},
        {"type": "redacted_thinking"},
        {"type": "redacted_thinking", "data": {"a": 1}},
        thinking("call-9"),
        thinking("code"),
        {"type": "thinking", "thinking": "hm", "signature": f"{HEAD}broken"},
    ],
)
def test_thoughts_of_others_are_left_out_in_silence(block: Json) -> None:
    messages = [HI, {"role": "assistant", "content": [block, text("a"), use("1")]}]
    assert assistant(block, text("a"), use("1")) == (Text("a"), ToolCall("1", "f", "{}"))
    assert not parse(messages=messages).dropped


# ── calls ──


@pytest.mark.parametrize(
    ("given", "arguments"),
    [
        ({"b": 1.5, "a": []}, '{"b": 1.5, "a": []}'),
        ({}, "{}"),
        (None, "{}"),
        ("", "{}"),
        ('{"a": 1.50}', '{"a": 1.50}'),
        ("plain", '{"_raw":"plain"}'),
    ],
)
def test_input_of_a_call(given: Any, arguments: str) -> None:
    block = {"type": "tool_use", "id": "1", "name": "f", "input": given, "caller": {"type": "direct"}}
    assert assistant(block) == (ToolCall("1", "f", arguments),)
    del block["input"]
    assert assistant(block) == (ToolCall("1", "f", "{}"),)


def test_a_call_must_name_its_tool_and_have_an_object() -> None:
    bad = {"type": "tool_use", "id": "1", "input": {}}
    for block, param in ((bad, "name"), (bad | {"name": "f", "input": [1]}, "input")):
        found = refusal(messages=[HI, {"role": "assistant", "content": [text("a"), block]}])
        assert found.param == f"messages.1.content.1.{param}"


# ── images ──


def test_images_in_text_become_media_again() -> None:
    shown = f"a\n![image](data:image/png;base64,{PNG})\nb"
    parsed = parse(messages=[HI, {"role": "assistant", "content": [text("x"), text(shown)]}])
    parts = parsed.call.messages[1].parts  # type: ignore[union-attr]
    assert parts == (Text("x"), Text("a"), Media("image/png", Inline(PNG)), Text("b"))
    assert parsed.paths["messages.1.parts.2"] == "messages.1.content.1"
    assert history({"role": "assistant", "content": shown})[1].parts == parts[1:]
    assert history({"role": "user", "content": shown})[1].parts == (Text(shown),)


# ── tools of a server ──


def ran(content: Json, **more: Any) -> tuple[Any, ...]:
    return assistant(
        {"type": "server_tool_use", "id": "s1", "name": "code_execution", "input": {"code": "print(1)"}} | more,
        {"type": "code_execution_tool_result", "tool_use_id": "s1", "content": content},
    )


@pytest.mark.parametrize(
    ("content", "outcome", "output"),
    [
        ({"type": "code_execution_result", "stdout": "1\n", "stderr": "", "return_code": 0}, "ok", "1\n"),
        ({"type": "code_execution_result", "stdout": "1", "stderr": "bad", "return_code": 1}, "failed", "1\nbad"),
        ({"type": "code_execution_result", "stdout": "1", "stderr": "x", "return_code": 124}, "deadline_exceeded", "1"),
        ({"type": "code_execution_tool_result_error", "error_code": "unavailable"}, "failed", "unavailable"),
        (
            {"type": "code_execution_tool_result_error", "error_code": "execution_time_exceeded"},
            "deadline_exceeded",
            "",
        ),
    ],
)
def test_code_and_what_came_of_it(content: Json, outcome: str, output: str) -> None:
    assert ran(content) == (Code("s1", "python", "print(1)"), CodeResult("s1", outcome, output))


def test_code_is_signed() -> None:
    content = {"type": "code_execution_result", "stdout": "1", "stderr": "", "return_code": 0}
    parts = assistant(
        thinking("code-s1"),
        thinking("code-s2"),
        {"type": "server_tool_use", "id": "srvtoolu_s2", "name": "code_execution", "input": {"code": "2"}},
        {"type": "server_tool_use", "id": "srvtoolu_s1", "name": "code_execution", "input": {"code": "print(1)"}},
        {"type": "code_execution_tool_result", "tool_use_id": "srvtoolu_s1", "content": content},
    )
    assert parts[1:] == (Code("s1", "python", "print(1)", MARK), CodeResult("s1", "ok", "1"))


def test_code_without_its_result_is_text() -> None:
    alone = {"type": "server_tool_use", "id": "s1", "name": "code_execution", "input": {"code": "print(1)"}}
    assert assistant(alone) == (Text('[code_execution {"code": "print(1)"}]'),)
    result = {"type": "code_execution_result", "stdout": "1", "stderr": "", "return_code": 0}
    orphan = {"type": "code_execution_tool_result", "tool_use_id": "s1", "content": result}
    assert assistant(orphan) == (Text("[result of code_execution]\n1"),)
    secret = {"type": "encrypted_code_execution_result", "encrypted_stdout": "x", "return_code": 0, "stderr": None}
    assert [type(part) for part in ran(secret)] == [Text]


def search(mark: str) -> list[Json]:
    entry = {"type": "web_search_result", "title": "T", "url": "https://a.de", "encrypted_content": mark}
    return [
        {"type": "server_tool_use", "id": "s1", "name": "web_search", "input": {"query": "q"}},
        {"type": "web_search_tool_result", "tool_use_id": "s1", "content": [entry, entry | {"title": "U"}]},
    ]


def test_searches_of_others_are_told_in_words() -> None:
    assert assistant(*search("EuAQ"), text("a")) == (
        Text('[web_search {"query": "q"}]'),
        Text("[result of web_search]\nT (https://a.de)\nU (https://a.de)"),
        Text("a"),
    )


def test_what_this_server_has_written_is_not_repeated() -> None:
    read = {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": ""}, "title": None}
    pages = [
        {"type": "server_tool_use", "id": "s2", "name": "web_fetch", "input": {"url": "https://a.de"}},
        {
            "type": "web_fetch_tool_result",
            "tool_use_id": "s2",
            "content": {"type": "web_fetch_result", "url": "https://a.de", "content": read},
        },
        {"type": "server_tool_use", "id": "s3", "name": "web_search", "input": {"query": "q"}},
        {"type": "web_search_tool_result", "tool_use_id": "s3", "content": []},
    ]
    blocks = [*search(f"{HEAD}result"), *pages, text("a")]
    assert assistant(*blocks) == (Text("a"),)
    assert not lost(messages=[HI, {"role": "assistant", "content": blocks}])


@pytest.mark.parametrize(
    ("block", "words"),
    [
        (
            {
                "type": "bash_code_execution_tool_result",
                "content": {"stdout": "out", "stderr": "err", "return_code": 0},
            },
            ["out", "err"],
        ),
        ({"type": "mcp_tool_use", "id": "1", "name": "ask", "server_name": "s", "input": {"q": "why"}}, ["ask", "why"]),
        ({"type": "mcp_tool_result", "tool_use_id": "1", "content": [text("because")]}, ["because"]),
        ({"type": "advisor_tool_result", "content": {"type": "advisor_result", "text": "do it"}}, ["do it"]),
        (
            {
                "type": "web_fetch_tool_result",
                "tool_use_id": "1",
                "content": {
                    "type": "web_fetch_result",
                    "url": "https://a.de",
                    "content": {"type": "document", "source": {"type": "text", "data": "page"}, "title": "T"},
                },
            },
            ["https://a.de", "T", "page"],
        ),
        (
            {
                "type": "tool_search_tool_result",
                "content": {"tool_references": [{"type": "tool_reference", "tool_name": "get_x"}]},
            },
            ["get_x"],
        ),
        ({"type": "compaction", "content": "Summary: hello.", "encrypted_content": "zzz"}, ["Summary: hello."]),
        ({"type": "text_editor_code_execution_tool_result", "content": {"lines": ["-a", "+b"]}}, ["-a\n+b"]),
        ({"type": "hologram", "content": {"deep": [{"words": "seen"}]}}, ["seen"]),
    ],
)
def test_other_blocks_are_told_in_words(block: Json, words: list[str]) -> None:
    (part,) = assistant(block)
    assert isinstance(part, Text) and all(word in part.text for word in words) and "zzz" not in part.text
    assert not lost(messages=[HI, {"role": "assistant", "content": [block]}])


@pytest.mark.parametrize(
    "block",
    [
        {"type": "container_upload", "file_id": "file_01"},
        {"type": "hologram"},
        {"type": "hologram", "content": 5, "input": {"a": 1}},
        {"type": "web_search_tool_result", "tool_use_id": "1", "content": None},
        {"type": "compaction", "content": None},
    ],
)
def test_blocks_without_words(block: Json) -> None:
    """In a history they are recorded: the client has not written them. In its own words they are refused."""
    messages = [HI, {"role": "assistant", "content": [text("a"), block]}]
    assert lost(messages=messages) == ["messages.1.content.1"]
    assert history(messages[1])[1].parts == (Text("a"),)
    if block["type"] != "container_upload" and not block["type"].endswith("_tool_result"):
        found = refusal(messages=[HI, {"role": "user", "content": [text("a"), block]}])
        assert found.param == "messages.1.content.1" and block["type"] in found.message


def test_long_results_are_cut_and_that_is_told() -> None:
    block = {"type": "compaction", "content": "a" * 100_000}
    (part,) = assistant(block)
    assert isinstance(part, Text) and 10_000 < len(part.text) < 20_000
    assert lost(messages=[HI, {"role": "assistant", "content": [block]}]) == ["messages.1.content.0"]


def test_names_of_results_come_from_the_calls() -> None:
    messages = history(
        {"role": "assistant", "content": [use("1", "f"), use("2", "g")]},
        {"role": "user", "content": [result("2"), result("1"), result("3")]},
    )
    assert [part.name for part in messages[2].parts] == ["g", "f", ""]  # type: ignore[union-attr]


def test_a_seal_goes_with_any_id() -> None:
    """Ids are the upstream's or the client's; what a seal cannot hold is not signed, and nothing breaks."""
    for call_id in ("toolu_01", "call-x", "", "a.b", "ü"):
        block = thinking(f"call-{call_id}")
        assert isinstance(assistant(json.loads(json.dumps(block)), use(call_id))[0], ToolCall)


@pytest.mark.parametrize("code_id", ["x7", ""])
def test_code_comes_back_as_it_was(code_id: str) -> None:
    """With its own id or none, its signature, and what came of it."""
    parts = (Code(code_id, "python", "print(1)", MARK), CodeResult(code_id, "ok", "1"))
    assert assistant(*content(*parts)) == parts
