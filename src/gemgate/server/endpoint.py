"""One HTTP request, from the socket to a surface and back: who asks, for what, in which dialect, and how it ended."""

from collections.abc import Callable
from contextlib import nullcontext
from functools import partial
from mmap import mmap
from typing import Any, assert_never

from msgspec import Struct, json

from gemgate.callers.auth import ClientKeys
from gemgate.errors import TooLarge, Unauthenticated
from gemgate.pipeline.body import body_chunks, read_body, stated_length
from gemgate.pipeline.departure import Departure
from gemgate.pipeline.exchange import Cors, Exchange, Headers, Receive, Send
from gemgate.protocols.anthropic import errors as anthropic_errors
from gemgate.protocols.gemini import errors as gemini_errors
from gemgate.protocols.openai_chat import errors as openai_errors
from gemgate.server.protocol import AT_ONCE, LEAVING
from gemgate.server.reception import UNAUTHENTICATED, Limits, Reception
from gemgate.server.routes import ConversationOperation, Dialect, ResponsesOperation, Route, dialect, find, normal
from gemgate.server.websocket import Connection, WebSockets
from gemgate.surfaces.gemini import GeminiSurface
from gemgate.surfaces.gemini_resources import RequestBody, ResourcePath
from gemgate.surfaces.messages import MessagesSurface
from gemgate.surfaces.models import ModelsSurface
from gemgate.surfaces.openai_chat import ChatSurface
from gemgate.surfaces.responses.compact import Compaction
from gemgate.surfaces.responses.conversations import Conversations
from gemgate.surfaces.responses.create import ResponsesSurface
from gemgate.surfaces.responses.kept import KeptResponses
from gemgate.surfaces.responses.session import SessionMemory
from gemgate.surfaces.responses.socket import KEY_PROTOCOL, ResponsesSocket
from gemgate.surfaces.translate import TranslateSurface

RENDERERS = {
    "openai": openai_errors.render,
    "anthropic": anthropic_errors.render,
    "gemini": gemini_errors.render,
}
OPEN = frozenset({"home", "health", "ready"})
"""Operations that need no key."""

UNLOGGED = frozenset({"/", "/health", "/ready"})
"""Paths that probes ask for all day."""

MAX_UPLOAD_BYTES = 2 * 1024 * 1024 * 1024
WHOLE_UPLOAD_BYTES = 64 * 1024
PREFLIGHT_METHODS = b"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"


class Surfaces(Struct, frozen=True):
    """What can be asked of this server."""

    chat: ChatSurface
    messages: MessagesSurface
    responses: ResponsesSurface
    kept_responses: KeptResponses
    conversations: Conversations
    compaction: Compaction
    gemini: GeminiSurface
    models: ModelsSurface
    translate: TranslateSurface
    lists_natively: bool
    """Whether lists of models in Gemini's own format are the upstream's."""


class Endpoint:
    """Answers HTTP requests."""

    def __init__(
        self,
        surfaces: Surfaces,
        keys: ClientKeys,
        cors: Cors,
        limits: Limits,
        *,
        about: dict[str, object],
        ready: Callable[[], bool],
        new_id: Callable[[], str],
    ) -> None:
        self._surfaces = surfaces
        self._reception = Reception(keys, cors, limits, new_id)
        self._about = about
        self._ready = ready
        self._sessions = SessionMemory()
        self.sockets = WebSockets(self._reception, self._conversation, RENDERERS["openai"], KEY_PROTOCOL)

    @property
    def under_way(self) -> int:
        """How many requests are being answered; turns in WebSockets are requests."""
        return self._reception.under_way

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Answer one request; whatever happens, the client gets an answer in its own format."""
        headers: Headers = scope["headers"]
        path = normal(scope["path"])
        names = frozenset([name for name, _ in headers])
        spoken = dialect(path, names, scope["query_string"])
        exchange = self._exchange(scope, path, spoken, receive, send)
        answer = partial(self._serve, exchange, spoken, scope)
        await self._reception.see_through(exchange, answer, logged=path not in UNLOGGED)

    def _exchange(self, scope: dict[str, Any], path: str, spoken: Dialect, receive: Receive, send: Send) -> Exchange:
        exchange = self._reception.exchange(scope, path, RENDERERS[spoken], receive, send, method=scope["method"])
        exchange.leaving = scope.get(LEAVING)
        exchange.at_once = scope.get(AT_ONCE)
        exchange.cors = self._reception.cors.headers(exchange.header(b"origin"))
        if spoken == "anthropic":
            exchange.request_id_headers = (b"x-request-id", b"request-id")
            exchange.render_error = partial(anthropic_errors.render, request_id=exchange.request_id)
        return exchange

    def _conversation(self, connection: Connection) -> ResponsesSocket:
        max_waiting_bytes = self._reception.limits.max_body_bytes
        return ResponsesSocket(self._surfaces.responses, connection, self._sessions, max_waiting_bytes)

    async def _serve(self, exchange: Exchange, spoken: Dialect, scope: dict[str, Any]) -> None:
        if exchange.method == "OPTIONS":
            await self._preflight(exchange)
            return
        route = find(exchange.method, exchange.path, spoken)
        if route.operation not in OPEN:
            self._reception.check_room()
            await self._authenticate(exchange, route)
        match route.operation:
            case "home":
                await exchange.answer(200, json.encode(self._about))
            case "health":
                await exchange.answer(200, b'{"status":"ok"}')
            case "ready":
                await self._answer_ready(exchange)
            case "chat":
                body = await self._body(exchange)
                async with Departure(exchange):
                    await self._surfaces.chat.complete(exchange, body)
            case "messages":
                body = await self._body(exchange)
                async with Departure(exchange):
                    await self._surfaces.messages.create(exchange, body)
            case "count_tokens":
                body = await self._body(exchange)
                async with Departure(exchange):
                    await self._surfaces.messages.count_tokens(exchange, body)
            case (
                "responses"
                | "input_tokens"
                | "compact"
                | "response"
                | "cancel_response"
                | "input_items"
                | "conversations"
                | "conversation"
                | "conversation_items"
                | "conversation_item"
            ):
                await self._responses(exchange, route, route.operation)
            case "translate":
                await self._surfaces.translate.show(exchange, await self._body(exchange))
            case "list_models":
                await self._surfaces.models.list_all(exchange, spoken)
            case "get_model":
                await self._surfaces.models.get(exchange, spoken, route.rest)
            case "native":
                await self._native(exchange, route)
            case "upload":
                await self._upload(exchange, route, scope)
            case _:
                assert_never(route.operation)

    async def _authenticate(self, exchange: Exchange, route: Route) -> None:
        exchange.caller = self._reception.caller(exchange)
        if exchange.caller is None and not (
            route.operation == "upload" and await self._surfaces.gemini.may_go_on(exchange.query)
        ):
            raise Unauthenticated(UNAUTHENTICATED)

    async def _body(self, exchange: Exchange) -> bytes | mmap:
        return await read_body(exchange, self._reception.limits.max_body_bytes)

    async def _responses(self, exchange: Exchange, route: Route, operation: ResponsesOperation) -> None:
        body = await self._body(exchange) if exchange.method == "POST" else b""
        made = self._surfaces
        async with Departure(exchange):
            match operation:
                case "responses":
                    await made.responses.create(exchange, body)
                case "input_tokens":
                    await made.responses.count_tokens(exchange, body)
                case "compact":
                    await made.compaction.compact(exchange, body)
                case "response" if exchange.method == "DELETE":
                    await made.kept_responses.delete(exchange, route.rest)
                case "response":
                    await made.kept_responses.get(exchange, route.rest)
                case "cancel_response":
                    await made.kept_responses.cancel(exchange, route.rest)
                case "input_items":
                    await made.kept_responses.input_items(exchange, route.rest)
                case "conversations" | "conversation" | "conversation_items" | "conversation_item":
                    await self._conversations(exchange, route, operation, body)
                case _:
                    assert_never(operation)

    async def _conversations(
        self, exchange: Exchange, route: Route, operation: ConversationOperation, body: bytes | mmap
    ) -> None:
        made = self._surfaces.conversations
        match operation, exchange.method:
            case "conversations", _:
                await made.create(exchange, body)
            case "conversation", "GET":
                await made.get(exchange, route.rest)
            case "conversation", "POST":
                await made.update(exchange, route.rest, body)
            case "conversation", _:
                await made.delete(exchange, route.rest)
            case "conversation_items", "GET":
                await made.list_items(exchange, route.rest)
            case "conversation_items", _:
                await made.add_items(exchange, route.rest, body)
            case "conversation_item", "GET":
                await made.get_item(exchange, route.rest, route.item)
            case "conversation_item", _:
                await made.delete_item(exchange, route.rest, route.item)

    async def _native(self, exchange: Exchange, route: Route) -> None:
        if not self._surfaces.lists_natively and exchange.method in ("GET", "HEAD"):
            if route.rest == "models":
                await self._surfaces.models.list_all(exchange, "gemini")
                return
            if route.rest.startswith("models/") and ":" not in route.rest and route.rest.count("/") == 1:
                await self._surfaces.models.get(exchange, "gemini", route.rest)
                return
        body = await self._body(exchange)
        async with Departure(exchange):
            await self._surfaces.gemini.serve(exchange, ResourcePath(route.lead, route.version, route.rest), body)

    async def _upload(self, exchange: Exchange, route: Route, scope: dict[str, Any]) -> None:
        length = stated_length(exchange)
        if (length or 0) > MAX_UPLOAD_BYTES:
            raise TooLarge("A file may have 2 GB at most.")
        if length is not None and length <= WHOLE_UPLOAD_BYTES:
            # What begins an upload is small: whole, it can be sent again under another key.
            body = RequestBody(await self._body(exchange))
        else:
            body = RequestBody(body_chunks(exchange, MAX_UPLOAD_BYTES), length)
        path = ResourcePath(route.lead, route.version, route.rest)
        # Without `leaving`, the body itself tells that the client has gone; two cannot wait for that.
        async with Departure(exchange) if exchange.leaving is not None else nullcontext():
            await self._surfaces.gemini.upload(exchange, path, body, self._public_url(exchange, scope))

    def _public_url(self, exchange: Exchange, scope: dict[str, Any]) -> str:
        """Say where the client reaches us: as configured, as a proxy tells, or as it asked."""
        if self._reception.limits.public_url:
            return self._reception.limits.public_url.rstrip("/")
        scheme = _first(exchange.header(b"x-forwarded-proto")) or scope["scheme"]
        host = _first(exchange.header(b"x-forwarded-host")) or exchange.header(b"host").decode("latin-1")
        return f"{scheme}://{host}"

    async def _answer_ready(self, exchange: Exchange) -> None:
        ready = self._ready()
        await exchange.answer(200 if ready else 503, b'{"status":"ready"}' if ready else b'{"status":"not ready"}')

    async def _preflight(self, exchange: Exchange) -> None:
        asked = exchange.header(b"access-control-request-headers")
        allowed: Headers = [
            (b"allow", PREFLIGHT_METHODS),
            (b"access-control-allow-methods", PREFLIGHT_METHODS),
            (b"access-control-allow-headers", asked or b"*"),
            (b"access-control-max-age", b"86400"),
        ]
        await exchange.start(204, b"", allowed)
        await exchange.send(b"", more=False)


def _first(listed: bytes) -> str:
    """Take what the first proxy on the way has said."""
    return listed.partition(b",")[0].strip().decode("latin-1")
