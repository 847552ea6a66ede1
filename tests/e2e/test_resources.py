"""Files, caches, jobs: whose they are, which key they live under, and what streams through without being held."""

import asyncio
import hashlib
import json
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.bed.gateway import running_gateway
from tests.bed.upstream import FakeUpstream, Gate, error
from tests.bed.upstream.connection import chunk
from tests.bed.wire import Connection, render
from tests.e2e.bed import (
    CALLER,
    FLASH,
    NATIVE,
    ON_LINUX,
    OTHER,
    Answered,
    Bed,
    generate_path,
    peak_mb,
    reset_peak,
    running_bed,
)

MEGABYTE = 1024 * 1024
START = {
    "X-Goog-Upload-Protocol": "resumable",
    "X-Goog-Upload-Command": "start",
    "X-Goog-Upload-Header-Content-Type": "text/plain",
}


@pytest.fixture
def own_bed() -> Iterator[Bed]:
    """A bed of this test alone: resources of other tests are not in its lists."""
    with running_bed() as bed:
        yield bed


async def _start(bed: Bed, size: int | None = None, key: str = CALLER, **headers: str) -> Answered:
    more = {"X-Goog-Upload-Header-Content-Length": str(size)} if size is not None else {}
    body = {"file": {"display_name": "mine", "mimeType": "text/plain"}}
    return await bed.ask("POST", "/upload/v1beta/files", body, START | more | headers, key=key)


async def _upload(bed: Bed, data: bytes = b"hello", key: str = CALLER) -> dict[str, Any]:
    begun = await _start(bed, len(data), key)
    assert begun.status == 200
    url = urlsplit(begun.header("x-goog-upload-url") or "")
    command = {"X-Goog-Upload-Command": "upload, finalize", "X-Goog-Upload-Offset": "0"}
    done = await bed.ask("POST", f"{url.path}?{url.query}", data, command, key=None)
    assert done.status == 200 and done.header("x-goog-upload-status") == "final"
    return done.json["file"]


def _cache(**more: Any) -> dict[str, Any]:
    return {"model": f"models/{FLASH}", "contents": NATIVE["contents"], "ttl": "600s"} | more


def _using_file(file: dict[str, Any]) -> dict[str, Any]:
    return {
        "contents": [{"parts": [{"fileData": {"fileUri": file["uri"], "mimeType": file["mimeType"]}}, {"text": "?"}]}]
    }


def _upstream_key(bed: Bed, name: str) -> str:
    return bed.up.resources.owners[name]


# ── uploads ──


async def test_an_upload_in_three_pieces(bed: Bed) -> None:
    data = bytes(range(256)) * 100
    begun = await _start(bed, len(data))
    first = bed.up.last
    assert begun.header("x-goog-upload-status") == "active"
    assert begun.header("x-goog-upload-chunk-granularity") == "8388608"
    url = begun.header("x-goog-upload-url") or ""
    assert url.startswith(f"{bed.url}/upload/v1beta/files?") and bed.up.base_url not in str(begun.reply.headers)
    assert CALLER not in url and first.key not in parse_qs(urlsplit(url).query).values()
    target = url.removeprefix(bed.url)

    third = len(data) // 3
    for offset, size, command in (
        (0, third, "upload"),
        (third, third, "upload"),
        (2 * third, None, "upload, finalize"),
    ):
        piece = data[offset:] if size is None else data[offset : offset + size]
        told = {"X-Goog-Upload-Command": command, "X-Goog-Upload-Offset": str(offset)}
        answer = await bed.ask("POST", target, piece, told, key=None)
        assert answer.status == 200, answer.body
        assert bed.up.last.body == piece and bed.up.last.header("x-goog-upload-offset") == str(offset)
        if size is not None:
            assert answer.header("x-goog-upload-status") == "active"
            state = await bed.ask("POST", target, b"", {"X-Goog-Upload-Command": "query"}, key=None)
            assert state.header("x-goog-upload-size-received") == str(offset + size)
    file = answer.json["file"]
    assert answer.header("x-goog-upload-status") == "final" and file["sizeBytes"] == str(len(data))
    assert bed.up.resources.contents[file["name"]] == data
    # It is done: its address leads nowhere any more.
    late = await bed.ask(
        "POST", target, b"x", {"X-Goog-Upload-Command": "upload", "X-Goog-Upload-Offset": "0"}, key=None
    )
    assert late.status == 401


async def test_the_address_of_an_upload_is_the_public_one(bed: Bed) -> None:
    asked = await _start(bed, 1, Host="gate.example:99")
    assert (asked.header("x-goog-upload-url") or "").startswith("http://gate.example:99/upload/v1beta/files?")
    proxied = await _start(bed, 1, **{"X-Forwarded-Proto": "https", "X-Forwarded-Host": "outside.example"})
    assert (proxied.header("x-goog-upload-url") or "").startswith("https://outside.example/upload/v1beta/files?")
    with running_bed({"GEMGATE_PUBLIC_URL": "https://fixed.example/"}) as other:
        fixed = await _start(other, 1)
        assert (fixed.header("x-goog-upload-url") or "").startswith("https://fixed.example/upload/v1beta/files?")


async def test_an_upload_goes_on_under_its_key(bed: Bed) -> None:
    for _ in range(4):
        file = await _upload(bed)
        begun, done = bed.up.requests[-2:]
        assert done.key == begun.key == _upstream_key(bed, file["name"])
    assert {request.key for request in bed.up.requests} == {"A", "B"}


async def test_a_made_up_upload_is_refused(bed: Bed) -> None:
    answer = await bed.ask(
        "POST", "/upload/v1beta/files?upload_id=guess", b"x", {"X-Goog-Upload-Command": "upload"}, key=None
    )
    assert answer.status == 401 and bed.up.requests == []


async def _pieces(size: int) -> AsyncIterator[bytes]:
    block = hashlib.sha256(b"x").digest() * (MEGABYTE // 32)
    for _ in range(size // MEGABYTE):
        yield block


@pytest.mark.skipif(not ON_LINUX, reason="memory is read from /proc")
@pytest.mark.parametrize("chunked", [False, True])
async def test_a_large_upload_is_not_held(own_bed: Bed, chunked: bool, record_property: Any) -> None:
    bed, size = own_bed, 60 * MEGABYTE
    await _upload(bed)  # warm up
    begun = await _start(bed, size)
    url = urlsplit(begun.header("x-goog-upload-url") or "")
    before = reset_peak(bed.gateway.process.pid)
    length = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {size}"
    head = (
        f"POST {url.path}?{url.query} HTTP/1.1\r\nHost: {url.netloc}\r\n{length}\r\n"
        "X-Goog-Upload-Command: upload, finalize\r\nX-Goog-Upload-Offset: 0\r\n\r\n"
    )
    async with await Connection.open(bed.url, 30) as connection:
        await connection.send(head.encode())
        async for piece in _pieces(size):
            await connection.send(chunk(piece) if chunked else piece)
        if chunked:
            await connection.send(b"0\r\n\r\n")
        reply = await connection.reply("POST")
        file = (await reply.json())["file"]
    grown = peak_mb(bed.gateway.process.pid) - before
    assert file["sizeBytes"] == str(size) and grown < 15


@pytest.mark.skipif(not ON_LINUX, reason="memory is read from /proc")
async def test_a_large_download_is_not_held(own_bed: Bed) -> None:
    bed, size = own_bed, 60 * MEGABYTE
    made = await bed.ask(
        "POST", generate_path("veo-3.1-generate-preview", "predictLongRunning"), {"instances": [{"prompt": "x"}]}
    )
    video = await _finished_video(bed, made.json["name"])
    bed.up.resources.contents[video] = b"".join([piece async for piece in _pieces(size)])
    before = reset_peak(bed.gateway.process.pid)
    async with bed.open("GET", f"/v1beta/{video}:download?alt=media", timeout=30) as (_, reply):
        assert reply.status == 200 and reply.header("content-type") == "video/mp4"
        assert reply.header("content-length") == str(size)
        digest = hashlib.sha256()
        async for piece in reply.pieces():
            digest.update(piece)
    grown = peak_mb(bed.gateway.process.pid) - before
    assert digest.digest() == hashlib.sha256(bed.up.resources.contents[video]).digest() and grown < 15


async def test_a_client_that_leaves_ends_its_upload(bed: Bed) -> None:
    begun = await _start(bed, MEGABYTE)
    url = urlsplit(begun.header("x-goog-upload-url") or "")
    bed.up.hold_bodies = gate = Gate()
    async with await Connection.open(bed.url) as connection:
        told = {"Content-Length": str(MEGABYTE), "X-Goog-Upload-Command": "upload", "X-Goog-Upload-Offset": "0"}
        await connection.send(render("POST", f"{url.path}?{url.query}", "x", told) + b"hello")
        await gate.arrived.wait()
        connection.leave()
        gate.open()
        assert await bed.up.client_gone.wait(5)


# ── owners ──


async def test_only_its_owner_sees_a_file(bed: Bed) -> None:
    file = await _upload(bed)
    name = file["name"]
    mine = await bed.ask("GET", f"/v1beta/{name}")
    assert (mine.status, mine.json["name"]) == (200, name)
    before = len(bed.up.requests)
    for method, path, body in (
        ("GET", f"/v1beta/{name}", None),
        ("DELETE", f"/v1beta/{name}", None),
        ("GET", f"/v1beta/{name}:download?alt=media", None),
        ("POST", generate_path(), _using_file(file)),
        ("POST", generate_path(method="streamGenerateContent"), _using_file(file)),
        ("POST", generate_path(method="countTokens"), _using_file(file)),
    ):
        answer = await bed.ask(method, path, body, key=OTHER)
        assert (answer.status, answer.error["status"]) == (404, "NOT_FOUND"), (method, path)
        unknown = await bed.ask(method, path.replace(name, "files/nobody0"), body, key=OTHER)
        if body is None:
            same = unknown.body.replace(b"files/nobody0", name.encode())
            assert (unknown.status, same) == (404, answer.body), "a stranger can tell that it is there"
    assert len(bed.up.requests) == before
    assert name not in (await bed.ask("GET", "/v1beta/files", key=OTHER)).body.decode()
    assert (await bed.ask("GET", f"/v1beta/{name}")).status == 200


async def test_delete_forgets(bed: Bed) -> None:
    file = await _upload(bed)
    assert (await bed.ask("DELETE", f"/v1beta/{file['name']}")).status == 200
    before = len(bed.up.requests)
    assert (await bed.ask("GET", f"/v1beta/{file['name']}")).status == 404
    assert (await bed.ask("DELETE", f"/v1beta/{file['name']}")).status == 404
    assert len(bed.up.requests) == before
    assert file["name"] not in (await bed.ask("GET", "/v1beta/files")).body.decode()


async def test_a_list_is_the_union_over_the_keys(own_bed: Bed) -> None:
    bed = own_bed
    assert (await bed.ask("GET", "/v1beta/files")).json == {}
    mine = [(await _upload(bed))["name"] for _ in range(5)]
    theirs = [(await _upload(bed, key=OTHER))["name"] for _ in range(2)]
    bed.up.resources.add_file("A", b"of nobody", "text/plain")
    assert {_upstream_key(bed, name) for name in mine} == {"A", "B"}
    for caller, names in ((CALLER, mine), (OTHER, theirs)):
        listed = (await bed.ask("GET", "/v1beta/files", key=caller)).json
        assert sorted(one["name"] for one in listed["files"]) == sorted(names) and "nextPageToken" not in listed
    seen: list[str] = []
    query = ""
    while True:
        page = (await bed.ask("GET", f"/v1beta/files?pageSize=2{query}")).json
        seen += (one["name"] for one in page["files"])
        assert len(page["files"]) <= 2
        if not (token := page.get("nextPageToken")):
            break
        query = f"&pageToken={token}"
    assert sorted(seen) == sorted(mine) and len(seen) == len(set(seen))
    v1 = await bed.ask("GET", "/v1/files", headers={"x-goog-api-key": CALLER})
    assert len(v1.json["files"]) == 5
    for query in ("pageSize=x", "pageToken=!!!"):
        answer = await bed.ask("GET", f"/v1beta/files?{query}")
        assert (answer.status, answer.error["status"]) == (400, "INVALID_ARGUMENT"), query


async def test_a_long_list_of_one_key(own_bed: Bed) -> None:
    """More than the gateway fetches at a time."""
    bed = own_bed
    with_keys = [await bed.ask("POST", "/v1beta/cachedContents", _cache()) for _ in range(230)]
    names = {one.json["name"] for one in with_keys}
    listed = (await bed.ask("GET", "/v1beta/cachedContents?pageSize=1000")).json["cachedContents"]
    assert {one["name"] for one in listed} == names and len(listed) == 230


async def test_a_request_goes_to_the_key_that_owns_what_it_names(bed: Bed) -> None:
    for _ in range(3):
        file = await _upload(bed)
        cache = (await bed.ask("POST", "/v1beta/cachedContents", _cache())).json
        bed.up.requests.clear()
        key = _upstream_key(bed, file["name"])
        for path in (
            generate_path(),
            generate_path(method="streamGenerateContent") + "?alt=sse",
            generate_path(version="v1"),
        ):
            assert (await bed.ask("POST", path, _using_file(file))).status == 200
            snake = json.loads(
                json.dumps(_using_file(file)).replace("fileUri", "file_uri").replace("fileData", "file_data")
            )
            assert (await bed.ask("POST", path, snake)).status == 200
        assert {request.key for request in bed.up.requests} == {key}
        bed.up.requests.clear()
        for name in ("cachedContent", "cached_content"):
            assert (await bed.native(body=NATIVE | {name: cache["name"]})).status == 200
        assert {request.key for request in bed.up.requests} == {_upstream_key(bed, cache["name"])}
        for method in ("GET", "PATCH", "DELETE"):
            body = {"ttl": "9s"} if method == "PATCH" else None
            assert (await bed.ask(method, f"/v1beta/{cache['name']}", body)).status == 200
            assert bed.up.last.key == bed.up.requests[0].key


async def test_things_of_two_keys_cannot_be_used_together(bed: Bed) -> None:
    one = two = await _upload(bed)
    while _upstream_key(bed, one["name"]) == _upstream_key(bed, two["name"]):
        two = await _upload(bed)
    body = {"contents": [*_using_file(one)["contents"], *_using_file(two)["contents"]]}
    answer = await bed.native(body=body)
    assert answer.status == 400 and one["name"] in answer.error["message"]


async def test_a_pinned_request_waits_for_no_other_key(bed: Bed) -> None:
    file = await _upload(bed)
    key = _upstream_key(bed, file["name"])
    bed.up.answer_key(key, error(429, retry_delay="5s"))
    answer = await bed.native("gemini-pinned", _using_file(file))
    assert (answer.status, bed.up.last.key, answer.header("x-gemgate-attempts")) == (429, key, "1")


async def test_owners_survive_a_restart() -> None:
    with FakeUpstream.in_thread({"A", "B"}) as up:
        env = {"GEMINI_API_KEYS": "A,B", "API_KEYS": f"{CALLER},{OTHER}"}
        with running_gateway(env, upstream=up.base_url) as first:
            bed = Bed(up, first)
            file, cache = await _upload(bed), (await bed.ask("POST", "/v1beta/cachedContents", _cache())).json
            begun = await _start(bed, 5)
            kept = {path.name: path.read_bytes() for path in first.data_dir.iterdir() if path.is_file()}
            assert first.stop() == 0
            kept = {path.name: path.read_bytes() for path in first.data_dir.iterdir() if path.is_file()}
        # The keys stand in another order, as if one had been added.
        env |= {"GEMINI_API_KEYS": "C,B,A"}
        with (
            _data_folder(kept) as folder,
            running_gateway(env | {"GEMGATE_DATA_DIR": folder}, upstream=up.base_url) as again,
        ):
            bed = Bed(up, again)
            assert (await bed.ask("GET", f"/v1beta/{file['name']}")).status == 200
            assert bed.up.last.key == _upstream_key(bed, file["name"])
            assert (await bed.native(body=NATIVE | {"cachedContent": cache["name"]})).status == 200
            assert (await bed.ask("GET", f"/v1beta/{file['name']}", key=OTHER)).status == 404
            assert len((await bed.ask("GET", "/v1beta/files")).json["files"]) == 1
            url = urlsplit(begun.header("x-goog-upload-url") or "")
            told = {"X-Goog-Upload-Command": "upload, finalize", "X-Goog-Upload-Offset": "0"}
            done = await bed.ask("POST", f"{url.path}?{url.query}", b"hello", told, key=None)
            assert done.status == 200 and done.json["file"]["sizeBytes"] == "5"


def _data_folder(files: dict[str, bytes]) -> Any:
    folder = tempfile.TemporaryDirectory(prefix="gemgate-e2e-")
    for name, data in files.items():
        (Path(folder.name) / name).write_bytes(data)
    return folder


async def test_a_key_that_is_gone_takes_its_things_along(own_bed: Bed) -> None:
    bed = own_bed
    file = await _upload(bed)
    left = "A" if _upstream_key(bed, file["name"]) == "B" else "B"
    data = {path.name: path.read_bytes() for path in bed.gateway.data_dir.iterdir() if path.is_file()}
    bed.gateway.stop()
    data = {path.name: path.read_bytes() for path in bed.gateway.data_dir.iterdir() if path.is_file()}
    env = {"GEMINI_API_KEYS": left, "API_KEYS": CALLER}
    with (
        _data_folder(data) as folder,
        running_gateway(env | {"GEMGATE_DATA_DIR": folder}, upstream=bed.up.base_url) as again,
    ):
        answer = await Bed(bed.up, again).ask("GET", f"/v1beta/{file['name']}")
        assert answer.status == 404 and "key" in answer.error["message"]


# ── caches, batches, operations, interactions ──


async def test_caches(bed: Bed) -> None:
    made = await bed.ask("POST", "/v1beta/cachedContents", _cache(displayName="c"))
    name = made.json["name"]
    key = _upstream_key(bed, name)
    patched = await bed.ask("PATCH", f"/v1beta/{name}?updateMask=expireTime", {"expireTime": "2030-01-01T00:00:00Z"})
    assert (patched.json["expireTime"], bed.up.last.key) == ("2030-01-01T00:00:00Z", key)
    assert (bed.up.last.method, bed.up.last.query) == ("PATCH", {"updateMask": "expireTime"})
    for method in ("GET", "PATCH", "DELETE"):
        body = {} if method == "PATCH" else None
        assert (await bed.ask(method, f"/v1beta/{name}", body, key=OTHER)).status == 404
    assert (await bed.native(body=NATIVE | {"cachedContent": name}, key=OTHER)).status == 404
    assert (await bed.ask("DELETE", f"/v1beta/{name}")).status == 200
    assert (await bed.ask("GET", f"/v1beta/{name}")).status == 404


async def test_batches(bed: Bed) -> None:
    batch = {"batch": {"displayName": "b", "inputConfig": {"requests": {"requests": [{"request": NATIVE}]}}}}
    made = await bed.ask("POST", generate_path(method="batchGenerateContent"), batch)
    name = made.json["name"]
    assert name.startswith("batches/") and bed.up.last.json == batch
    polled = [await bed.ask("GET", f"/v1beta/{name}") for _ in range(3)]
    assert {request.key for request in bed.up.requests} == {_upstream_key(bed, name)}
    assert polled[-1].json["done"] is True
    listed = (await bed.ask("GET", "/v1beta/batches")).json
    assert [one["name"] for one in listed["operations"]] == [name]
    for method, path in (("GET", name), ("POST", f"{name}:cancel"), ("DELETE", name)):
        assert (await bed.ask(method, f"/v1beta/{path}", key=OTHER)).status == 404
    assert (await bed.ask("POST", f"/v1beta/{name}:cancel", {})).status == 200
    assert (await bed.ask("GET", f"/v1beta/{name}")).json["metadata"]["state"] == "BATCH_STATE_CANCELLED"
    assert (await bed.ask("DELETE", f"/v1beta/{name}")).status == 200
    assert (await bed.ask("GET", f"/v1beta/{name}")).status == 404


async def _finished_video(bed: Bed, operation: str) -> str:
    """Poll until it is done; give the name of the video."""
    for _ in range(4):
        polled = await bed.ask("GET", f"/v1beta/{operation}")
        assert polled.status == 200 and bed.up.last.key == _upstream_key(bed, operation)
        if polled.json.get("done"):
            uri: str = polled.json["response"]["generateVideoResponse"]["generatedSamples"][0]["video"]["uri"]
            return "files/" + uri.rpartition("/files/")[2].partition(":")[0]
    raise AssertionError("it is never done")


async def test_operations(bed: Bed) -> None:
    path = generate_path("veo-3.1-generate-preview", "predictLongRunning")
    made = await bed.ask("POST", path, {"instances": [{"prompt": "x"}]})
    name = made.json["name"]
    assert name.startswith("models/veo-3.1-generate-preview/operations/")
    assert (await bed.ask("GET", f"/v1beta/{name}", key=OTHER)).status == 404
    video = await _finished_video(bed, name)
    download = await bed.ask("GET", f"/v1beta/{video}:download?alt=media")
    assert (download.status, download.body) == (200, bed.up.resources.contents[video])
    assert download.header("content-type") == "video/mp4"
    assert (await bed.ask("GET", f"/v1beta/{video}:download?alt=media", key=OTHER)).status == 404


async def test_interactions(bed: Bed) -> None:
    for _ in range(3):
        made = await bed.ask("POST", "/v1beta/interactions", {"model": FLASH, "input": "hi"})
        number = made.json["id"]
        key = _upstream_key(bed, f"interactions/{number}")
        again = {"model": FLASH, "input": "and", "previous_interaction_id": number}
        following = await bed.ask("POST", "/v1beta/interactions", again)
        assert (following.status, bed.up.last.key) == (200, key)
        streamed = await bed.ask("POST", "/v1beta/interactions", again | {"stream": True})
        assert (streamed.status, bed.up.last.key) == (200, key)
        for path in (f"/v1beta/interactions/{number}", f"/v1/interactions/{number}"):
            assert ((await bed.ask("GET", path)).status, bed.up.last.key) == (200, key)
        assert (await bed.ask("POST", "/v1beta/interactions", again, key=OTHER)).status == 404
        assert (await bed.ask("GET", f"/v1beta/interactions/{number}", key=OTHER)).status == 404


async def test_a_streamed_interaction_is_remembered(bed: Bed) -> None:
    for _ in range(2):
        body = {"model": FLASH, "input": "hi", "stream": True}
        async with bed.open("POST", "/v1beta/interactions", body) as (_, reply):
            assert (reply.header("content-type") or "").startswith("text/event-stream")
            events = [(name, data) async for name, data in reply.events()]
        assert next(name for name, _ in events) == "interaction.created" and events[-1] == ("done", "[DONE]")
        number = json.loads(events[0][1])["interaction"]["id"]
        key = _upstream_key(bed, f"interactions/{number}")
        for _ in range(2):
            again = {"model": FLASH, "input": "and", "previous_interaction_id": number}
            assert ((await bed.ask("POST", "/v1beta/interactions", again)).status, bed.up.last.key) == (200, key)
        assert (await bed.ask("DELETE", f"/v1beta/interactions/{number}")).status == 200
        assert (await bed.ask("GET", f"/v1beta/interactions/{number}")).status == 404


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "files/nobody"),
        ("DELETE", "files/nobody"),
        ("GET", "cachedContents/nobody"),
        ("PATCH", "cachedContents/nobody"),
        ("GET", "batches/nobody"),
        ("POST", "batches/nobody:cancel"),
        ("GET", f"models/{FLASH}/operations/nobody"),
        ("GET", "interactions/nobody"),
        ("POST", "interactions/nobody/cancel"),
        ("GET", "fileSearchStores/nobody/documents/x"),
    ],
)
async def test_what_nobody_owns_is_not_found(bed: Bed, method: str, path: str) -> None:
    answer = await bed.ask(method, f"/v1beta/{path}", {} if method in ("PATCH", "POST") else None)
    assert (answer.status, answer.error["status"]) == (404, "NOT_FOUND") and bed.up.requests == []


async def test_a_reply_that_waits_is_remembered_before_it_is_seen(bed: Bed) -> None:
    """The next request may come on another connection at once."""
    made = await asyncio.gather(*(bed.ask("POST", "/v1beta/cachedContents", _cache()) for _ in range(20)))
    got = await asyncio.gather(*(bed.ask("GET", f"/v1beta/{one.json['name']}") for one in made))
    assert {one.status for one in got} == {200}


# ── through Chat ──


@pytest.mark.parametrize("role", ["user", "system", "tool"])
@pytest.mark.parametrize("keys", ["A", "A,B"])
async def test_chat_uses_a_file_under_its_key_and_nobody_elses(role: str, keys: str) -> None:
    with running_bed(keys=keys) as bed:
        file = await _upload(bed, key=CALLER)
        owner = bed.up.requests[-1].header("x-goog-api-key") or bed.up.requests[0].header("x-goog-api-key")
        part = {"type": "file", "file": {"file_id": file["name"]}}
        asked: list[Any] = [{"role": role, "content": [part], "tool_call_id": "c"}, {"role": "user", "content": "hi"}]
        if role == "tool":
            call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
            asked = [{"role": "user", "content": "go"}, {"role": "assistant", "tool_calls": [call]}, *asked]
        for _ in range(3):
            mine = await bed.chat(messages=asked)
            assert mine.status == 200, mine.body
            assert bed.up.last.header("x-goog-api-key") == owner
        said = len(bed.up.requests)
        body = {"model": FLASH, "messages": asked}
        foreign = await bed.ask("POST", "/v1/chat/completions", body, key=OTHER)
        assert foreign.status == 404 and len(bed.up.requests) == said, foreign.body


@pytest.mark.parametrize(
    "address",
    [
        "HTTPS://GENERATIVELANGUAGE.GOOGLEAPIS.COM/v1beta/{name}",
        "https://generativelanguage.googleapis.com:443/v1beta/{name}",
        "https://generativelanguage.googleapis.com./v1beta/{name}",
        "https://x@generativelanguage.googleapis.com/v1beta/{name}",
        "https://generativelanguage.googleapis.com/v1beta/%66iles/{id}",
        "https://generativelanguage.googleapis.com/v1beta//{name}?key=1",
    ],
)
async def test_no_spelling_of_an_address_leads_to_somebody_elses_file(bed: Bed, address: str) -> None:
    file = await _upload(bed, key=OTHER)
    url = address.format(name=file["name"], id=file["name"].removeprefix("files/"))
    said = len(bed.up.requests)
    for model in (FLASH, "gemini-3.1-pro-preview-file"):
        content = [{"type": "image_url", "image_url": {"url": url}}]
        answer = await bed.chat(model=model, messages=[{"role": "user", "content": content}])
        assert answer.status in (400, 404), answer.body
    assert len(bed.up.requests) == said
