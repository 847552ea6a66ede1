"""Gemini's own API: relayed where the upstream speaks it, translated where it does not."""

import re
from collections.abc import Awaitable, Callable
from functools import partial
from mmap import mmap
from typing import Protocol

from gemgate.errors import GemgateError, MethodNotAllowed, NotFound, Unsupported, UpstreamError
from gemgate.hub.codec import Parsed
from gemgate.keys.pool import Lease
from gemgate.net.connection import NetworkError
from gemgate.pipeline.exchange import Exchange
from gemgate.pipeline.handle import Handler
from gemgate.pipeline.preview import DryRun, Preview
from gemgate.pipeline.pulse import Pulse
from gemgate.pipeline.relay import Relay, RelayUpstream, break_off, pass_on, pass_refusal_on
from gemgate.protocols.gemini.count import write_count
from gemgate.protocols.gemini.embed import cut, joined
from gemgate.protocols.gemini.inbound import inbound_count, inbound_generate
from gemgate.surfaces.gemini_resources import RequestBody, ResourcePath, Resources
from gemgate.upstreams.refusal import UpstreamRefusal

MODEL_METHOD = re.compile(r"models/([^/:]+):(\w+)")
READ_ONLY = frozenset(
    {"generateContent", "streamGenerateContent", "countTokens", "embedContent", "batchEmbedContents", "predict"}
)
"""Model methods that leave nothing behind."""
MAX_EMBEDDINGS_BYTES = 64 * 1024 * 1024
"""What one batch of embeddings may have in a reply."""


class GeminiSurface(Protocol):
    """Serves everything below a version of Gemini's API."""

    async def serve(self, exchange: Exchange, path: ResourcePath, body: bytes | mmap) -> None:
        """Answer one request, its body read."""
        ...

    async def upload(self, exchange: Exchange, path: ResourcePath, body: RequestBody, public_url: str) -> None:
        """Answer one request whose body is streamed."""
        ...

    async def may_go_on(self, query: bytes) -> bool:
        """Whether a request without a key goes on with an upload."""
        ...

    def preview(self, path: ResourcePath, body: bytes) -> Preview:
        """Tell what would be sent for a call of a model's method."""
        ...


class RelayedGemini:
    """Hands requests on to an upstream of the same language."""

    def __init__(
        self, relay: Relay, upstream: RelayUpstream, resources: Resources, *, keepalive_seconds: float
    ) -> None:
        self._relay = relay
        self._keepalive_seconds = keepalive_seconds
        self._upstream = upstream
        self._resources = resources

    async def serve(self, exchange: Exchange, path: ResourcePath, body: bytes | mmap) -> None:
        """Answer one request, its body read."""
        found = MODEL_METHOD.fullmatch(path.rest)
        if found and exchange.method == "POST":
            model, method = found.groups()
            await self._refused_openly(exchange, partial(self._model_method, exchange, path, model, method, body))
        elif found:
            raise MethodNotAllowed(f"{found[2]} is called with POST.", allow=("POST",))
        else:
            await self._refused_openly(exchange, partial(self._resources.serve, exchange, path, RequestBody(body)))

    async def upload(self, exchange: Exchange, path: ResourcePath, body: RequestBody, public_url: str) -> None:
        """Begin an upload, or go on with one."""
        owner = await self._resources.upload_owner(exchange.query)
        if owner is not None:
            serve = partial(self._resources.go_on_uploading, exchange, path, body, owner)
        else:
            serve = partial(self._resources.begin_upload, exchange, path, body, public_url)
        await self._refused_openly(exchange, serve)

    async def may_go_on(self, query: bytes) -> bool:
        """Whether a request without a key goes on with an upload: the upload's id is its credential."""
        return await self._resources.upload_owner(query) is not None

    def preview(self, path: ResourcePath, body: bytes) -> Preview:
        """Tell what would be sent for a call of a model's method."""
        model, method = _model_method(path)
        return self._relay.preview(path.version, model, method, body)

    async def _model_method(
        self, exchange: Exchange, path: ResourcePath, model: str, method: str, body: bytes | mmap
    ) -> None:
        assert exchange.caller is not None
        pinned = await self._resources.key_for(exchange.caller, body)
        if method == "batchEmbedContents" and (pieces := cut(memoryview(body))):
            await self._embed(exchange, path.version, model, pieces, pinned)
            return
        if method == "streamGenerateContent" and _is_event_stream(exchange):
            await self._stream(exchange, path.version, model, body, pinned)
            return
        response, lease = await self._relay.send(exchange, path.version, model, method, body, pinned)
        if method in READ_ONLY:
            await pass_on(exchange, self._upstream, response)
        else:
            await self._resources.answer_made(exchange, response, lease, path)

    async def _stream(
        self, exchange: Exchange, version: str, model: str, body: bytes | mmap, pinned: Lease | None
    ) -> None:
        """Relay an event stream, kept alive from the first moment."""
        pulse = Pulse(exchange, self._keepalive_seconds)
        try:
            response, _ = await self._relay.send(exchange, version, model, "streamGenerateContent", body, pinned)
            await pass_on(exchange, self._upstream, response, pulse=pulse)
        except (UpstreamRefusal, GemgateError) as error:
            await pulse.stop()
            if not exchange.started:
                raise
            await break_off(exchange, error.error if isinstance(error, UpstreamRefusal) else error, pulse=pulse)
        finally:
            await pulse.stop()

    async def _embed(
        self, exchange: Exchange, version: str, model: str, pieces: list[bytes], pinned: Lease | None
    ) -> None:
        """Embed more than one request may hold: piece by piece, as one answer."""
        replies: list[bytes] = []
        for piece in pieces:
            response, _ = await self._relay.send(exchange, version, model, "batchEmbedContents", piece, pinned)
            try:
                replies.append(await response.read_all(MAX_EMBEDDINGS_BYTES))
            except NetworkError as fault:
                raise UpstreamError(str(fault)) from fault
        await exchange.answer(200, joined(replies))

    async def _refused_openly(self, exchange: Exchange, serve: Callable[[], Awaitable[None]]) -> None:
        try:
            await serve()
        except UpstreamRefusal as refusal:
            await pass_refusal_on(exchange, self._upstream, refusal)


class TranslatedGemini:
    """Serves what an upstream of another language can; the rest needs a key of Gemini's own."""

    def __init__(self, handler: Handler, dry_run: DryRun, cure: str) -> None:
        self._handler = handler
        self._dry_run = dry_run
        self._cure = cure

    async def serve(self, exchange: Exchange, path: ResourcePath, body: bytes | mmap) -> None:
        """Answer one request, its body read."""
        found = MODEL_METHOD.fullmatch(path.rest)
        if found is None or exchange.method != "POST":
            raise self._unsupported(path.rest)
        model, method = found.groups()
        match method:
            case "generateContent":
                parsed = inbound_generate(memoryview(body), model=model, stream=False)
                await self._handler.generate(exchange, parsed)
            case "streamGenerateContent":
                await self._handler.generate(exchange, self._streamed(exchange, model, body))
            case "countTokens":
                parsed = inbound_count(memoryview(body), model=model)
                total = await self._handler.count_tokens(exchange, parsed)
                await exchange.answer(200, write_count(total))
            case _:
                raise self._unsupported(method)

    async def upload(self, exchange: Exchange, path: ResourcePath, body: RequestBody, public_url: str) -> None:
        """Refuse: files live at Gemini."""
        raise self._unsupported(path.rest)

    async def may_go_on(self, query: bytes) -> bool:
        """Nothing is ever under way."""
        return False

    def preview(self, path: ResourcePath, body: bytes) -> Preview:
        """Tell what would be sent for a call of a model's method."""
        model, method = _model_method(path)
        if method not in ("generateContent", "streamGenerateContent"):
            raise self._unsupported(method)
        return self._dry_run(inbound_generate(body, model=model, stream=method == "streamGenerateContent"))

    def _streamed(self, exchange: Exchange, model: str, body: bytes | mmap) -> Parsed:
        framing = "sse" if _is_event_stream(exchange) else "array"
        return inbound_generate(memoryview(body), model=model, stream=True, framing=framing)

    def _unsupported(self, what: str) -> Unsupported | NotFound:
        if not re.fullmatch(r"[\w.:/-]{1,200}", what):
            return NotFound("There is no such route.")
        return Unsupported(f"{what} needs Gemini itself, and this server has no key for it. {self._cure}")


def _model_method(path: ResourcePath) -> tuple[str, str]:
    found = MODEL_METHOD.fullmatch(path.rest)
    if found is None:
        raise NotFound("There is no such route.")
    model, method = found.groups()
    return model, method


def _is_event_stream(exchange: Exchange) -> bool:
    return b"alt=sse" in exchange.query.split(b"&")
