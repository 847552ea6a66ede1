"""Odd replies: what Gemini has been seen to send, and what it never should."""

import json
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gemgate.errors import ContextTooLong, GemgateError, InvalidRequest, RateLimited, Unavailable, UpstreamError
from gemgate.hub.events import BlockStart, Failure, Finish, FinishReason, ResponseStart, Usage
from gemgate.hub.fold import fold
from gemgate.hub.parts import Opaque, Text, Thought, ToolCall
from gemgate.protocols.gemini.finish import FINISH_REASONS
from gemgate.protocols.gemini.reader import GeminiReader
from tests.protocols.replaying import (
    FORMS,
    Json,
    chat_stream,
    chat_whole,
    chunk,
    document,
    events,
    failure,
    gemini_stream,
    gemini_whole,
    read,
)

TABLE: dict[str, FinishReason] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    "CONTINUATION": "length",
    **dict.fromkeys(
        ["SAFETY", "RECITATION", "LANGUAGE", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "IMAGE_SAFETY"],
        "content_filter",
    ),
    **dict.fromkeys(
        ["IMAGE_PROHIBITED_CONTENT", "IMAGE_RECITATION", "MODEL_ARMOR", "ESCALATION"],
        "content_filter",
    ),
    **dict.fromkeys(["OTHER", "IMAGE_OTHER", "NO_IMAGE", "FINISH_REASON_UNSPECIFIED", "NEWER_THAN_US"], "other"),
    **dict.fromkeys(
        ["MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS", "MALFORMED_RESPONSE"],
        "malformed",
    ),
    "MISSING_THOUGHT_SIGNATURE": "malformed",
}
CALL: Json = {"functionCall": {"name": "f", "args": {"a": 1}}}


def finishes(payloads: list[bytes], *, whole: bool = False) -> list[Finish]:
    return [event for event in events(read(payloads, whole=whole)) if isinstance(event, Finish)]


@pytest.mark.parametrize(("reason", "hub"), TABLE.items())
def test_finish_reasons(reason: str, hub: FinishReason) -> None:
    """Notes §6.2; an unknown one is carried, never an error."""
    (finish,) = finishes([document({"text": "a"}, finishReason=reason, finishMessage="because")])
    assert (finish.reason, finish.detail, finish.message) == (hub, reason, "because")
    assert FINISH_REASONS.keys() <= TABLE.keys()


@pytest.mark.parametrize(
    ("number", "hub"), [(0, "other"), (1, "stop"), (2, "length"), (3, "content_filter"), (5, "other"), (99, "other")]
)
def test_numbered_finish_reasons(number: int, hub: FinishReason) -> None:
    assert finishes([document({"text": "a"}, finishReason=number)])[0].reason == hub


def test_a_call_makes_the_turn_end_with_tool_calls() -> None:
    """Acceptance 18: STOP comes in a later chunk than the call; the call is remembered."""
    (finish,) = finishes([chunk(CALL), chunk({"text": ""}), chunk(finishReason="STOP")])
    assert finish.reason == "tool_calls" and finish.detail == "STOP"
    assert finishes([document(CALL, finishReason="MAX_TOKENS")])[0].reason == "length"


def test_a_reason_on_several_chunks_ends_once() -> None:
    """Acceptance 17: what stands on an early chunk ends nothing; the last one counts."""
    payloads = [chunk({"text": word}, finishReason="STOP") for word in "abc"]
    payloads.append(chunk(finishReason="MAX_TOKENS"))
    reply = fold(events(read(payloads)))
    assert reply.choices[0].parts == (Text("abc"),)
    assert reply.choices[0].finish.reason == "length" and len(finishes(payloads)) == 1


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("extra", [{}, {"blockReasonMessage": "not that"}, {"safetyRatings": [{"category": "X"}]}])
@pytest.mark.parametrize("reason", ["SAFETY", "PROHIBITED_CONTENT", "NEW", 1])
def test_a_blocked_prompt(form: str, extra: Json, reason: str | int) -> None:
    """Acceptance 24: HTTP 200, no candidates."""
    body: Json = {"promptFeedback": {"blockReason": reason} | extra, "usageMetadata": {"promptTokenCount": 4}}
    batches = read([json.dumps(body).encode()], whole=form == "whole")
    assert [type(event) for event in events(batches)] == [ResponseStart, Usage, Finish]
    finish = finishes([json.dumps(body).encode()])[0]
    assert (finish.reason, finish.detail) == ("content_filter", str(reason))
    assert finish.message == extra.get("blockReasonMessage", finish.message) != ""


@pytest.mark.parametrize("content", [{}, {"content": {}}, {"content": {"role": "model"}}, {"content": {"parts": []}}])
def test_candidates_without_content(content: Json) -> None:
    """Acceptance 24: MAX_TOKENS while thinking, and safety stops."""
    for reason in ("MAX_TOKENS", "SAFETY"):
        body = json.dumps({"candidates": [{"finishReason": reason} | content]}).encode()
        reply = fold(events(read([body])))
        assert reply.choices[0].parts == () and reply.choices[0].finish.detail == reason


def test_nulls_count_as_absent() -> None:
    part: Json = {"text": "a", "thought": None, "thoughtSignature": None, "functionCall": None}
    body: Json = {
        "candidates": [
            {"content": {"role": None, "parts": [part]}, "finishReason": "STOP", "index": None, "finishMessage": None}
        ],
        "usageMetadata": {"promptTokenCount": 3, "thoughtsTokenCount": None, "promptTokensDetails": None},
        "promptFeedback": None,
        "responseId": None,
        "modelVersion": None,
    }
    reply = fold(events(read([json.dumps(body).encode()])))
    assert reply.choices[0].parts == (Text("a"),) and reply.usage.input_tokens == 3
    null_candidate = json.dumps({"candidates": [{"content": None, "finishReason": "STOP"}]}).encode()
    assert fold(events(read([null_candidate]))).choices[0].parts == ()
    null_parts = json.dumps({"candidates": [{"content": {"parts": None}, "finishReason": "STOP"}]}).encode()
    assert fold(events(read([null_parts]))).choices[0].parts == ()


ERROR: Json = {"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}}


@pytest.mark.parametrize("error", [ERROR, [ERROR]])
def test_an_error_in_mid_stream(error: object) -> None:
    """Notes §2.7: a chunk, or a one-element array of it."""
    batches = read([chunk({"text": "a"}), json.dumps(error).encode()])
    found = next(event for event in events(batches) if isinstance(event, Failure)).error
    assert isinstance(found, Unavailable) and found.message == "The model is overloaded."


def test_kinds_of_errors_in_mid_stream() -> None:
    for code, message, kind in (
        (429, "Quota exceeded. Please retry in 34.4s.", RateLimited),
        (400, "The input token count (9) exceeds the maximum number of tokens allowed (8).", ContextTooLong),
        (400, "bad", InvalidRequest),
        (500, "oops", UpstreamError),
    ):
        found = failure([GeminiReader().feed(json.dumps({"error": {"code": code, "message": message}}).encode())])
        assert found and type(found.error) is kind


@pytest.mark.parametrize(
    "payloads", [[], [b"{}"], [b'{"usageMetadata":{"promptTokenCount":3}}'], [chunk({"text": "a"})]]
)
def test_a_stream_without_an_end_is_a_failure(payloads: list[bytes]) -> None:
    found = failure(read(payloads))
    assert found and isinstance(found.error, UpstreamError)


def test_a_whole_reply_without_a_reason_has_ended_if_it_says_something() -> None:
    assert finishes([document({"text": "a"}, finishReason=None)], whole=True)[0].reason == "stop"
    assert failure(read([document(finishReason=None)], whole=True))


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        b"<html>",
        b"[]",
        b"[1,2]",
        b"null",
        b"5",
        b'"text"',
        b"\xff\xfe",
        b'{"candidates":5}',
        b'{"candidates":[5]}',
        b'{"candidates":[{"content":{"parts":[{"text":"\xff"}]}}]}',
        b'{"candidates":[{"content":{"parts":["text"]}}]}',
        b'{"candidates":[{"finishReason":{}}]}',
        b"[" * 100_000,
        b'{"candidates":' * 50_000,
        b'{"x":' + b"[" * 100_000,
        chunk({"functionCall": {"name": "f", "partialArgs": 5}}),
        chunk({"functionCall": {"name": "f", "partialArgs": [{"jsonPath": None}]}}),
    ],
)
def test_garbage_is_a_failure_and_never_a_crash(payload: bytes) -> None:
    assert failure([GeminiReader().feed(payload)])


KEYS = ["candidates", "content", "parts", "text", "functionCall", "args", "partialArgs", "willContinue", "name"]
KEYS += ["finishReason", "index", "usageMetadata", "promptTokenCount", "promptTokensDetails", "error", "jsonPath"]
KEYS += ["groundingMetadata", "groundingChunks", "web", "uri", "promptFeedback", "blockReason", "thought"]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(KEYS),
            inner,
            max_size=4,
        )
    ),
    max_leaves=25,
)


@settings(deadline=None, max_examples=300)
@given(st.lists(JSON, max_size=3), st.booleans())
def test_no_json_document_crashes_the_reader(documents: list[object], whole: bool) -> None:
    batches = read([json.dumps(item).encode() for item in documents], whole=whole)
    assert any(isinstance(event, (Finish, Failure)) for event in events(batches))


@settings(deadline=None, max_examples=300)
@given(st.lists(JSON, min_size=1, max_size=3), JSON, JSON)
def test_no_part_crashes_reader_or_writers(parts: list[object], usage: object, grounding: object) -> None:
    candidate = {"content": {"parts": parts}, "finishReason": "STOP", "groundingMetadata": grounding}
    batches = read([json.dumps({"candidates": [candidate], "usageMetadata": usage}).encode()])
    for write in (chat_whole, chat_stream, gemini_whole, gemini_stream):
        with suppress(GemgateError):
            write(batches)


def test_unknown_parts_survive_whole() -> None:
    new: Json = {"hologram": {"depth": 3, "text": "x"}, "thoughtSignature": "c2ln"}
    for payload in (document({"text": "a"}, new), b"[" + document({"text": "a"}, new) + b"]"):
        parts = fold(events(read([payload]))).choices[0].parts
        assert parts[0] == Text("a")
        assert isinstance(parts[1], Opaque) and json.loads(parts[1].vendor.raw) == new


def test_unknown_parts_beside_nulls() -> None:
    other = {"content": None, "index": 1, "finishReason": "STOP"}
    body = {"candidates": [other, json.loads(document({"hologram": 1}))["candidates"][0]]}
    reply = fold(events(read([json.dumps(body).encode()])))
    assert isinstance(reply.choices[0].parts[0], Opaque) and reply.choices[1].parts == ()


def test_server_side_calls_are_never_merged() -> None:
    """Acceptance 5: the trace of a built-in tool, each part with its own signature."""
    trace: list[Json] = [
        {"toolCall": {"id": "t", "toolType": "GOOGLE_SEARCH_WEB"}, "thoughtSignature": "YQ=="},
        {"toolResponse": {"id": "t", "toolType": "GOOGLE_SEARCH_WEB", "response": {}}, "thoughtSignature": "Yg=="},
    ]
    parts = fold(events(read([document(*trace)]))).choices[0].parts
    assert [json.loads(part.vendor.raw) for part in parts if isinstance(part, Opaque)] == trace


def test_signed_texts_are_blocks_of_their_own() -> None:
    """Notes §5.1 rules 6 and 7: not merged, and the empty one at the end is kept."""
    signed: Json = {"text": "b", "thoughtSignature": "YQ=="}
    payloads = [chunk({"text": "a"}), chunk({"text": "a"}), chunk(signed), chunk(signed), chunk({"text": "c"})]
    payloads.append(chunk({"text": "", "thoughtSignature": "Yg=="}, finishReason="STOP"))
    parts = fold(events(read(payloads))).choices[0].parts
    found = [(part.text, part.signature and part.signature.value) for part in parts if isinstance(part, Text)]
    assert found == [("aa", None), ("b", "YQ=="), ("b", "YQ=="), ("c", None), ("", "Yg==")]


def test_thoughts_and_text_alternate_in_order() -> None:
    """Acceptance 6: text is never reclassified."""
    thought: Json = {"text": "t", "thought": True}
    parts = (
        fold(events(read([chunk(thought, {"text": "a"}), chunk(thought), document({"text": "b"})]))).choices[0].parts
    )
    assert parts == (Thought("t"), Text("a"), Thought("t"), Text("b"))


def test_calls_without_ids_and_arguments() -> None:
    parts = (
        fold(
            events(
                read(
                    [document({"functionCall": {"name": "f"}}, {"functionCall": {"name": "g", "args": {}, "id": "i"}})]
                )
            )
        )
        .choices[0]
        .parts
    )
    assert parts == (ToolCall("", "f", "{}"), ToolCall("i", "g", "{}"))


def test_arguments_keep_their_numbers_and_order() -> None:
    body = document({"functionCall": {"name": "f", "args": 0}}).replace(
        b"0}}", b'{"b":1.50,"a":12345678901234567890}}}'
    )
    (part,) = fold(events(read([body]))).choices[0].parts
    assert isinstance(part, ToolCall) and part.arguments == '{"b":1.50,"a":12345678901234567890}'


def test_renamed_functions_get_their_own_names_back() -> None:
    starts = [e for e in events(read([document(CALL)], {"f": "my function"})) if isinstance(e, BlockStart)]
    assert isinstance(starts[0].part, ToolCall) and starts[0].part.name == "my function"


def test_two_candidates() -> None:
    body = {
        "candidates": [
            json.loads(document({"text": "a"}))["candidates"][0],
            json.loads(document(CALL, index=1))["candidates"][0],
        ]
    }
    reply = fold(events(read([json.dumps(body).encode()])))
    assert [(choice.index, choice.finish.reason) for choice in reply.choices] == [(0, "stop"), (1, "tool_calls")]


def test_usage_is_the_last_value_of_each_count() -> None:
    """Acceptance 30: running totals, never summed; later chunks may leave a count out."""
    counts = [
        {"promptTokenCount": 10, "cachedContentTokenCount": 4, "totalTokenCount": 10},
        {"promptTokenCount": 10, "candidatesTokenCount": 3, "thoughtsTokenCount": 7, "totalTokenCount": 20},
        {"promptTokenCount": 10, "candidatesTokenCount": 5, "toolUsePromptTokenCount": 2, "totalTokenCount": 24},
    ]
    reader = GeminiReader()
    for count in counts:
        reader.feed(json.dumps({"usageMetadata": count}).encode())
    usage = reader.usage
    assert (usage.input_tokens, usage.cached_tokens, usage.output_tokens) == (10, 4, 5)
    assert (usage.thought_tokens, usage.tool_tokens, usage.total_tokens) == (7, 2, 24)
    assert GeminiReader().usage == Usage()


@pytest.mark.parametrize("last", [json.dumps(ERROR).encode(), b"garbage"])
def test_after_a_failure_nothing_more_comes(last: bytes) -> None:
    """A reply ends once: clients stop listening at the first end."""
    reader = GeminiReader()
    assert not reader.failed
    found = reader.feed(chunk({"text": "a"}), last, document({"text": "b"}))
    assert isinstance(found[-1], Failure)
    assert [event.part for event in found if isinstance(event, BlockStart)] == [Text("a")]
    assert reader.failed
    assert reader.feed(document({"text": "c"})) == [] and reader.feed(last) == [] and reader.end() == []
