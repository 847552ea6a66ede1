"""The loader of recordings, client requests and example calls."""

import json

import msgspec

from tests.bed.recordings import (
    Recording,
    by_source,
    conversations,
    expected,
    load_calls,
    load_clients,
    load_recordings,
    needs_recordings,
    needs_shared,
)


def _row(**fields: object) -> Recording:
    base = {
        "id": "x",
        "source": "s",
        "licence": "MIT",
        "seq": 0,
        "method": "POST",
        "url": "https://host/v1beta/models/gemini-2.5-flash:streamGenerateContent?alt=sse",
        "request": {},
        "status": 200,
        "tags": [],
    }
    return msgspec.json.decode(json.dumps(base | fields), type=Recording)


def test_stream_is_framed_again_and_read() -> None:
    first = {"candidates": [{"content": {"parts": [{"text": "hm", "thought": True}, {"text": "a"}]}}]}
    second = {"candidates": [{"content": {"parts": [{"text": "é"}]}, "finishReason": "STOP"}]}
    usage = [{"promptTokenCount": 1, "totalTokenCount": 1}, {"totalTokenCount": 3, "candidatesTokenCount": 2}]
    events = [
        f"data: {json.dumps(chunk | {'usageMetadata': count})}"
        for chunk, count in zip([first, second], usage, strict=True)
    ]
    row = _row(response_sse=events, sse_sep="\r\n\r\n")
    assert row.sse() == b"\r\n\r\n".join([event.encode() for event in events] + [b""]) == row.body()
    assert row.method_name == "streamGenerateContent"
    assert (row.text, row.expected.thoughts, row.finish_reason) == ("aé", "hm", "STOP")
    assert row.usage == {"promptTokenCount": 1, "totalTokenCount": 3, "candidatesTokenCount": 2}


def test_event_lines_and_arrays() -> None:
    row = _row(response_sse=['event: a\ndata: {"x":\ndata: 1}', ": comment"])
    assert [json.loads(payload) for payload in row.payloads()] == [{"x": 1}]
    array = _row(response=[{"a": 1.0}, {"b": 2}])
    assert array.payloads() == [b'{"a": 1.0}', b'{"b": 2}']
    assert _row(response=None).payloads() == [] and _row(response=None).body() == b""


def test_expected_reads_candidate_zero_only() -> None:
    reply = {
        "candidates": [
            {"index": 1, "content": {"parts": [{"text": "other"}]}},
            {"content": {"parts": [{"functionCall": {"name": "f"}, "thoughtSignature": "c2ln"}]}, "finishReason": 1},
        ],
        "promptFeedback": {},
    }
    found = expected([json.dumps(reply).encode()])
    assert (found.text, found.calls, found.finish_reason, found.signatures) == ("", ({"name": "f"},), 1, ("c2ln",))


@needs_recordings
def test_all_recordings_load() -> None:
    rows = load_recordings("gemini")
    assert len(rows) >= 1000
    assert len({row.id for row in rows}) == len(rows)
    assert len(load_recordings("openai")) >= 800
    assert len(load_recordings("anthropic")) >= 400
    chosen = conversations()
    assert len(chosen) >= 1000
    assert sum(row.streamed for row in chosen) >= 200
    assert all(row.text or row.expected.calls or row.finish_reason or row.expected.media for row in chosen[:200])
    assert max(len(group) for group in by_source(rows).values()) > 5


@needs_shared
def test_clients_and_calls_load() -> None:
    assert {"codex", "claude-code", "gemini-cli"} <= {row.client for row in load_clients()}
    assert load_clients("codex") and all(row.body for row in load_clients("codex"))
    calls = load_calls()
    assert len(calls) == len({call.name for call in calls}) > 20
    assert calls[0].headers("K", "raw")["Authorization"] == "K"
    assert calls[0].headers("K", "x-api-key")["anthropic-version"] == "2023-06-01"
