"""Events → Gemini's replies, in its three forms."""

import json

import pytest

from gemgate.errors import RateLimited
from gemgate.hub.events import BlockDelta, BlockEnd, BlockStart, Event, Failure, Finish, ResponseStart, Usage
from gemgate.hub.parts import Signature, Text, Thought, ToolCall
from gemgate.net.sse import SseParser
from gemgate.protocols.gemini.writer import Framing, GeminiWriter
from tests.bed.replay import fold
from tests.protocols.replaying import Json, chunk, document, gemini_stream, gemini_whole, identity, read

FRAMINGS: list[Framing] = ["sse", "array"]
MARK = Signature("gemini", "YQ==")


def all_forms(batches: list[list[Event]]) -> Json:
    """The reply, the same in all forms."""
    whole = json.loads(gemini_whole(batches))
    for framing in FRAMINGS:
        assert fold(gemini_stream(batches, framing)) == whole
        assert fold(gemini_stream([[event for batch in batches for event in batch]], framing)) == whole
    return whole


@pytest.mark.parametrize("reason", ["SAFETY", "PROHIBITED_CONTENT"])
def test_a_blocked_prompt_has_no_candidates(reason: str) -> None:
    """Acceptance 24, in whatever batches the events come."""
    body = {"promptFeedback": {"blockReason": reason}, "usageMetadata": {"promptTokenCount": 3, "totalTokenCount": 3}}
    found = all_forms(read([json.dumps(body).encode()]))
    assert "candidates" not in found
    assert found["promptFeedback"] == body["promptFeedback"] and found["usageMetadata"] == body["usageMetadata"]


def test_feedback_that_blocked_nothing() -> None:
    body = json.loads(document({"text": "a"})) | {"promptFeedback": {"blockReason": "BLOCK_REASON_UNSPECIFIED"}}
    (candidate,) = all_forms(read([json.dumps(body).encode()]))["candidates"]
    assert candidate["content"]["parts"] == [{"text": "a"}] and candidate["finishReason"] == "STOP"


def test_signatures_stay_on_their_parts() -> None:
    """Acceptance 4 and 5."""
    parts: list[Json] = [
        {"text": "t", "thought": True},
        {"text": "a", "thoughtSignature": "YQ=="},
        {"inlineData": {"mimeType": "image/png", "data": "YQ=="}, "thoughtSignature": "Yg=="},
        {"functionCall": {"name": "f", "args": {"a": 1}}, "thoughtSignature": "Yw=="},
        {"functionCall": {"id": "2", "name": "g", "args": {}}},
        {"executableCode": {"language": "PYTHON", "code": "1"}, "thoughtSignature": "ZA=="},
        {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "1"}},
        {"toolCall": {"id": "t"}, "thoughtSignature": "ZQ=="},
        {"toolResponse": {"id": "t"}, "thoughtSignature": "Zg=="},
        {"hologram": 1},
        {"text": "", "thoughtSignature": "Zw=="},
    ]
    assert all_forms(read([document(*parts)]))["candidates"][0]["content"]["parts"] == parts
    assert (
        all_forms(read([chunk(part) for part in parts] + [chunk(finishReason="STOP")]))["candidates"][0]["content"][
            "parts"
        ]
        == parts
    )


def test_events_of_other_upstreams() -> None:
    batches: list[list[Event]] = [
        [ResponseStart("", "")],
        [BlockStart(0, Thought("")), BlockDelta(0, "t"), BlockEnd(0)],
        [BlockStart(0, Text("a")), BlockDelta(0, "b")],
        [
            BlockDelta(0, "c"),
            BlockEnd(0),
            BlockStart(0, ToolCall("1", "f", "")),
            BlockDelta(0, '{"a":1}'),
            BlockEnd(0, MARK),
        ],
        [
            Usage(input_tokens=1, output_tokens=2, total_tokens=3, input_by_modality={"text": 1}),
            Finish(0, "tool_calls"),
        ],
    ]
    found = all_forms(batches)
    assert found["candidates"][0]["content"]["parts"] == [
        {"text": "t", "thought": True},
        {"text": "abc"},
        {"functionCall": {"id": "1", "name": "f", "args": {"a": 1}}, "thoughtSignature": "YQ=="},
    ]
    assert found["candidates"][0]["finishReason"] == "STOP" and found["modelVersion"] == "the-model"
    assert found["usageMetadata"]["promptTokensDetails"] == [{"modality": "TEXT", "tokenCount": 1}]


@pytest.mark.parametrize("framing", FRAMINGS)
def test_a_failure_in_mid_stream(framing: Framing) -> None:
    writer = GeminiWriter(identity(), framing)
    sent = writer.stream([ResponseStart("", ""), BlockStart(0, Text("a"))])
    with pytest.raises(RateLimited):
        writer.stream([Failure(RateLimited("x"))])
    end = writer.failure(RateLimited("x", retry_after_seconds=3))
    if framing == "array":
        items = json.loads(sent + end)
        assert "error" in items[1]
    else:
        assert end.startswith(b'data: {"error":') and end.endswith(b"\r\n\r\n")
    assert b'"retryDelay":"3s"' in end


def test_keepalives_are_valid_within_each_framing() -> None:
    array = GeminiWriter(identity(), "array")
    batches = read([chunk({"text": "a"}), chunk({"text": "b"}, finishReason="STOP")])
    stream = b"".join(array.keepalive + array.stream(batch) for batch in batches) + array.keepalive + array.end()
    assert len(json.loads(stream)) >= 2
    assert json.loads(GeminiWriter(identity(), "array").end()) == []
    sse = GeminiWriter(identity())
    stream = b"".join(sse.keepalive + sse.stream(batch) for batch in batches) + sse.keepalive + sse.end()
    lines = stream.split(b"\r\n")
    assert all(not line or line.startswith(b"data: {") for line in lines), "Google's SDKs break at comments"
    assert sum(line not in (b"", b"data: {}") for line in lines) == len(batches)
    parser = SseParser()
    assert [json.loads(payload) for payload in (*parser.feed(stream), *parser.end())] == [
        json.loads(line[6:]) for line in lines if line
    ]
