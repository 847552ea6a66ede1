"""Events → a response: each part in its item, and what has none."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace
from openai.types.responses import Response

from gemgate.errors import (
    BrokenAnswer,
    ContextTooLong,
    GemgateError,
    InvalidRequest,
    RateLimited,
    Unavailable,
    UpstreamError,
)
from gemgate.hub.events import (
    BlockDelta,
    BlockEnd,
    BlockStart,
    Citation,
    Citations,
    Event,
    Failure,
    Finish,
    FinishReason,
    Logprobs,
    Page,
    PagesRead,
    ResponseStart,
    TokenLogprob,
    Usage,
)
from gemgate.hub.fold import Reply, fold, unfold
from gemgate.hub.parts import (
    Code,
    CodeResult,
    Inline,
    Media,
    Opaque,
    Part,
    Signature,
    Text,
    Thought,
    ToolCall,
    ToolResult,
    Uri,
    Vendor,
)
from gemgate.protocols.openai_responses.errors import render_frame
from gemgate.protocols.openai_responses.style import Called, CallKind, Style
from gemgate.protocols.openai_responses.writer import ResponsesWriter, queued
from gemgate.protocols.shared.seals import Seal, opened
from tests.acceptance.responses_grammar import Json, check, events_of, lines_of, response_of
from tests.hub.test_fold import reply as replies
from tests.protocols.openai_responses.replies import (
    MARK,
    blocks,
    both,
    echoing,
    output,
    reply,
    sdk_response,
    seals,
    strict,
    told,
    whole,
    writer,
)
from tests.protocols.replaying import CREATED, events, identity, written

CALL = ToolCall("c1", "f", '{"a":1}')
SIGNED = ToolCall("c1", "f", '{"a":1}', MARK)
IMAGE = Media("image/png", Inline("AAAA"))
DRAFT = Media("image/png", Inline("BBBB"), thought=True)
UNASKED = Style(reasoning="unasked")
STORED = Style(stored=True, keeps_parts=True)


def kinds(found: list[Json]) -> list[str]:
    return [item["type"] for item in found]


def texts(found: list[Json]) -> list[str]:
    return [part["text"] for item in found if item["type"] == "message" for part in item["content"]]


def summaries(found: list[Json]) -> list[list[str]]:
    return [[part["text"] for part in item["summary"]] for item in found if item["type"] == "reasoning"]


# ── the frame ──


def test_the_response() -> None:
    made = both(reply(*blocks(Text("hello")), usage=Usage(input_tokens=3, tool_tokens=2, output_tokens=4)))
    strict(made)
    assert made == {
        "id": "resp_r0",
        "object": "response",
        "created_at": CREATED,
        "completed_at": None,
        "status": "completed",
        "background": False,
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "max_output_tokens": None,
        "max_tool_calls": None,
        "model": "the-model",
        "output": [
            {
                "id": "msg_id1",
                "type": "message",
                "status": "completed",
                "role": "assistant",
                "content": [{"type": "output_text", "annotations": [], "logprobs": [], "text": "hello"}],
            }
        ],
        "parallel_tool_calls": True,
        "previous_response_id": None,
        "conversation": None,
        "prompt_cache_key": None,
        "prompt_cache_retention": None,
        "reasoning": {"effort": None, "summary": None},
        "safety_identifier": None,
        "service_tier": "default",
        "store": False,
        "temperature": 1.0,
        "text": {"format": {"type": "text"}, "verbosity": "medium"},
        "tool_choice": "auto",
        "tools": [],
        "top_logprobs": 0,
        "top_p": 1.0,
        "truncation": "disabled",
        "usage": {
            "input_tokens": 5,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": 4,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": 9,
        },
        "user": None,
        "metadata": {},
        "frequency_penalty": 0.0,
        "presence_penalty": 0.0,
    }


def test_the_order_of_a_stream() -> None:
    batches = reply(BlockStart(0, Text("a")), BlockDelta(0, "b"), BlockEnd(0))
    assert [name.removeprefix("response.") for name, _ in told(batches)] == [
        "created",
        "in_progress",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "completed",
    ]


def test_each_batch_is_told_at_once() -> None:
    made = writer()
    assert made.stream([]) == b""
    assert [name for name, _ in events_of(made.stream([ResponseStart("", "")]))] == [
        "response.created",
        "response.in_progress",
    ]
    assert events_of(made.stream([BlockStart(0, Text("a"))]))[-1][1]["delta"] == "a"
    assert events_of(made.stream([BlockDelta(0, "b")]))[0][1]["delta"] == "b"


def test_work_in_the_background_is_queued_first() -> None:
    style = Style(queued=True, stored=True, response_id="told")
    found = told(reply(*blocks(Text("a"))), style)
    assert [(name, event["response"]["status"]) for name, event in found[:3]] == [
        ("response.created", "queued"),
        ("response.queued", "queued"),
        ("response.in_progress", "in_progress"),
    ]
    waiting = json.loads(queued(identity(), style))
    assert waiting == found[0][1]["response"]
    assert (waiting["id"], waiting["background"], waiting["store"]) == ("resp_told", True, True)
    strict(waiting)


def test_lines() -> None:
    style = Style(framing="lines", echo=echoing(instructions="a\nb\r\nc").echo)
    made = writer(style)
    batches = reply(*blocks(Thought("hm"), Text("a\nb"), SIGNED))
    stream = written(made, batches)
    assert made.content_type != writer().content_type
    found = lines_of(stream)
    assert check(found) == [] and response_of(found) == whole(batches, style)


@pytest.mark.parametrize("style", [Style(), Style(queued=True)])
def test_signs_of_life_may_come_at_any_time(style: Style) -> None:
    """They are events, which timers of clients see, and such as all clients know."""
    made = writer(style)
    stream = [made.keepalive, made.stream([ResponseStart("", ""), BlockStart(0, Text("a"))]), made.keepalive]
    stream += [made.stream([BlockDelta(0, "b"), BlockEnd(0), Finish(0, "stop")]), made.keepalive, made.end()]
    found = events_of(b"".join(stream))
    assert check(found) == [] and [name for name, _ in found].count("response.in_progress") == 3
    assert texts(sdk_response(found)["output"]) == ["ab"]


def test_of_several_choices_the_first_is_written() -> None:
    batches: list[list[Event]] = [
        [ResponseStart("", ""), BlockStart(1, Text("no")), BlockDelta(1, "no"), BlockEnd(1)],
        [
            BlockStart(0, Text("y")),
            BlockDelta(0, "es"),
            BlockDelta(1, "no"),
            BlockEnd(0),
            Citations(1, (), None, ("q",)),
        ],
        [Usage(), Finish(1, "length"), Finish(0, "stop")],
    ]
    made = both(batches)
    assert texts(made["output"]) == ["yes"] and made["status"] == "completed"


# ── texts and thoughts ──


def test_neighbours_run_into_one_item() -> None:
    found = output(Thought("I "), Thought("think"), Text("so "), Text("it is", MARK), Text("", MARK))
    assert kinds(found) == ["reasoning", "message"]
    assert summaries(found) == [["I think"]] and texts(found) == ["so it is"]
    assert "encrypted_content" not in found[0]


@pytest.mark.parametrize("part", [Text(""), Thought(""), Text("", MARK), Opaque(Vendor("gemini", "{}")), DRAFT])
def test_what_says_nothing_opens_nothing(part: Part) -> None:
    assert output(part) == []
    assert texts(output(Text("a"), part, Text("b"))) == ["ab"]


SUMMARY = "**One**\n\nfirst\n\n\n**Two**\n\nsecond **bold**\n\n* point\n\n**Three**"


@pytest.mark.parametrize("step", [1, 2, 3, 5, 100])
def test_each_heading_begins_a_part_of_the_summary(step: int) -> None:
    """Wherever a stream is cut: clients show the newest heading."""
    pieces = [SUMMARY[start : start + step] for start in range(0, len(SUMMARY), step)]
    batches = reply(BlockStart(0, Thought("")), *(BlockDelta(0, piece) for piece in pieces), BlockEnd(0))
    (found,) = summaries(both(batches)["output"])
    assert found == ["**One**\n\nfirst\n\n\n", "**Two**\n\nsecond **bold**\n\n* point\n\n", "**Three**"]


def test_another_thought_with_a_heading_begins_a_part() -> None:
    assert summaries(output(Thought("**A** x"), Thought("**B** y"), Thought(" z"))) == [["**A** x", "**B** y z"]]
    assert summaries(output(Thought("ends\n\n*"), Text("a"))) == [["ends\n\n*"]]


# ── signatures ──


def test_a_signature_stands_in_the_reasoning_before_its_part() -> None:
    assert seals(output(Thought("hm"), SIGNED)) == [Seal("call-c1", MARK)]
    assert seals(output(Thought("hm"), Code("x7", "python", "1", MARK))) == [Seal("code-x7", MARK)]
    assert kinds(output(SIGNED)) == ["reasoning", "function_call"] and seals(output(SIGNED)) == [Seal("call-c1", MARK)]


def test_each_call_has_its_own() -> None:
    other = Signature("gemini", "Yg==")
    found = output(Thought("hm"), SIGNED, ToolCall("c2", "g", "{}"), ToolCall("c3", "h", "{}", other))
    assert kinds(found) == ["reasoning", "function_call", "function_call", "reasoning", "function_call"]
    assert seals(found) == [Seal("call-c1", MARK), Seal("call-c3", other)]


def test_a_signed_thought_has_an_item_of_its_own() -> None:
    found = output(Thought("a"), Thought("b", MARK), Thought("c"), SIGNED)
    assert summaries(found) == [["a"], ["b"], ["c"]]
    assert seals(found) == [None, Seal("thought", MARK), Seal("call-c1", MARK)]


def test_a_signature_that_comes_late() -> None:
    late = [BlockStart(0, CALL), BlockEnd(0, MARK)]
    found = both(reply(*blocks(Thought("hm")), *late))["output"]
    assert kinds(found) == ["reasoning", "function_call", "reasoning"]
    assert seals(found) == [None, Seal("call-c1", MARK)]
    found = both(reply(BlockStart(0, Thought("hm")), BlockEnd(0, MARK), *blocks(Text("a"))))["output"]
    assert seals(found) == [Seal("thought", MARK)]


def test_signatures_of_texts_and_media_stay_on_the_server() -> None:
    assert seals(output(Thought("hm"), Text("a", MARK))) == [None]
    assert seals(output(replace(IMAGE, signature=MARK))) == []


def test_a_seal_names_the_models_that_understand_it() -> None:
    made = json.loads(ResponsesWriter(replace(identity(), family="a-family")).whole(events(reply(*blocks(SIGNED)))))
    seal = opened(made["output"][0]["encrypted_content"])
    assert seal is not None and seal.signature == Signature("gemini", "YQ==", "a-family")


def test_a_client_that_has_not_asked_for_reasoning_is_given_thoughts_alone() -> None:
    assert kinds(output(SIGNED, style=UNASKED)) == ["function_call"]
    assert kinds(both(reply(BlockStart(0, CALL), BlockEnd(0, MARK)), UNASKED)["output"]) == ["function_call"]
    assert seals(output(Thought("hm"), SIGNED, style=UNASKED)) == [Seal("call-c1", MARK)]


# ── calls ──


def test_a_function_is_told_while_its_arguments_come() -> None:
    batches = reply(BlockStart(0, ToolCall("c1", "f", "")), BlockDelta(0, '{"a"'), BlockDelta(0, ":1}"), BlockEnd(0))
    found = told(batches)
    deltas = [event["delta"] for name, event in found if name == "response.function_call_arguments.delta"]
    assert deltas == ['{"a"', ":1}"]
    assert both(batches)["output"] == [
        {
            "id": "fc_id1",
            "type": "function_call",
            "call_id": "c1",
            "name": "f",
            "arguments": '{"a":1}',
            "status": "completed",
        }
    ]


@pytest.mark.parametrize("nothing", ["", "{}", "null"])
def test_a_call_without_arguments(nothing: str) -> None:
    """Acceptance 2: always a JSON object, and at least one delta of it."""
    batches = reply(*blocks(ToolCall("", "f", nothing)))
    (item,) = both(batches)["output"]
    assert item["arguments"] == "{}" and item["call_id"] == "call_id1"
    assert [event["delta"] for name, event in told(batches) if name.endswith("arguments.delta")] == ["{}"]


def test_arguments_that_are_no_object() -> None:
    (item,) = output(ToolCall("c", "f", "words"))
    assert json.loads(item["arguments"]) == {"_raw": "words"}
    with pytest.raises(UpstreamError, match="no JSON object"):
        whole(reply(*blocks(ToolCall("c", "f", '{"a":'))))


def test_a_function_of_a_namespace() -> None:
    style = Style(called={"mcp__x__f": Called(name="f", namespace="mcp__x")})
    (item,) = output(ToolCall("c1", "mcp__x__f", "{}"), style=style)
    assert (item["type"], item["name"], item["namespace"]) == ("function_call", "f", "mcp__x")


def test_a_custom_tool() -> None:
    style = Style(called={"ns__p": Called("custom", "p", "ns")})
    found = output(ToolCall("c1", "ns__p", '{"input":"*** Begin"}', MARK), style=style)
    assert seals(found) == [Seal("call-c1", MARK)]
    assert found[1] == {
        "id": "ctc_id2",
        "type": "custom_tool_call",
        "call_id": "c1",
        "name": "p",
        "namespace": "ns",
        "input": "*** Begin",
        "status": "completed",
    }
    assert output(ToolCall("c1", "ns__p", "{}"), style=style)[0]["input"] == "{}"


ACTIONS: list[tuple[CallKind, Json, str, Json]] = [
    (
        "local_shell",
        {"command": ["ls"], "timeout_ms": 5},
        "local_shell_call",
        {"action": {"type": "exec", "command": ["ls"], "env": {}, "timeout_ms": 5}},
    ),
    (
        "local_shell",
        {"action": {"type": "exec", "command": "ls -l", "env": {"A": "1"}}},
        "local_shell_call",
        {"action": {"type": "exec", "command": ["bash", "-lc", "ls -l"], "env": {"A": "1"}}},
    ),
    ("shell", {"commands": ["ls", "pwd"]}, "shell_call", {"action": {"commands": ["ls", "pwd"]}}),
    (
        "shell",
        {"command": "ls", "max_output_length": 9},
        "shell_call",
        {"action": {"commands": ["ls"], "max_output_length": 9}},
    ),
    (
        "apply_patch",
        {"type": "create_file", "path": "a", "diff": "+x"},
        "apply_patch_call",
        {"operation": {"type": "create_file", "path": "a", "diff": "+x"}},
    ),
    (
        "apply_patch",
        {"operation": {"type": "delete_file", "path": "a"}},
        "apply_patch_call",
        {"operation": {"type": "delete_file", "path": "a"}},
    ),
    (
        "computer",
        {"actions": [{"type": "screenshot"}]},
        "computer_call",
        {"pending_safety_checks": [], "action": {"type": "screenshot"}, "actions": [{"type": "screenshot"}]},
    ),
    (
        "computer",
        {"type": "wait"},
        "computer_call",
        {"pending_safety_checks": [], "action": {"type": "wait"}, "actions": [{"type": "wait"}]},
    ),
    (
        "computer",
        {"actions": [{"type": "wait"}, {"type": "screenshot"}]},
        "computer_call",
        {"pending_safety_checks": [], "actions": [{"type": "wait"}, {"type": "screenshot"}]},
    ),
    ("tool_search", {"query": "q"}, "tool_search_call", {"arguments": {"query": "q"}, "execution": "client"}),
]


@pytest.mark.parametrize(("kind", "arguments", "type_of_item", "members"), ACTIONS)
def test_tools_of_the_client(kind: CallKind, arguments: Json, type_of_item: str, members: Json) -> None:
    style = Style(called={"t": Called(kind, "t")})
    batches = reply(*blocks(Thought("hm"), ToolCall("c1", "t", json.dumps(arguments), MARK)))
    made = both(batches, style)
    strict(made)
    assert sdk_response(told(batches, style))["output"][1]["call_id"] == "c1"
    item = made["output"][1]
    assert item.pop("id")
    assert item == {"type": type_of_item, "call_id": "c1", "status": "completed"} | members
    assert seals(made["output"]) == [Seal("call-c1", MARK)]


@pytest.mark.parametrize("kind", ["local_shell", "shell", "apply_patch", "computer", "tool_search"])
@pytest.mark.parametrize("arguments", ["", "{}", "words", "[1]", '{"command":5,"commands":{},"actions":7,"action":3}'])
def test_arguments_that_fit_no_tool_still_make_an_item(kind: CallKind, arguments: str) -> None:
    (item,) = output(ToolCall("c1", "t", arguments), style=Style(called={"t": Called(kind, "t")}))
    assert item["call_id"] == "c1" and item["type"].endswith("_call")


# ── what the upstream runs ──


def test_code() -> None:
    found = output(Text("a"), Code("x1", "python", "print(1)"), CodeResult("x1", "ok", "1\n"), IMAGE, Text("b"))
    assert kinds(found) == ["message", "code_interpreter_call", "message"]
    assert found[1] == {
        "id": "ci_x1",
        "type": "code_interpreter_call",
        "container_id": "cntr_r0",
        "status": "completed",
        "code": "print(1)",
        "outputs": [{"type": "logs", "logs": "1\n"}, {"type": "image", "url": "data:image/png;base64,AAAA"}],
    }


def test_code_and_results_that_stand_alone() -> None:
    found = output(Code("x1", "python", "1"), Code("x1", "python", "2"), CodeResult("", "failed", "no"))
    assert [(item["code"], item["status"], item["outputs"]) for item in found] == [
        ("1", "incomplete", None),
        ("2", "failed", [{"type": "logs", "logs": "no"}]),
    ]
    assert found[0]["id"] == "ci_x1" and found[1]["id"].startswith("ci_made_")
    (alone,) = output(CodeResult("x", "deadline_exceeded", ""))
    assert (alone["code"], alone["status"], alone["outputs"]) == ("", "incomplete", [])


def test_code_whose_result_never_came() -> None:
    batches = reply(*blocks(Code("x1", "python", "1")), reason="length")
    made = both(batches)
    strict(made)
    assert sdk_response(told(batches)) == made and made["status"] == "incomplete"
    assert [(item["status"], item["outputs"]) for item in made["output"]] == [("incomplete", None)]
    steps = [name.rpartition(".")[2] for name, _ in told(batches) if ".code_interpreter_call." in name]
    assert steps == ["in_progress", "interpreting"]


def test_code_in_pieces() -> None:
    made = [BlockStart(0, Code("x1", "python", "")), BlockDelta(0, "1+"), BlockDelta(0, "1"), BlockEnd(0)]
    made += [BlockStart(0, CodeResult("x1", "ok", "")), BlockDelta(0, "2"), BlockEnd(0)]
    for style in (Style(), STORED):
        (item,) = both(reply(*made), style)["output"]
        assert item["code"] == "1+1" and item["outputs"] == [{"type": "logs", "logs": "2"}]


def test_images() -> None:
    batches = reply(*blocks(Text("a"), DRAFT, DRAFT, IMAGE, Text("b")))
    found = both(batches)["output"]
    assert kinds(found) == ["message", "image_generation_call", "message"]
    assert found[1] == {
        "id": "ig_id2",
        "type": "image_generation_call",
        "status": "completed",
        "output_format": "png",
        "result": "AAAA",
    }
    assert not any("partial" in name for name, _ in told(batches))


def test_drafts_are_shown_to_those_who_ask() -> None:
    style = echoing(tools=[{"type": "function", "name": "f"}, {"type": "image_generation", "partial_images": 1}])
    drafts = [event for name, event in told(reply(*blocks(DRAFT, DRAFT, IMAGE, IMAGE)), style) if "partial" in name]
    assert [(event["partial_image_b64"], event["partial_image_index"]) for event in drafts] == [("BBBB", 0)]


def test_other_media_stand_in_the_text() -> None:
    sound = Media("audio/wav", Inline("AAAA"))
    assert texts(output(Text("a"), sound, Text("b"))) == ["a\n[audio](data:audio/wav;base64,AAAA)\nb"]
    assert texts(output(Media("image/png", Uri("https://x.test/a.png")))) == ["![image](https://x.test/a.png)\n"]


# ── sources ──


def cited(*citations: Citation, queries: tuple[str, ...] = ("q1", "q2")) -> Citations:
    return Citations(0, citations, None, queries)


def test_sources_of_a_text() -> None:
    made = [*blocks(Text("Tokyo is big.")), cited(Citation("https://x.test", "X", 0, 5), Citation("https://y.test"))]
    found = both(reply(*made))["output"]
    assert found[0]["content"][0]["annotations"] == [
        {"type": "url_citation", "start_index": 0, "end_index": 5, "url": "https://x.test", "title": "X"},
        {"type": "url_citation", "start_index": 0, "end_index": 0, "url": "https://y.test", "title": ""},
    ]
    assert found[1]["action"] == {
        "type": "search",
        "query": "q1",
        "queries": ["q1", "q2"],
        "sources": [{"type": "url", "url": "https://x.test"}, {"type": "url", "url": "https://y.test"}],
    }


def test_offsets_count_characters_of_the_message() -> None:
    sound = Media("audio/wav", Inline("AAAA"))
    made = [*blocks(Text("first"), CALL, Text("se"), sound, Text("cond"))]
    found = both(reply(*made, cited(Citation("https://x.test", "X", 5, 11), Citation("https://x.test", "X", 7, 11))))
    (annotations,) = [part["annotations"] for part in found["output"][2]["content"]]
    text = texts(found["output"])[1]
    assert [text[found["start_index"] : found["end_index"]] for found in annotations] == [text, "cond"]


def test_pages_that_were_read() -> None:
    pages = PagesRead(0, (Page("https://a.test", read=True), Page("https://b.test", read=False)))
    found = both(reply(*blocks(Text("a")), pages))["output"]
    assert [(item["status"], item["action"]) for item in found[1:]] == [
        ("completed", {"type": "open_page", "url": "https://a.test"}),
        ("failed", {"type": "open_page", "url": "https://b.test"}),
    ]


def test_probabilities_of_tokens() -> None:
    tokens = (TokenLogprob("a", -0.5, (TokenLogprob("b", float("-inf")),)),)
    made = both(reply(BlockStart(0, Text("a")), Logprobs(0, tokens), BlockEnd(0)))
    strict(made)
    (token,) = made["output"][0]["content"][0]["logprobs"]
    assert (token["token"], token["logprob"], token["bytes"]) == ("a", -0.5, [97])
    assert token["top_logprobs"] == [{"token": "b", "logprob": -9999.0, "bytes": [98]}]


# ── the end ──


@pytest.mark.parametrize(
    ("reason", "details"),
    [
        ("stop", None),
        ("tool_calls", None),
        ("length", "max_output_tokens"),
        ("content_filter", "content_filter"),
        ("other", None),
    ],
)
def test_how_it_ends(reason: FinishReason, details: str | None) -> None:
    made = both(reply(*blocks(Text("a")), reason=reason))
    assert made["status"] == ("incomplete" if details else "completed")
    assert made["incomplete_details"] == ({"reason": details} if details else None)
    assert made["output"][0]["status"] == made["status"]
    strict(made)


def test_an_answer_that_says_nothing() -> None:
    assert both(reply(reason="other"))["incomplete_details"] == {"reason": "content_filter"}
    assert both(reply())["status"] == "completed"
    with pytest.raises(BrokenAnswer, match="WHY"):
        whole(reply(*blocks(Thought("hm")), reason="malformed"))


@pytest.mark.parametrize("parts", [(Text("I will"),), (Thought("hm"), Text("I will")), (Text("I"), IMAGE)])
def test_a_model_that_breaks_off_amid_its_answer_has_failed(parts: tuple[Part, ...]) -> None:
    """Coding agents come back then; at `completed` they would end their turn."""
    batches = reply(*blocks(*parts), reason="malformed", message="No such tool.", usage=Usage(input_tokens=3))
    made = both(batches, STORED)
    strict(made)
    found = told(batches)
    assert found[-1][0] == "response.failed" and sdk_response(found) == response_of(found)
    assert made["status"] == "failed" and made["completed_at"] is None and made["incomplete_details"] is None
    broke_off = "The model broke off its answer (WHY). No such tool."
    assert made["error"] == {"code": "server_error", "message": broke_off}
    assert len(made["output"]) == len(parts) and made["usage"]["input_tokens"] == 3
    if isinstance(parts[-1], Text):
        assert made["output"][-1]["status"] == "incomplete"
    kept = writer(STORED)
    kept.whole(events(batches))
    assert kept.finished is not None and kept.finished.status == "failed"


@pytest.mark.parametrize("parts", [(Text("I will"), CALL), (CALL, Text("so")), (ToolCall("c1", "sh", "{}"),)])
def test_a_model_that_breaks_off_after_a_call_leaves_the_call(parts: tuple[Part, ...]) -> None:
    style = Style(called={"sh": Called("shell", "sh")})
    made = both(reply(*blocks(*parts), reason="malformed"), style)
    assert made["status"] == "completed" and made["error"] is None and len(made["output"]) == len(parts)


WHY = "Unable to show the generated image."


@pytest.mark.parametrize("reason", ["content_filter", "other"])
@pytest.mark.parametrize("parts", [(), (Text("", MARK),), (Thought("hm"),)])
def test_a_refusal_that_is_explained(reason: FinishReason, parts: tuple[Part, ...]) -> None:
    batches = reply(*blocks(*parts), reason=reason, message=WHY)
    made = both(batches)
    strict(made)
    found = told(batches)
    assert sdk_response(found) == made
    assert made["incomplete_details"] == {"reason": "content_filter"}
    refusal = made["output"][-1]
    assert refusal.pop("id").startswith("msg_")
    content = [{"type": "refusal", "refusal": WHY}]
    assert refusal == {"type": "message", "role": "assistant", "status": "completed", "content": content}
    names = [name.removeprefix("response.") for name, _ in found]
    assert names[-6:] == [
        "content_part.added",
        "refusal.delta",
        "refusal.done",
        "content_part.done",
        "output_item.done",
        "incomplete",
    ]
    stored = writer(STORED)
    stored.whole(events(batches))
    assert stored.finished is not None
    kept = [part for item in stored.finished.output for part in item.parts or ()]
    assert kept == list(parts)


def test_what_needs_no_refusal() -> None:
    """Without an explanation there is nothing to say, and beside an answer it would be taken for a part of it."""
    assert both(reply(reason="content_filter"))["output"] == []
    assert both(reply(message=WHY))["output"] == []
    assert texts(both(reply(*blocks(Text("a")), reason="content_filter", message=WHY))["output"]) == ["a"]


def test_another_answer_may_follow_one_that_broke_off() -> None:
    made = writer(STORED)
    stream = made.stream([ResponseStart("", ""), *blocks(Thought("hm"))])
    with pytest.raises(BrokenAnswer):
        made.stream([Finish(0, "malformed")])
    stream += made.stream([ResponseStart("", ""), *blocks(Text("a")), Usage(), Finish(0, "stop")]) + made.end()
    found = events_of(stream)
    assert check(found) == [] and kinds(response_of(found)["output"]) == ["reasoning", "message"]


def test_an_answer_without_an_end() -> None:
    for write in (told, whole):
        with pytest.raises(UpstreamError, match="broke off"):
            write([[ResponseStart("", ""), *blocks(Text("a"))]])


# ── failures ──

FAILURES: list[tuple[GemgateError, str, str]] = [
    (RateLimited("Slow.", retry_after_seconds=11.2), "rate_limit_exceeded", "Slow. Please try again in 12s."),
    (RateLimited("Slow."), "rate_limit_exceeded", "Slow."),
    (Unavailable("Busy.", retry_after_seconds=2), "slow_down", "Busy. Please try again in 2s."),
    (ContextTooLong("Long."), "context_length_exceeded", "Long."),
    (InvalidRequest("No."), "invalid_prompt", "No."),
    (UpstreamError("Oh.", status=402), "insufficient_quota", "Oh."),
    (UpstreamError("Oh."), "server_error", "Oh."),
]


@pytest.mark.parametrize(("error", "code", "message"), FAILURES)
def test_a_stream_that_fails(error: GemgateError, code: str, message: str) -> None:
    made = writer(STORED)
    batch = [ResponseStart("", ""), *blocks(Text("a"), CALL), BlockStart(0, Text("b"))]
    found = events_of(made.stream(batch) + made.failure(error))
    assert check(found) == []
    response = response_of(found)
    assert response["error"] == {"code": code, "message": message} and response["status"] == "failed"
    assert kinds(response["output"]) == ["message", "function_call"], "what was complete by then"
    assert made.finished is not None and made.finished.status == "failed"
    assert sdk_response(found, strictly=False)["error"]["code"] == code


def test_a_stream_that_fails_before_anything_was_said() -> None:
    made = writer()
    found = events_of(made.keepalive + made.failure(UpstreamError("Oh.")))
    assert [name for name, _ in found] == ["response.created", "response.in_progress", "response.failed"]
    assert check(found) == []


def test_a_failure_that_comes_first_is_raised() -> None:
    made = writer()
    with pytest.raises(Unavailable):
        made.stream([Failure(Unavailable("busy"))])
    with pytest.raises(Unavailable):
        made.whole([ResponseStart("", ""), Failure(Unavailable("busy"))])
    assert made.finished is None


def test_an_error_on_a_websocket() -> None:
    status, frame = render_frame(RateLimited("Slow.\nDown.", retry_after_seconds=1.5))
    assert status == 429 and b"\n" not in frame
    assert json.loads(frame) == {
        "type": "error",
        "status": 429,
        "error": {
            "type": "rate_limit_error",
            "code": "rate_limit_exceeded",
            "message": "Slow.\nDown. Please try again in 2s.",
            "param": None,
        },
        "headers": {"retry-after": "2"},
    }


# ── what is kept ──


def test_it_says_when_it_was_completed() -> None:
    timed = replace(identity(), seconds=lambda: 1_700_000_000.9)
    sequence = events(reply(*blocks(Text("a"))))
    assert json.loads(ResponsesWriter(timed).whole(sequence))["completed_at"] == 1_700_000_000
    cut = events(reply(*blocks(Text("a")), reason="length"))
    assert json.loads(ResponsesWriter(timed).whole(cut))["completed_at"] is None


def test_what_is_kept_of_an_answer() -> None:
    parts = (Text("", MARK), Thought("hm"), SIGNED, DRAFT, Text("a"), Opaque(Vendor("gemini", "{}")), Text("b", MARK))
    made = writer(STORED)
    made.whole(events(reply(*blocks(*parts), cited())))
    done = made.finished
    assert done is not None and (done.id, done.status) == ("resp_r0", "completed")
    response = json.loads(done.document)
    assert [json.loads(item.item) for item in done.output] == response["output"]
    assert [item.parts for item in done.output] == [parts[:2], (SIGNED, DRAFT), parts[4:], ()]


@pytest.mark.parametrize("keeps", [False, True])
def test_parts_are_kept_where_somebody_asks_for_them(keeps: bool) -> None:
    made = writer(Style(keeps_parts=keeps))
    made.whole(events(reply(*blocks(Text("a")))))
    assert made.finished is not None
    assert made.finished.output[0].parts == ((Text("a"),) if keeps else None)


@settings(max_examples=300, deadline=None)
@given(replies(), st.sampled_from(["asked", "unasked"]), st.booleans(), st.randoms(use_true_random=False))
def test_any_answer(given_reply: Reply, reasoning: Any, stored: bool, chance: Any) -> None:
    """Streamed is whole, however it was cut; the grammar holds; and the parts of the items are those of the answer."""
    style = Style(
        reasoning=reasoning,
        stored=stored,
        keeps_parts=stored,
        called={"a": Called("custom", "a"), "b": Called("shell", "b")},
    )
    sequence = _in_pieces(unfold(given_reply), chance)
    try:
        expected = whole([sequence], style)
    except UpstreamError:
        with pytest.raises(UpstreamError):
            written(writer(style), [sequence])
        return
    made = writer(style)
    batches: list[list[Event]] = [[]]
    for event in sequence:
        batches[-1].append(event)
        if chance.random() < 0.3:
            batches.append([])
    found = events_of(written(made, batches))
    assert check(found) == []
    assert response_of(found) == expected
    assert made.finished is not None and json.loads(made.finished.document) == expected
    if stored and made.finished.output:
        kept = [part for item in made.finished.output for part in item.parts or ()]
        assert kept == list(fold(sequence).choices[0].parts)


def _in_pieces(sequence: list[Event], chance: Any) -> list[Event]:
    """The same events, some texts in deltas and some signatures late."""
    made: list[Event] = []
    late: Signature | None = None
    for event in sequence:
        match event:
            case BlockStart(choice=choice, part=Text() | Thought() as part):
                cut = chance.randrange(len(part.text) + 1)
                late = part.signature if chance.random() < 0.5 else None
                signature = None if late else part.signature
                made.append(BlockStart(choice, replace(part, text=part.text[:cut], signature=signature)))
                made.append(BlockDelta(choice, part.text[cut:]))
            case BlockStart(choice=choice, part=ToolCall() | Code() as part) if chance.random() < 0.5:
                late = part.signature
                made.append(BlockStart(choice, replace(part, signature=None)))
            case BlockEnd(choice=choice):
                made.append(BlockEnd(choice, late))
                late = None
            case _:
                made.append(event)
    return made


# ── the official SDK ──


def test_the_sdk_reads_a_stream_and_a_whole_answer() -> None:
    parts = (Thought("hm"), SIGNED, Text("hello"))
    batches = reply(*blocks(*parts), cited(Citation("https://x.test", "X", 0, 5)))
    assert sdk_response(told(batches)) == whole(batches)
    made = Response.model_validate(whole(batches))
    assert made.output_text == "hello" and made.usage is not None and made.usage.total_tokens == 0


def test_results_of_functions_are_nothing_that_an_answer_can_show() -> None:
    assert output(ToolResult("c1", "f", "{}"), Text("a"))[0]["type"] == "message"
