"""Gemini's own API before Gemini: what goes through unchanged, and the few things that change."""

import asyncio
import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.bed.upstream import (
    Gate,
    Received,
    corrupted_signature,
    error,
    invalid_key,
    json_array,
    json_reply,
    not_found_model,
    raw_stream,
    reply,
    signature_error,
    sse,
    stall,
    text_chunks,
)
from tests.e2e.bed import CALLER, FLASH, NATIVE, Bed, generate_path, running_bed

VERSIONS = ("v1", "v1beta", "v1alpha")
ODD = (
    b'{ "contents":[{"parts":[{"text":"\\u00e9\xc3\xa9 \xf0\x9f\x8c\x8d"},'
    b'{"inline_data":{"mime_type":"audio/mp3","data":"SUQz"}}]}],\n'
    b'  "generation_config": {"thinkingConfig": {"thinkingLevel":"high"}, "top_p": 1e-1},'
    b' "aFieldOfTomorrow":{"deep":[1, 2.50, null]},"dup":1,"dup":2, "safety_settings" : [] }'
)
ANSWER = (
    b'{ "candidates":[{"content":{"parts":[{"text":"\\u00e9","thoughtSignature":"c2ln+/=="},{"newPart":{"x":1}}],'
    b'"role":"model"},"finishReason":"A_NEW_REASON","index":0}],\r\n "usageMetadata":{"promptTokenCount":7},"new":0.10}'
)
FRAMES = [b"data: " + ANSWER.replace(b"\r\n", b"") + b"\r\n\r\n", b": a comment\r\n\r\n", b"data: {}\n\n"]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("method", ["generateContent", "countTokens", "embedContent", "batchEmbedContents", "predict"])
async def test_bodies_are_relayed_byte_for_byte(bed: Bed, version: str, method: str) -> None:
    bed.up.answer(reply(ANSWER, headers={"X-Of-Google": "1"}))
    answer = await bed.ask("POST", generate_path(FLASH, method, version), ODD, {"content-type": "application/json"})
    assert (answer.status, answer.body) == (200, ANSWER)
    assert (answer.header("x-of-google"), answer.header("content-type")) == ("1", "application/json; charset=UTF-8")
    assert bed.up.last.body == ODD
    assert bed.up.last.path == f"/{'v1alpha' if version == 'v1alpha' else 'v1beta'}/models/{FLASH}:{method}"


@pytest.mark.parametrize("version", VERSIONS)
async def test_streams_are_relayed_byte_for_byte(bed: Bed, version: str) -> None:
    path = generate_path(FLASH, "streamGenerateContent", version)
    bed.up.answer(raw_stream(FRAMES), raw_stream(FRAMES, split=3))
    for _ in range(2):
        answer = await bed.ask("POST", path + "?alt=sse", ODD)
        assert (answer.status, answer.body) == (200, b"".join(FRAMES))
        assert (answer.header("content-type") or "").startswith("text/event-stream")
        assert (bed.up.last.body, bed.up.last.query) == (ODD, {"alt": "sse"})
    documents = [json.loads(ANSWER), {"candidates": []}]
    bed.up.answer(json_array(documents))
    answer = await bed.ask("POST", path, ODD)
    assert (answer.json, bed.up.last.query, bed.up.last.body) == (documents, {}, ODD)
    assert (answer.header("content-type") or "").startswith("application/json")


async def test_the_first_event_does_not_wait_for_the_second(bed: Bed) -> None:
    gate = Gate(1)
    bed.up.answer(raw_stream(FRAMES, gate=gate))
    path = generate_path(FLASH, "streamGenerateContent") + "?alt=sse"
    async with bed.open("POST", path, NATIVE) as (_, answer):
        pieces = answer.pieces()
        assert await anext(pieces) == FRAMES[0]
        gate.open()
        assert b"".join([piece async for piece in pieces]) == b"".join(FRAMES[1:])


async def test_the_query_goes_along_but_for_the_key(bed: Bed) -> None:
    path = generate_path(FLASH, "streamGenerateContent")
    await bed.ask("POST", f"{path}?key={CALLER}&alt=sse&%24prettyPrint=false&x=a%2Fb", NATIVE)
    assert bed.up.last.target == "/v1beta" + path[7:] + "?alt=sse&%24prettyPrint=false&x=a%2Fb"


async def test_headers_that_mean_something_go_along(bed: Bed) -> None:
    sent = {
        "x-goog-api-client": "genai/3",
        "user-agent": "me/1",
        "x-server-timeout": "9",
        "cookie": "a=b",
        "x-own": "1",
    }
    await bed.native(headers=sent)
    got = bed.up.last
    assert (got.header("x-goog-api-client"), got.header("user-agent")) == ("genai/3", "me/1")
    assert got.header("x-server-timeout") == "9"
    assert got.header("cookie") is None and got.header("x-own") is None and got.header("x-api-key") is None


async def test_a_gzipped_answer_is_unpacked(bed: Bed) -> None:
    bed.up.answer(reply(ANSWER, gzip=True), raw_stream(FRAMES, gzip=True))
    plain = await bed.native()
    assert (plain.body, plain.header("content-encoding")) == (ANSWER, None)
    streamed = await bed.ask("POST", generate_path(FLASH, "streamGenerateContent") + "?alt=sse", NATIVE)
    assert (streamed.body, streamed.header("content-encoding")) == (b"".join(FRAMES), None)


# ── names ──


async def test_a_suffix_patches_one_field_only(bed: Bed) -> None:
    body = {"contents": [{"parts": [{"text": "x", "unknown": 1}]}], "generation_config": {"topK": 4}, "more": [1.0]}
    answer = await bed.native(f"{FLASH}-thinking", body)
    thinking = {"thinkingConfig": {"includeThoughts": True}}
    assert bed.up.last.json == body | {"generation_config": {"topK": 4} | thinking}
    assert bed.up.last.path.endswith(f"/{FLASH}:generateContent")
    assert answer.json["candidates"][0]["content"]["parts"][0]["thought"] is True

    await bed.native(f"{FLASH}-nothinking", body)
    off = bed.up.last.json["generation_config"]["thinkingConfig"]
    assert off["thinkingBudget"] == 0 and not off.get("includeThoughts")
    await bed.native(f"{FLASH}-thinking-1024", NATIVE)
    assert bed.up.last.json["generationConfig"]["thinkingConfig"]["thinkingBudget"] == 1024
    own = NATIVE | {"generationConfig": {"thinkingConfig": {"thinkingBudget": 5}}}
    await bed.native(f"{FLASH}-thinking-1024", own)
    assert bed.up.last.json["generationConfig"]["thinkingConfig"]["thinkingBudget"] == 5
    await bed.native(f"{FLASH}-search", NATIVE)
    assert bed.up.last.json == NATIVE | {"tools": [{"googleSearch": {}}]}


async def test_a_suffix_needs_a_readable_body(bed: Bed) -> None:
    for body in (b"{", b"[]", b"\xff", b""):
        answer = await bed.ask("POST", generate_path(f"{FLASH}-thinking"), body)
        assert (answer.status, answer.error["status"]) == (400, "INVALID_ARGUMENT")
    assert bed.up.requests == []


async def test_an_alias_changes_the_path_and_nothing_else(bed: Bed) -> None:
    bed.up.answer(reply(ANSWER))
    answer = await bed.ask("POST", generate_path("gemini-2.0-flash"), ODD)
    assert (answer.body, bed.up.last.body) == (ANSWER, ODD)
    assert bed.up.last.path.endswith("models/gemini-3.5-flash-lite:generateContent")


async def test_a_retired_name_in_the_body_follows_the_path(bed: Bed) -> None:
    inner = {"generateContentRequest": {"model": "models/gemini-2.0-flash", **NATIVE}}
    answer = await bed.ask("POST", generate_path("gemini-2.0-flash", "countTokens"), inner)
    assert answer.status == 200
    assert bed.up.last.json["generateContentRequest"]["model"] == "models/gemini-3.5-flash-lite"


async def test_an_upstream_404_leads_to_the_successor(bed: Bed) -> None:
    def script(request: Received) -> Any:
        return not_found_model(FLASH) if f"/{FLASH}:" in request.path else None

    bed.up.script = script
    native = await bed.native()
    chat = await bed.chat()
    for answer in (native, chat):
        assert (answer.status, answer.header("x-gemgate-attempts")) == (200, "2")
        assert (answer.header("x-gemgate-model") or "").startswith("gemini-3")
    sent = [request.path.split("/")[-1].split(":")[0] for request in bed.up.requests]
    assert sent == [FLASH, native.header("x-gemgate-model")] * 2


async def test_a_model_unknown_upstream(bed: Bed) -> None:
    gone = not_found_model("gemini-gone")
    bed.up.answer(gone, gone)
    answer = await bed.native("gemini-gone")
    assert (answer.status, answer.error["status"]) == (404, "NOT_FOUND") and "gemini-gone" in answer.error["message"]
    assert answer.header("x-gemgate-attempts") == "1"
    chat = await bed.chat(model="gemini-gone")
    assert (chat.status, chat.error["code"], chat.error["type"]) == (404, "model_not_found", "invalid_request_error")


# ── signatures ──

SIGNED = {
    "contents": [
        {"role": "user", "parts": [{"text": "weather?"}]},
        {
            "role": "model",
            "parts": [
                {"functionCall": {"name": "f", "args": {}}, "thoughtSignature": "YmFk"},
                {"functionCall": {"name": "g", "args": {}}, "thought_signature": "YmFk"},
            ],
        },
        {"role": "user", "parts": [{"functionResponse": {"name": "f", "response": {}}}] * 2},
    ],
    "keep": "me",
}


@pytest.mark.parametrize("refusal", [signature_error, corrupted_signature])
@pytest.mark.parametrize("method", ["generateContent", "streamGenerateContent"])
async def test_a_refused_signature_is_tried_without_once(bed: Bed, refusal: Any, method: str) -> None:
    bed.up.answer(refusal())
    answer = await bed.ask("POST", generate_path(FLASH, method) + ("?alt=sse" if "stream" in method else ""), SIGNED)
    assert (answer.status, answer.header("x-gemgate-attempts")) == (200, "2")
    first, second = bed.up.requests
    assert first.json == SIGNED
    parts = second.json["contents"][1]["parts"]
    assert "YmFk" not in second.body.decode() and second.json["keep"] == "me"
    assert parts[0]["thoughtSignature"] == "skip_thought_signature_validator" and set(parts[1]) == {"functionCall"}

    bed.up.answer(refusal(), refusal())
    again = await bed.ask("POST", generate_path(FLASH, method), SIGNED)
    assert again.status == 400 and "signature" in again.error["message"]
    assert again.header("x-gemgate-attempts") == "2"


async def test_a_refused_signature_in_chat(bed: Bed) -> None:
    call = {
        "id": "c1",
        "type": "function",
        "function": {"name": "f", "arguments": "{}"},
        "extra_content": {"google": {"thought_signature": "YmFk"}},
    }
    messages = [
        {"role": "user", "content": "weather?"},
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c1", "content": "sun"},
    ]
    tools = [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}]
    bed.up.answer(corrupted_signature())
    answer = await bed.chat(model="gemini-3.5-flash", messages=messages, tools=tools)
    assert (answer.status, answer.header("x-gemgate-attempts")) == (200, "2")
    first, second = (request.json["contents"][1]["parts"][0] for request in bed.up.requests)
    assert (first["thoughtSignature"], second["thoughtSignature"]) == ("YmFk", "skip_thought_signature_validator")


# ── errors ──


@pytest.mark.parametrize("code", [400, 404, 409, 413, 499, 504])
async def test_errors_are_passed_through_byte_for_byte(bed: Bed, code: int) -> None:
    body = (
        b'{\n  "error": {"code": %d,\r\n "message": "of google \\u00e9", "status": "ODD", "details":[{"x":1}]}}' % code
    )
    for path in (
        generate_path(),
        generate_path(method="streamGenerateContent") + "?alt=sse",
        generate_path(method="countTokens"),
    ):
        bed.up.answer(reply(body, code, headers={"X-Of-Google": "1"}))
        answer = await bed.ask("POST", path, NATIVE)
        assert (answer.status, answer.body, answer.header("x-of-google")) == (code, body, "1")
        assert (answer.header("x-gemgate-upstream"), answer.header("x-gemgate-attempts")) == ("gemini", "1")


async def test_an_error_page_is_passed_through(bed: Bed) -> None:
    bed.up.answer(reply(b"<html>no</html>", 400, "text/html"))
    answer = await bed.native()
    assert (answer.status, answer.body, answer.header("content-type")) == (400, b"<html>no</html>", "text/html")
    bed.up.answer(reply(b"<html>no</html>", 400, "text/html"))
    chat = await bed.chat()
    assert (chat.status, chat.error["type"]) == (400, "invalid_request_error")


async def test_a_quota_error_keeps_its_body_and_gains_a_header(bed: Bed) -> None:
    document = error(429, "slow down", retry_delay="7.2s", quota_id="X-PerMinute")
    bed.up.always = document
    answer = await bed.native("gemini-q1")
    assert answer.status == 429 and len(bed.up.requests) == 2
    assert (answer.error["message"], answer.header("retry-after")) == ("slow down", "8")
    kinds = [detail["@type"].rpartition(".")[2] for detail in answer.error["details"]]
    assert kinds == ["QuotaFailure", "RetryInfo"] and answer.error["details"][1]["retryDelay"] == "7.2s"


async def test_trouble_with_our_key_is_not_the_clients() -> None:
    with running_bed(keys="A,B") as bed:
        bed.up.always = invalid_key()
        native, chat, listed = await bed.native(), await bed.chat(), await bed.ask("GET", "/v1beta/models")
        for answer in (native, chat, listed):
            assert answer.status == 503 and "API key not valid" not in answer.body.decode()
        assert (native.error["status"], chat.error["type"]) == ("UNAVAILABLE", "server_error")
        assert listed.error["status"] == "UNAVAILABLE"
        bed.up.always = error(403, "Permission denied on resource project x", reason="CONSUMER_SUSPENDED")
        assert (await bed.native()).status == 503


async def test_somebody_elses_file_is_the_clients_fault(bed: Bed) -> None:
    refused = error(403, "You do not have permission to access the File x or it may not exist.")
    bed.up.answer(refused)
    answer = await bed.native()
    assert (answer.status, answer.error["status"], answer.header("x-gemgate-attempts")) == (
        403,
        "PERMISSION_DENIED",
        "1",
    )


# ── other methods ──


async def test_embeddings_and_predictions(bed: Bed) -> None:
    content = {"content": {"parts": [{"text": "x"}]}, "output_dimensionality": 8}
    one = await bed.ask("POST", generate_path("gemini-embedding-001", "embedContent"), content)
    assert len(one.json["embedding"]["values"]) == 8
    two = {"requests": [{"model": "models/gemini-embedding-001", **content}] * 2}
    both = await bed.ask("POST", generate_path("gemini-embedding-001", "batchEmbedContents"), two)
    assert len(both.json["embeddings"]) == 2 and bed.up.last.json == two
    ask = {"instances": [{"prompt": "x"}], "parameters": {"sampleCount": 3}}
    drawn = await bed.ask("POST", generate_path("imagen-4.0-generate-001", "predict"), ask)
    assert drawn.status == 200 and len(drawn.json["predictions"]) == 3
    count = await bed.ask("POST", generate_path(FLASH, "countTokens"), NATIVE)
    assert count.json["totalTokens"] == 1


async def test_a_method_nobody_knows_goes_through(bed: Bed) -> None:
    bed.up.answer(json_reply({"new": True}))
    answer = await bed.ask("POST", generate_path(FLASH, "dreamContent"), {"a": 1})
    assert (answer.json, bed.up.last.json) == ({"new": True}, {"a": 1})


# ── models ──


async def test_models_in_three_dialects(bed: Bed) -> None:
    names = bed.up.routes.models
    openai = await bed.ask("GET", "/v1/models")
    assert openai.json["object"] == "list" and [one["id"] for one in openai.json["data"]] == list(names)
    assert {one["object"] for one in openai.json["data"]} == {"model"}
    one = await bed.ask("GET", f"/v1/models/{FLASH}")
    assert (one.json["id"], one.json["object"]) == (FLASH, "model")

    version = {"anthropic-version": "2023-06-01"}
    page = (await bed.ask("GET", "/v1/models?limit=2", headers=version)).json
    assert [one["type"] for one in page["data"]] == ["model"] * 2 and page["has_more"] is True
    assert page["first_id"] == page["data"][0]["id"] and page["last_id"] == page["data"][-1]["id"]
    rest = (await bed.ask("GET", f"/v1/models?limit=1000&after_id={page['last_id']}", headers=version)).json
    listed = [one["id"] for one in (*page["data"], *rest["data"])]
    plain = [name for name in listed if name in names]
    assert plain and listed == [*plain, *(f"claude-{name}" for name in plain)] and rest["has_more"] is False
    assert (await bed.ask("GET", f"/v1/models/{FLASH}", headers=version)).json["type"] == "model"

    for path in ("/v1beta/models", f"/v1/models?key={CALLER}"):
        listed = await bed.ask("GET", path)
        assert [one["name"] for one in listed.json["models"]] == [f"models/{name}" for name in names]
        assert listed.header("x-gemgate-upstream") == "gemini"
    paged = await bed.ask("GET", "/v1beta/models?pageSize=3")
    assert len(paged.json["models"]) == 3
    following = await bed.ask("GET", f"/v1beta/models?pageSize=3&pageToken={paged.json['nextPageToken']}")
    assert following.json["models"][0]["name"] == f"models/{names[3]}"
    assert (await bed.ask("GET", f"/v1beta/models/{FLASH}")).json["name"] == f"models/{FLASH}"


async def test_an_unknown_model_in_three_dialects(bed: Bed) -> None:
    bed.up.routes.missing_models = {"nobody"}
    openai = await bed.ask("GET", "/v1/models/nobody")
    assert (openai.status, openai.error["code"]) == (404, "model_not_found")
    anthropic = await bed.ask("GET", "/v1/models/nobody", headers={"anthropic-version": "2023-06-01"})
    assert (anthropic.status, anthropic.error["type"]) == (404, "not_found_error")
    gemini = await bed.ask("GET", "/v1beta/models/nobody")
    assert (gemini.status, gemini.error["status"]) == (404, "NOT_FOUND")
    bed.up.routes.missing_models = set()


async def test_the_catalogue_answers_when_the_list_cannot_be_had() -> None:
    with running_bed(toml="[gemini]\nmax_attempts = 1\n") as bed:
        bed.up.answer(error(500), to="/models")
        listed = await bed.ask("GET", "/v1/models")
        assert listed.status == 200 and len(listed.json["data"]) > 5


# ── signs of life ──


@pytest.fixture(scope="module")
def beating_bed() -> Iterator[Bed]:
    with running_bed(toml="[server]\nkeepalive_after_seconds = 0.1\n[gemini]\nmax_attempts = 1\n") as made:
        yield made


STREAM = generate_path(method="streamGenerateContent?alt=sse")


OLD_SDK = re.compile(rb"data: (.*?)(?:\n\n|\r\r|\r\n\r\n)")
"""How Google's older SDK for JavaScript reads a stream: from its very beginning, event by event, nothing between."""


def _events(stream: bytes) -> list[Any]:
    found, at = [], 0
    while at < len(stream):
        event = OLD_SDK.match(stream, at)
        assert event, stream[at:]
        found.append(json.loads(event[1]))
        at = event.end()
    return found


async def test_signs_of_life_before_and_between_events(beating_bed: Bed) -> None:
    bed, silent, between = beating_bed, Gate(), Gate(1)
    bed.up.reset()
    bed.up.answer(stall(silent, sse(text_chunks("one ", "two"), gate=between)))
    async with bed.open("POST", STREAM, NATIVE) as (_, answer):
        assert answer.status == 200 and (answer.header("content-type") or "").startswith("text/event-stream")
        pieces, said = answer.pieces(), b""
        while said != b"data:   ":  # an event has begun, and goes on beginning
            said += await anext(pieces)
        silent.open()
        while not said.endswith(b"\r\n\r\ndata: "):
            said += await anext(pieces)
        between.open()
        said += b"".join([piece async for piece in pieces])
    texts = [part["text"] for chunk in _events(said) for part in chunk["candidates"][0]["content"]["parts"]]
    assert "".join(texts) == "one two"


async def test_no_sign_of_life_breaks_an_event(beating_bed: Bed) -> None:
    bed, gate = beating_bed, Gate(1)
    bed.up.reset()
    bed.up.answer(raw_stream([b'data: {"candidates":', b"[]}\r\n\r\n"], gate=gate))
    async with bed.open("POST", STREAM, NATIVE) as (_, answer):
        pieces = answer.pieces()
        said = await anext(pieces)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                said += await anext(pieces)
        gate.open()
        said += b"".join([piece async for piece in answer.pieces()])
    assert said == b'data: {"candidates":[]}\r\n\r\n'


@pytest.mark.parametrize("frames", [[b": hello\r\n\r\n", b'data: {"candidates":[]}\r\n\r\n'], []])
async def test_what_begins_otherwise_comes_after_an_empty_event(beating_bed: Bed, frames: list[bytes]) -> None:
    bed, gate = beating_bed, Gate()
    bed.up.reset()
    bed.up.answer(stall(gate, raw_stream(frames)))
    async with bed.open("POST", STREAM, NATIVE) as (_, answer):
        pieces = answer.pieces()
        said = await anext(pieces)
        gate.open()
        said += b"".join([piece async for piece in pieces])
    assert said.lstrip(b" ").startswith(b"data: ") and said.replace(b" ", b"").startswith(b"data:{}\r\n\r\n")
    assert said.endswith(b"".join(frames))


async def test_a_page_instead_of_a_stream_is_told_in_it(beating_bed: Bed) -> None:
    bed, gate = beating_bed, Gate()
    bed.up.reset()
    bed.up.answer(stall(gate, reply(b"{}", headers={"content-type": "application/json"})))
    async with bed.open("POST", STREAM, NATIVE) as (_, answer):
        pieces = answer.pieces()
        said = await anext(pieces)
        gate.open()
        said += b"".join([piece async for piece in pieces])
    assert "no event stream" in _events(said)[-1]["error"]["message"]


@pytest.mark.parametrize("failure", [error(400, "You may not."), error(503, "Overloaded.")])
async def test_a_failure_after_a_sign_of_life_is_told_in_the_stream(beating_bed: Bed, failure: Any) -> None:
    bed, gate = beating_bed, Gate()
    bed.up.reset()
    bed.up.answer(stall(gate, failure))
    async with bed.open("POST", STREAM, NATIVE) as (_, answer):
        pieces = answer.pieces()
        said = await anext(pieces)
        gate.open()
        said += b"".join([piece async for piece in pieces])
    (told,) = _events(said)
    assert answer.status == 200 and told["error"]["message"] in ("You may not.", "Overloaded.")
    assert told["error"]["code"] in (400, 503)
