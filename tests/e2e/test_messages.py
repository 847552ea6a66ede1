"""Messages as clients send them: users' calls by curl and by the official SDK, versions, errors, counting."""

import asyncio
import json
import re
import shutil
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import anthropic
import pytest
from anthropic.types import Message

from tests.acceptance.messages_grammar import events_of, message_of
from tests.bed.recordings import ExampleCall, load_calls, needs_shared
from tests.bed.sent import check_sent
from tests.bed.upstream import (
    FakeUpstream,
    error,
    json_reply,
    not_found_model,
    overloaded,
    part_chunk,
    reply,
    sse,
    stall,
    text_chunks,
)
from tests.bed.upstream.generate import count_tokens
from tests.bed.wire import Connection, render
from tests.e2e.bed import CALLER, FLASH, Answered, Bed, running_bed
from tests.e2e.messages_reading import (
    COUNT,
    HELLO,
    MESSAGES,
    PATH,
    SEARCHES,
    VERSION,
    Json,
    ask,
    checked,
    each_form,
    failure,
    read,
    said,
    text_of,
)

with_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")
CALLS = [call for call in load_calls() if call.path == PATH]
each_call = pytest.mark.parametrize("call", [pytest.param(call, id=call.name) for call in CALLS])


@pytest.fixture(scope="module")
def web() -> Iterator[FakeUpstream]:
    """A web server of pictures."""
    with FakeUpstream.in_thread() as web:
        web.script = lambda _: reply(b"\x89PNG\r\n\x1a\n" + bytes(8), content_type="image/png")
        yield web


@pytest.fixture(scope="module")
def module_bed() -> Iterator[Bed]:
    with running_bed(
        {"GEMGATE_MEDIA_ALLOW": "127.0.0.1"}, toml="[server]\nmax_body_bytes = 1_000_000\n[gemini]\nmax_attempts = 1\n"
    ) as bed:
        yield bed


@pytest.fixture
def client(bed: Bed) -> Iterator[anthropic.Anthropic]:
    with anthropic.Anthropic(base_url=bed.url, api_key=CALLER, max_retries=0) as made:
        yield made


# ── the calls that users make ──


def _check_sent(bed: Bed, call: ExampleCall) -> None:
    assert len(bed.up.requests) == 1 and check_sent(bed.up.requests, canonical=True) == 1
    method = "streamGenerateContent" if call.body["stream"] else "generateContent"
    assert bed.up.last.path == f"/v1beta/models/{call.body['model']}:{method}"
    sent = bed.up.last.json
    assert sent["contents"] == [{"role": "user", "parts": [{"text": _words(call)}]}]
    assert sent["generationConfig"] == {"maxOutputTokens": call.body["max_tokens"]}
    assert not {"tools", "toolConfig", "systemInstruction"} & set(sent)


def _words(call: ExampleCall) -> str:
    return call.body["messages"][0]["content"]


def _check_told(call: ExampleCall, made: Json) -> None:
    Message.model_validate_json(json.dumps(made), strict=True)
    assert re.fullmatch(r"msg_[A-Za-z0-9]+", made["id"])
    assert (made["type"], made["role"], made["model"]) == ("message", "assistant", call.body["model"])
    assert [block["type"] for block in made["content"]] == ["text"] and text_of(made) == f"echo: {_words(call)}"
    assert (made["stop_reason"], made["stop_sequence"]) == ("end_turn", None)
    assert made["usage"]["input_tokens"] > 0 and made["usage"]["output_tokens"] > 0


@with_curl
@needs_shared
@pytest.mark.parametrize("auth", ["bearer", "raw", "x-api-key", "x-goog-api-key", "?key="])
@each_call
async def test_calls_by_curl(bed: Bed, call: ExampleCall, auth: str) -> None:
    queried = auth == "?key="
    headers = {"Content-Type": "application/json"} if queried else call.headers(CALLER, auth)
    arguments = ["curl", "-sS", "-N", "-X", call.method, "--data-binary", "@-"]
    for name, value in headers.items():
        arguments += ["-H", f"{name}: {value}"]
    url = bed.url + call.path + (f"?key={CALLER}" if queried else "")
    process = await asyncio.create_subprocess_exec(
        *arguments,
        "-w",
        "\n%{http_code} %{content_type}",
        url,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    out, _ = await process.communicate(json.dumps(call.body, ensure_ascii=False).encode())
    assert process.returncode == 0
    body, _, told = out.rpartition(b"\n")
    status, _, kind = told.decode().partition(" ")
    assert status == "200", body
    stream = call.body["stream"]
    assert kind.startswith("text/event-stream" if stream else "application/json")
    _check_told(call, message_of(checked(body)) if stream else json.loads(body))
    _check_sent(bed, call)
    assert CALLER not in bed.up.last.target and CALLER not in str(bed.up.last.headers)


@needs_shared
@pytest.mark.parametrize("auth", ["api_key", "auth_token"])
@each_call
def test_calls_by_the_official_sdk(bed: Bed, call: ExampleCall, auth: str) -> None:
    given: Any = {auth: CALLER}
    with anthropic.Anthropic(base_url=bed.url, max_retries=0, **given) as client:
        body = {name: value for name, value in call.body.items() if name != "stream"}
        if call.body["stream"]:
            with client.messages.stream(**body) as stream:
                assert "".join(stream.text_stream) == f"echo: {_words(call)}"
                made = stream.get_final_message()
        else:
            made = client.messages.create(**body)
            assert made._request_id is not None and made._request_id.startswith("req_")
    _check_told(call, json.loads(made.to_json()))
    _check_sent(bed, call)


@needs_shared
def test_no_call_is_left_out() -> None:
    assert {call.name for call in CALLS} == {"messages", "messages-stream"}


# ── addresses, versions, headers ──


@pytest.mark.parametrize(
    "path",
    [
        "/v1/messages",
        "/v1/messages?beta=true",
        "/anthropic/v1/messages",
        "/anthropic/messages",
        "//v1/messages/",
        "/v1/v1/messages",
    ],
)
@each_form
async def test_addresses(bed: Bed, stream: bool, path: str) -> None:
    made = read(await ask(bed, path=path, stream=stream), stream=stream)
    assert text_of(made) == "echo: hi"


@pytest.mark.parametrize("version", ["2023-06-01", "2026-10-21", "1999-01-01", None])
@pytest.mark.parametrize("betas", [None, "claude-code-20250219,made-up-2099-01-01"])
@each_form
async def test_versions_and_betas(bed: Bed, stream: bool, version: str | None, betas: str | None) -> None:
    """Neither is refused, nor does one take away what the other has: temperatures go through on the newest."""
    headers = {"anthropic-version": version} if version else {}
    headers |= {"anthropic-beta": betas} if betas else {}
    answered = await bed.ask("POST", PATH, MESSAGES | {"stream": stream, "temperature": 0.5, "top_k": 7}, headers)
    assert text_of(read(answered, stream=stream)) == "echo: hi"
    config = bed.up.last.json["generationConfig"]
    assert (config["temperature"], config["topK"]) == (0.5, 7)
    assert answered.header("x-gemgate-dropped") is None
    assert "anthropic" not in str(bed.up.last.headers).lower()


async def test_what_clients_knock_at_first(bed: Bed) -> None:
    for path in ("/", "/anthropic", "/anthropic/"):
        answered = await bed.ask("HEAD", path, key=None)
        assert (answered.status, answered.body) == (200, b"")
    assert bed.up.requests == []


@each_form
async def test_ids_of_requests(bed: Bed, stream: bool) -> None:
    first, second = await ask(bed, stream=stream), await ask(bed, stream=stream)
    ids = {answered.header("request-id") for answered in (first, second)}
    assert len(ids) == 2 and all(re.fullmatch(r"req_[0-9a-f]{24}", one or "") for one in ids)
    assert first.header("x-request-id") == first.header("request-id")
    told = {read(answered, stream=stream)["id"] for answered in (first, second)}
    assert len(told) == 2, "clients take messages of one id for one message"


async def test_names_of_another_house(bed: Bed) -> None:
    """They lead to a model here, and are answered under the name that was asked for."""
    for name in ("claude-opus-4-8", "claude-haiku-4-5-20251001", f"claude-{FLASH}"):
        answered = await ask(bed, model=name)
        assert answered.json["model"] == name
        sent = re.search(r"/models/([^:]+):", bed.up.last.path)
        assert sent is not None and answered.header("x-gemgate-model") == sent[1]
        assert not sent[1].startswith("claude")


# ── what is left out ──

LOST: Json = {"mcp_servers": [{"type": "url", "url": "https://example.com", "name": "x"}], "inference_geo": "eu"}
HABITS: Json = {
    "metadata": {"user_id": "someone"},
    "service_tier": "auto",
    "system": [{"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}],
    "cache_control": {"type": "ephemeral"},
    "container": None,
}


@each_form
async def test_drops_are_named(bed: Bed, stream: bool) -> None:
    answered = await ask(bed, stream=stream, **LOST)
    assert answered.status == 200
    assert set((answered.header("x-gemgate-dropped") or "").split(", ")) == {"mcp_servers", "inference_geo"}
    answered = await ask(bed, stream=stream, **HABITS)
    assert (answered.status, answered.header("x-gemgate-dropped")) == (200, None)


@each_form
async def test_strict_refuses_what_would_be_dropped(bed: Bed, stream: bool) -> None:
    answered = await ask(bed, headers={"x-gemgate-strict": "1"}, stream=stream, **LOST)
    _is_error(answered, 400, "invalid_request_error")
    assert "mcp_servers" in answered.error["message"] and bed.up.requests == []
    assert (await ask(bed, headers={"x-gemgate-strict": "1"}, stream=stream, **HABITS)).status == 200


async def test_the_billing_block_stays_here(bed: Bed) -> None:
    bill = {"type": "text", "text": "x-anthropic-billing-header: cc_version=2.1; cc_entrypoint=cli; cch=00000;"}
    answered = await ask(bed, system=[bill, {"type": "text", "text": "Be brief."}])
    assert (answered.status, answered.header("x-gemgate-dropped")) == (200, None)
    assert bed.up.last.json["systemInstruction"] == {"parts": [{"text": "Be brief."}]}


# ── errors ──


def _is_error(answered: Answered, status: int, kind: str) -> Json:
    assert answered.status == status, answered.body
    document = answered.json
    assert set(document) == {"type", "error", "request_id"} and document["type"] == "error"
    assert set(document["error"]) == {"type", "message"} and document["error"]["message"]
    assert document["error"]["type"] == kind
    assert document["request_id"] == answered.header("request-id")
    assert (answered.header("content-type") or "").startswith("application/json")
    return document["error"]


@pytest.mark.parametrize("headers", [{"x-api-key": "wrong"}, {"Authorization": "Bearer wrong"}, {}])
@pytest.mark.parametrize("path", [PATH, COUNT, "/anthropic/v1/messages"])
async def test_a_wrong_key(bed: Bed, path: str, headers: dict[str, str]) -> None:
    answered = await bed.ask("POST", path, MESSAGES, VERSION | headers, key=None)
    _is_error(answered, 401, "authentication_error")
    assert bed.up.requests == []


@pytest.mark.parametrize("form", ["x-goog-api-key", "?key=", "authorization"])
@pytest.mark.parametrize("path", [PATH, COUNT, "/anthropic/v1/messages", "/v1/messages/batches"])
async def test_errors_have_one_shape_whatever_carries_the_key(bed: Bed, path: str, form: str) -> None:
    target = path + (f"?key={CALLER}" if form == "?key=" else "")
    headers = {} if form == "?key=" else {form: CALLER}
    answered = await bed.ask("POST", target, b"{", headers, key=None)
    batches = path.endswith("batches")
    _is_error(answered, 404 if batches else 400, "not_found_error" if batches else "invalid_request_error")


TOO_LONG = error(400, "The input token count (250000) exceeds the maximum number of tokens allowed (200000).")
QUOTA = error(429, "slow down", retry_delay="7s", quota_id="GenerateRequestsPerMinutePerProjectPerModel-FreeTier")
TROUBLES: dict[str, tuple[Any, int, str, str]] = {
    "bad": (error(400, "Something is amiss."), 400, "invalid_request_error", "Something is amiss."),
    "model": (not_found_model("gemini-odd"), 404, "not_found_error", "There is no model 'gemini-"),
    "permission": (error(403, "You may not."), 403, "permission_error", "You may not."),
    "large": (error(413, "That is a lot."), 413, "request_too_large", "That is a lot."),
    "quota": (QUOTA, 429, "rate_limit_error", ""),
    "busy": (overloaded(), 529, "overloaded_error", ""),
    "broken": (error(500), 500, "api_error", ""),
    "long": (TOO_LONG, 400, "invalid_request_error", "prompt is too long: 250000 tokens > 200000 maximum"),
}


@pytest.mark.parametrize("trouble", TROUBLES)
@each_form
async def test_troubles_of_the_upstream(bed: Bed, trouble: str, stream: bool) -> None:
    answer, status, kind, words = TROUBLES[trouble]
    bed.up.always = answer
    # A name of its own: keys rest for one model at a time.
    answered = await ask(bed, model=f"gemini-{trouble}-{stream}", stream=stream)
    if trouble == "broken":
        status = answered.status
        assert 500 <= status < 600
    told = _is_error(answered, status, kind)
    assert words in told["message"]
    if trouble == "quota":
        assert 0 < int(answered.header("retry-after") or "0") <= 8
    if trouble == "long":
        assert told["message"] == words


async def test_bodies_that_are_none(bed: Bed) -> None:
    for body in (b"", b"{", b"[]", b"null", b"\xff\xfe{}", b"[" * 100_000):
        for path in (PATH, COUNT):
            answered = await bed.ask("POST", path, body, VERSION | {"content-type": "application/json"})
            _is_error(answered, 400, "invalid_request_error")
    assert bed.up.requests == []


@pytest.mark.parametrize(
    ("more", "place"),
    [
        ({"messages": "x"}, "messages"),
        ({"messages": []}, "messages"),
        ({"messages": ["x"]}, "messages.0"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages.0.content"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "messages.0.role"),
        ({"messages": [HELLO, {"role": "user", "content": [{"type": "text", "text": 5}]}]}, "messages.1.content.0"),
        ({"model": None}, "model"),
        ({"model": 5}, "model"),
        ({"max_tokens": 0}, "max_tokens"),
        ({"max_tokens": "many"}, "max_tokens"),
        ({"temperature": "hot"}, "temperature"),
        ({"tools": {}}, "tools"),
        ({"tools": [{"input_schema": {}}]}, "tools.0"),
        ({"tool_choice": {"type": "tool", "name": "nobody"}}, "tool_choice"),
        ({"thinking": {"type": "deep"}}, "thinking"),
        ({"output_config": {"effort": "heroic"}}, "output_config.effort"),
        ({"stop_sequences": [1, 2]}, "stop_sequences"),
        ({"stream": "maybe"}, "stream"),
    ],
)
async def test_wrong_members_are_named(bed: Bed, more: Json, place: str) -> None:
    answered = await ask(bed, **more)
    told = _is_error(answered, 400, "invalid_request_error")
    assert place in told["message"] and bed.up.requests == []


async def test_a_body_that_is_too_large(bed: Bed) -> None:
    answered = await ask(bed, messages=[{"role": "user", "content": "x" * 1_200_000}])
    _is_error(answered, 413, "request_too_large")


@pytest.mark.parametrize("base", ["/v1", "/anthropic/v1"])
@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", ""), ("GET", ""), ("GET", "/msgbatch_1"), ("GET", "/msgbatch_1/results"), ("POST", "/msgbatch_1/cancel")],
)
async def test_batches_are_said_not_to_be_there(bed: Bed, base: str, method: str, path: str) -> None:
    answered = await bed.ask(method, f"{base}/messages/batches{path}", {} if method == "POST" else None, VERSION)
    assert "batches" in _is_error(answered, 404, "not_found_error")["message"]


async def test_routes_that_are_none(bed: Bed) -> None:
    _is_error(await bed.ask("POST", "/v1/messages/nothing", {}, VERSION), 404, "not_found_error")
    answered = await bed.ask("GET", PATH, None, VERSION)
    assert answered.status == 405 and answered.header("allow") == "POST"


@pytest.mark.parametrize("fault", [{"cut_after": 1}, {"cut_after": 2}])
async def test_a_stream_that_breaks_ends_with_an_error(bed: Bed, fault: Any) -> None:
    chunks = text_chunks("one ", "two ", "three")
    bed.up.answer(sse(chunks, **fault))
    answered = await ask(bed, stream=True)
    assert answered.status == 200
    *before, (name, last) = checked(answered.body)
    assert name == "error" and (last["type"], last["error"]["type"]) == ("error", "api_error")
    assert [name for name, _ in before if name.startswith("message_")] == ["message_start"]
    assert b"end_turn" not in answered.body and len(bed.up.requests) == 1


async def test_an_error_among_events(bed: Bed) -> None:
    busy = {"error": {"code": 503, "message": "The model is overloaded.", "status": "UNAVAILABLE"}}
    bed.up.answer(sse([part_chunk({"text": "one"}), busy]))
    answered = await ask(bed, stream=True)
    if answered.status == 200:
        told = events_of(answered.body)[-1][1]["error"]
    else:  # all of it may have come in one piece: then there is a status left to tell it with
        told = _is_error(answered, 529, "overloaded_error")
    assert told["type"] == "overloaded_error"


def test_the_sdk_raises_what_fits(bed: Bed, client: anthropic.Anthropic) -> None:
    body: Any = MESSAGES
    for trouble, kind in (
        ("bad", anthropic.BadRequestError),
        ("model", anthropic.NotFoundError),
        ("permission", anthropic.PermissionDeniedError),
        ("quota", anthropic.RateLimitError),
        ("busy", anthropic.InternalServerError),
    ):
        bed.up.always = TROUBLES[trouble][0]
        with pytest.raises(kind) as caught:
            client.messages.create(**body | {"model": f"gemini-sdk-{trouble}"})
        assert caught.value.request_id is not None and caught.value.request_id.startswith("req_")
    bed.up.always = None
    bed.up.answer(sse(text_chunks("one ", "two"), cut_after=1))
    with pytest.raises(anthropic.APIStatusError), client.messages.stream(**body) as stream:
        stream.until_done()


# ── clients that leave ──


async def _nothing(_: Connection) -> None:
    return


async def _first_words(connection: Connection) -> None:
    async for piece in (await connection.reply("POST")).pieces():
        if b"one" in piece:
            return


@pytest.mark.parametrize(
    ("stream", "ready"), [(False, _nothing), (True, _nothing), (True, _first_words)], ids=["whole", "stream", "midst"]
)
async def test_a_client_that_leaves_is_not_paid_for(
    bed: Bed, stream: bool, ready: Callable[[Connection], Awaitable[None]]
) -> None:
    bed.up.always = stall() if ready is _nothing else sse(text_chunks("one", "two"), stall_after=1)
    connection = await Connection.open(bed.url)
    body = MESSAGES | {"stream": stream}
    await connection.send(render("POST", PATH, "x", {"x-api-key": CALLER} | VERSION, body))
    await bed.up.received(1)
    await ready(connection)
    connection.leave()
    assert await bed.up.last.gone.wait(2)
    assert len(bed.up.requests) == 1


# ── counting ──

TOOL: Json = {"name": "find", "description": "Find it. " * 50, "input_schema": {"type": "object"}}


async def _counted(bed: Bed, **more: Any) -> int:
    body = {name: value for name, value in (MESSAGES | more).items() if name != "max_tokens"}
    answered = await bed.ask("POST", COUNT, body, VERSION)
    assert answered.status == 200, answered.body
    assert set(answered.json) == {"input_tokens"}
    assert check_sent(bed.up.requests, canonical=True) == len(bed.up.requests)
    return answered.json["input_tokens"]


async def test_a_count_goes_upstream_whole(bed: Bed) -> None:
    """With system and tools: they are what makes a request long."""
    bed.up.answer(json_reply({"totalTokens": 4321}))
    assert await _counted(bed, system="Be brief.", tools=[TOOL]) == 4321
    assert bed.up.last.path.endswith(f"/models/{FLASH}:countTokens")
    asked = bed.up.last.json["generateContentRequest"]
    assert asked["systemInstruction"] == {"parts": [{"text": "Be brief."}]}
    assert asked["tools"][0]["functionDeclarations"][0]["name"] == "find"
    assert asked["contents"] == [{"role": "user", "parts": [{"text": "hi"}]}]


async def test_a_count_is_that_of_the_request(bed: Bed) -> None:
    """The request whose length is told is the one that would be sent."""
    more: Any = {"system": "Be brief.", "tools": [TOOL], "messages": [HELLO, HELLO]}
    await _counted(bed, **more)
    counted = bed.up.last.json["generateContentRequest"]
    assert (await ask(bed, **more)).status == 200
    sent = bed.up.last.json
    for name in ("contents", "systemInstruction", "tools"):
        assert counted[name] == sent[name], name
    assert count_tokens(counted) == count_tokens(sent)


async def test_pictures_are_fetched_before_they_are_counted(bed: Bed, web: FakeUpstream) -> None:
    source = {"type": "url", "url": f"{web.base_url}/cat.png"}
    content = [{"type": "image", "source": source}, {"type": "text", "text": "what?"}]
    assert await _counted(bed, messages=[{"role": "user", "content": content}]) > 258
    parts = bed.up.last.json["generateContentRequest"]["contents"][0]["parts"]
    assert parts[0]["inlineData"]["mimeType"] == "image/png" and len(web.requests) == 1


def test_the_sdk_counts(bed: Bed, client: anthropic.Anthropic) -> None:
    messages: Any = [HELLO]
    made = client.messages.count_tokens(model="claude-sonnet-4-5", messages=messages, system="x", tools=[TOOL])  # pyright: ignore[reportArgumentType]
    assert made.input_tokens > 0 and bed.up.last.path.endswith(":countTokens")


@pytest.mark.parametrize("trouble", ["bad", "model", "busy", "long"])
async def test_counts_that_fail(bed: Bed, trouble: str) -> None:
    answer, status, kind, words = TROUBLES[trouble]
    bed.up.always = answer
    body = {"model": f"gemini-count-{trouble}", "messages": [HELLO]}
    told = _is_error(await bed.ask("POST", COUNT, body, VERSION), status, kind)
    assert words in told["message"]


# ── tools that the upstream runs ──


@each_form
async def test_a_search_is_asked_for_and_told(bed: Bed, stream: bool) -> None:
    last = part_chunk({"text": " is warm."}, finish="STOP")
    last["candidates"][0]["groundingMetadata"] = {
        "webSearchQueries": ["weather in Rome"],
        "groundingChunks": [{"web": {"uri": "https://a.example/x", "title": "T"}}],
        "groundingSupports": [{"segment": {"endIndex": 4, "text": "Rome"}, "groundingChunkIndices": [0]}],
    }
    made = await said(bed, part_chunk({"text": "Rome"}), last, stream=stream, **SEARCHES)
    assert bed.up.last.json["tools"] == [{"googleSearch": {}}]
    use, result = made["content"][-2:]
    assert (use["name"], use["input"]) == ("web_search", {"query": "weather in Rome"})
    assert result["tool_use_id"] == use["id"] and use["id"].startswith("srvtoolu_")
    ((url, title),) = [(one["url"], one["title"]) for one in result["content"]]
    assert (url, title) == ("https://a.example/x", "T") and made["stop_reason"] == "end_turn"
    # What the client brings back is our own: nothing of it goes upstream but the text.
    history = [HELLO, {"role": "assistant", "content": made["content"]}, HELLO]
    assert failure(await ask(bed, stream=stream, messages=history, **SEARCHES), stream=stream) is None
    assert bed.up.last.json["contents"][1]["parts"] == [{"text": "Rome is warm."}]


@pytest.mark.parametrize("choice", ["auto", "any"])
@each_form
async def test_parallel_calls_can_be_refused(bed: Bed, stream: bool, choice: str) -> None:
    """Gemini has no word for it: of several calls the first is told."""
    calls: list[Json] = [{"functionCall": {"name": "find", "args": {"n": number}}} for number in range(3)]
    for single in (True, False):
        asked: Json = {"tools": [TOOL], "tool_choice": {"type": choice, "disable_parallel_tool_use": single}}
        made = await said(bed, part_chunk(*calls, finish="STOP"), stream=stream, **asked)
        assert [block["input"]["n"] for block in made["content"]] == ([0] if single else [0, 1, 2])
        assert made["stop_reason"] == "tool_use"
