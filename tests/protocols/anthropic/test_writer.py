"""Events → messages: each part in its slot, and what has none."""

import json
from typing import Any

import anthropic
import pytest
from anthropic.types import MessageParam
from msgspec.structs import replace

from gemgate.errors import BrokenAnswer, RateLimited, Unavailable, UpstreamError
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
    Page,
    PagesRead,
    ResponseStart,
    Usage,
)
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
from gemgate.protocols.anthropic.server_blocks import OWN_RESULT
from gemgate.protocols.anthropic.style import Style
from gemgate.protocols.anthropic.writer import MessagesWriter
from gemgate.protocols.shared.seals import HEAD, UNSIGNED, Seal, opened
from tests.acceptance.messages_grammar import Json, check, events_of
from tests.protocols.anthropic.replies import (
    MARK,
    blocks,
    both,
    content,
    reply,
    sdk,
    sdk_message,
    seals,
    told,
    whole,
    writer,
)
from tests.protocols.replaying import events, identity, written

CALL = ToolCall("c1", "f", '{"a":1}')
SIGNED = ToolCall("c1", "f", '{"a":1}', MARK)
USE = {"type": "tool_use", "id": "c1", "name": "f", "input": {"a": 1}}
QUIET = Style(thinking="off")
UNASKED = Style(thinking="unasked")
ASKED: list[MessageParam] = [{"role": "user", "content": "hi"}]


def kinds(found: list[Json]) -> list[str]:
    return [block["type"] for block in found]


# ── the frame ──


def test_the_message() -> None:
    assert both(reply(*blocks(Text("hello")))) == {
        "id": "msg_r0",
        "type": "message",
        "role": "assistant",
        "model": "the-model",
        "content": [{"type": "text", "text": "hello"}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "stop_details": None,
        "usage": {
            "input_tokens": 0,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 0,
            "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
            "output_tokens": 0,
            "output_tokens_details": {"thinking_tokens": 0},
            "server_tool_use": {"web_search_requests": 0, "web_fetch_requests": 0},
            "service_tier": "standard",
        },
        "container": None,
    }


def test_the_order_of_a_stream() -> None:
    """As recorded: the first ping follows the start of the first block; no block, no ping."""
    batches = reply(BlockStart(0, Text("a")), BlockDelta(0, "b"), BlockEnd(0))
    assert [name for name, _ in told(batches)] == [
        "message_start",
        "content_block_start",
        "ping",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert [name for name, _ in told(reply(*blocks(Text("a"), CALL, CALL)))].count("ping") == 1
    assert [name for name, _ in told(reply())] == ["message_start", "message_delta", "message_stop"]


def test_each_batch_is_told_at_once() -> None:
    made = writer()
    assert made.stream([]) == b""
    assert events_of(made.stream([ResponseStart("", "")]))[0][0] == "message_start"
    assert events_of(made.stream([BlockStart(0, Text("a"))]))[-1][1]["delta"] == {"type": "text_delta", "text": "a"}
    assert events_of(made.stream([BlockDelta(0, "b")]))[0][1]["delta"] == {"type": "text_delta", "text": "b"}


def test_a_reply_that_does_not_say_it_starts() -> None:
    assert told([blocks(Text("a")), [Finish(0, "stop")]])[0][0] == "message_start"


def test_a_ping_may_come_at_any_time() -> None:
    made = writer()
    stream = [made.keepalive, made.stream([ResponseStart("", ""), BlockStart(0, Text("a"))]), made.keepalive]
    stream += [made.stream([BlockDelta(0, "b"), BlockEnd(0), Finish(0, "stop")]), made.keepalive, made.end()]
    assert check(events_of(b"".join(stream))) == []
    assert sdk_message(b"".join(stream))["content"][0]["text"] == "ab"


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
    assert made["content"] == [{"type": "text", "text": "yes"}] and made["stop_reason"] == "end_turn"


# ── text and thoughts ──


def test_neighbours_run_into_one_block() -> None:
    """A client that prints the last block prints all of the answer."""
    found = content(Thought("I "), Thought("think"), Text("so "), Text("it is", MARK), Text("", MARK))
    assert found == [
        {"type": "thinking", "thinking": "I think", "signature": "gemgate:1:::thought:"},
        {"type": "text", "text": "so it is"},
    ]


@pytest.mark.parametrize("part", [Text(""), Thought(""), Text("", MARK)])
def test_what_says_nothing_opens_nothing(part: Text | Thought) -> None:
    assert content(part) == []
    assert content(Text("a"), part, Text("b")) == [{"type": "text", "text": "ab"}]


def test_thoughts_are_always_signed() -> None:
    assert seals(content(Thought("hm"), Text("a"))) == [UNSIGNED]
    assert seals(content(Thought("hm"))) == [UNSIGNED]
    assert seals(content(Thought("hm"), CALL)) == [UNSIGNED]


def test_a_signature_stands_on_the_thought_before_its_part() -> None:
    assert seals(content(Thought("hm"), SIGNED)) == [Seal("call-c1", MARK)]
    assert seals(content(Thought("hm"), Code("x7", "python", "1", MARK))) == [Seal("code-x7", MARK)]


def test_signatures_of_texts_stay_on_the_server() -> None:
    """Clients trim and join texts: nothing that comes back would tell which piece it belongs to."""
    assert seals(content(Thought("hm"), Text("a", MARK))) == [UNSIGNED]
    assert seals(content(Thought("hm"), Text("", MARK), SIGNED)) == [Seal("call-c1", MARK)]


def test_a_seal_names_the_models_that_understand_it() -> None:
    named = replace(identity(), family="a-family")
    made = json.loads(MessagesWriter(named).whole(events(reply(*blocks(SIGNED), reason="tool_calls"))))
    seal = opened(made["content"][0]["signature"])
    assert seal is not None and seal.signature == Signature("gemini", "YQ==", "a-family")


def test_a_client_that_has_not_asked_for_thinking_sees_thoughts_alone() -> None:
    """Many read the first block: the original has no empty thinking there that nobody has asked for."""
    assert content(SIGNED, style=UNASKED) == [USE]
    assert content(Text("a"), SIGNED, style=UNASKED) == [{"type": "text", "text": "a"}, USE]
    assert seals(content(Thought("hm"), SIGNED, style=UNASKED)) == [Seal("call-c1", MARK)]
    assert kinds(content(Code("", "python", "1", MARK), style=UNASKED)) == ["server_tool_use"]


def test_a_signed_thought_is_a_block_of_its_own() -> None:
    found = content(Thought("one"), Thought("two", MARK), Thought("three"), SIGNED)
    assert [block.get("thinking") for block in found] == ["one", "two", "three", None]
    assert seals(found) == [UNSIGNED, Seal("thought", MARK), Seal("call-c1", MARK)]
    late = both(reply(BlockStart(0, Thought("")), BlockDelta(0, "hm"), BlockEnd(0, MARK)))["content"]
    assert seals(late) == [Seal("thought", MARK)]


def test_signatures_of_texts_make_no_blocks() -> None:
    """Many read the first block, or the last one, and no other."""
    assert kinds(content(Text("a", MARK))) == ["text"]
    assert kinds(content(Thought("hm"), Text("a"), Text("", MARK))) == ["thinking", "text"]


def test_a_client_without_thinking_sees_none() -> None:
    assert content(Thought("hm"), Text("a", MARK), Thought("hm", MARK), SIGNED, style=QUIET) == [
        {"type": "text", "text": "a"},
        USE,
    ]
    found = both(reply(BlockStart(0, CALL), BlockEnd(0, MARK)), QUIET)["content"]
    assert found == [USE]


# ── calls ──


def test_calls_in_parallel() -> None:
    """Acceptance 6: of several calls the first is signed, and nothing is made up for the others."""
    found = content(SIGNED, ToolCall("", "g", "{}"), ToolCall("", "g", '{"b":[]}'))
    assert found == [
        {"type": "thinking", "thinking": "", "signature": "gemgate:1:gemini::call-c1:YQ=="},
        USE,
        {"type": "tool_use", "id": "toolu_id1", "name": "g", "input": {}},
        {"type": "tool_use", "id": "toolu_id2", "name": "g", "input": {"b": []}},
    ]


def test_a_signature_of_a_call_without_id() -> None:
    found = content(ToolCall("", "f", "{}", MARK))
    assert seals(found) == [Seal("call-toolu_id1", MARK)] and found[1]["id"] == "toolu_id1"


def test_a_call_after_text() -> None:
    found = content(Thought("hm"), Text("let me see"), SIGNED)
    assert kinds(found) == ["thinking", "text", "thinking", "tool_use"]
    assert seals(found) == [UNSIGNED, Seal("call-c1", MARK)]


def test_a_call_whose_signature_comes_late() -> None:
    """Acceptance 19: arguments that come by and by, a signature that comes late and names its call."""
    pieces = ('{"a":', "1}")
    deltas = [BlockDelta(0, piece) for piece in pieces]
    batches = reply(BlockStart(0, ToolCall("c1", "f", "")), *deltas, BlockEnd(0, MARK))
    made = both(batches)
    assert made["content"][0] == USE and seals(made["content"]) == [Seal("call-c1", MARK)]
    found = [event["delta"].get("partial_json") for name, event in told(batches) if name == "content_block_delta"]
    assert found == [*pieces, None]


@pytest.mark.parametrize("arguments", ["", "{}", " { } "])
def test_a_call_without_arguments(arguments: str) -> None:
    assert content(ToolCall("c", "f", arguments))[0]["input"] == {}


@pytest.mark.parametrize("arguments", ["[1]", "nonsense", '{"a":', '"{}"', "5", '{"a":NaN}'])
def test_arguments_that_are_no_object(arguments: str) -> None:
    assert content(ToolCall("c", "f", arguments))[0]["input"] == {"_raw": arguments}


@pytest.mark.parametrize("arguments", ["[1]", "nonsense", '"{}"', " 5"])
def test_pieces_that_cannot_become_an_object_are_held_back(arguments: str) -> None:
    pieces = [BlockDelta(0, letter) for letter in arguments]
    made = both(reply(BlockStart(0, ToolCall("c", "f", "")), *pieces, BlockEnd(0)))
    assert made["content"][0]["input"] == {"_raw": arguments}


def test_pieces_of_arguments_that_make_no_object() -> None:
    """They have been told; only an error is left."""
    batches = reply(BlockStart(0, ToolCall("c", "f", "")), BlockDelta(0, '{"a"'), BlockDelta(0, "]"), BlockEnd(0))
    for write in (told, whole):
        with pytest.raises(UpstreamError, match="no JSON object"):
            write(batches)


def test_arguments_keep_their_numbers() -> None:
    arguments = '{"id":12345678901234567890123,"price":1.10}'
    body = writer().whole(events(reply(*blocks(ToolCall("c", "f", arguments)))))
    assert arguments.encode() in body


# ── code, media, and what has no slot ──


def test_code_and_what_came_of_it() -> None:
    """Results follow their code in order, or by id."""
    found = content(
        Text("so:"),
        Code("", "python", "print(1)"),
        Code("x7", "python", "boom"),
        CodeResult("x7", "failed", "Traceback"),
        CodeResult("", "ok", "1\n"),
        Text("done"),
    )
    assert kinds(found) == ["text", *["server_tool_use"] * 2, *["code_execution_tool_result"] * 2, "text"]
    assert [block["id"] for block in found[1:3]] == ["srvtoolu_made_id1", "srvtoolu_x7"]
    assert [block["input"] for block in found[1:3]] == [{"code": "print(1)"}, {"code": "boom"}]
    assert [block["tool_use_id"] for block in found[3:5]] == ["srvtoolu_x7", "srvtoolu_made_id1"]
    assert [block["content"] for block in found[3:5]] == [
        {"type": "code_execution_result", "stdout": "", "stderr": "Traceback", "return_code": 1, "content": []},
        {"type": "code_execution_result", "stdout": "1\n", "stderr": "", "return_code": 0, "content": []},
    ]


def test_code_is_no_call_of_the_client() -> None:
    made = both(reply(*blocks(Code("", "python", "1"), CodeResult("", "deadline_exceeded", ""))))
    assert made["stop_reason"] == "end_turn"
    assert made["content"][1]["content"] == {
        "type": "code_execution_tool_result_error",
        "error_code": "execution_time_exceeded",
    }


def test_what_code_had_printed_when_its_time_was_over() -> None:
    made = content(Code("", "python", "1"), CodeResult("", "deadline_exceeded", "partial"))
    assert made[1]["content"] == {
        "type": "code_execution_result",
        "stdout": "partial",
        "stderr": "The time limit was exceeded.",
        "return_code": 124,
        "content": [],
    }


def test_ids_of_code() -> None:
    found = content(*(Code(given, "python", "1") for given in ("x7", "y_9-z", "odd id", "")))
    assert [block["id"] for block in found] == [
        "srvtoolu_x7",
        "srvtoolu_y_9-z",
        "srvtoolu_made_id1",
        "srvtoolu_made_id2",
    ]


def test_code_that_comes_in_pieces() -> None:
    parts = (Code("", "python", "pri"), CodeResult("", "ok", "o"))
    made = both(
        reply(*(event for part in parts for event in (BlockStart(0, part), BlockDelta(0, "nt"), BlockEnd(0, None))))
    )
    assert made["content"][0]["input"] == {"code": "print"} and made["content"][1]["content"]["stdout"] == "ont"


def test_signed_code() -> None:
    found = content(Text("so"), Code("", "python", "1", MARK))
    assert kinds(found) == ["text", "thinking", "server_tool_use"] and seals(found) == [Seal("code-made_id1", MARK)]
    assert found[2]["id"] == "srvtoolu_made_id1"
    late = both(reply(BlockStart(0, Code("", "python", "1")), BlockEnd(0, MARK)))["content"]
    assert seals(late) == [Seal("code-made_id1", MARK)] and kinds(late) == ["thinking", "server_tool_use"]


def test_a_result_without_code() -> None:
    found = content(CodeResult("", "", "1"))
    assert found[1]["content"]["stdout"] == "1" and found[1]["content"]["return_code"] == 0
    assert kinds(found) == ["server_tool_use", "code_execution_tool_result"]
    assert found[0]["id"] == found[1]["tool_use_id"]


def test_media_stand_in_the_text() -> None:
    image = Media("image/png", Inline("QUJD"), signature=MARK)
    draft = Media("image/png", Inline("RFJBRlQ="), thought=True)
    assert content(draft, image) == [{"type": "text", "text": "![image](data:image/png;base64,QUJD)\n"}]
    assert content(Text("see"), image, Text("so"), Media("video/mp4", Uri("https://v.test/1"))) == [
        {
            "type": "text",
            "text": "see\n![image](data:image/png;base64,QUJD)\nso\n[video](https://v.test/1)\n",
        }
    ]


def test_what_the_format_cannot_show() -> None:
    assert content(Text("a"), Opaque(Vendor("gemini", "{}")), ToolResult("", "f", "{}"), Text("b")) == [
        {"type": "text", "text": "ab"}
    ]


# ── sources ──

PARIS = Citation("https://a.test", "A", 0, 5)


def test_citations_stand_at_the_text() -> None:
    """Acceptance 22: each once, though chunks repeat them and what they cover grows."""
    made = both(
        reply(
            BlockStart(0, Text("Paris")),
            Citations(0, (PARIS, Citation("https://b.test", "", 0, 2))),
            BlockDelta(0, " is big"),
            Citations(0, (PARIS, Citation("https://b.test", "B", 0, 12))),
            BlockEnd(0),
            Citations(0, (PARIS,)),
        )
    )
    assert made["content"] == [
        {
            "type": "text",
            "text": "Paris is big",
            "citations": [
                {
                    "type": "web_search_result_location",
                    "url": "https://a.test",
                    "title": "A",
                    "cited_text": "Paris",
                    "encrypted_index": "",
                },
                {
                    "type": "web_search_result_location",
                    "url": "https://b.test",
                    "title": "B",
                    "cited_text": "Paris is big",
                    "encrypted_index": "",
                },
            ],
        }
    ]


def test_citations_wait_for_a_text_and_come_once() -> None:
    found = both(
        reply(
            *blocks(Text("Paris"), CALL),
            Citations(0, (PARIS,)),
            *blocks(Text(" is big")),
            Citations(0, (PARIS,)),
            *blocks(CALL, Text("!")),
            Citations(0, (PARIS,)),
        )
    )["content"]
    assert [len(block.get("citations", ())) for block in found] == [0, 0, 0, 0, 1]
    assert found[4]["citations"][0]["cited_text"] == "Paris"


def test_each_text_has_its_own_citations() -> None:
    """Cut from all that was said so far; of a long stretch the beginning."""
    batches = reply(
        *blocks(Text("Paris")),
        Citations(0, (PARIS,)),
        *blocks(CALL, Text(" is big" + "." * 600)),
        Citations(0, (Citation("https://a.test", "another title", 0, 5), Citation("https://b.test", "", 6, 600))),
    )
    first, _, second = both(batches)["content"]
    assert [citation["cited_text"] for citation in first["citations"]] == ["Paris"]
    (cited,) = second["citations"]
    assert cited["cited_text"] == "is big" + "." * 144 and cited["title"] is None


def test_what_was_searched_for() -> None:
    """After the text, since only then it is known; every source once."""
    made = both(
        reply(
            *blocks(Text("Paris")),
            Citations(0, (PARIS,), None, ("capital",)),
            Citations(0, (PARIS, Citation("https://a.test", "A", 1, 2)), None, ("capital", "size")),
        )
    )
    _, use, result = made["content"]
    assert use == {
        "type": "server_tool_use",
        "id": "srvtoolu_made_id1",
        "name": "web_search",
        "input": {"query": "capital", "queries": ["capital", "size"]},
    }
    assert result == {
        "type": "web_search_tool_result",
        "tool_use_id": "srvtoolu_made_id1",
        "content": [
            {
                "type": "web_search_result",
                "url": "https://a.test",
                "title": "A",
                "encrypted_content": OWN_RESULT,
                "page_age": None,
            }
        ],
        "caller": {"type": "direct"},
    }
    assert OWN_RESULT.startswith(HEAD)
    assert made["usage"]["server_tool_use"] == {"web_search_requests": 2, "web_fetch_requests": 0}
    assert made["stop_reason"] == "end_turn"


def test_one_query_is_the_query() -> None:
    made = both(reply(*blocks(Text("a")), Citations(0, (), None, ("q",))))
    assert made["content"][1]["input"] == {"query": "q"} and made["content"][2]["content"] == []


def test_sources_without_a_search() -> None:
    """Maps and files: no search that we know of."""
    assert kinds(both(reply(*blocks(Text("Paris")), Citations(0, (PARIS,))))["content"]) == ["text"]


def test_pages_that_were_read() -> None:
    pages = (Page("https://a.test", False), Page("https://b.test", False))
    made = both(reply(PagesRead(0, pages), *blocks(Text("a")), PagesRead(0, (Page("https://a.test", True),))))
    found = made["content"][1:]
    assert kinds(found) == ["server_tool_use", "web_fetch_tool_result"] * 2
    assert [block["input"] for block in found[::2]] == [{"url": "https://a.test"}, {"url": "https://b.test"}]
    assert found[1]["content"]["type"] == "web_fetch_result" and found[1]["content"]["url"] == "https://a.test"
    assert found[3]["content"] == {"type": "web_fetch_tool_result_error", "error_code": "url_not_accessible"}
    assert made["usage"]["server_tool_use"] == {"web_search_requests": 0, "web_fetch_requests": 2}


def test_a_client_without_server_tools_sees_no_blocks_of_them() -> None:
    """Its answer ends with the text: `claude -p` prints the last block, and fails at one it did not ask for."""
    batches = reply(
        *blocks(Text("Paris")), Citations(0, (PARIS,), None, ("q",)), PagesRead(0, (Page("https://a.test", True),))
    )
    made = both(batches, Style(server_tools=False))
    assert kinds(made["content"]) == ["text"] and len(made["content"][0]["citations"]) == 1
    assert made["usage"]["server_tool_use"] == {"web_search_requests": 1, "web_fetch_requests": 1}


def test_sources_stand_at_the_text_that_they_support() -> None:
    first, second = Citation("https://a.test", "A", 0, 4), Citation("https://b.test", "B", 4, 7)
    code = (Code("", "python", "1"), CodeResult("", "ok", "1"))
    batches = reply(*blocks(Text("Rome"), *code, Text("two")), Citations(0, (first, second), None, ("q",)))
    made = both(batches)["content"]
    assert [one["url"] for one in made[3]["citations"]] == ["https://b.test"]
    assert [one["url"] for one in made[5]["content"]] == ["https://a.test", "https://b.test"]
    # Where nothing else would tell of the first, the last text does.
    made = both(batches, Style(server_tools=False))["content"]
    assert [one["cited_text"] for one in made[-1]["citations"]] == ["Rome", "two"]


def test_sources_of_an_answer_that_ends_in_a_call() -> None:
    """Its text is over when they come; without the search's own blocks they would be lost."""
    batches = reply(*blocks(Text("Paris"), CALL), Citations(0, (PARIS,), None, ("q",)), reason="tool_calls")
    made = both(batches, Style(server_tools=False))
    assert kinds(made["content"]) == ["text", "tool_use", "server_tool_use", "web_search_tool_result"]
    assert made["stop_reason"] == "tool_use"


def test_nothing_is_put_behind_an_answer_that_calls_nothing() -> None:
    """`claude -p` fails where the last block of an answer is a server's."""
    batches = reply(*blocks(Text("Paris"), Thought("hm")), Citations(0, (PARIS,), None, ("q",)))
    assert kinds(both(batches, Style(server_tools=False))["content"]) == ["text", "thinking"]


# ── the end ──


@pytest.mark.parametrize(
    ("reason", "part", "stop_reason"),
    [
        ("stop", Text("a"), "end_turn"),
        ("stop", CALL, "tool_use"),
        ("tool_calls", CALL, "tool_use"),
        ("tool_calls", Text("a"), "end_turn"),
        ("length", Text("a"), "max_tokens"),
        ("length", CALL, "max_tokens"),
        ("content_filter", Text("a"), "refusal"),
        ("malformed", Text("a"), "end_turn"),
        ("malformed", CALL, "tool_use"),
        ("malformed", Code("", "python", "1"), "end_turn"),
        ("other", Text("a"), "end_turn"),
        ("other", CALL, "tool_use"),
        ("other", Thought("hm"), "refusal"),
    ],
)
def test_stop_reasons(reason: FinishReason, part: Part, stop_reason: str) -> None:
    """Acceptance 17, 18 and 24."""
    made = both(reply(*blocks(part), reason=reason))
    assert made["stop_reason"] == stop_reason
    assert (made["stop_details"] is not None) == (stop_reason == "refusal")


def test_a_refusal_says_why() -> None:
    made = both(reply(reason="content_filter", message="Blocked: X."))
    assert made["content"] == []
    assert made["stop_details"] == {"type": "refusal", "category": None, "explanation": "Blocked: X."}
    assert "WHY" in both(reply(reason="content_filter"))["stop_details"]["explanation"]


@pytest.mark.parametrize("part", [Thought("hm"), Text(""), Text("", MARK)])
def test_an_answer_that_broke_off_unsaid_is_none(part: Text | Thought) -> None:
    """Acceptance 16."""
    for write in (told, whole):
        with pytest.raises(BrokenAnswer, match="WHY"):
            write(reply(*blocks(part), reason="malformed"))


def test_a_second_answer_goes_on_where_the_first_broke_off() -> None:
    made = writer()
    first = [made.stream([ResponseStart("", ""), *blocks(Thought("hm"))]), made.stream([Usage()])]
    with pytest.raises(BrokenAnswer):
        made.stream([Finish(0, "malformed")])
    second = [made.stream(blocks(Thought("well"), SIGNED)), made.stream([Usage(), Finish(0, "stop")]), made.end()]
    stream = b"".join([*first, *second])
    assert check(events_of(stream)) == []
    assert kinds(sdk_message(stream)["content"]) == ["thinking", "tool_use"]

    again = writer()
    with pytest.raises(BrokenAnswer):
        again.whole(events(reply(*blocks(Thought("hm")), reason="malformed")))
    assert kinds(json.loads(again.whole(events(reply(*blocks(Text("a"))))))["content"]) == ["text"]


def test_a_reply_without_an_end() -> None:
    for write in (told, whole):
        with pytest.raises(UpstreamError, match="broke off"):
            write([[ResponseStart("", "")], blocks(Text("a"))])


def test_a_failure_ends_the_stream_where_it_is() -> None:
    made = writer()
    begun = made.stream([ResponseStart("", ""), BlockStart(0, Text("a"))])
    with pytest.raises(Unavailable):
        made.stream([Failure(Unavailable("no"))])
    stream = begun + made.failure(Unavailable("no"))
    assert check(events_of(stream)) == []
    assert events_of(stream)[-1][1] == {"type": "error", "error": {"type": "overloaded_error", "message": "no"}}
    with pytest.raises(RateLimited):
        whole([[Failure(RateLimited("slow"))]])


def test_a_failure_begins_no_message() -> None:
    made = writer()
    with pytest.raises(Unavailable):
        made.stream([Failure(Unavailable("no"))])
    assert [name for name, _ in events_of(made.stream([ResponseStart("", "")]))] == ["message_start"]
    other = writer()
    with pytest.raises(Unavailable):
        other.stream([Failure(Unavailable("no"))])
    assert other.stream([]) == b""


def test_the_usage() -> None:
    """Acceptance 30: input without what was cached, output with thoughts; the start tells what is known by then."""
    usage = Usage(
        input_tokens=100,
        cached_tokens=40,
        tool_tokens=7,
        output_tokens=5,
        thought_tokens=3,
        total_tokens=115,
        service_tier="priority",
    )
    start = ResponseStart("", "", None, 90, 30)
    batches: list[list[Event]] = [[start], blocks(Text("a")), [usage, Finish(0, "stop")]]
    found = both(batches)["usage"]
    assert (found["input_tokens"], found["cache_read_input_tokens"], found["output_tokens"]) == (67, 40, 8)
    assert found["output_tokens_details"] == {"thinking_tokens": 3} and found["service_tier"] == "priority"
    first = told(batches)[0][1]["message"]["usage"]
    assert (first["input_tokens"], first["cache_read_input_tokens"], first["output_tokens"]) == (60, 30, 0)
    assert (
        whole([[ResponseStart("", "", None, 1, 5), Usage(service_tier="flex"), Finish(0, "stop")]])["usage"][
            "service_tier"
        ]
        == "standard"
    )
    assert told([[ResponseStart("", "", None, 1, 5), Finish(0, "stop")]])[0][1]["message"]["usage"]["input_tokens"] == 0


# ── the official client ──

EVERYTHING: list[list[Event]] = reply(
    *blocks(Thought("hm"), Text("Paris\u2028"), SIGNED, Code("", "python", "1"), CodeResult("", "ok", "1"), Text("é")),
    Citations(0, (PARIS,), None, ("capital",)),
    PagesRead(0, (Page("https://a.test", True), Page("https://b.test", False))),
)


def test_the_official_client() -> None:
    stream, body = written(writer(), EVERYTHING), writer().whole(events(EVERYTHING))
    with sdk(stream, MessagesWriter.content_type.decode()).messages.stream(
        model="m", max_tokens=9, messages=ASKED
    ) as streamed:
        final = streamed.get_final_message()
        said = streamed.get_final_text()
    made = sdk(body, "application/json").messages.create(model="m", max_tokens=9, messages=ASKED)
    assert final.to_dict() == made.to_dict()
    assert said == "Paris\u2028é"
    assert [type(block).__name__ for block in made.content] == [
        "ThinkingBlock",
        "TextBlock",
        "ThinkingBlock",
        "ToolUseBlock",
        "ServerToolUseBlock",
        "CodeExecutionToolResultBlock",
        "TextBlock",
        "ServerToolUseBlock",
        "WebSearchToolResultBlock",
        "ServerToolUseBlock",
        "WebFetchToolResultBlock",
        "ServerToolUseBlock",
        "WebFetchToolResultBlock",
    ]


def test_the_official_client_raises_errors() -> None:
    stream = writer().stream([ResponseStart("", "")]) + writer().failure(RateLimited("slow"))
    client: Any = sdk(stream, "text/event-stream")
    with (
        pytest.raises(anthropic.APIStatusError, match="slow"),
        client.messages.stream(model="m", max_tokens=9, messages=ASKED) as streamed,
    ):
        streamed.get_final_message()
