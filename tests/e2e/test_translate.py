"""The dry run: what it shows is what the upstream would get, and nothing happens."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.bed.recordings import ExampleCall, load_calls, needs_shared
from tests.bed.upstream import FakeUpstream, reply
from tests.e2e.bed import CALLER, CHAT, FLASH, NATIVE, Answered, Bed, generate_path, running_bed

PATH = "/v1/translate"
SHOWN = [call for call in load_calls() if call.path.endswith("/chat/completions") or ":" in call.path]


@pytest.fixture(scope="module")
def web() -> Iterator[FakeUpstream]:
    """A web server of pictures."""
    with FakeUpstream.in_thread() as web:
        web.script = lambda _: reply(b"\x89PNG\r\n\x1a\n" + bytes(8), content_type="image/png")
        yield web


@pytest.fixture(scope="module")
def module_bed() -> Iterator[Bed]:
    with running_bed({"GEMGATE_MEDIA_ALLOW": "127.0.0.1"}) as bed:
        yield bed


async def _shown(bed: Bed, body: Any, path: str = "/v1/chat/completions", **more: Any) -> Any:
    answer = await bed.ask("POST", PATH, {"path": path, "body": body} | more)
    assert answer.status == 200, answer.body
    assert bed.up.requests == []
    return answer.json


async def _refused(bed: Bed, document: Any, status: int = 400) -> Any:
    answer: Answered = await bed.ask("POST", PATH, document)
    assert answer.status == status, answer.body
    assert bed.up.requests == []
    return answer.error


async def test_a_key_is_needed(bed: Bed) -> None:
    document = {"body": CHAT}
    for key in (None, "wrong"):
        answer = await bed.ask("POST", PATH, document, key=key)
        assert answer.status == 401 and answer.error["code"] == "invalid_api_key"
    assert (await bed.ask("POST", PATH, document, {"authorization": f"Bearer {CALLER}"}, key=None)).status == 200
    got = await bed.ask("GET", PATH)
    assert got.status == 405 and got.header("allow") == "POST"


@needs_shared
@pytest.mark.parametrize("call", [pytest.param(call, id=call.name) for call in SHOWN])
async def test_it_shows_what_is_sent(bed: Bed, call: ExampleCall) -> None:
    target = call.path + (f"?{call.query}" if call.query else "")
    shown = await _shown(bed, call.body, target)
    answer = await bed.ask("POST", target, call.body)
    assert answer.status == 200, answer.body
    received = bed.up.last
    assert shown["request"]["method"] == received.method
    assert shown["request"]["url"] == bed.up.base_url + received.target
    # Not only the same document: the same order too.
    assert list(shown["request"]["body"].items()) == list(received.json.items())
    sent, asked = shown["model"]["sent"], shown["model"]["asked"]
    assert answer.header("x-gemgate-model") == (sent if sent != asked else None)
    assert [item["path"] for item in shown["dropped"]] == [] and shown["fetched"] == [] and shown["times"] == 1


async def test_what_is_dropped_and_renamed(bed: Bed) -> None:
    function = {"name": "my tool/é", "parameters": {"type": "object", "properties": {}}}
    body = CHAT | {"logit_bias": {"1": 2}, "tools": [{"type": "function", "function": function}, {"type": "teleport"}]}
    shown = await _shown(bed, body)
    assert {item["path"] for item in shown["dropped"]} == {"logit_bias", "tools.1"}
    assert all(item["why"] for item in shown["dropped"])
    ((client, sent),) = shown["renamed"].items()
    answer = await bed.ask("POST", "/v1/chat/completions", body)
    assert client == "my tool/é" and sent == bed.up.last.json["tools"][0]["functionDeclarations"][0]["name"]
    assert {item["path"] for item in shown["dropped"]} == set((answer.header("x-gemgate-dropped") or "").split(", "))


async def test_media_are_named_and_nobody_is_called(bed: Bed, web: FakeUpstream) -> None:
    """The one difference to what is sent: the data are not there yet."""
    url = f"{web.base_url}/cat.png"
    content = [{"type": "text", "text": "what?"}, {"type": "image_url", "image_url": {"url": url}}]
    body = CHAT | {"messages": [{"role": "user", "content": content}]}
    shown = await _shown(bed, body)
    assert shown["fetched"] == [url] and web.connections == 0
    assert (await bed.ask("POST", "/v1/chat/completions", body)).status == 200
    assert len(web.requests) == 1
    sent = bed.up.last.json
    assert sent["contents"][0]["parts"][1]["inlineData"].pop("data")
    assert shown["request"]["body"] == sent


async def test_several_choices(bed: Bed) -> None:
    body = CHAT | {"n": 3, "seed": 5}
    shown = await _shown(bed, body)
    assert shown["times"] == 3 and shown["dropped"] == []
    answer = await bed.ask("POST", "/v1/chat/completions", body)
    assert len(answer.json["choices"]) == len(bed.up.requests) == 3
    assert shown["request"]["body"] in [request.json for request in bed.up.requests]
    assert sorted(request.json["generationConfig"]["seed"] for request in bed.up.requests) == [5, 6, 7]


async def test_native_methods_are_shown_as_they_are_relayed(bed: Bed) -> None:
    path = generate_path(f"{FLASH}-thinking-search") + f"?key={CALLER}&x=1"
    shown = await _shown(bed, NATIVE, path)
    answer = await bed.ask("POST", path, NATIVE)
    assert answer.status == 200 and shown["format"] == "gemini"
    assert shown["request"]["url"] == bed.up.base_url + bed.up.last.target and CALLER not in json.dumps(shown)
    assert shown["request"]["body"] == bed.up.last.json != NATIVE


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({"messages": [{"role": "robot", "content": "x"}]}, "/v1/chat/completions"),
        ({"messages": []}, "/v1/chat/completions"),
        ({"temperature": "hot"}, "/v1/chat/completions"),
        ({"n": 17}, "/v1/chat/completions"),
        ({"model": ""}, "/v1/chat/completions"),
        ({"reasoning_effort": "low", "google": {"thinking_config": {"thinking_budget": 5}}}, "/v1/chat/completions"),
    ],
)
async def test_faults_are_those_of_answering(bed: Bed, body: dict[str, Any], path: str) -> None:
    shown = await _refused(bed, {"path": path, "body": CHAT | body})
    answered = await bed.ask("POST", path, CHAT | body)
    assert answered.status == 400 and shown == answered.error and shown["param"]


async def test_faults_of_its_own(bed: Bed) -> None:
    assert (await _refused(bed, {}))["param"] == "body"
    assert (await _refused(bed, {"body": CHAT, "path": "/v1/dance"}))["param"] == "path"
    assert (await _refused(bed, {"body": CHAT, "format": "dance"}))["param"] == "format"
    assert (await _refused(bed, b"{"))["code"] == "invalid_json"
