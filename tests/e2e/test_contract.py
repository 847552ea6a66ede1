"""What every answer holds: headers, credentials in every form, CORS, and no secret on the wrong side."""

import json
import re
from typing import Any

import pytest

from tests.bed.upstream import error, invalid_key
from tests.e2e.bed import CALLER, CHAT, FLASH, NATIVE, OTHER, Bed, generate_path, running_bed, until

ROUTES: dict[str, tuple[str, str, Any]] = {
    "chat": ("POST", "/v1/chat/completions", CHAT),
    "chat-prefix": ("POST", "/gemini/v1/chat/completions", CHAT),
    "chat-openai-prefix": ("POST", "/openai/v1/chat/completions", CHAT),
    "chat-beta-prefix": ("POST", "/v1beta/openai/chat/completions", CHAT),
    "models": ("GET", "/v1/models", None),
    "model": ("GET", f"/v1/models/{FLASH}", None),
    "native-models": ("GET", "/v1beta/models", None),
    "native": ("POST", generate_path(), NATIVE),
    "native-v1": ("POST", generate_path(version="v1"), NATIVE),
    "native-stream": ("POST", generate_path(method="streamGenerateContent") + "?alt=sse", NATIVE),
    "caches": ("GET", "/v1beta/cachedContents", None),
    "files": ("GET", "/v1beta/files", None),
    "interactions": ("POST", "/v1/interactions", {"model": FLASH, "input": "hi"}),
    "upload": ("POST", "/upload/v1beta/files", {"file": {"display_name": "x"}}),
}
UPLOAD = {"x-goog-upload-protocol": "resumable", "x-goog-upload-command": "start"}
FORMS = {
    "bearer": lambda key: {"Authorization": f"Bearer {key}"},
    "bearer-small": lambda key: {"authorization": f"bearer {key}"},
    "raw": lambda key: {"Authorization": key},
    "x-api-key": lambda key: {"x-api-key": key},
    "x-goog-api-key": lambda key: {"x-goog-api-key": key},
    "api-key": lambda key: {"api-key": key},
}


def _with_key(path: str, key: str) -> str:
    return f"{path}{'&' if '?' in path else '?'}key={key}"


# ── what needs no key ──


async def test_probes(bed: Bed) -> None:
    health = await bed.ask("GET", "/health", key=None)
    assert (health.status, health.json) == (200, {"status": "ok"})
    assert (await bed.ask("GET", "/ready", key=None)).status == 200
    home, head = await bed.ask("GET", "/", key=None), await bed.ask("HEAD", "/", key=None)
    assert (home.status, head.status, head.body) == (200, 200, b"")
    assert home.json["name"] == "gemgate"
    for answer in (health, home, head):
        assert (answer.header("x-gemgate-upstream"), answer.header("x-gemgate-attempts")) == ("none", "0")
    assert bed.up.requests == []


async def test_a_head_is_its_get_without_the_body(bed: Bed) -> None:
    for path in ("/", "/health", "/v1/models"):
        full, head = await bed.ask("GET", path), await bed.ask("HEAD", path)
        assert (head.status, head.body, head.header("content-length")) == (200, b"", str(len(full.body))), path


# ── headers ──


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "upstream", "attempts"),
    [
        ("POST", "/v1/chat/completions", CHAT, 200, "gemini", "1"),
        ("POST", "/v1/chat/completions", CHAT | {"stream": True}, 200, "gemini", "1"),
        ("POST", generate_path(), NATIVE, 200, "gemini", "1"),
        ("POST", generate_path(method="countTokens"), NATIVE, 200, "gemini", "1"),
        ("GET", "/v1beta/models", None, 200, "gemini", "1"),
        ("GET", "/v1/models", None, 200, "none", "0"),
        ("POST", "/v1/chat/completions", b"{", 400, "none", "0"),
        ("POST", "/v1/nothing", {}, 404, "none", "0"),
        ("GET", "/v1/chat/completions", None, 405, "none", "0"),
        ("GET", "/v1beta/files/nobody", None, 404, "none", "0"),
        ("OPTIONS", "/v1/chat/completions", None, 204, "none", "0"),
        ("POST", generate_path("models:odd"), NATIVE, None, None, None),
    ],
)
async def test_every_answer_tells_its_story(
    bed: Bed, method: str, path: str, body: Any, status: int | None, upstream: str | None, attempts: str | None
) -> None:
    answer, again = await bed.ask(method, path, body), await bed.ask(method, path, body)
    assert re.fullmatch(r"req_[0-9a-f]{24}", answer.header("x-request-id") or "")
    assert answer.header("x-request-id") != again.header("x-request-id")
    assert answer.header("x-gemgate-upstream") in ("gemini", "none")
    if status is not None:
        told = answer.status, answer.header("x-gemgate-upstream"), answer.header("x-gemgate-attempts")
        assert told == (status, upstream, attempts)
    assert answer.header("x-gemgate-model") is None and answer.header("x-gemgate-dropped") is None
    names = [name.lower() for name, _ in answer.reply.headers]
    assert len(names) == len(set(names)), "a header stands twice"


async def test_a_401_tells_it_too(bed: Bed) -> None:
    answer = await bed.chat(headers={"x-api-key": "wrong"})
    assert answer.status == 401 and answer.header("x-request-id")
    assert (answer.header("x-gemgate-upstream"), answer.header("x-gemgate-attempts")) == ("none", "0")
    assert answer.header("www-authenticate") == "Bearer"


@pytest.mark.parametrize(
    ("asked", "sent"),
    [
        (FLASH, None),
        (f"models/{FLASH}", None),
        ("gemini-unheard-of", None),
        ("gemini-2.0-flash", "gemini-3.5-flash-lite"),
        ("gemini-2.0-flash-exp-image-generation", "gemini-2.5-flash-image"),
        ("gemini-3-pro-preview", "gemini-3.1-pro-preview"),
        (f"{FLASH}-thinking", FLASH),
    ],
)
async def test_the_model_is_told_where_another_went_upstream(bed: Bed, asked: str, sent: str | None) -> None:
    native = asked.removeprefix("models/")
    for answer in (
        await bed.chat(model=asked),
        await bed.chat(model=asked, stream=True),
        await bed.native(native),
        await bed.ask("POST", generate_path(native, "streamGenerateContent") + "?alt=sse", NATIVE),
    ):
        assert (answer.status, answer.header("x-gemgate-model")) == (200, sent)
        assert f"/models/{sent or native}:" in bed.up.last.path


# ── drops ──


async def test_drops_are_named(bed: Bed) -> None:
    for stream in (False, True):
        answer = await bed.chat(stream=stream, presence_penalty=1.0, logit_bias={"1": 2}, my_own="x")
        assert answer.status == 200
        named = (answer.header("x-gemgate-dropped") or "").split(", ")
        assert sorted(named) == ["logit_bias", "my_own", "presence_penalty"]


async def test_what_has_no_effect_is_no_drop(bed: Bed) -> None:
    quiet = {
        "user": "u",
        "metadata": {"a": "b"},
        "store": True,
        "prompt_cache_key": "k",
        "logit_bias": None,
        "presence_penalty": 0,
        "frequency_penalty": None,
        "tools": [],
        "tool_choice": "auto",
        "stop": None,
        "stream": None,
        "n": 1,
        "max_tokens": 0,
        "parallel_tool_calls": True,
        "my_own": [],
    }
    answer = await bed.chat(headers={"x-gemgate-strict": "1"}, **quiet)
    assert (answer.status, answer.header("x-gemgate-dropped")) == (200, None), answer.body


@pytest.mark.parametrize(
    ("more", "named"),
    [
        ({"logit_bias": {"1": 2}}, "logit_bias"),
        ({"presence_penalty": 1.0}, "presence_penalty"),
        ({"my_own": 1}, "my_own"),
        ({"model": "gemini-3.6-flash", "temperature": 0.2}, "temperature"),
    ],
)
async def test_strict_refuses_what_would_be_dropped(bed: Bed, more: Any, named: str) -> None:
    for stream in (False, True):
        loose = await bed.chat(stream=stream, **more)
        assert (loose.status, loose.header("x-gemgate-dropped")) == (200, named)
        before = len(bed.up.requests)
        strict = await bed.chat(headers={"x-gemgate-strict": "1"}, stream=stream, **more)
        assert strict.status == 400 and len(bed.up.requests) == before
        assert strict.error["param"] == named and named in strict.error["message"]
        assert strict.error["code"] == "would_be_dropped"


async def test_many_drops_are_cut(bed: Bed) -> None:
    many: dict[str, Any] = {f"a_rather_long_field_name_{number}": 1 for number in range(100)}
    answer = await bed.chat(**many)
    dropped = (answer.header("x-gemgate-dropped") or "").encode("latin-1").decode()
    assert answer.status == 200 and dropped.endswith(", …") and 900 < len(dropped.encode()) <= 1024 + 5
    assert all(re.fullmatch(r"a_rather_long_field_name_\d+|…", name) for name in dropped.split(", "))


# ── credentials ──


@pytest.mark.parametrize("route", ROUTES)
async def test_every_auth_form_on_every_route(bed: Bed, route: str) -> None:
    method, path, body = ROUTES[route]
    more = UPLOAD if route == "upload" else {}
    for name, form in FORMS.items():
        answer = await bed.ask(method, path, body, more | form(CALLER), key=None)
        assert answer.status == 200, (name, answer.body)
        assert (await bed.ask(method, path, body, more | form("wrong"), key=None)).status == 401, name
    assert (await bed.ask(method, _with_key(path, CALLER), body, more, key=None)).status == 200
    assert (await bed.ask(method, _with_key(path, "wrong"), body, more, key=None)).status == 401
    assert (await bed.ask(method, path, body, more, key=None)).status == 401
    for request in bed.up.requests:
        sent = f"{request.target} {request.headers} {request.body!r}"
        assert CALLER not in sent and "wrong" not in sent
        assert request.key in ("A", "B") and "key" not in request.query


@pytest.mark.parametrize("place", [*FORMS, "query"])
async def test_any_valid_credential_wins(bed: Bed, place: str) -> None:
    method, path, body = ROUTES["native"]
    headers = {"Authorization": "Bearer no", "x-api-key": "no", "x-goog-api-key": "no", "api-key": "no"}
    target = _with_key(path, CALLER if place == "query" else "no")
    if place != "query":
        good = FORMS[place](CALLER)
        headers = {name: value for name, value in headers.items() if name.lower() not in {n.lower() for n in good}}
        headers |= good
    assert (await bed.ask(method, target, body, headers, key=None)).status == 200
    assert "key" not in bed.up.last.query


async def test_a_key_with_signs_in_it_may_be_encoded_in_the_query() -> None:
    with running_bed({"API_KEYS": "a+b/c=="}) as bed:
        for key in ("a%2Bb%2Fc%3D%3D", "a+b/c=="):
            answer = await bed.ask("POST", f"{generate_path()}?key={key}", NATIVE, key=None)
            assert answer.status == 200 and bed.up.last.query == {}


@pytest.mark.parametrize(
    ("method", "path", "headers", "form"),
    [
        ("POST", "/v1/chat/completions", {}, "openai"),
        ("GET", "/v1/models", {}, "openai"),
        ("GET", "/v1/models", {"anthropic-version": "2023-06-01"}, "anthropic"),
        ("GET", "/v1/models", {"x-goog-api-key": "no"}, "gemini"),
        ("GET", "/v1/models?key=no", {}, "gemini"),
        ("POST", generate_path(), {}, "gemini"),
        ("POST", generate_path(version="v1"), {}, "gemini"),
        ("GET", "/v1alpha/files", {}, "gemini"),
        ("POST", "/upload/v1beta/files", {}, "gemini"),
        ("POST", "/v1beta/openai/chat/completions", {}, "openai"),
    ],
)
async def test_a_401_in_each_format(bed: Bed, method: str, path: str, headers: dict[str, str], form: str) -> None:
    answer = await bed.ask(method, path, {} if method == "POST" else None, headers, key=None)
    assert answer.status == 401
    found = answer.error
    match form:
        case "openai":
            assert (found["type"], found["code"]) == ("invalid_request_error", "invalid_api_key")
        case "anthropic":
            assert (answer.json["type"], found["type"]) == ("error", "authentication_error")
            assert answer.header("request-id")
        case _:
            assert (found["code"], found["status"]) == (401, "UNAUTHENTICATED")
            assert found["details"][0]["reason"] == "API_KEY_INVALID"
    assert found["message"] and bed.up.requests == []


# ── other origins ──


@pytest.mark.parametrize("path", ["/v1/chat/completions", generate_path(), "/health", "/upload/v1beta/files"])
async def test_preflight_needs_no_key(bed: Bed, path: str) -> None:
    asked = {
        "Origin": "https://a.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization, x-stainless-os",
    }
    answer = await bed.ask("OPTIONS", path, headers=asked, key=None)
    assert (answer.status, answer.body) == (204, b"")
    assert answer.header("access-control-allow-origin") == "*"
    assert answer.header("access-control-allow-credentials") is None
    assert "POST" in (answer.header("access-control-allow-methods") or "")
    assert answer.header("access-control-allow-headers") == "authorization, x-stainless-os"


async def test_answers_can_be_read_by_pages(bed: Bed) -> None:
    origin = {"Origin": "https://a.example"}
    for answer in (
        await bed.chat(headers=origin),
        await bed.chat(headers=origin, stream=True),
        await bed.native(headers=origin),
        await bed.chat(headers=origin, model=""),
        await bed.chat(headers=origin | {"x-api-key": "no"}),
    ):
        assert answer.header("access-control-allow-origin") == "*"
        assert answer.header("access-control-expose-headers") == "*"


async def test_origins_can_be_named() -> None:
    with running_bed({"GEMGATE_CORS_ORIGINS": "https://a.example,https://b.example"}) as bed:
        good = await bed.chat(headers={"Origin": "https://b.example"})
        bad = await bed.chat(headers={"Origin": "https://evil.example"})
        assert good.header("access-control-allow-origin") == "https://b.example"
        assert bad.header("access-control-allow-origin") is None
        assert {good.header("vary"), bad.header("vary")} == {"origin"}


# ── secrets ──

CANARY, OTHER_CANARY = "canaryclient77001", "canaryclient77002"
SECRET, OTHER_SECRET = "canaryupstream88001", "canaryupstream88002"


@pytest.mark.parametrize("form", ["text", "json"])
async def test_secrets_stay_on_their_side(form: str) -> None:
    env = {"API_KEYS": f"{CANARY},{OTHER_CANARY}", "LOG_LEVEL": "debug", "LOG_FORMAT": form}
    said: list[bytes] = []
    with running_bed(env, keys=f"{SECRET},{OTHER_SECRET}", toml="[gemini]\nmax_attempts = 2\n") as bed:

        async def ask(method: str, path: str, body: Any, headers: dict[str, str]) -> None:
            answer = await bed.ask(method, path, body, headers, key=None)
            said.append(json.dumps(answer.reply.headers).encode() + answer.body)

        for name, (method, path, body) in ROUTES.items():
            more = UPLOAD if name == "upload" else {}
            for made in FORMS.values():
                await ask(method, path, body, more | made(CANARY))
            await ask(method, _with_key(path, CANARY), body, more)
            await ask(method, _with_key(path, CANARY) + "&key=" + OTHER_CANARY, body, {"x-api-key": OTHER_CANARY})
        good = {"x-goog-api-key": CANARY}
        for trouble in (
            error(400, "bad"),
            error(404, "gone"),
            invalid_key(),
            error(403, f"The key {SECRET} is suspended", reason="CONSUMER_SUSPENDED"),
            error(500),
        ):
            for method, path, body in (ROUTES["chat"], ROUTES["native"], ROUTES["native-stream"]):
                bed.up.always = trouble
                await ask(method, path, body, good)
        bed.up.always = None
        for path in (f"/v1/nope?key={CANARY}", f"/v1/models/x?key={CANARY}&access_token={CANARY}"):
            await ask("GET", path, None, good)
        requests = list(bed.up.requests)
        assert bed.gateway.stop() == 0
        log = bed.gateway.log()
    assert len(requests) > 60 and "/v1/chat/completions" in log
    for request in requests:
        sent = f"{request.target} {request.headers} {request.body!r}"
        assert CANARY not in sent and OTHER_CANARY not in sent, request
        assert request.header("cookie") is None and request.header("authorization") is None
    for key in (CANARY, OTHER_CANARY, SECRET, OTHER_SECRET):
        assert key not in log, "a key stands in the log"
        for told in said:
            assert key.encode() not in told, told


async def test_two_callers_are_told_apart_in_the_log(bed: Bed) -> None:
    await bed.native()
    await bed.native(key=OTHER)
    await until(lambda: bed.gateway.log().count("generateContent") >= 2)
    assert CALLER not in bed.gateway.log() and OTHER not in bed.gateway.log()
