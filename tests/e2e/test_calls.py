"""The calls that users make, as they make them: plain curl with their own auth form and body, and OpenAI's own SDK."""

import asyncio
import inspect
import json
import shutil
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import openai
import pytest
from openai.resources.chat import Completions

from gemgate.catalog.catalog import Catalog, Target
from tests.bed.recordings import ExampleCall, load_calls, needs_shared
from tests.bed.sent import check_sent
from tests.bed.upstream import Gate, error, json_reply, part_chunk, sse, stall
from tests.bed.upstream.generate import PIXEL
from tests.e2e.bed import CALLER, Bed, until
from tests.e2e.bed import CHAT as HELLO

pytestmark = needs_shared
with_curl = pytest.mark.skipif(shutil.which("curl") is None, reason="there is no curl")

CHAT_PATH = "/chat/completions"
NOT_YET = ("/v1/responses",)
ELSEWHERE = ("/v1/messages",)
"""In test_messages.py."""
CHAT = [call for call in load_calls() if call.path.endswith(CHAT_PATH)]
NATIVE = [call for call in load_calls() if ":" in call.path]
CATALOG = Catalog.load()

USAGE = {"promptTokenCount": 5, "candidatesTokenCount": 5, "totalTokenCount": 10}
PARTS: dict[str, list[dict[str, Any]]] = {
    "chat-tool": [{"functionCall": {"id": "c1", "name": "get_weather", "args": {"city": "北京"}}}],
    "prefix-tool": [{"functionCall": {"id": "c1", "name": "get_current_weather", "args": {"location": "Boston"}}}],
    "prefix-code-execution": [
        {"executableCode": {"language": "PYTHON", "code": "print(5117)"}},
        {"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "5117\n"}},
        {"text": "It is 5117."},
    ],
}
"""What the upstream says to a row where its echo would be beside the point."""

IMAGES = {"responseModalities": ["TEXT", "IMAGE"]}
CONFIG: dict[str, dict[str, Any]] = {
    "chat-image": IMAGES,
    "chat-image-stream": IMAGES,
    "prefix-image": IMAGES,
    "image-edit-all-parameters": {"temperature": 1.0, "topP": 1.0, "maxOutputTokens": 4096, "seed": 7} | IMAGES,
    "chat-json": {"responseMimeType": "application/json"},
    "chat-parameters": {"temperature": 0.7, "topP": 0.95, "maxOutputTokens": 256, "stopSequences": ["END"]},
}
"""generationConfig as it is sent, thinking aside; of the other rows there is none."""

EFFORTS = {
    "chat-effort-low": "low",
    "chat-effort-medium": "medium",
    "chat-effort-high": "high",
    "chat-include-thoughts": "high",
}
SHOWS_THOUGHTS = {"prefix-thinking-suffix", "chat-include-thoughts"}
MEDIA = {
    "prefix-image-understanding": "image/png",
    "prefix-audio-in-image_url": "audio/wav",
    "prefix-video-in-image_url": "video/mp4",
    "image-edit-all-parameters": "image/png",
}
PREDICTED = {"imagen-predict-1": 1, "imagen-predict-4": 4}


def _rows(calls: list[ExampleCall]) -> list[Any]:
    return [pytest.param(call, id=call.name) for call in calls]


def _target(model: str) -> Target:
    return CATALOG.route(model, datetime.now(UTC).date())


@dataclass
class Told:
    """What a chat answer comes to, streamed or whole."""

    content: str = ""
    reasoning: str = ""
    calls: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    finishes: list[str] = field(default_factory=list[str])
    tokens: int = 0

    def add(self, message: dict[str, Any], finish: str | None) -> None:
        self.content += message.get("content") or ""
        self.reasoning += message.get("reasoning_content") or ""
        for call in message.get("tool_calls") or ():
            self.calls.append((call["function"]["name"], call["function"]["arguments"]))
        if finish:
            self.finishes.append(finish)


def _script(bed: Bed, call: ExampleCall) -> None:
    parts = PARTS.get(call.name)
    if parts is not None:
        document = part_chunk(*parts, finish="STOP", usageMetadata=USAGE)
        bed.up.answer(sse([document]) if call.body.get("stream") else json_reply(document))


# ── what goes upstream ──


def _check_sent(bed: Bed, call: ExampleCall) -> None:
    assert len(bed.up.requests) == 1 and check_sent(bed.up.requests, canonical=True) == 1
    sent, target = bed.up.last.json, _target(call.body["model"])
    method = "streamGenerateContent" if call.body.get("stream") else "generateContent"
    assert bed.up.last.path == f"/v1beta/models/{target.model}:{method}"
    config = dict(sent.get("generationConfig") or {})
    thinking = config.pop("thinkingConfig", {})
    assert config == CONFIG.get(call.name, {})
    assert thinking.get("includeThoughts", False) is (call.name in SHOWS_THOUGHTS)
    if call.name in EFFORTS:
        _check_effort(thinking, EFFORTS[call.name], target)
    assert sent.get("tools") == _tools(call)
    assert sent["contents"] == [{"role": "user", "parts": _parts(call)}]
    told = [message["content"] for message in call.body["messages"] if message["role"] == "system"]
    system = {"parts": [{"text": text} for text in told]} if told else None
    assert sent.get("systemInstruction") == system


def _check_effort(thinking: dict[str, Any], effort: str, target: Target) -> None:
    """One setting and no more: a level, or the budget that stands for it."""
    settings = {name: value for name, value in thinking.items() if name != "includeThoughts"}
    if target.abilities.thinking.control == "level":
        assert settings == {"thinkingLevel": effort}
    else:
        assert settings == {"thinkingBudget": {"low": 1024, "medium": 8192, "high": 24576}[effort]}


def _tools(call: ExampleCall) -> Any:
    if call.name == "prefix-code-execution":
        return [{"codeExecution": {}}]
    declared = [
        {
            "name": tool["function"]["name"],
            "description": tool["function"]["description"],
            "parametersJsonSchema": tool["function"]["parameters"],
        }
        for tool in call.body.get("tools") or ()
    ]
    return [{"functionDeclarations": declared}] if declared else None


def _parts(call: ExampleCall) -> list[dict[str, Any]]:
    content = call.body["messages"][-1]["content"]
    if isinstance(content, str):
        return [{"text": content}]
    url = content[1]["image_url"]["url"]
    if call.name == "chat-video-by-url":
        return [{"text": content[0]["text"]}, {"fileData": {"mimeType": "video/mp4", "fileUri": url}}]
    data = {"mimeType": MEDIA[call.name], "data": url.partition(",")[2]}
    return [{"text": content[0]["text"]}, {"inlineData": data}]


# ── what comes back ──


def _check_told(call: ExampleCall, told: Told) -> None:
    called = call.name in ("chat-tool", "prefix-tool")
    assert told.finishes == ["tool_calls" if called else "stop"]
    assert bool(told.reasoning) is (call.name in SHOWS_THOUGHTS)
    if called:
        function = PARTS[call.name][0]["functionCall"]
        ((name, arguments),) = told.calls
        assert (name, json.loads(arguments)) == (function["name"], function["args"])
    elif call.name == "prefix-code-execution":
        assert told.content.index("print(5117)") < told.content.index("It is 5117.") and "```" in told.content
    elif "IMAGE" in CONFIG.get(call.name, {}).get("responseModalities", ()):
        assert f"![image](data:image/png;base64,{PIXEL})" in told.content
    elif call.name == "chat-json":
        assert json.loads(told.content) == {"echo": True}
    else:
        assert told.content == f"echo: {_parts(call)[0]['text']}"


async def _curl(bed: Bed, call: ExampleCall) -> tuple[int, dict[str, str], bytes]:
    arguments = ["curl", "-sS", "-N", "-X", call.method, "-D", "/dev/stderr", "--data-binary", "@-"]
    for name, value in call.headers(CALLER).items():
        arguments += ["-H", f"{name}: {value}"]
    url = bed.url + call.path + (f"?{call.query}" if call.query else "")
    process = await asyncio.create_subprocess_exec(
        *arguments, url, stdin=asyncio.subprocess.PIPE, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    body, head = await process.communicate(json.dumps(call.body, ensure_ascii=False).encode())
    assert process.returncode == 0, head
    first, *lines = head.decode().strip().split("\r\n")
    pairs = [line.partition(": ") for line in lines]
    return int(first.split(" ")[1]), {name.lower(): value for name, _, value in pairs}, body


@with_curl
@pytest.mark.parametrize("call", _rows(CHAT))
async def test_chat_by_curl(bed: Bed, call: ExampleCall) -> None:
    _script(bed, call)
    status, headers, body = await _curl(bed, call)
    assert status == 200, body
    told = Told()
    if call.body.get("stream"):
        assert headers["content-type"].startswith("text/event-stream")
        events = body.split(b"\n\n")
        assert events[-2:] == [b"data: [DONE]", b""]
        for event in events[:-2]:
            chunk = json.loads(event.removeprefix(b"data: "))
            assert (chunk["object"], chunk["model"]) == ("chat.completion.chunk", call.body["model"])
            for choice in chunk["choices"]:
                told.add(choice["delta"], choice["finish_reason"])
    else:
        document = json.loads(body)
        assert (document["object"], document["model"]) == ("chat.completion", call.body["model"])
        assert document["usage"]["total_tokens"] > 0
        (choice,) = document["choices"]
        told.add(choice["message"], choice["finish_reason"])
    _check_told(call, told)
    _check_sent(bed, call)
    sent = _target(call.body["model"]).model
    assert headers.get("x-gemgate-model") == (sent if sent != call.body["model"] else None)
    assert "x-gemgate-dropped" not in headers


@pytest.mark.parametrize("call", _rows(CHAT))
def test_chat_by_openais_sdk(bed: Bed, call: ExampleCall) -> None:
    """What the SDK knows as its arguments, all else as its `extra_body`."""
    _script(bed, call)
    known = set(inspect.signature(Completions.create).parameters) - {"extra_body"}
    arguments: dict[str, Any] = {name: value for name, value in call.body.items() if name in known}
    extra = {name: value for name, value in call.body.items() if name not in known}
    base = bed.url + call.path.removesuffix(CHAT_PATH)
    told = Told()
    with openai.OpenAI(base_url=base, api_key=CALLER, max_retries=0) as client:
        made: Any = client.chat.completions.create(**arguments, extra_body=extra)
        if call.body.get("stream"):
            for chunk in made:
                for choice in chunk.choices:
                    told.add(choice.delta.to_dict(), choice.finish_reason)
        else:
            told.add(made.choices[0].message.to_dict(), made.choices[0].finish_reason)
    _check_told(call, told)
    _check_sent(bed, call)


def test_googles_extension_unpacked_by_the_sdk(bed: Bed) -> None:
    """`extra_body={"google": …}`, as most write it, arrives beside the other fields."""
    (call,) = [call for call in CHAT if call.name == "chat-include-thoughts"]
    with openai.OpenAI(base_url=bed.url + "/v1", api_key=CALLER, max_retries=0) as client:
        made: Any = client.chat.completions.create(**call.body)
    assert made.choices[0].message.reasoning_content
    _check_sent(bed, call)


@with_curl
@pytest.mark.parametrize("call", _rows(NATIVE))
async def test_native_by_curl(bed: Bed, call: ExampleCall) -> None:
    status, headers, body = await _curl(bed, call)
    assert status == 200, body
    asked, _, method = call.path.rpartition("/")[2].partition(":")
    target = _target(asked)
    assert len(bed.up.requests) == 1 and bed.up.last.json == call.body
    assert bed.up.last.path == f"/v1beta/models/{target.model}:{method}"
    assert headers.get("x-gemgate-model") == (target.model if target.model != asked else None)
    if call.query:
        assert bed.up.last.query == {"alt": "sse"} and body.startswith(b"data: ")
        documents = [
            json.loads(event.removeprefix(b"data: ")) for event in body.replace(b"\r", b"").split(b"\n\n")[:-1]
        ]
    else:
        documents = [json.loads(body)]
    _check_native(call, method, documents)


def _check_native(call: ExampleCall, method: str, documents: list[Any]) -> None:
    match method:
        case "predict":
            predictions = documents[0]["predictions"]
            assert len(predictions) == PREDICTED[call.name]
            assert all(one["bytesBase64Encoded"] and one["mimeType"] for one in predictions)
        case "embedContent":
            assert documents[0]["embedding"]["values"]
        case "batchEmbedContents":
            assert len(documents[0]["embeddings"]) == len(call.body["requests"])
        case _:
            parts = [part for one in documents for part in one["candidates"][0]["content"]["parts"]]
            kinds = {part["inlineData"]["mimeType"] for part in parts if "inlineData" in part}
            if call.name.startswith("tts"):
                assert kinds == {"audio/L16;codec=pcm;rate=24000"}
            elif "image" in call.path:
                assert kinds == {"image/png"}
            else:
                said = "".join(part["text"] for part in parts)
                assert said == f"echo: {call.body['contents'][0]['parts'][0]['text']}"


# ── several choices, each a call of its own upstream ──


async def test_leaving_a_stream_of_several_choices_stops_them_all(bed: Bed) -> None:
    bed.up.always = sse([part_chunk({"text": "on and on"})], stall_after=1)
    async with bed.open("POST", "/v1/chat/completions", HELLO | {"n": 3, "stream": True}) as (connection, answer):
        seen: set[int] = set()
        async for _, data in answer.events():
            seen |= {choice["index"] for choice in json.loads(data)["choices"] if choice["delta"].get("content")}
            if len(seen) == 3:
                break
        connection.leave()
        for request in bed.up.requests:
            await request.gone.wait(5)
    assert len(bed.up.requests) == 3


@pytest.mark.parametrize("stream", [True, False])
async def test_one_choice_that_is_refused_stops_the_others(bed: Bed, stream: bool) -> None:
    gate = Gate()
    bed.up.answer(stall(), stall(), stall(gate, error(400, "The request is bad.")))
    asking = asyncio.create_task(bed.ask("POST", "/v1/chat/completions", HELLO | {"n": 3, "stream": stream}))
    requests = await bed.up.received(3)
    gate.open()
    answer = await asking
    assert answer.status == 400 and "The request is bad." in answer.error["message"]
    await until(lambda: sum(request.gone.is_set() for request in requests) == 2)


def test_no_row_is_left_out() -> None:
    rest = [call.path for call in load_calls() if call not in (*CHAT, *NATIVE) and call.path not in ELSEWHERE]
    assert set(rest) <= set(NOT_YET) and len(CHAT) >= 22 and len(NATIVE) >= 14
    names = {call.name for call in CHAT}
    assert {*PARTS, *CONFIG, *EFFORTS, *SHOWS_THOUGHTS, *MEDIA} <= names
