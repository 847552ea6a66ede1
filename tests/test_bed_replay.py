"""Recordings as answers, in both forms."""

import json
from typing import Any

import msgspec
import pytest

from tests.bed.recordings import Recording, conversations, expected, needs_recordings
from tests.bed.replay import ReplayUpstream, as_body, as_payloads, fold, unfold
from tests.bed.wire import Connection, fetch, fetch_json

KEY = {"x-goog-api-key": "A"}
BASE = "https://host/v1beta/models/gemini-x:"
ASK = {"contents": [{"parts": [{"text": "hi"}]}]}


def _chunk(*parts: dict[str, Any], **more: Any) -> bytes:
    return json.dumps({"candidates": [{"content": {"parts": list(parts), "role": "model"}} | more]}).encode()


def test_fold_joins_plain_texts_only() -> None:
    whole = fold(
        [
            _chunk({"text": "think", "thought": True}),
            _chunk({"text": "a"}),
            _chunk({"text": "b"}),
            _chunk({"text": "", "thoughtSignature": "c2ln"}, finishReason="STOP"),
        ]
    )
    assert whole["candidates"][0]["content"]["parts"] == [
        {"text": "think", "thought": True},
        {"text": "ab"},
        {"text": "", "thoughtSignature": "c2ln"},
    ]
    assert whole["candidates"][0]["finishReason"] == "STOP"


def test_unfold_keeps_the_end_for_the_last() -> None:
    body = json.loads(_chunk({"text": "abcd", "thoughtSignature": "c2ln"}, finishReason="STOP"))
    body["usageMetadata"] = {"promptTokenCount": 1, "candidatesTokenCount": 2}
    first, last = unfold(json.dumps(body).encode(), 2)
    assert first["candidates"][0]["content"]["parts"] == [{"text": "ab"}]
    assert "finishReason" not in first["candidates"][0] and first["usageMetadata"] == {"promptTokenCount": 1}
    assert last["candidates"][0]["content"]["parts"] == [{"text": "cd", "thoughtSignature": "c2ln"}]
    assert last["candidates"][0]["finishReason"] == "STOP" and last["usageMetadata"] == body["usageMetadata"]


def _recording(**fields: Any) -> Recording:
    base = {"id": "x", "source": "s", "licence": "MIT", "seq": 0, "method": "POST", "status": 200, "tags": []}
    return msgspec.json.decode(json.dumps(base | {"request": ASK} | fields), type=Recording)


async def test_a_request_finds_its_recordings() -> None:
    first = _recording(url=BASE + "generateContent", response=json.loads(_chunk({"text": "one"}, finishReason="STOP")))
    second = _recording(
        url=BASE + "streamGenerateContent?alt=sse",
        response_sse=["data: " + _chunk({"text": "t"}).decode(), "data: " + _chunk({"text": "wo"}).decode()],
        sse_sep="\n\n",
    )
    async with ReplayUpstream([first, second], pieces=3) as up:
        url = f"{up.base_url}/v1/models/gemini-x:"
        _, streamed = await fetch("POST", url + "streamGenerateContent?alt=sse", KEY, ASK)
        assert streamed.count(b"data: ") == 3
        _, folded = await fetch_json("POST", url + "generateContent", KEY, ASK)
        assert folded["candidates"][0]["content"]["parts"] == [{"text": "two"}]
        _, again = await fetch("POST", url + "streamGenerateContent?alt=sse", KEY, ASK)
        assert again == second.sse()
        status, _ = await fetch_json("POST", url + "generateContent", KEY, {"contents": []})
        assert (status, len(up.misses)) == (404, 1)
        up.play(first)
        assert (await fetch_json("POST", url + "generateContent", KEY, {"contents": []}))[1] == json.loads(first.body())
        assert (await fetch_json("GET", f"{up.base_url}/v1/models", KEY))[1]["models"]


@needs_recordings
@pytest.mark.parametrize("pieces", [1, 3])
def test_all_recordings_say_the_same_in_both_forms(pieces: int) -> None:
    for row in conversations():
        said = row.expected
        assert expected([as_body(row)]) == said, row.id
        assert expected(as_payloads(row, pieces)) == said, row.id


@needs_recordings
async def test_some_recordings_over_the_wire() -> None:
    async with ReplayUpstream(pieces=2) as up, await Connection.open(up.base_url) as connection:
        for row in conversations()[::40]:
            path = f"/v1beta/models/{row.model}:"
            up.play(row, row, row)
            body = await (await connection.request("POST", path + "generateContent", KEY, row.request or {})).body()
            assert expected([body]) == row.expected
            reply = await connection.request("POST", path + "streamGenerateContent?alt=sse", KEY, row.request or {})
            assert expected([data.encode() async for _, data in reply.events()]) == row.expected
            array = await connection.request("POST", path + "streamGenerateContent", KEY, row.request or {})
            assert expected([bytes(item) for item in msgspec.json.decode(await array.body(), type=list[msgspec.Raw])])
