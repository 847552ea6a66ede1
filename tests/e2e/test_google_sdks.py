"""Google's own SDKs, of both generations, told nothing but where the gateway is."""

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pydantic
import pytest
from google import genai
from google.genai import errors, types

from tests.bed.recordings import ROOT
from tests.bed.sent import check_sent
from tests.bed.upstream import error, json_reply, not_found_model, part_chunk
from tests.e2e.bed import CALLER, FLASH, OTHER, Bed

GENAI1 = ROOT / ".build" / "genai1"


@pytest.fixture
def client(bed: Bed) -> Iterator[genai.Client]:
    """The default version of its API, and `base_url` alone."""
    made = genai.Client(api_key=CALLER, http_options=types.HttpOptions(base_url=bed.url))
    yield made
    made.close()


def test_generate(client: genai.Client, bed: Bed) -> None:
    config = types.GenerateContentConfig(system_instruction="Be kind.", temperature=0.1, max_output_tokens=9, top_k=3)
    made = client.models.generate_content(model=FLASH, contents="hello", config=config)
    assert made.text == "echo: hello" and made.candidates
    assert made.candidates[0].finish_reason == types.FinishReason.STOP
    assert made.usage_metadata and made.usage_metadata.total_token_count
    streamed = list(client.models.generate_content_stream(model=FLASH, contents="hello my friend"))
    assert "".join(chunk.text or "" for chunk in streamed) == "echo: hello my friend" and len(streamed) > 1
    count = client.models.count_tokens(model=FLASH, contents="hello")
    assert count.total_tokens == 2
    assert {request.key for request in bed.up.requests} <= {"A", "B"}
    assert check_sent(bed.up.requests) == 3


def test_models(client: genai.Client, bed: Bed) -> None:
    assert [model.name for model in client.models.list(config={"page_size": 3})] == [
        f"models/{name}" for name in bed.up.routes.models
    ]
    assert client.models.get(model=FLASH).input_token_limit == 1048576


def test_files(client: genai.Client, bed: Bed) -> None:
    data = os.urandom(300_000)
    file = client.files.upload(file=io.BytesIO(data), config={"mime_type": "text/plain", "display_name": "mine"})
    assert file.name and (file.size_bytes, file.display_name) == (len(data), "mine")
    assert bed.up.resources.contents[file.name] == data
    assert client.files.get(name=file.name).uri == file.uri
    assert file.name in [one.name for one in client.files.list()]
    assert client.models.generate_content(model=FLASH, contents=[file, "what?"]).text == "echo: what?"
    stranger = genai.Client(api_key=OTHER, http_options={"base_url": bed.url})
    with pytest.raises(errors.ClientError, match="404"):
        stranger.files.get(name=file.name)
    with pytest.raises(errors.ClientError, match="404"):
        stranger.models.generate_content(model=FLASH, contents=[file, "what?"])
    assert list(stranger.files.list()) == []
    stranger.close()
    client.files.delete(name=file.name)
    with pytest.raises(errors.ClientError, match="404"):
        client.files.get(name=file.name)


def test_caches(client: genai.Client, bed: Bed) -> None:
    cache = client.caches.create(model=FLASH, config={"contents": ["long"], "ttl": "60s"})
    assert cache.name and client.caches.get(name=cache.name).model == f"models/{FLASH}"
    client.caches.update(name=cache.name, config={"ttl": "9s"})
    assert cache.name in [one.name for one in client.caches.list()]
    config = types.GenerateContentConfig(cached_content=cache.name)
    assert client.models.generate_content(model=FLASH, contents="hi", config=config).text == "echo: hi"
    client.caches.delete(name=cache.name)
    with pytest.raises(errors.ClientError, match="404"):
        client.caches.get(name=cache.name)


def test_batches_and_interactions(client: genai.Client) -> None:
    source: Any = [{"contents": [{"parts": [{"text": "hi"}]}]}]
    batch = client.batches.create(model=FLASH, src=source)
    assert batch.name and batch.name in [one.name for one in client.batches.list()]
    for _ in range(3):
        batch = client.batches.get(name=batch.name or "")
    assert batch.state is not None and batch.state.name == "JOB_STATE_SUCCEEDED"
    interactions: Any = client.interactions
    first = interactions.create(model=FLASH, input="hi")
    following = interactions.create(model=FLASH, input="and?", previous_interaction_id=first.id)
    assert (first.status, following.status) == ("completed", "completed")
    events = list(interactions.create(model=FLASH, input="hi", stream=True))
    assert events[-1].event_type == "interaction.completed"


def test_automatic_function_calling(client: genai.Client, bed: Bed) -> None:
    asked: list[str] = []

    def get_weather(city: str) -> str:
        """Give the weather of a city."""
        asked.append(city)
        return "sun"

    call: Any = {"functionCall": {"name": "get_weather", "args": {"city": "Rome"}}, "thoughtSignature": "c2ln"}
    bed.up.answer(json_reply(part_chunk(call, finish="STOP")))
    config = types.GenerateContentConfig(tools=[get_weather])
    made = client.models.generate_content(model="gemini-3.5-flash", contents="weather?", config=config)
    assert asked == ["Rome"] and made.text == "echo: get_weather answered"
    assert bed.up.last.json["contents"][1]["parts"][0]["thoughtSignature"] == "c2ln"
    assert check_sent(bed.up.requests) == 2


def test_json(client: genai.Client, bed: Bed) -> None:
    class Echo(pydantic.BaseModel):
        echo: bool

    config = types.GenerateContentConfig(response_mime_type="application/json", response_schema=Echo)
    assert client.models.generate_content(model=FLASH, contents="x", config=config).parsed == Echo(echo=True)


def test_chats(client: genai.Client, bed: Bed) -> None:
    chat = client.chats.create(model=FLASH)
    assert chat.send_message("one").text == "echo: one"
    assert "".join(chunk.text or "" for chunk in chat.send_message_stream("two")) == "echo: two"
    assert [content["role"] for content in bed.up.last.json["contents"]] == ["user", "model", "user"]


async def test_the_async_client(client: genai.Client) -> None:
    made = await client.aio.models.generate_content(model=FLASH, contents="hello")
    assert made.text == "echo: hello"
    stream = await client.aio.models.generate_content_stream(model=FLASH, contents="hello")
    assert "".join([chunk.text or "" async for chunk in stream]) == "echo: hello"
    await client.aio.aclose()


def test_errors(client: genai.Client, bed: Bed) -> None:
    for trouble, code, status in (
        (not_found_model("x"), 404, "NOT_FOUND"),
        (error(400, "bad"), 400, "INVALID_ARGUMENT"),
        (error(429, retry_delay="9s"), 429, "RESOURCE_EXHAUSTED"),
    ):
        bed.up.always = trouble
        with pytest.raises(errors.ClientError) as caught:
            client.models.generate_content(model=f"gemini-x{code}", contents="x")
        assert (caught.value.code, caught.value.status) == (code, status)
    wrong = genai.Client(api_key="wrong", http_options={"base_url": bed.url})
    with pytest.raises(errors.ClientError) as caught:
        wrong.models.generate_content(model=FLASH, contents="x")
    assert (caught.value.code, caught.value.status) == (401, "UNAUTHENTICATED")
    wrong.close()


OLD_CLIENT = """
import io, json, sys
from google import genai
from google.genai import types
url, key, other, model = sys.argv[1:]
client = genai.Client(api_key=key, http_options=types.HttpOptions(base_url=url))
models = client.models
said = {"version": genai.__version__}
said["text"] = models.generate_content(model=model, contents="hello").text
said["stream"] = "".join(one.text for one in models.generate_content_stream(model=model, contents="hello my friend"))
said["tokens"] = models.count_tokens(model=model, contents="hello").total_tokens
said["models"] = len(list(models.list(config={"page_size": 3})))
said["model"] = models.get(model=model).name
said["vectors"] = len(models.embed_content(model="gemini-embedding-001", contents=["a", "b"]).embeddings)
file = client.files.upload(file=io.BytesIO(b"hello"), config={"mime_type": "text/plain"})
said["size"] = client.files.get(name=file.name).size_bytes
said["listed"] = [one.name for one in client.files.list()] == [file.name]
said["used"] = models.generate_content(model=model, contents=[file, "what?"]).text
client.files.delete(name=file.name)
cache = client.caches.create(model=model, config={"contents": ["long"], "ttl": "60s"})
client.caches.update(name=cache.name, config={"ttl": "9s"})
client.caches.delete(name=cache.name)
operation = models.generate_videos(model="veo-3.1-generate-preview", prompt="waves")
while not operation.done:
    operation = client.operations.get(operation)
video = operation.response.generated_videos[0].video
name = "files/" + video.uri.partition("/files/")[2].partition(":")[0]  # the fake's address is not https
said["video"] = client.files.download(file=name).decode("latin-1")[-10:]
said["chat"] = client.chats.create(model=model).send_message("one").text
def weather(city: str) -> str:
    "Give the weather."
    return "sun"
config = types.GenerateContentConfig(tools=[weather])
said["tool"] = models.generate_content(model=model, contents="hello", config=config).text
try:
    wrong = genai.Client(api_key="wrong", http_options={"base_url": url})
    wrong.models.generate_content(model=model, contents="x")
except genai.errors.ClientError as error:
    said["refused"] = error.code
print(json.dumps(said))
"""


@pytest.mark.skipif(not GENAI1.is_dir(), reason="google-genai 1.x is not in .build/genai1 (`make test` puts it there)")
def test_the_older_sdk(bed: Bed) -> None:
    environment = {"PYTHONPATH": str(GENAI1), "PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/")}
    command = [sys.executable, "-S", "-c", OLD_CLIENT, bed.url, CALLER, OTHER, FLASH]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    said = json.loads(done.stdout.splitlines()[-1])
    assert said.pop("version").startswith("1.")
    assert said == {
        "text": "echo: hello",
        "stream": "echo: hello my friend",
        "tokens": 2,
        "models": len(bed.up.routes.models),
        "model": f"models/{FLASH}",
        "vectors": 2,
        "size": 5,
        "listed": True,
        "used": "echo: what?",
        "video": "fake-video",
        "chat": "echo: one",
        "tool": "echo: hello",
        "refused": 401,
    }
    assert check_sent(bed.up.requests) >= 8
