"""Google's own SDK takes the fake for Google."""

import io

import pytest

from tests.bed.sent import check_sent
from tests.bed.upstream import FakeUpstream, error

genai = pytest.importorskip("google.genai")


@pytest.mark.parametrize("version", ["v1", "v1beta"])
def test_the_official_sdk_is_content(version: str) -> None:
    with FakeUpstream.in_thread(keys={"A"}) as up:
        client = genai.Client(api_key="A", http_options={"base_url": up.base_url, "api_version": version})
        models, flash = client.models, "gemini-2.5-flash"
        assert models.generate_content(model=flash, contents="hi").text == "echo: hi"
        streamed = models.generate_content_stream(model=flash, contents="hi there, friend")
        assert "".join(chunk.text for chunk in streamed) == "echo: hi there, friend"
        assert models.count_tokens(model=flash, contents="hi").total_tokens == 1
        assert len(models.embed_content(model="gemini-embedding-001", contents=["a", "b"]).embeddings) == 2
        assert len(list(models.list(config={"page_size": 3}))) == len(up.routes.models)

        file = client.files.upload(file=io.BytesIO(b"hello"), config={"mime_type": "text/plain", "display_name": "x"})
        assert (file.size_bytes, client.files.get(name=file.name).state.name) == (5, "ACTIVE")
        assert models.generate_content(model=flash, contents=[file, "hi"]).text == "echo: hi"
        up.resources.add_file("A", b"vid", "video/mp4", source="GENERATED")
        assert client.files.download(file=list(client.files.list())[-1]) == b"vid"

        cache = client.caches.create(model=flash, config={"contents": ["long"], "ttl": "60s"})
        client.caches.update(name=cache.name, config={"ttl": "9s"})
        assert [one.name for one in client.caches.list()] == [cache.name]
        client.caches.delete(name=cache.name)

        batch = client.batches.create(model=flash, src=[{"contents": [{"parts": [{"text": "hi"}]}]}])
        assert client.batches.get(name=batch.name).state.name == "JOB_STATE_PENDING"
        done = client.batches.get(name=batch.name)
        assert done.dest.inlined_responses[0].response.text == "echo: hi"

        assert client.interactions.create(model=flash, input="hi").status == "completed"
        events = list(client.interactions.create(model=flash, input="hi", stream=True))
        assert events[-1].event_type == "interaction.completed"

        up.answer(error(429, retry_delay="34.4s"))
        with pytest.raises(genai.errors.ClientError) as refused:
            models.generate_content(model=flash, contents="hi")
        assert refused.value.code == 429
        assert check_sent(up.requests) >= 9
        client.close()
