"""The embedded model, end to end: no key, no account, real text."""

import asyncio
import json
import socket
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import openai
import pydantic
import pytest

from tests.bed.gateway import Gateway, free_port, running_gateway
from tests.bed.upstream import FakeUpstream
from tests.bed.wire import Connection, fetch, render
from tests.e2e.bed import CALLER, Bed, generate_path, measured, running_bed, until

pytest.importorskip("xllamacpp")
pytest.importorskip("google.genai")
from google import genai
from google.genai import errors, types

HELLO = {"contents": [{"parts": [{"text": "Hello!"}]}]}
NO_KEY = {"GEMINI_API_KEYS": "", "API_KEYS": CALLER}
ASK: dict[str, Any] = {"messages": [{"role": "user", "content": "What is the capital of France?"}], "max_tokens": 12}
MODEL = "gemini-2.5-flash"


def _running(env: dict[str, str] | None = None) -> Any:
    return running_gateway(NO_KEY | (env or {}))


def _bed(gateway: Gateway) -> Bed:
    return Bed(FakeUpstream(), gateway)


@pytest.fixture(scope="module")
def bed() -> Iterator[Bed]:
    with _running() as gateway:
        yield _bed(gateway)


@pytest.fixture
def client(bed: Bed) -> Iterator[openai.OpenAI]:
    with openai.OpenAI(base_url=bed.url + "/v1", api_key=CALLER, max_retries=0, timeout=60) as made:
        yield made


@pytest.fixture
def google(bed: Bed) -> Iterator[genai.Client]:
    made = genai.Client(api_key=CALLER, http_options=types.HttpOptions(base_url=bed.url, timeout=60_000))
    yield made
    made.close()


# ── start ──


async def test_it_is_up_at_once_and_ready_soon() -> None:
    """A request before it is ready waits and succeeds."""
    port = free_port()
    began = time.monotonic()
    with _running({"PORT": str(port)}) as gateway:
        up = time.monotonic() - began
        bed = _bed(gateway)
        early = await bed.ask("GET", "/ready", key=None)
        first = asyncio.create_task(bed.ask("POST", "/v1/chat/completions", ASK | {"model": MODEL}, timeout=60))
        while (await bed.ask("GET", "/ready", key=None, timeout=30)).status != 200:
            await asyncio.sleep(0.01)
        ready = time.monotonic() - began
        answer = await first
        measured(
            f"embedded: first 200 on /health after {up:.2f} s, /ready after {ready:.2f} s (at first {early.status})"
        )
        assert answer.status == 200 and answer.json["choices"][0]["message"]["content"]
        assert early.status == 503, "it cannot have loaded yet"
        assert up < 3 and ready < 30


# ── chat ──


def test_chat(client: openai.OpenAI) -> None:
    made = client.chat.completions.create(model=MODEL, **ASK)
    assert made.choices[0].message.content and made.choices[0].finish_reason in ("stop", "length")
    assert made.usage and 0 < made.usage.completion_tokens <= 12 and made.usage.prompt_tokens > 5
    assert "smollm2" in made.model.lower(), "it answers under its own name"
    again = client.chat.completions.with_raw_response.create(model=MODEL, **ASK)
    assert again.headers["x-gemgate-upstream"] == "embedded" and again.headers["x-gemgate-attempts"] == "1"
    assert again.headers["x-gemgate-model"] == made.model


def test_a_stream(client: openai.OpenAI) -> None:
    options: Any = {"include_usage": True}
    whole = client.chat.completions.create(model=MODEL, temperature=0, **ASK)
    chunks = list(
        client.chat.completions.create(model=MODEL, temperature=0, stream=True, stream_options=options, **ASK)
    )
    text = "".join(choice.delta.content or "" for chunk in chunks for choice in chunk.choices)
    assert text == whole.choices[0].message.content and len(chunks) > 3
    assert chunks[-1].usage == whole.usage


def test_system_text_and_stop(client: openai.OpenAI) -> None:
    messages: Any = [
        {"role": "system", "content": "Count."},
        {"role": "user", "content": "Say: one two three four five"},
    ]
    made = client.chat.completions.create(
        model="any-name", messages=messages, max_tokens=40, stop=["three"], temperature=0
    )
    assert "three" not in (made.choices[0].message.content or "")


def test_thinking_is_dropped_and_told(client: openai.OpenAI) -> None:
    for stream in (False, True):
        made = client.chat.completions.with_raw_response.create(
            model=MODEL, reasoning_effort="high", stream=stream, **ASK
        )
        assert made.headers["x-gemgate-dropped"] == "reasoning_effort"
        made.http_response.read()
    with pytest.raises(openai.BadRequestError) as caught:
        strict = {"x-gemgate-strict": "1"}
        client.chat.completions.create(model=MODEL, reasoning_effort="high", extra_headers=strict, **ASK)
    assert caught.value.param == "reasoning_effort"


def test_a_prompt_that_is_too_long(client: openai.OpenAI, google: genai.Client) -> None:
    messages: Any = [{"role": "user", "content": "word " * 20_000}]
    for stream in (False, True):
        with pytest.raises(openai.BadRequestError) as caught:
            client.chat.completions.create(model=MODEL, messages=messages, stream=stream)
        assert caught.value.code == "context_length_exceeded"
    with pytest.raises(errors.ClientError) as refused:
        google.models.generate_content(model=MODEL, contents="word " * 20_000)
    assert (refused.value.code, refused.value.status) == (400, "INVALID_ARGUMENT")


class Animal(pydantic.BaseModel):
    name: str
    legs: int


def test_json(client: openai.OpenAI, google: genai.Client) -> None:
    messages: Any = [{"role": "user", "content": "Describe a dog."}]
    made = client.chat.completions.parse(model=MODEL, messages=messages, response_format=Animal, max_tokens=400, seed=1)
    assert isinstance(made.choices[0].message.parsed, Animal)
    config = types.GenerateContentConfig(
        response_mime_type="application/json", response_schema=Animal, max_output_tokens=400, seed=1
    )
    found = google.models.generate_content(model=MODEL, contents="Describe a dog.", config=config)
    assert isinstance(found.parsed, Animal)


TOOL: Any = {
    "type": "function",
    "function": {
        "name": "get_weather",
        "description": "Weather of a city",
        "parameters": {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]},
    },
}


@pytest.mark.parametrize("stream", [False, True])
def test_a_function_call(client: openai.OpenAI, stream: bool) -> None:
    messages: Any = [{"role": "user", "content": "What is the weather in Paris?"}]
    how: Any = {"model": MODEL, "messages": messages, "tools": [TOOL], "tool_choice": "required", "max_tokens": 60}
    if stream:
        chunks = list(client.chat.completions.create(stream=True, **how))
        deltas = [call for chunk in chunks for choice in chunk.choices for call in choice.delta.tool_calls or []]
        name = "".join((call.function.name or "") for call in deltas if call.function)
        arguments = "".join((call.function.arguments or "") for call in deltas if call.function)
        reason = chunks[-1].choices[0].finish_reason
    else:
        choice = client.chat.completions.create(**how).choices[0]
        call: Any = (choice.message.tool_calls or [])[0]
        name, arguments, reason = call.function.name, call.function.arguments, choice.finish_reason
    assert (name, reason) == ("get_weather", "tool_calls") and isinstance(json.loads(arguments)["city"], str)


def test_a_native_function_call(google: genai.Client) -> None:
    function = types.FunctionDeclaration(name="get_weather", parameters_json_schema=TOOL["function"]["parameters"])
    forced = types.FunctionCallingConfig(mode=types.FunctionCallingConfigMode.ANY)
    config = types.GenerateContentConfig(
        tools=[types.Tool(function_declarations=[function])],
        tool_config=types.ToolConfig(function_calling_config=forced),
        max_output_tokens=60,
    )
    made = google.models.generate_content(model=MODEL, contents="Weather in Paris?", config=config)
    assert made.function_calls and made.function_calls[0].name == "get_weather" and made.function_calls[0].args


# ── Gemini's own API ──


def test_googles_sdk(google: genai.Client) -> None:
    config = types.GenerateContentConfig(max_output_tokens=12, temperature=0)
    made = google.models.generate_content(model=MODEL, contents="Hello!", config=config)
    assert made.text and made.usage_metadata and made.usage_metadata.candidates_token_count
    assert "smollm2" in (made.model_version or "").lower()
    streamed = list(google.models.generate_content_stream(model=MODEL, contents="Hello!", config=config))
    assert "".join(chunk.text or "" for chunk in streamed) == made.text
    count = google.models.count_tokens(model=MODEL, contents="Hello!")
    assert count.total_tokens == made.usage_metadata.prompt_token_count
    assert len(list(google.models.list())) == 1


@pytest.mark.parametrize("version", ["v1", "v1beta", "v1alpha"])
async def test_native_forms(bed: Bed, version: str) -> None:
    body = {"contents": [{"parts": [{"text": "Hello!"}]}], "generation_config": {"max_output_tokens": 5}}
    whole = await bed.ask("POST", generate_path(MODEL, version=version), body, timeout=60)
    assert whole.status == 200 and whole.header("x-gemgate-upstream") == "embedded"
    path = generate_path(MODEL, "streamGenerateContent", version)
    array = await bed.ask("POST", path, body, timeout=60)
    assert all("candidates" in one for one in array.json)
    sse = await bed.ask("POST", path + "?alt=sse", body, timeout=60)
    assert (sse.header("content-type") or "").startswith("text/event-stream") and sse.body.startswith(b"data: ")


async def test_what_needs_a_key_says_so(bed: Bed) -> None:
    image = {"inlineData": {"mimeType": "image/png", "data": "aGk="}}
    refused = await bed.ask("POST", generate_path(MODEL), {"contents": [{"parts": [image]}]}, timeout=60)
    assert refused.status == 400 and "GEMINI_API_KEY" in refused.error["message"]
    for method, path, sent in (
        ("POST", generate_path("e", "embedContent"), {"content": {}}),
        ("POST", generate_path("e", "batchEmbedContents"), {}),
        ("POST", generate_path("i", "predict"), {}),
        ("GET", "/v1beta/files", None),
        ("POST", "/v1beta/cachedContents", {}),
        ("POST", "/upload/v1beta/files", {}),
        ("POST", "/v1beta/interactions", {}),
    ):
        answer = await bed.ask(method, path, sent)
        assert (answer.status, answer.error["status"]) == (501, "UNIMPLEMENTED"), path
        assert "GEMINI_API_KEY" in answer.error["message"]


FLAT: Any = {"type": "function", **TOOL["function"]}
SEARCHING: list[tuple[str, dict[str, Any], Any, str]] = [
    (
        "/v1/responses",
        {"input": "weather?", "max_output_tokens": 5, "tools": [FLAT, {"type": "web_search"}], "tool_choice": "auto"},
        {"type": "web_search"},
        "tools.1",
    ),
    (
        "/v1/chat/completions",
        ASK | {"tools": [TOOL, {"type": "web_search"}]},
        {"type": "web_search"},
        "tools.1",
    ),
    (
        "/v1/messages",
        ASK | {"tools": [{"type": "web_search_20250305", "name": "web_search"}]},
        {"type": "tool", "name": "web_search"},
        "tools.0",
    ),
]


@pytest.mark.parametrize(("path", "body", "forced", "where"), SEARCHING, ids=[path for path, *_ in SEARCHING])
async def test_a_search_that_is_offered_is_dropped_and_one_that_is_forced_is_refused(
    bed: Bed, path: str, body: dict[str, Any], forced: Any, where: str
) -> None:
    body = body | {"model": MODEL}
    answer = await bed.ask("POST", path, body, timeout=60)
    assert (answer.status, answer.header("x-gemgate-dropped")) == (200, where), answer.body
    for refused in (
        await bed.ask("POST", path, body | {"tool_choice": forced}),
        await bed.ask("POST", path, body, {"x-gemgate-strict": "1"}),
    ):
        assert refused.status == 400 and "cannot search the web" in refused.error["message"]
        assert where in (refused.error.get("param") or refused.error["message"])


async def test_models_in_three_dialects(bed: Bed) -> None:
    openai_list = (await bed.ask("GET", "/v1/models")).json["data"]
    native = (await bed.ask("GET", "/v1beta/models")).json["models"]
    anthropic = (await bed.ask("GET", "/v1/models", headers={"anthropic-version": "2023-06-01"})).json["data"]
    name = openai_list[0]["id"]
    assert (native[0]["name"], anthropic[0]["id"]) == (f"models/{name}", name)
    for path in (f"/v1/models/{name}", f"/v1beta/models/{name}"):
        assert (await bed.ask("GET", path)).status == 200


# ── clients that leave ──

LONG: dict[str, Any] = {
    "model": MODEL,
    "messages": [{"role": "user", "content": "Write a very long story about the sea."}],
    "max_tokens": 4000,
}


@pytest.mark.parametrize("stream", [False, True])
async def test_leaving_stops_the_generation(bed: Bed, stream: bool) -> None:
    connection = await Connection.open(bed.url, 30)
    body = LONG | {"stream": stream, "logit_bias": {}}
    await connection.send(render("POST", "/v1/chat/completions", "x", {"x-api-key": CALLER}, body))
    if stream:
        reply = await connection.reply("POST")
        assert reply.status == 200 and await anext(reply.pieces())
    else:
        await asyncio.sleep(0.3)  # it is at work by then, or about to be
    connection.leave()
    began = time.monotonic()
    answer = await bed.ask("POST", "/v1/chat/completions", ASK | {"model": MODEL}, timeout=60)
    took = time.monotonic() - began
    measured(f"embedded: the next answer (stream: {stream}) came {took:.2f} s after a client left")
    assert answer.status == 200 and took < 10, "the story was told to its end"


async def test_a_full_queue() -> None:
    with running_bed({"GEMINI_API_KEYS": ""}, toml="[embedded]\nqueue_limit = 1\n") as bed:
        while (await bed.ask("GET", "/ready", key=None)).status != 200:
            await asyncio.sleep(0.05)
        telling, waiting = [await Connection.open(bed.url, 30) for _ in range(2)]
        asked = render("POST", "/v1/chat/completions", "x", {"x-api-key": CALLER}, LONG | {"stream": True})
        await telling.send(asked)
        assert await anext((await telling.reply("POST")).pieces())
        await waiting.send(asked)
        # When the second stands in the line cannot be seen from here; then a third is turned away.
        async with asyncio.timeout(20):
            while (answer := await _hurried(bed)).status == 408:
                await asyncio.sleep(0.05)
        assert answer.status == 503 and int(answer.header("retry-after") or 0) >= 1
        assert answer.error["type"] == "server_error"
        telling.leave()
        waiting.leave()
        await until(lambda: bed.gateway.log().count(" 499 ") >= 2)


async def _hurried(bed: Bed) -> Any:
    """Ask, and leave (as 408) if no answer comes at once: then the place in the line was still free."""
    try:
        return await bed.ask("POST", "/v1/chat/completions", ASK | {"model": MODEL}, timeout=0.5)
    except TimeoutError:
        return SimpleNamespace(status=408)


# ── the key that is made ──


async def test_the_made_key_is_kept(tmp_path: Any) -> None:
    env = {"GEMINI_API_KEYS": "", "API_KEYS": "", "GEMGATE_DATA_DIR": str(tmp_path / "data")}
    keys: list[str] = []
    for turn in range(2):
        with running_gateway(env) as gateway:
            path = tmp_path / "data" / "client-key"
            key = path.read_text().strip()
            keys.append(key)
            assert stat.S_IMODE(path.stat().st_mode) == 0o600 and len(key) > 20
            await until(lambda: "curl" in gateway.log())
            assert gateway.log().count(key) == (2 if turn == 0 else 0), "the key and the curl, at the first start only"
            reply, _ = await fetch("GET", gateway.base_url + "/v1/models", {"Authorization": f"Bearer {key}"})
            assert reply.status == 200
            assert (await fetch("GET", gateway.base_url + "/v1/models", {"x-api-key": CALLER}))[0].status == 401
            # The runtime may hang when it is freed before it has served anything: that is not the matter here.
            counted = await _bed(gateway).ask("POST", generate_path(MODEL, "countTokens"), HELLO, key=key, timeout=30)
            assert counted.json["totalTokens"] > 1
    assert keys[0] == keys[1]


async def test_no_port_of_the_runtime_is_open(bed: Bed) -> None:
    """The runtime's own server would be one without our keys."""
    pid = bed.gateway.process.pid
    inodes = {link.readlink().name for link in _descriptors(pid)}
    ports: set[int] = set()
    for table in ("tcp", "tcp6"):
        for line in _lines(f"/proc/{pid}/net/{table}"):
            fields = line.split()
            if fields[3] == "0A" and f"socket:[{fields[9]}]" in inodes:
                ports.add(int(fields[1].rpartition(":")[2], 16))
    ours = int(bed.url.rpartition(":")[2])
    assert ours in ports
    for port in ports - {ours}:
        with socket.create_connection(("127.0.0.1", port), 2) as opened:
            opened.sendall(render("POST", "/v1/chat/completions", "x", {}, ASK))
            assert b" 401 " in opened.recv(200), "the runtime's own port answers anybody"


def _descriptors(pid: int) -> Any:
    return [link for link in Path(f"/proc/{pid}/fd").iterdir() if link.is_symlink()]


def _lines(path: str) -> list[str]:
    return Path(path).read_text().splitlines()[1:]
