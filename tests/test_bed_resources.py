"""What the fake Google keeps for each key."""

import json
from typing import Any

from tests.bed.upstream import FakeUpstream
from tests.bed.wire import Connection, fetch, fetch_json

A = {"x-goog-api-key": "A"}
B = {"x-goog-api-key": "B"}
ASK = {"contents": [{"parts": [{"text": "hi"}]}]}


async def _upload(up: FakeUpstream, data: bytes, headers: dict[str, str], file: dict[str, Any]) -> dict[str, Any]:
    start = headers | {
        "X-Goog-Upload-Protocol": "resumable",
        "X-Goog-Upload-Command": "start",
        "X-Goog-Upload-Header-Content-Length": str(len(data)),
        "X-Goog-Upload-Header-Content-Type": "text/plain",
    }
    first, body = await fetch("POST", up.base_url + "/upload/v1beta/files", start, {"file": file})
    assert (first.status, body, first.header("x-goog-upload-status")) == (200, b"", "active")
    url = first.header("x-goog-upload-url") or ""
    assert url.startswith(up.base_url)
    half = len(data) // 2
    step = {"X-Goog-Upload-Command": "upload", "X-Goog-Upload-Offset": "0"}
    second, _ = await fetch("POST", url, step, data[:half])
    assert second.header("x-goog-upload-status") == "active"
    wrong, _ = await fetch("POST", url, step, data[half:])
    assert wrong.status == 400
    last = {"X-Goog-Upload-Command": "upload, finalize", "X-Goog-Upload-Offset": str(half)}
    third, final = await fetch("POST", url, last, data[half:])
    assert third.header("x-goog-upload-status") == "final"
    return json.loads(final)["file"]


async def test_files_belong_to_a_key() -> None:
    async with FakeUpstream() as up:
        up.resources.processing_polls = 1
        file = await _upload(up, b"hello world", A, {"display_name": "a.txt"})
        assert (file["sizeBytes"], file["displayName"], file["state"]) == ("11", "a.txt", "PROCESSING")
        assert up.resources.contents[file["name"]] == b"hello world"
        for state in ("PROCESSING", "ACTIVE"):
            assert (await fetch_json("GET", file["uri"], A))[1]["state"] == state
        assert (await fetch_json("GET", file["uri"], B))[0] == 403
        using = {"contents": [{"parts": [{"file_data": {"file_uri": file["uri"]}}]}]}
        path = "/v1beta/models/gemini-2.5-flash:generateContent"
        assert (await fetch_json("POST", up.base_url + path, B, using))[0] == 403
        assert (await fetch_json("POST", up.base_url + path, A, using))[0] == 200
        assert (await fetch_json("GET", file["uri"] + ":download?alt=media", A))[0] == 400
        made = up.resources.add_file("A", b"\x00video", "video/mp4", source="GENERATED")
        reply, data = await fetch("GET", made["downloadUri"], A)
        assert (reply.header("content-type"), data) == ("video/mp4", b"\x00video")
        assert (await fetch_json("DELETE", file["uri"], B))[0] == 403
        assert await fetch_json("DELETE", file["uri"], A) == (200, {})
        assert (await fetch_json("GET", file["uri"], A))[0] == 403


async def test_lists_are_paged_and_own() -> None:
    async with FakeUpstream() as up:
        for _ in range(5):
            up.resources.add_file("A", b"x", "text/plain")
        names: list[str] = []
        token = ""
        while True:
            query = f"?pageSize=2&pageToken={token}"
            _, page = await fetch_json("GET", up.base_url + "/v1/files" + query, A)
            names += [file["name"] for file in page["files"]]
            token = page.get("nextPageToken", "")
            if not token:
                break
        assert len(set(names)) == 5
        assert (await fetch_json("GET", up.base_url + "/v1/files", B))[1] == {}
        _, models = await fetch_json("GET", up.base_url + "/v1beta/models?pageSize=3", A)
        assert len(models["models"]) == 3 and models["nextPageToken"]
        _, one = await fetch_json("GET", up.base_url + "/v1beta/models/gemini-2.5-pro", A)
        assert one["name"] == "models/gemini-2.5-pro"


async def test_caches() -> None:
    async with FakeUpstream() as up:
        caches = up.base_url + "/v1beta/cachedContents"
        _, cache = await fetch_json("POST", caches, A, ASK | {"model": "models/gemini-2.5-flash", "ttl": "60s"})
        url = f"{up.base_url}/v1beta/{cache['name']}"
        assert (await fetch_json("GET", url, A))[1] == cache
        assert (await fetch_json("GET", url, B))[0] == 403
        _, patched = await fetch_json("PATCH", url, A, {"expire_time": "2030-01-01T00:00:00Z"})
        assert patched["expireTime"].startswith("2030")
        assert len((await fetch_json("GET", caches, A))[1]["cachedContents"]) == 1
        path = up.base_url + "/v1beta/models/gemini-2.5-flash:generateContent"
        assert (await fetch_json("POST", path, B, ASK | {"cachedContent": cache["name"]}))[0] == 403
        assert (await fetch_json("DELETE", url, A))[0] == 200
        assert (await fetch_json("POST", path, A, ASK | {"cachedContent": cache["name"]}))[0] == 403


async def test_batches_and_operations() -> None:
    async with FakeUpstream() as up:
        models = up.base_url + "/v1beta/models"
        batch = {"batch": {"display_name": "b", "input_config": {"requests": {"requests": [{"request": ASK}]}}}}
        _, made = await fetch_json("POST", models + "/gemini-2.5-flash:batchGenerateContent", A, batch)
        url = f"{up.base_url}/v1beta/{made['name']}"
        assert "done" not in (await fetch_json("GET", url, A))[1]
        _, done = await fetch_json("GET", url, A)
        assert done["done"] and done["response"]["inlinedResponses"]["inlinedResponses"][0]["response"]["candidates"]
        assert (await fetch_json("GET", url, B))[0] == 404
        assert (await fetch_json("POST", url + ":cancel", A, {}))[0] == 200
        assert len((await fetch_json("GET", up.base_url + "/v1beta/batches", A))[1]["operations"]) == 1
        _, video = await fetch_json("POST", models + "/veo-3.1:predictLongRunning", A, {"instances": [{"prompt": "x"}]})
        url = f"{up.base_url}/v1beta/{video['name']}"
        assert (await fetch_json("GET", url, B))[0] == 404
        assert "done" not in (await fetch_json("GET", url, A))[1]
        _, done = await fetch_json("GET", url, A)
        uri = done["response"]["generateVideoResponse"]["generatedSamples"][0]["video"]["uri"]
        assert (await fetch("GET", uri, A))[1].startswith(b"\x00\x00\x00\x18ftyp")
        assert (await fetch("GET", uri, B))[0].status == 403
        _, images = await fetch_json(
            "POST", models + "/imagen-4:predict", A, {"instances": [{"prompt": "x"}], "parameters": {"sampleCount": 2}}
        )
        assert len(images["predictions"]) == 2


async def test_interactions() -> None:
    async with FakeUpstream() as up:
        url = up.base_url + "/v1/interactions"
        _, first = await fetch_json("POST", url, A, {"model": "gemini-3.5-flash", "input": "hi"})
        assert first["steps"][0]["content"][0]["text"] == "echo: hi"
        follow = {"model": "m", "input": [{"type": "text", "text": "on"}], "previous_interaction_id": first["id"]}
        assert (await fetch_json("POST", url, B, follow))[1]["error"]["code"] == "not_found"
        async with await Connection.open(up.base_url) as connection:
            reply = await connection.request("POST", "/v1/interactions", A, follow | {"stream": True})
            names = [name async for name, _ in reply.events()]
        assert (names[0], names[-2:]) == ("interaction.created", ["interaction.completed", "done"])
        assert (await fetch_json("GET", f"{url}/{first['id']}", A))[1] == first
        assert (await fetch_json("DELETE", f"{url}/{first['id']}", A))[0] == 200
        assert (await fetch_json("POST", url, A, {"input": "x"}))[0] == 400
