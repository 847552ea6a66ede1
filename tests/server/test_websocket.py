"""WebSockets over a real socket: who is let in, what a turn is, and how connections end."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator, Iterator
from typing import Any, cast

import pytest
import uvicorn
from uvicorn.server import ServerState
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.typing import Subprotocol

from gemgate.callers.auth import ClientKeys
from gemgate.errors import InvalidRequest
from gemgate.observe.log import LOGGER
from gemgate.pipeline.exchange import Cors, Exchange
from gemgate.protocols.openai_responses.kept import KeptItem
from gemgate.server.application import Application
from gemgate.server.endpoint import Endpoint, Surfaces
from gemgate.server.protocol import JoinedHttpProtocol, websocket_protocol
from gemgate.server.reception import Limits
from gemgate.surfaces.responses.session import Session
from gemgate.surfaces.responses.socket import KEY_PROTOCOL

KEY = "sk-test-client"
BEARER = {"authorization": f"Bearer {KEY}"}
PATIENCE_SECONDS = 5.0
MAX_BODY_BYTES = 100_000
TURN = json.dumps({"type": "response.create", "model": "m", "input": "hi"})
WAIT = json.dumps({"type": "response.create", "model": "m", "input": "wait"})


class Turns:
    """Answers with one event, or waits first."""

    def __init__(self) -> None:
        self.exchanges: list[Exchange] = []
        self.sessions: list[Session] = []
        self.begun = asyncio.Event()
        self.go_on = asyncio.Event()
        self.cancelled = asyncio.Event()

    async def create(self, exchange: Exchange, body: bytes, session: Session | None = None) -> None:
        self.exchanges.append(exchange)
        assert session is not None
        self.sessions.append(session)
        said = json.loads(body)["input"]
        if said == "refuse":
            raise InvalidRequest("No.", param="input")
        if said == "wait":
            self.begun.set()
            try:
                await self.go_on.wait()
            except asyncio.CancelledError:
                self.cancelled.set()
                raise
        await exchange.start(200, b"application/json")
        await exchange.send(b'{"type":"response.completed","said":"%s"}\n' % said[:10].encode(), more=False)


class Served:
    """A server whose turns are scripted."""

    def __init__(self, limits: Limits, cors: Cors) -> None:
        self.turns = Turns()
        surfaces: dict[str, Any] = dict.fromkeys(Surfaces.__struct_fields__, self.turns)
        ids = iter(range(1000))
        self.endpoint = Endpoint(
            Surfaces(**surfaces),
            ClientKeys([KEY]),
            cors,
            limits,
            about={},
            ready=lambda: True,
            new_id=lambda: f"{next(ids)}",
        )
        self.application = Application(self.endpoint, (), ())
        self.state = ServerState()
        self.port = 0

    async def listen(self) -> asyncio.Server:
        config = uvicorn.Config(
            cast(Any, self.application),
            log_config=None,
            access_log=False,
            ws=cast(Any, websocket_protocol),
            ws_max_size=MAX_BODY_BYTES,
            ws_per_message_deflate=False,
            lifespan="off",
        )
        config.load()
        server = await asyncio.get_running_loop().create_server(
            lambda: JoinedHttpProtocol(config=config, server_state=self.state, app_state={}), "127.0.0.1", 0
        )
        self.port = server.sockets[0].getsockname()[1]
        return server

    def connect(self, path: str = "/v1/responses", headers: dict[str, str] = BEARER, **more: Any) -> Any:
        return connect(f"ws://127.0.0.1:{self.port}{path}", additional_headers=headers, open_timeout=5, **more)

    async def refused(self, path: str = "/v1/responses", headers: dict[str, str] = BEARER, **more: Any) -> Any:
        """Give status and error of a handshake that is refused."""
        with pytest.raises(InvalidStatus) as caught:
            async with self.connect(path, headers, **more):
                pass
        answer = caught.value.response
        assert answer.headers["content-type"] == "application/json" and answer.body
        return answer.status_code, json.loads(answer.body)["error"]


async def served_with(**settings: Any) -> AsyncIterator[Served]:
    origins = settings.pop("origins", ("*",))
    limits = {"max_body_bytes": MAX_BODY_BYTES, "max_requests": 10, "strict": False, "public_url": ""} | settings
    made = Served(Limits(**limits), Cors(frozenset(origin.encode() for origin in origins)))
    server = await made.listen()
    yield made
    server.close()
    made.turns.go_on.set()
    for connection in list(made.state.connections):
        cast(Any, connection).transport.close()
    async with asyncio.timeout(PATIENCE_SECONDS):
        await asyncio.gather(*made.state.tasks)
    assert made.application.under_way == 0


@pytest.fixture
async def served(request: pytest.FixtureRequest) -> AsyncIterator[Served]:
    async for made in served_with(**getattr(request, "param", {})):
        yield made


@pytest.fixture(autouse=True)
def nothing_is_a_defect_to_uvicorn(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Whatever clients do, and however they are refused."""
    yield
    records = [*caplog.get_records("call"), *caplog.get_records("teardown")]
    assert not [record for record in records if record.name == "uvicorn.error" and record.levelno >= logging.ERROR]


async def heard(socket: ClientConnection) -> Any:
    async with asyncio.timeout(PATIENCE_SECONDS):
        return json.loads(await socket.recv())


async def ended(socket: ClientConnection) -> tuple[int, str]:
    """Wait for the end; give its code and reason."""
    with pytest.raises(ConnectionClosed) as caught:
        await heard(socket)
    assert caught.value.rcvd is not None
    return caught.value.rcvd.code, caught.value.rcvd.reason


async def test_turns_in_one_connection(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, LOGGER.name)
    async with served.connect(headers=BEARER | {"x-gemgate-strict": "1"}) as socket:
        assert "sec-websocket-extensions" not in socket.response.headers
        assert socket.response.headers["x-request-id"].startswith("req_")
        for _ in range(3):
            await socket.send(TURN)
            told = await heard(socket)
            assert told.pop("gemgate")["request_id"].startswith("req_")
            assert told == {"type": "response.completed", "said": "hi"}
        await socket.send('{"type":"response.create","input":"refuse"}')
        refused = await heard(socket)
        assert refused["type"] == "error" and refused["status"] == 400 and refused["error"]["param"] == "input"
        await socket.send(TURN)
        assert (await heard(socket))["said"] == "hi"
    exchanges = served.turns.exchanges
    assert all(exchange.caller is not None and exchange.strict for exchange in exchanges)
    assert len({exchange.request_id for exchange in exchanges}) == 5
    lines = [record.message.split(" /v1/responses")[0] for record in caplog.records]
    assert lines == ["101 GET", "200 WS", "200 WS", "200 WS", "400 WS", "200 WS"]


@pytest.mark.parametrize(
    ("headers", "query"),
    [
        (BEARER, ""),
        ({"x-api-key": KEY}, ""),
        ({"api-key": KEY}, ""),
        ({}, f"?key={KEY}"),
    ],
)
@pytest.mark.parametrize("path", ["/v1/responses", "/openai//responses/", "/gemini/v1/responses/responses"])
async def test_who_is_let_in(served: Served, path: str, headers: dict[str, str], query: str) -> None:
    async with served.connect(path + query, headers) as socket:
        await socket.send(TURN.encode())  # a binary frame is taken for a text
        assert (await heard(socket))["said"] == "hi"


@pytest.mark.parametrize(("others", "taken"), [(["realtime"], "realtime"), ([], KEY_PROTOCOL + KEY)])
async def test_pages_tell_their_key_as_a_subprotocol(served: Served, others: list[str], taken: str) -> None:
    offered = [Subprotocol(name) for name in (*others, KEY_PROTOCOL + KEY)]
    async with served.connect(headers={}, subprotocols=offered, origin="http://page.example") as socket:
        assert socket.subprotocol == taken
        await socket.send(TURN)
        assert (await heard(socket))["said"] == "hi"


async def test_who_is_not_let_in(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    """It is no fault of the server, and the log does not say so."""
    caplog.set_level(logging.INFO)
    wrong = [Subprotocol(KEY_PROTOCOL + "wrong")]
    for headers, protocols in (({}, None), ({"x-api-key": "wrong"}, None), ({}, wrong)):
        status, error = await served.refused(headers=headers, subprotocols=protocols)
        assert status == 401 and error["code"] == "invalid_api_key"
        assert error["message"].startswith("Incorrect API key provided. Send one of this server's own keys")
    for path in ("/v1/chat/completions", "/v1/realtime", "/", "/v1/responses/resp_1"):
        status, error = await served.refused(path)
        assert status == 404 and "/v1/responses" in error["message"]
    async with asyncio.timeout(PATIENCE_SECONDS):
        await asyncio.gather(*served.state.tasks)
    ours = [record for record in caplog.records if record.name == LOGGER.name]
    assert [record.message[:3] for record in ours] == ["401"] * 3 + ["404"] * 4
    assert all(record.levelno <= logging.INFO for record in caplog.records)


@pytest.mark.parametrize("served", [{"origins": ["https://ours.example"]}], indirect=True)
async def test_pages_of_other_origins_are_not_let_in(served: Served) -> None:
    for origin in ("https://theirs.example", "null", "https://ours.example.evil"):
        status, _ = await served.refused(origin=origin)
        assert status == 403
    for origin in ("https://ours.example", f"http://127.0.0.1:{served.port}", None):
        async with served.connect(origin=origin) as socket:
            await socket.send(TURN)
            assert (await heard(socket))["said"] == "hi"


@pytest.mark.parametrize("served", [{"max_requests": 2}], indirect=True)
async def test_connections_and_turns_are_counted(served: Served) -> None:
    async with served.connect() as first, served.connect() as second:
        status, error = await served.refused()
        assert status == 503 and error["code"] == "unavailable"
        assert served.application.under_way == 0
        for stream in ("a", "b"):
            await first.send(json.dumps({**json.loads(WAIT), "stream_id": stream}))
        await served.turns.begun.wait()
        await second.send(TURN)
        assert (await heard(second))["status"] == 503
        assert served.application.under_way == 2
        served.turns.go_on.set()
        assert {(await heard(first))["stream_id"] for _ in range(2)} == {"a", "b"}
        await second.send(TURN)
        assert (await heard(second))["said"] == "hi"
    async with served.connect():
        pass


@pytest.mark.parametrize("politely", [True, False])
async def test_a_client_that_leaves_ends_its_turn(
    served: Served, politely: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, LOGGER.name)
    async with served.connect() as socket:
        await socket.send(WAIT)
        await served.turns.begun.wait()
        if politely:
            await socket.close()
        else:
            socket.transport.abort()
        async with asyncio.timeout(PATIENCE_SECONDS):
            await served.turns.cancelled.wait()
            await asyncio.gather(*served.state.tasks)
    assert caplog.records[-1].message.startswith("499 WS /v1/responses")


async def test_what_is_too_large_ends_the_connection(served: Served) -> None:
    async with served.connect() as socket:
        await socket.send(json.dumps({"type": "response.create", "input": "x" * (MAX_BODY_BYTES - 100)}))
        assert (await heard(socket))["said"] == "x" * 10
        await socket.send("x" * (MAX_BODY_BYTES + 1))
        assert (await ended(socket))[0] == 1009


async def test_draining_closes_what_is_idle_and_lets_turns_end(served: Served) -> None:
    async with served.connect() as idle, served.connect() as busy:
        await busy.send(WAIT)
        await busy.send(TURN)
        await served.turns.begun.wait()
        served.application.drain()
        code, reason = await ended(idle)
        assert code == 1001 and "stopping" in reason
        assert (await served.refused())[0] == 503
        assert served.application.under_way == 1
        served.turns.go_on.set()
        assert [(await heard(busy))["said"] for _ in range(2)] == ["wait", "hi"]
        assert (await ended(busy))[0] == 1001
        async with asyncio.timeout(PATIENCE_SECONDS):
            await asyncio.gather(*served.state.tasks)


async def test_idle_connections_are_closed_and_busy_ones_are_not(
    served: Served, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(served.endpoint.sockets, "_idle_seconds", 0.05)
    async with served.connect() as idle, served.connect() as busy:
        await busy.send(WAIT)
        await served.turns.begun.wait()
        assert (await ended(idle))[0] == 1001
        await asyncio.sleep(0.1)
        served.turns.go_on.set()
        assert (await heard(busy))["said"] == "wait"
        assert (await ended(busy))[0] == 1001


async def test_what_is_no_text_is_told_and_ends_nothing(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    async with served.connect() as socket:
        await socket.send(WAIT)
        await served.turns.begun.wait()
        for said in (
            b'{"type":"response.steer","input":"\xff"}',
            b'{"type":"response.create","input":"\xff"}',
            b"\xff",
        ):
            for text in (True, False):
                await socket.send(said, text=text)
                told = await heard(socket)
                assert told["status"] == 400 and told["error"]["code"] == "invalid_json"
        served.turns.go_on.set()
        assert (await heard(socket))["said"] == "wait"
    assert all(record.levelno <= logging.INFO for record in caplog.records)


async def test_what_connections_remember_is_bounded_together(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(served.endpoint._sessions, "_max_bytes", 5000)
    async with served.connect() as first, served.connect() as second:
        for socket in (first, second):
            await socket.send(TURN)
            await heard(socket)
        one, other = served.turns.sessions
        one.keep("a", [KeptItem(bytes(3000))])
        assert one.history("a") is not None
        other.keep("b", [KeptItem(bytes(3000))])
        assert one.history("a") is None and other.history("b") is not None
    async with asyncio.timeout(PATIENCE_SECONDS):
        await asyncio.gather(*served.state.tasks)
    assert other.history("b") is None


async def test_a_handshake_after_a_request(served: Served) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    async with asyncio.timeout(PATIENCE_SECONDS):
        writer.write(b"GET /health HTTP/1.1\r\nhost: h\r\n\r\n")
        assert (await reader.readuntil(b'{"status":"ok"}')).startswith(b"HTTP/1.1 200 OK")
        writer.write(_handshake() + b"\r\n")
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
    writer.close()


async def test_a_path_that_is_no_websocket_is_answered_as_ever(served: Served) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    async with asyncio.timeout(PATIENCE_SECONDS):
        writer.write(b"GET /v1/responses HTTP/1.1\r\nhost: h\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 405 ") and b"allow: POST\r\n" in head
        assert json.loads(await reader.readexactly(int(head.partition(b"content-length: ")[2].split(b"\r\n")[0])))
        writer.write(b"POST /health HTTP/1.1\r\nhost: h\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n")
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 405 ") and b"allow: GET, HEAD\r\n" in head
    writer.close()


@pytest.mark.parametrize("wrong", [b"sec-websocket-version: 12\r\n", b"sec-websocket-key: short\r\n"])
async def test_a_handshake_that_is_none(served: Served, wrong: bytes) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", served.port)
    async with asyncio.timeout(PATIENCE_SECONDS):
        name = wrong.partition(b":")[0]
        kept = [line for line in _handshake().split(b"\r\n") if line and not line.startswith(name)]
        writer.write(b"\r\n".join(kept) + b"\r\n" + wrong + b"\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 4")
    writer.close()


async def test_keys_and_what_is_said_are_not_logged(served: Served, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with served.connect(headers={"x-api-key": KEY}) as socket:
        await socket.send(TURN.replace("hi", "a secret"))
        await heard(socket)
    ours = [record for record in caplog.records if not record.name.startswith("websockets")]
    assert ours and not any(KEY in record.getMessage() or "secret" in record.getMessage() for record in ours)


def _handshake() -> bytes:
    return (
        b"GET /v1/responses HTTP/1.1\r\nhost: h\r\nconnection: keep-alive, Upgrade\r\nupgrade: WebSocket\r\n"
        b"sec-websocket-version: 13\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
        b"authorization: Bearer " + KEY.encode() + b"\r\n"
    )
