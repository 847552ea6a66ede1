"""Whatever comes in, an error in the client's own format goes out at once, and the server goes on."""

import asyncio
import contextlib
import time
from collections.abc import Iterator
from typing import Any

import pytest

from tests.bed.upstream import not_found_model, stall
from tests.bed.upstream.connection import chunk
from tests.bed.wire import Connection, render
from tests.e2e.bed import (
    CALLER,
    CHAT,
    FLASH,
    NATIVE,
    ON_LINUX,
    Answered,
    Bed,
    generate_path,
    measured,
    peak_mb,
    reset_peak,
    running_bed,
)

CHAT_PATH = "/v1/chat/completions"
NATIVE_PATH = generate_path()
KEY = {"x-api-key": CALLER}
MOST_SECONDS = 1.0
JSON = {"content-type": "application/json"}


@pytest.fixture(autouse=True)
async def _goes_on(bed: Bed) -> Any:
    """After each test the server still serves."""
    before = len(bed.gateway.log())
    yield
    bed.up.reset()
    assert (await bed.chat()).status == 200
    assert bed.gateway.process.poll() is None
    assert "Traceback" not in bed.gateway.log()[before:]


async def _soon(asked: Any) -> Answered:
    began = time.monotonic()
    answer: Answered = await asked
    assert time.monotonic() - began < MOST_SECONDS
    return answer


def _is_openai(answer: Answered, status: int = 400) -> Any:
    assert answer.status == status, answer.body
    assert set(answer.error) == {"message", "type", "param", "code"} and answer.error["message"]
    return answer.error


BROKEN = [
    b"",
    b"{",
    b"not json",
    b"[]",
    b"null",
    b'"text"',
    b"12",
    b"\xff\xfe{}",
    b'{"model": "m", "messages": [{"role": "user", "content": "\xc3\x28"}]}',
    b'{"model": "m\\ud800", "messages": "x"}',
    b"[" * 100_000,
    b'{"a":' * 50_000,
    b"\x00" * 1000,
]


@pytest.mark.parametrize("body", BROKEN, ids=range(len(BROKEN)))
async def test_broken_json_in_chat(bed: Bed, body: bytes) -> None:
    _is_openai(await _soon(bed.ask("POST", CHAT_PATH, body, JSON)))
    assert bed.up.requests == []


@pytest.mark.parametrize("place", ["metadata", "tools", "response_format"])
async def test_deep_nesting_in_chat(bed: Bed, place: str) -> None:
    deep = b'{"a":' * 20_000 + b"1" + b"}" * 20_000
    form = {
        "metadata": b'"metadata":%b' % deep,
        "tools": b'"tools":[{"type":"function","function":{"name":"f","parameters":%b}}]' % deep,
        "response_format": b'"response_format":{"type":"json_schema","json_schema":{"name":"x","schema":%b}}' % deep,
    }[place]
    body = b'{"model":"m","messages":[{"role":"user","content":"x"}],%b}' % form
    answer = await _soon(bed.ask("POST", CHAT_PATH, body, JSON))
    assert answer.status in (200, 400), answer.body


@pytest.mark.parametrize(
    ("more", "param"),
    [
        ({"messages": "x"}, "messages"),
        ({"messages": [1]}, "messages"),
        ({"messages": [{"role": "user", "content": 5}]}, "messages"),
        ({"messages": [{"role": "robot", "content": "x"}]}, "messages.0.role"),
        ({"messages": []}, "messages"),
        ({"model": 5}, "model"),
        ({"model": ""}, "model"),
        ({"model": None}, "model"),
        ({"temperature": "hot"}, "temperature"),
        ({"stream": "maybe"}, "stream"),
        ({"max_tokens": [1]}, "max_tokens"),
        ({"tools": {}}, "tools"),
        ({"tool_choice": 5}, "tool_choice"),
        ({"response_format": {"type": "yaml"}}, "response_format"),
        ({"stop": [1, 2]}, "stop"),
        ({"n": 17}, "n"),
        ({"n": "many"}, "n"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x:y"}}]}]},
            "messages.0",
        ),
    ],
)
async def test_wrong_types_are_named(bed: Bed, more: dict[str, Any], param: str) -> None:
    found = _is_openai(await _soon(bed.chat(**more)))
    assert (found["param"] or "").startswith(param), found
    assert bed.up.requests == []


async def test_a_tool_of_an_unknown_kind_is_left_out_and_told(bed: Bed) -> None:
    answer = await bed.chat(tools=[{"type": "teleport"}])
    assert answer.status == 200 and answer.header("x-gemgate-dropped") == "tools.0"
    assert "tools" not in bed.up.last.json
    bed.up.reset()
    answer = await bed.chat(tools=[{"type": "teleport"}], headers={"x-gemgate-strict": "1"})
    assert _is_openai(answer)["param"] == "tools.0" and bed.up.requests == []


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1:1/x.png",
        "http://localhost/x.png",
        "http://[::1]/x.png",
        "http://169.254.169.254/latest/meta-data",
        "http://10.0.0.1/x.png",
        "http://0x7f000001/x.png",
    ],
)
async def test_private_addresses_are_not_fetched(bed: Bed, url: str) -> None:
    content = [{"type": "image_url", "image_url": {"url": url}}]
    answer = await _soon(bed.chat(messages=[{"role": "user", "content": content}]))
    assert _is_openai(answer)["param"].startswith("messages.0.content"), answer.body
    assert bed.up.requests == []


async def test_missing_fields(bed: Bed) -> None:
    for field in ("messages", "model"):
        body = {name: value for name, value in CHAT.items() if name != field}
        assert field in _is_openai(await _soon(bed.ask("POST", CHAT_PATH, body)))["message"]


async def test_broken_native_bodies_are_the_upstreams_affair(bed: Bed) -> None:
    for body in (b"", b"{", b"[]", b"\xff"):
        answer = await _soon(bed.ask("POST", NATIVE_PATH, body, JSON))
        assert (answer.status, answer.error["status"]) == (400, "INVALID_ARGUMENT")
        assert bed.up.last.body == body


# ── size ──

LARGE = 200 * 1024 * 1024


@pytest.mark.parametrize("path", [CHAT_PATH, NATIVE_PATH, "/v1beta/cachedContents"])
async def test_a_large_body_that_is_declared(bed: Bed, path: str) -> None:
    async with await Connection.open(bed.url) as connection:
        began = time.monotonic()
        await connection.send(render("POST", path, "x", KEY | {"Content-Length": str(LARGE)}) + b"x" * 1000)
        reply = await connection.reply("POST")
        assert reply.status == 413 and time.monotonic() - began < MOST_SECONDS
        error = (await reply.json())["error"]
    if path == CHAT_PATH:
        assert (error["type"], error["code"]) == ("invalid_request_error", "request_too_large")
    else:
        assert (error["code"], error["status"]) == (413, "INVALID_ARGUMENT")
    assert bed.up.requests == []


@pytest.mark.skipif(not ON_LINUX, reason="memory is read from /proc")
async def test_a_large_body_of_unknown_length(bed: Bed) -> None:
    before, block = reset_peak(bed.gateway.process.pid), chunk(b"x" * 1024 * 1024)
    async with await Connection.open(bed.url, 30) as connection:
        await connection.send(render("POST", CHAT_PATH, "x", KEY | {"Transfer-Encoding": "chunked"}))
        answered = asyncio.create_task(connection.reply("POST"))
        sent = 0
        try:
            while sent < LARGE and not answered.done():
                await connection.send(block)
                sent += 1024 * 1024
        except ConnectionError:
            pass  # it answers and hangs up before we are done
        reply = await answered
        assert reply.status == 413 and (await reply.json())["error"]["code"] == "request_too_large"
    grown = peak_mb(bed.gateway.process.pid) - before
    measured(f"a body of 200 MB in chunks: refused after {sent / 1e6:.0f} MB, the gateway grew by {grown:.1f} MB")
    assert grown < 30


async def test_a_large_body_within_bounds_goes_through(bed: Bed) -> None:
    body = b'{"contents":[{"parts":[{"text":"%b"}]}]}' % (b"x" * 20_000_000)
    before = reset_peak(bed.gateway.process.pid) if ON_LINUX else 0
    answer = await bed.ask("POST", generate_path(method="countTokens"), body, timeout=30)
    assert answer.status == 200 and bed.up.last.body == body
    if ON_LINUX:
        grown = peak_mb(bed.gateway.process.pid) - before
        measured(f"a native body of 20 MB: the gateway grew by {grown:.1f} MB")


async def test_a_wrong_content_length(bed: Bed) -> None:
    for length in ("-1", "abc", "1, 2", "9" * 40):
        async with await Connection.open(bed.url) as connection:
            await connection.send(render("POST", CHAT_PATH, "x", KEY | {"Content-Length": length}))
            assert (await connection.reply("POST")).status in (400, 413)


async def test_compressed_bodies_are_refused(bed: Bed) -> None:
    answer = await bed.ask("POST", CHAT_PATH, b"x", {"content-encoding": "zstd"})
    assert answer.status == 415 and "zstd" in answer.error["message"]


# ── routes ──


async def test_an_unknown_model_in_each_format(bed: Bed) -> None:
    bed.up.always = not_found_model("nobody")
    for stream in (False, True):
        chat = _is_openai(await _soon(bed.chat(model="nobody", stream=stream)), 404)
        assert chat["code"] == "model_not_found" and "nobody" in chat["message"]
    native = await _soon(bed.native("nobody"))
    assert (native.status, native.error["status"]) == (404, "NOT_FOUND")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("POST", "/v1/completions", 404),
        ("POST", "/v1/", 405),
        ("GET", CHAT_PATH, 405),
        ("PUT", CHAT_PATH, 405),
        ("DELETE", "/v1/models", 405),
        ("DELETE", f"/v1/models/{FLASH}", 405),
        ("POST", "/health", 405),
        ("BREW", CHAT_PATH, 405),
    ],
)
async def test_wrong_routes_and_methods(bed: Bed, method: str, path: str, status: int) -> None:
    answer = await _soon(bed.ask(method, path, {} if method == "POST" else None))
    if method == "BREW" and answer.status == 400:
        return  # the parser knows the registered methods only
    found = _is_openai(answer, status)
    assert found["code"] == ("unknown_route" if status == 404 else "method_not_allowed")
    assert (answer.header("allow") is None) == (status == 404)
    assert bed.up.requests == []


async def test_wrong_routes_and_methods_in_geminis_format(bed: Bed) -> None:
    for method, path, status in (("GET", NATIVE_PATH, 405), ("POST", "/v1beta", 404), ("GET", "/v1beta/../x", 404)):
        answer = await _soon(bed.ask(method, path))
        assert (answer.status, answer.error["code"]) == (status, status), path
    answer = await _soon(bed.ask("POST", "/v1/nothing", {}, {"anthropic-version": "2023-06-01"}))
    assert (answer.status, answer.error["type"]) == (404, "not_found_error")


@pytest.mark.parametrize(
    "path",
    [
        "//v1//chat/completions",
        "/v1/v1/chat/completions",
        "/v1/chat/completions/chat/completions",
        "/v1/chat/completions/",
        "/gemini/v1/v1/chat/completions",
        "/openai/chat/completions",
        "//gemini//v1/chat/completions",
    ],
)
async def test_clumsy_paths_are_understood(bed: Bed, path: str) -> None:
    assert (await bed.ask("POST", path, CHAT)).status == 200


async def test_clumsy_native_paths_are_understood(bed: Bed) -> None:
    for path in (f"/{NATIVE_PATH}", NATIVE_PATH.replace("/models", "//models")):
        assert (await bed.ask("POST", path, NATIVE)).status == 200


@pytest.mark.parametrize("name", ["..%2f..%2fx", "a%20b", "%00", "%0d%0aX-Evil:%201", "%ff", "x" * 3000, "ü"])
async def test_odd_model_names_do_no_harm(bed: Bed, name: str) -> None:
    for path in (f"/v1beta/models/{name}:generateContent", f"/v1/models/{name}"):
        async with await Connection.open(bed.url) as connection:
            body = NATIVE if "generate" in path else None
            head = render("POST" if body else "GET", "/PATH", "x", KEY, body).replace(b"/PATH", path.encode(), 1)
            await connection.send(head)
            assert (await connection.reply()).status < 503
    for request in bed.up.requests:
        assert request.header("x-evil") is None and ".." not in request.target
    answer = await bed.chat(model="../../files/x?y\r\nX-Evil: 1")
    assert answer.status < 500
    for request in bed.up.requests:
        assert request.header("x-evil") is None
        assert request.target.startswith(("/v1beta/models", "/v1beta/models/")), request.target


# ── below HTTP ──


async def test_header_bombs(bed: Bed) -> None:
    many = "".join(f"X-H{number}: {'y' * 100}\r\n" for number in range(20_000))
    for head in (f"X-Long: {'x' * 1_000_000}\r\n", many):
        async with await Connection.open(bed.url) as connection:
            began = time.monotonic()
            try:
                await connection.send(
                    f"POST {CHAT_PATH} HTTP/1.1\r\nHost: x\r\n{head}Content-Length: 0\r\n\r\n".encode()
                )
                assert (await connection.reply()).status in (400, 401, 413, 431)
            except (ConnectionError, asyncio.IncompleteReadError):
                pass  # hanging up is an answer too
            assert time.monotonic() - began < 3


@pytest.mark.parametrize(
    "junk", [b"\x16\x03\x01\x02\x00\x01\x00", b"GET\r\n\r\n", b"\r\n\r\n\r\n", b"GET / HTTP/9.9\r\n\r\n"]
)
async def test_what_is_not_http(bed: Bed, junk: bytes) -> None:
    async with await Connection.open(bed.url, 1) as connection:
        await connection.send(junk)
        with contextlib.suppress(TimeoutError, ConnectionError):
            assert b"HTTP/1.1 200" not in await connection.read_some() or junk.startswith(b"GET / ")


async def test_half_requests_block_nobody(bed: Bed) -> None:
    head = f"POST {CHAT_PATH} HTTP/1.1\r\nHost: x\r\nx-api-key: {CALLER}\r\n"
    halves = [head.encode()[:40], head.encode(), head.encode() + b'Content-Length: 999\r\n\r\n{"model"']
    connections = [await Connection.open(bed.url) for _ in range(60)]
    for number, connection in enumerate(connections):
        await connection.send(halves[number % 3])
    for _ in range(5):
        assert (await _soon(bed.chat())).status == 200
    for connection in connections:
        connection.leave()


async def test_pipelined_requests_are_answered_in_order(bed: Bed) -> None:
    first = render("POST", CHAT_PATH, "x", KEY, CHAT | {"messages": [{"role": "user", "content": "one"}]})
    second = render("POST", CHAT_PATH, "x", KEY, CHAT | {"messages": [{"role": "user", "content": "two"}]})
    async with await Connection.open(bed.url) as connection:
        await connection.send(first + second + render("GET", "/health", "x"))
        for said in ("one", "two"):
            answer = await (await connection.reply("POST")).json()
            assert answer["choices"][0]["message"]["content"] == f"echo: {said}"
        assert (await (await connection.reply()).json())["status"] == "ok"


async def test_a_connection_lives_on_after_an_error(bed: Bed) -> None:
    async with await Connection.open(bed.url) as connection:
        for body, status in (
            (b"{", 400),
            (CHAT, 200),
            ({"model": 1}, 400),
            (CHAT | {"stream": True}, 200),
            (CHAT, 200),
        ):
            reply = await connection.request("POST", CHAT_PATH, KEY, body)
            assert reply.status == status and await reply.body()


async def test_expect_100_continue(bed: Bed) -> None:
    async with await Connection.open(bed.url) as connection:
        whole = render("POST", CHAT_PATH, "x", KEY | {"Expect": "100-continue"}, CHAT)
        head, _, body = whole.partition(b"\r\n\r\n")
        await connection.send(head + b"\r\n\r\n")
        assert b" 100 " in await connection.read_until(b"\r\n\r\n")
        await connection.send(body)
        assert (await connection.reply("POST")).status == 200


@pytest.fixture(scope="module")
def small_bed() -> Iterator[Bed]:
    with running_bed(toml="[server]\nmax_requests = 2\n") as bed:
        yield bed


async def test_more_than_it_can_take(small_bed: Bed) -> None:
    small_bed.up.always = stall()
    held = [asyncio.create_task(small_bed.chat()) for _ in range(2)]
    await small_bed.up.received(2)
    answer = await small_bed.chat()
    assert (answer.status, answer.header("retry-after")) == (503, "1")
    assert (await small_bed.native()).error["status"] == "UNAVAILABLE"
    for task in held:
        task.cancel()
    await asyncio.gather(*held, return_exceptions=True)
    small_bed.up.always = None
    async with asyncio.timeout(5):
        while (await small_bed.chat()).status != 200:
            await asyncio.sleep(0.01)
