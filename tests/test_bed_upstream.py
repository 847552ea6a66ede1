"""The fake Google: its script and faults, and the raw client that tests use."""

import asyncio
import gzip
import json
from typing import Any

import pytest

from tests.bed.contract import ContractError
from tests.bed.sent import check_sent
from tests.bed.turns import TurnError
from tests.bed.upstream import (
    FakeUpstream,
    Gate,
    Signal,
    cut,
    error,
    garbage,
    garbage_body,
    invalid_key,
    json_reply,
    large_sse,
    reply,
    signature_error,
    sse,
    stall,
    text_chunks,
)
from tests.bed.wire import Connection, Reply, fetch, fetch_json

KEY = {"x-goog-api-key": "A"}
GENERATE = "/v1beta/models/gemini-2.5-flash:generateContent"
STREAM = "/v1beta/models/gemini-2.5-flash:streamGenerateContent"
ASK: dict[str, Any] = {"contents": [{"role": "user", "parts": [{"text": "hello there, you"}]}]}


async def _post(up: FakeUpstream, path: str, body: Any = None, headers: dict[str, str] | None = None) -> Any:
    return await fetch_json(
        "POST", up.base_url + path, KEY if headers is None else headers, ASK if body is None else body
    )


async def _events(reply: Reply) -> list[Any]:
    return [json.loads(data) async for _, data in reply.events()]


async def test_defaults_echo_in_every_form() -> None:
    async with FakeUpstream() as up:
        status, whole = await _post(up, GENERATE)
        assert status == 200
        assert whole["candidates"][0]["content"]["parts"] == [{"text": "echo: hello there, you"}]
        async with await Connection.open(up.base_url) as connection:
            reply = await connection.request("POST", STREAM + "?alt=sse", KEY, ASK)
            assert reply.header("content-type") == "text/event-stream"
            chunks = await _events(reply)
            text = "".join(part["text"] for c in chunks for part in c["candidates"][0]["content"]["parts"])
            assert text == "echo: hello there, you"
            assert [c["candidates"][0].get("finishReason") for c in chunks][-2:] == [None, "STOP"]
            assert await (await connection.request("POST", STREAM, KEY, ASK)).json() == chunks
        assert up.connections == 2
        assert [request.key for request in up.requests] == ["A"] * 3
        assert up.last.json == ASK and up.requests[1].query == {"alt": "sse"}
        assert check_sent(up.requests, canonical=True) == 3


async def test_default_parts_follow_the_request() -> None:
    async with FakeUpstream() as up:
        tools = [{"functionDeclarations": [{"name": "f"}, {"name": "g"}]}]
        forced = {"functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["g"]}}
        _, called = await _post(up, GENERATE, ASK | {"tools": tools, "toolConfig": forced})
        assert called["candidates"][0]["content"]["parts"][0]["functionCall"]["name"] == "g"
        _, image = await _post(up, "/v1beta/models/gemini-2.5-flash-image:generateContent")
        assert image["candidates"][0]["content"]["parts"][1]["inlineData"]["mimeType"] == "image/png"
        _, spoken = await _post(up, GENERATE, ASK | {"generationConfig": {"responseModalities": ["AUDIO"]}})
        assert "rate=24000" in spoken["candidates"][0]["content"]["parts"][0]["inlineData"]["mimeType"]
        _, thought = await _post(
            up, GENERATE, ASK | {"generation_config": {"thinking_config": {"include_thoughts": True}}}
        )
        assert thought["candidates"][0]["content"]["parts"][0]["thought"] is True
        assert thought["usageMetadata"]["thoughtsTokenCount"] == 12
        _, counted = await _post(up, GENERATE.replace("generateContent", "countTokens"))
        assert counted["totalTokens"] == 4
        two = {"requests": [{"model": "models/e", "content": ASK["contents"][0], "outputDimensionality": 8}] * 2}
        _, vectors = await _post(up, "/v1beta/models/gemini-embedding-001:batchEmbedContents", two)
        assert [len(one["values"]) for one in vectors["embeddings"]] == [8, 8]


async def test_keys_and_scripted_answers() -> None:
    async with FakeUpstream(keys={"A", "B"}) as up:
        assert (await _post(up, GENERATE, headers={"x-goog-api-key": "Z"}))[0] == 400
        assert (await _post(up, GENERATE, headers={}))[0] == 403
        up.answer_key(
            "A", error(429, retry_delay="34.4s", quota_id="GenerateRequestsPerDayPerProjectPerModel-FreeTier")
        )
        status, refused = await _post(up, GENERATE)
        assert (status, refused["error"]["status"]) == (429, "RESOURCE_EXHAUSTED")
        assert {detail["@type"].rpartition(".")[2] for detail in refused["error"]["details"]} == {
            "QuotaFailure",
            "RetryInfo",
        }
        assert (await _post(up, GENERATE, headers={"Authorization": "Bearer B"}))[0] == 200
        up.answer(signature_error(), invalid_key(), json_reply({"ok": 1}, gzip=True), to=":generateContent")
        assert "thought_signature" in (await _post(up, GENERATE))[1]["error"]["message"]
        assert (await _post(up, GENERATE))[1]["error"]["message"].startswith("API key not valid")
        assert (await _post(up, GENERATE))[1] == {"ok": 1}
        up.routes.missing_models.add("gemini-2.5-flash")
        assert (await _post(up, GENERATE, headers={"x-goog-api-key": "B"}))[0] == 404
        up.reset()
        up.script = lambda request: json_reply({"path": request.path}) if request.method == "GET" else None
        _, seen = await fetch_json("GET", up.base_url + "/any%20thing", {})
        assert seen == {"path": "/any thing"}


async def test_pacing_by_gate() -> None:
    gate = Gate()
    async with FakeUpstream() as up, await Connection.open(up.base_url) as connection:
        up.answer(sse(text_chunks("a", "b", "c"), gate=gate, separator="\n\n"))
        reply = await connection.request("POST", STREAM + "?alt=sse", KEY, ASK)
        events = reply.events()
        assert await gate.arrived.wait()
        gate.release()
        assert '"a"' in (await anext(events))[1]
        gate.open()
        assert len([event async for event in events]) == 2
        assert up.last.done.is_set() and not up.last.gone.is_set()


@pytest.mark.parametrize("reset", [True, False])
async def test_it_sees_the_peer_leave(reset: bool) -> None:
    async with FakeUpstream() as up:
        connection = await Connection.open(up.base_url)
        up.answer(sse(text_chunks("a", "b"), stall_after=1))
        reply = await connection.request("POST", STREAM + "?alt=sse", KEY, ASK)
        await anext(reply.events())
        assert not up.client_gone.is_set()
        left = asyncio.get_running_loop().time()
        connection.leave(reset=reset)
        assert await up.client_gone.wait(5) >= left
        assert up.last.gone.at is not None
        # Before the first byte, and at a gate, it sees it just as well.
        for answer in (stall(), reply_at(Gate())):
            up.reset()
            up.answer(answer)
            connection = await Connection.open(up.base_url)
            await connection.send(b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n")
            await up.received()
            connection.leave(reset=reset)
            await up.client_gone.wait(5)


def reply_at(gate: Gate) -> Any:
    return json_reply({}, gate=gate)


async def test_broken_answers() -> None:
    async with FakeUpstream() as up:
        up.answer(
            sse(text_chunks("a", "b"), cut_after=1),
            sse(text_chunks("a", "b"), cut_after=1, reset=True),
            cut(),
            garbage(),
            json_reply({"a": 1}, length=100),
            garbage_body(),
        )
        for _ in range(2):
            async with await Connection.open(up.base_url) as connection:
                reply = await connection.request("POST", STREAM + "?alt=sse", KEY, ASK)
                with pytest.raises((asyncio.IncompleteReadError, ConnectionError)):
                    await _events(reply)
        for expected in (asyncio.IncompleteReadError, (ValueError, IndexError), asyncio.IncompleteReadError):
            with pytest.raises(expected):
                await _post(up, GENERATE)
        answer, body = await fetch("POST", up.base_url + GENERATE, KEY, ASK)
        assert answer.status == 200 and body.startswith(b"<html>\x80")
        assert not up.client_gone.is_set()


async def test_framing_on_the_wire() -> None:
    async with FakeUpstream() as up, await Connection.open(up.base_url) as connection:
        up.answer(sse(text_chunks("é", "b"), split=1), sse(text_chunks("é"), gzip=True), reply(b"", 204))
        answer = await connection.request("POST", STREAM, KEY, ASK)
        pieces = [piece async for piece in answer.pieces()]
        assert {len(piece) for piece in pieces} == {1}
        assert b"".join(pieces).count(b"\r\n\r\n") == 2
        answer = await connection.request("POST", STREAM, KEY, ASK)
        assert json.loads(gzip.decompress(b"".join([p async for p in answer.pieces()]))[6:])["candidates"]
        assert (await connection.request("POST", STREAM, KEY, ASK)).status == 204
        chunked = (
            b"POST /v1/x HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n"
        )
        await connection.send(chunked)
        assert (await connection.reply()).status == 403
        assert up.last.body == b"abcde"


async def test_a_slow_client_holds_a_large_reply_back() -> None:
    async with FakeUpstream(send_buffer_bytes=65536) as up:
        payload = {"text": "x" * 65536}
        up.answer(large_sse(payload, 500))
        async with await Connection.open(up.base_url, receive_buffer_bytes=65536) as connection:
            reply = await connection.request("POST", STREAM, KEY, ASK)
            pieces = reply.pieces()
            total = len(await anext(pieces))
            for _ in range(50):
                await asyncio.sleep(0)  # let it write what it can
            assert up.last.sent_bytes < 8 * 2**20 < 500 * 65536
            async for piece in pieces:
                total += len(piece)
        assert total > 500 * 65536


async def test_a_slow_reader_of_bodies() -> None:
    async with FakeUpstream() as up, await Connection.open(up.base_url) as connection:
        up.hold_bodies = Gate()
        await connection.send(b"POST /x HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\n")
        await connection.send(b"hello")
        await up.hold_bodies.arrived.wait()
        assert not up.requests
        up.hold_bodies.open()
        assert (await connection.reply()).status == 403
        assert up.last.body == b"hello"


def test_in_a_thread() -> None:
    async def ask(base_url: str) -> None:
        gone = Signal()
        connection = await Connection.open(base_url)
        await connection.request("POST", STREAM, KEY, ASK)
        connection.leave()
        gone.set()
        await gone.wait()

    with FakeUpstream.in_thread() as up:
        gate = Gate()
        up.answer(sse(text_chunks("a"), gate=gate))
        asyncio.run(ask(up.base_url))
        up.client_gone.wait_blocking(5)
        assert up.wait_for_requests(1)[0].json == ASK
        with pytest.raises(TimeoutError):
            up.wait_for_requests(2, timeout=0.01)


async def test_what_was_sent_is_checked() -> None:
    async with FakeUpstream() as up:
        await _post(up, GENERATE, ASK | {"messages": []})
        with pytest.raises(ContractError):
            check_sent(up.requests)
        up.reset()
        unsigned = {"role": "model", "parts": [{"functionCall": {"name": "f", "args": {}}}]}
        await _post(up, GENERATE.replace("2.5", "3.5"), {"contents": [*ASK["contents"], unsigned]})
        with pytest.raises(TurnError):
            check_sent(up.requests)
