"""What a second caller, or a careless client, must not be able to do: every row was once possible."""

import asyncio
import json
from pathlib import Path

import pytest

from tests.bed.gateway import running_gateway
from tests.bed.upstream import Gate, reply, stall
from tests.bed.wire import Connection
from tests.e2e.bed import CALLER, NATIVE, OTHER, Bed, generate_path, running_bed

VEO = "veo-3.1-generate-preview"


async def _operation(bed: Bed) -> str:
    made = await bed.ask("POST", generate_path(VEO, "predictLongRunning"), {"instances": [{"prompt": "x"}]})
    return made.json["name"]


async def test_another_callers_operation_is_not_found_however_it_is_spelled(bed: Bed) -> None:
    name = await _operation(bed)
    before = len(bed.up.requests)
    spellings = (name, name.replace("veo-", "veo%2D"), name.replace("operations", "%6Fperations"))
    for spelled in spellings:
        assert (await bed.ask("GET", f"/v1beta/{spelled}", key=OTHER)).status == 404, spelled
    for method in ("cancel", "wait", "generateContent"):
        assert (await bed.ask("POST", f"/v1beta/{name}:{method}", {}, key=OTHER)).status == 404, method
    listed = await bed.ask("GET", f"/v1beta/models/{VEO}/operations", key=OTHER)
    assert name not in listed.body.decode()
    assert len(bed.up.requests) == before, "the upstream was asked"
    assert (await bed.ask("GET", f"/v1beta/{name.replace('veo-', 'veo%2D')}")).status == 200


@pytest.mark.parametrize("spelling", [r"cachedContents\/{}", r"cachedContents\u002f{}", "cachedContents/{}"])
async def test_another_callers_cache_is_not_found_however_the_body_spells_it(bed: Bed, spelling: str) -> None:
    cache = {"model": "models/gemini-2.5-flash", "contents": NATIVE["contents"], "ttl": "60s"}
    name = (await bed.ask("POST", "/v1beta/cachedContents", cache)).json["name"].rpartition("/")[2]
    body = json.dumps(NATIVE)[:-1] + ', "cachedContent": "' + spelling.format(name) + '"}'
    assert (await bed.ask("POST", generate_path(), body.encode(), key=OTHER)).status == 404
    bed.up.requests.clear()
    assert (await bed.ask("POST", generate_path(), body.encode())).status == 200
    assert bed.up.last.key == bed.up.resources.owners[f"cachedContents/{name}"]


@pytest.mark.parametrize("method", ["TRACE", "CONNECT", "PROPFIND"])
async def test_only_ordinary_methods_go_upstream(bed: Bed, method: str) -> None:
    answer = await bed.ask(method, "/v1beta/models/x")
    assert answer.status in (400, 405) and not bed.up.requests


async def test_the_older_form_of_uploads_is_led_back_here_too(bed: Bed) -> None:
    there = f"{bed.up.base_url}/upload/v1beta/files?upload_id=theirs"
    bed.up.answer(reply(b"", headers={"Location": there}), to="/upload/")
    begun = await bed.ask("POST", "/upload/v1beta/files?uploadType=resumable", {"file": {}})
    location = begun.header("location") or ""
    assert location.startswith(f"{bed.url}/upload/v1beta/files?upload_id=") and "theirs" not in location


async def test_a_models_name_is_one_segment_of_a_path(bed: Bed) -> None:
    for model in ("../batches/x:cancel?y=", "..", "a/b:c", "x?key=y", "m" * 3000):
        answer = await bed.chat(model=model)
        assert (answer.status, answer.error["code"]) == (404, "model_not_found"), model
        assert not bed.up.requests


async def test_a_head_has_limits(bed: Bed) -> None:
    async with await Connection.open(bed.url) as connection:
        await connection.send(b"GET /health HTTP/1.1\r\nHost: x\r\n" + b"X-A: b\r\n" * 20_000)
        assert b" 431 " in await connection.read_until(b"\r\n\r\n")
    assert (await bed.ask("GET", "/health")).status == 200


async def test_probes_are_answered_by_a_busy_server() -> None:
    with running_bed(toml="[server]\nmax_requests = 1\n") as bed:
        bed.up.answer(stall(gate := Gate()))
        waiting = asyncio.create_task(bed.native())
        await gate.arrived.wait()
        assert (await bed.ask("GET", "/health")).status == 200
        assert (await bed.chat()).status == 503
        gate.open()
        assert (await waiting).status == 200


def test_googles_sdk_takes_signs_of_life(tmp_path: Path) -> None:
    genai = pytest.importorskip("google.genai")
    pytest.importorskip("xllamacpp")
    env = {"GEMINI_API_KEYS": "", "API_KEYS": CALLER}
    settings = tmp_path / "beat.toml"
    settings.write_text("[server]\nkeepalive_after_seconds = 0.01\n")
    with running_gateway(env | {"GEMGATE_CONFIG": str(settings)}) as gateway:
        client = genai.Client(api_key=CALLER, http_options={"base_url": gateway.base_url})
        said = [chunk.text for chunk in client.models.generate_content_stream(model="any", contents="Hello!")]
        assert "".join(filter(None, said)).strip()
        client.close()
