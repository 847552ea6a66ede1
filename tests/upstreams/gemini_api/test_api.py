"""The upstream against a fake of Gemini."""

from collections.abc import AsyncIterator
from datetime import date

import pytest
from tests.bed.upstream import (
    Answer,
    FakeUpstream,
    cut,
    error,
    error_document,
    garbage,
    garbage_body,
    json_reply,
    overloaded,
    sse,
    stall,
    text_chunks,
)

from gemgate.catalog.catalog import Catalog, Target
from gemgate.errors import ModelNotFound, Timeout, UpstreamError
from gemgate.hub.call import Generate, Sampling
from gemgate.hub.events import BlockDelta, BlockStart, Event, Failure, Finish, Usage
from gemgate.hub.parts import Message, Text, Vendor
from gemgate.keys.pool import lease
from gemgate.net.connection import Deadlines
from gemgate.net.http import HttpClient
from gemgate.net.proxy import Proxies
from gemgate.upstreams.gemini_api.api import GeminiApi
from gemgate.upstreams.refusal import UpstreamRefusal

KEY = lease("AIza" + "K" * 35)
CATALOG = Catalog.load()


def call(*, stream: bool = True, model: str = "some-model") -> Generate:
    return Generate(model=model, messages=(Message("user", (Text("hi"),)),), stream=stream)


@pytest.fixture
async def up() -> AsyncIterator[FakeUpstream]:
    async with FakeUpstream() as fake:
        yield fake


@pytest.fixture
async def api(up: FakeUpstream) -> AsyncIterator[GeminiApi]:
    client = HttpClient(Deadlines(first_byte_seconds=0.5, silence_seconds=0.5), Proxies({}))
    yield GeminiApi(client, up.base_url, "v1beta", lambda: "0" * 24)
    await client.aclose()


async def events(api: GeminiApi, asked: Generate) -> list[list[Event]]:
    target = CATALOG.route(asked.model, date(2026, 11, 1))
    reply = await api.generate(api.prepare(asked, target), target, KEY)
    return [batch async for batch in reply]


def text(batches: list[list[Event]]) -> str:
    said = ""
    for event in (event for batch in batches for event in batch):
        if isinstance(event, BlockStart) and isinstance(event.part, Text):
            said += event.part.text
        elif isinstance(event, BlockDelta):
            said += event.text
    return said


@pytest.mark.parametrize("stream", [False, True])
async def test_an_answer(up: FakeUpstream, api: GeminiApi, stream: bool) -> None:
    chunks = text_chunks("hello", ", ", "world")
    up.answer(sse(chunks) if stream else json_reply(text_chunks("hello, world")[0]))
    batches = await events(api, call(stream=stream))
    assert text(batches) == "hello, world"
    assert isinstance(batches[-1][-1], Finish) and any(isinstance(event, Usage) for event in batches[-1])
    method = "streamGenerateContent?alt=sse" if stream else "generateContent"
    assert up.last.target == f"/v1beta/models/some-model:{method}"
    assert up.last.header("x-goog-api-key") == KEY.secret and up.last.header("authorization") is None


@pytest.mark.parametrize("split", [1, 2, 7, 100])
async def test_a_stream_split_anywhere(up: FakeUpstream, api: GeminiApi, split: int) -> None:
    up.answer(sse(text_chunks("hé✓llo", "wörld"), split=split))
    assert text(await events(api, call())) == "hé✓llowörld"


@pytest.mark.parametrize(
    ("answer", "kind", "status"),
    [
        (error(429, retry_delay="3s"), "quota", 429),
        (overloaded(), "service", 503),
        (error(400, "bad field"), "client", 400),
        (garbage(), "network", 0),
        (cut(), "network", 0),
        (stall(), "client", 0),
        (sse([error_document(429)]), "quota", 0),
        (sse([error_document(503)]), "service", 0),
        (sse([error_document(400)]), "client", 0),
        (sse([error_document(403)]), "key", 0),
        (sse([], cut_after=0), "service", 0),
        (garbage_body("text/event-stream"), "service", 0),
    ],
)  # fmt: skip
async def test_refusals_before_anything_was_answered(
    up: FakeUpstream, api: GeminiApi, answer: Answer, kind: str, status: int
) -> None:
    up.answer(answer)
    with pytest.raises(UpstreamRefusal) as caught:
        await events(api, call())
    assert (caught.value.kind, caught.value.status) == (kind, status)
    assert KEY.secret not in repr(caught.value) + caught.value.error.message


async def test_an_error_after_the_first_event_ends_the_stream(up: FakeUpstream, api: GeminiApi) -> None:
    up.answer(sse([*text_chunks("hello", "never")[:1], error_document(503, "Overloaded.")]))
    batches = await events(api, call())
    assert text(batches) == "hello"
    failures = [event for batch in batches for event in batch if isinstance(event, Failure)]
    assert failures[0].error.message == "Overloaded."


@pytest.mark.parametrize(("fault", "error_type"), [("cut_after", UpstreamError), ("stall_after", Timeout)])
async def test_a_stream_that_breaks_off(
    up: FakeUpstream, api: GeminiApi, fault: str, error_type: type[Exception]
) -> None:
    frames = text_chunks("hello", "never")
    up.answer(sse(frames, cut_after=1) if fault == "cut_after" else sse(frames, stall_after=1))
    batches = await events(api, call())
    last = batches[-1][-1]
    assert text(batches) == "hello" and isinstance(last, Failure) and type(last.error) is error_type
    assert any(isinstance(event, Usage) for event in batches[-1])  # what it has cost so far


async def test_leaving_a_reply_hangs_up(up: FakeUpstream, api: GeminiApi) -> None:
    up.answer(sse(text_chunks("hello", "never"), stall_after=1))
    target = CATALOG.route("some-model", date(2026, 11, 1))
    reply = await api.generate(api.prepare(call(), target), target, KEY)
    await anext(aiter(reply))
    await reply.aclose()
    await reply.aclose()
    await up.last.gone.wait(2)


async def test_preparing_asks_nobody(up: FakeUpstream, api: GeminiApi) -> None:
    target = CATALOG.route("gemini-2.5-flash", date(2026, 11, 1))
    asked = Generate(
        model="gemini-2.5-flash",
        messages=(Message("user", (Text("hi"),)),),
        sampling=Sampling(logprobs=2),
        vendor=Vendor("openai-chat", '{"x":1}'),
    )
    assert api.prepare(call(), target).dropped == ()
    assert api.prepare(asked, target) == api.prepare(asked, target)
    assert up.requests == []


@pytest.mark.parametrize("name", ["plain-1.5", "x y", "é✓"])
async def test_a_models_name_is_one_segment_of_the_path(up: FakeUpstream, api: GeminiApi, name: str) -> None:
    up.answer(sse(text_chunks("hello")))
    await events(api, call(model=name))
    path, _, query = up.last.target.partition("?")
    assert query == "alt=sse"
    assert path.startswith("/v1beta/models/") and path.count("/") == 3 and path.count(":") == 1
    assert up.last.path == f"/v1beta/models/{name}:streamGenerateContent"


@pytest.mark.parametrize(
    "name",
    [
        "x?y=1",
        "../files/secret",
        "a/b:c",
        "a\\b",
        "x#y",
        "x%2e",
        "x\r\nx-evil: 1",
        "x HTTP/1.1\r\nx-evil: 1\r\n\r\nGET /",
        "x\ny",
        "x\x00",
        ".",
        "..",
        "x" * 201,
    ],
)
async def test_a_models_name_that_is_a_path_is_sent_to_nobody(up: FakeUpstream, api: GeminiApi, name: str) -> None:
    target = Target(asked=name, model=name)
    with pytest.raises(ModelNotFound) as caught:
        await api.generate(api.prepare(call(model=name), target), target, KEY)
    assert up.requests == [] and len(caught.value.message) < 400
