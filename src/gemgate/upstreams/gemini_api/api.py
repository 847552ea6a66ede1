"""The Gemini API as an upstream."""

import re
from collections.abc import Callable, Sequence
from functools import partial
from mmap import mmap
from typing import Protocol
from urllib.parse import quote

from msgspec import MsgspecError, Struct, field, json

from gemgate.catalog.catalog import Target
from gemgate.errors import ModelNotFound, UpstreamError
from gemgate.hub.call import BuiltIn, Generate, OpaqueTool, Sampling
from gemgate.hub.codec import Dropped, Rendered
from gemgate.hub.models import ModelInfo
from gemgate.hub.parts import Media, Opaque, Part, Text, ToolResult, Uri
from gemgate.keys.pool import Lease
from gemgate.net.connection import Body, Headers, NetworkError, Response
from gemgate.net.http import HttpClient, Request
from gemgate.net.url import split
from gemgate.protocols.gemini.addresses import by_address
from gemgate.protocols.gemini.continuation import continued
from gemgate.protocols.gemini.models import read_models
from gemgate.protocols.gemini.outbound import count_tokens, outbound
from gemgate.protocols.gemini.patch import with_model, with_search, with_thinking, without_signatures
from gemgate.protocols.gemini.peek import UsagePeek
from gemgate.protocols.gemini.resources import references
from gemgate.upstreams.base import Outgoing
from gemgate.upstreams.gemini_api.classify import broken, refusal
from gemgate.upstreams.gemini_api.headers import answer_headers, query_without_key, request_headers
from gemgate.upstreams.gemini_api.reply import GeminiReply

MODEL_NAME = re.compile(r"[^/?#%\\\x00-\x1f]{1,200}")
NAME_SAFE = "-._~"
"""A model's name is one segment of a path, whatever a client puts there."""
MAX_ERROR_BYTES = 1024 * 1024
MAX_LIST_BYTES = 16 * 1024 * 1024
MAX_PAGES = 20
MAX_REDIRECTS = 3
REDIRECTS = frozenset({301, 302, 303, 307, 308})
KEY_HEADER = b"x-goog-api-key"
JSON_HEADERS = ((b"content-type", b"application/json"), (b"accept-encoding", b"identity"))


class RelayedHead(Protocol):
    """The head of a client's request that is relayed."""

    method: str
    query: bytes
    headers: Sequence[tuple[bytes, bytes]]


class PreparedCall(Struct, frozen=True):
    """A rendered request, where it goes (`path` lacks the method) and how its answer shall come."""

    rendered: Rendered
    path: str
    stream: bool
    sampling: Sampling
    references: Sequence[str] = ()

    @property
    def dropped(self) -> tuple[Dropped, ...]:
        """What the target's model does not honour."""
        return self.rendered.dropped


class _Count(Struct):
    total: int = field(default=0, name="totalTokens")


class GeminiApi:
    """Calls translated to generateContent, and requests relayed as they are.

    `new_id` makes ids for functions' calls that come without a good one (`CallIds`).
    """

    name = "gemini"
    model_name: str | None = None

    def __init__(self, client: HttpClient, base_url: str, version: str, new_id: Callable[[], str]) -> None:
        self._client = client
        self._new_id = new_id
        self._origin, path = split(base_url)
        self._path = path.rstrip("/")
        self._version = version

    def by_address(self, media: Media, target: Target) -> Media | None:
        """Give media that Gemini holds, or fetches itself."""
        return by_address(media, by_url=target.by_url, fetches=target.abilities.urls)

    def outgoing(self, prepared: PreparedCall) -> Outgoing:
        """Show what `generate` would send."""
        method = "streamGenerateContent?alt=sse" if prepared.stream else "generateContent"
        names = {client: sent for sent, client in prepared.rendered.names.items()}
        url = f"{self._origin}{self._path}{prepared.path}:{method}"
        return Outgoing(method="POST", url=url, body=prepared.rendered.body, renamed=names)

    def outgoing_method(self, version: str, target: Target, method: str, body: bytes) -> Outgoing:
        """Show what a relayed model method would send."""
        model = self._model_path(self.served_version(version), target.model)
        sent = bytes(patched(body, target, method))
        return Outgoing(method="POST", url=f"{self._origin}{self._path}{model}:{method}", body=(sent,))

    def prepare(self, call: Generate, target: Target) -> PreparedCall:
        """Render a call for the target's model; raises `ModelNotFound` for a name that cannot be one."""
        path = self._model_path(self._version, target.model)
        rendered = outbound(call, target.abilities)
        named = (
            references(b"".join(part for part in rendered.body if isinstance(part, bytes))) if _may_name(call) else ()
        )
        return PreparedCall(rendered, path, call.stream, call.sampling, named)

    async def generate(self, prepared: PreparedCall, target: Target, lease: Lease | None) -> GeminiReply:
        """Ask for an answer."""
        assert lease is not None
        sampling = prepared.sampling
        follow = partial(self._go_on, prepared, lease) if sampling.candidates == 1 else None
        response = await self._ask(prepared, lease, prepared.rendered.body)
        return GeminiReply(
            response,
            prepared.rendered.names,
            stream=prepared.stream,
            new_id=self._new_id,
            follow=follow,
            max_output_tokens=sampling.max_output_tokens,
        )

    async def _go_on(self, prepared: PreparedCall, lease: Lease, token: str) -> Response:
        return await self._ask(prepared, lease, continued(prepared.rendered.body, token))

    async def _ask(self, prepared: PreparedCall, lease: Lease, body: tuple[bytes | memoryview, ...]) -> Response:
        method = "streamGenerateContent?alt=sse" if prepared.stream else "generateContent"
        whole = body[0]
        sent = whole if len(body) == 1 and isinstance(whole, bytes) else body
        return await self._send("POST", f"{prepared.path}:{method}", JSON_HEADERS, lease, sent)

    async def count_tokens(self, prepared: PreparedCall, target: Target, lease: Lease | None) -> int:
        """Ask how long a prompt is."""
        assert lease is not None
        body = count_tokens(prepared.rendered, target.model)
        response = await self._send("POST", f"{prepared.path}:countTokens", JSON_HEADERS, lease, body)
        try:
            return json.decode(await response.read_all(MAX_ERROR_BYTES), type=_Count, strict=False).total
        except (NetworkError, MsgspecError) as fault:
            raise UpstreamError("The upstream's token count cannot be read.") from fault

    async def list_models(self, lease: Lease) -> list[ModelInfo]:
        """List the models that a key may use; raises `UpstreamRefusal` or `UpstreamError`."""
        models: list[ModelInfo] = []
        token = ""
        for _ in range(MAX_PAGES):
            query = "?pageSize=1000" + (f"&pageToken={quote(token, safe=NAME_SAFE)}" if token else "")
            response = await self._send("GET", f"/{self._version}/models{query}", (), lease)
            try:
                page, token = read_models(await response.read_all(MAX_LIST_BYTES))
            except (NetworkError, ValueError) as fault:
                raise UpstreamError("The upstream's list of models cannot be read.") from fault
            models += page
            if not token:
                break
        return models

    async def send_model_method(
        self,
        exchange: RelayedHead,
        version: str,
        target: Target,
        method: str,
        body: bytes | mmap,
        lease: Lease,
        *,
        bare: bool,
    ) -> Response:
        """Send a model method as it came, but for what the model's name asks for."""
        sent = patched(body, target, method)
        if bare:
            sent = without_signatures(memoryview(sent))
        model = self._model_path(self.served_version(version), target.model)
        path = f"{model}:{method}{query_without_key(exchange.query)}"
        return await self._send("POST", path, request_headers(exchange.headers), lease, sent)

    async def send_resource(
        self, exchange: RelayedHead, path: str, lease: Lease, body: Body, *, length_bytes: int | None = None
    ) -> Response:
        """Send a request for a resource; a download's redirects within the upstream are followed."""
        headers = request_headers(exchange.headers)
        response = await self._send(exchange.method, path, headers, lease, body, length_bytes=length_bytes)
        for _ in range(MAX_REDIRECTS):
            location = response.header(b"location").decode("latin-1")
            if exchange.method != "GET" or response.status not in REDIRECTS or not self._is_own(location):
                break
            await response.aclose()
            response = await self._send_to(location, "GET", (*headers, self._key(lease)), b"", None)
        return response

    async def send_on(
        self, exchange: RelayedHead, location: str, lease: Lease | None, body: Body, *, length_bytes: int | None
    ) -> Response:
        """Go on with an upload at the address that the upstream has named."""
        headers = request_headers(exchange.headers)
        if lease is not None and self._is_own(location):
            headers = (*headers, self._key(lease))
        return await self._send_to(location, exchange.method, headers, body, length_bytes)

    def answer_headers(self, headers: Headers) -> Headers:
        """Choose the headers of an answer that are the client's."""
        return answer_headers(headers)

    def peek(self) -> UsagePeek:
        """Give what finds the token counts in a reply going by."""
        return UsagePeek()

    def served_version(self, version: str) -> str:
        """Choose the version to ask: previews and the newest fields exist in the configured one only."""
        return version if version == "v1alpha" else self._version

    def _model_path(self, version: str, model: str) -> str:
        if not MODEL_NAME.fullmatch(model) or model.strip(".") == "":
            raise ModelNotFound(f"There is no model {model[:80]!r}: a name is no path, and has 200 characters at most.")
        return f"/{version}/models/{quote(model, safe=NAME_SAFE)}"

    def _is_own(self, url: str) -> bool:
        """Whether an address is the upstream's own, so that a key may go there."""
        try:
            return split(url)[0] == self._origin
        except ValueError:
            return False

    def _key(self, lease: Lease) -> tuple[bytes, bytes]:
        return (KEY_HEADER, lease.secret.encode())

    async def _send(
        self,
        method: str,
        path: str,
        headers: tuple[tuple[bytes, bytes], ...],
        lease: Lease,
        body: Body = b"",
        *,
        length_bytes: int | None = None,
    ) -> Response:
        """Send a request under a key and give the answer once its head has come.

        Raises `UpstreamRefusal` for every status of 400 and above.
        """
        request = Request(
            origin=self._origin,
            method=method,
            target=self._path + path,
            headers=(*headers, self._key(lease)),
            body=body,
            length_bytes=length_bytes,
        )
        return await self._opened(request)

    async def _send_to(
        self, url: str, method: str, headers: tuple[tuple[bytes, bytes], ...], body: Body, length_bytes: int | None
    ) -> Response:
        origin, target = split(url)
        request = Request(
            origin=origin, method=method, target=target, headers=headers, body=body, length_bytes=length_bytes
        )
        return await self._opened(request)

    async def _opened(self, request: Request) -> Response:
        try:
            response = await self._client.open(request)
            if response.status >= 400:
                body = await response.read_all(MAX_ERROR_BYTES)
                raise refusal(response.status, response.headers, body)
        except NetworkError as fault:
            raise broken(fault) from fault
        return response


def patched(body: bytes | mmap, target: Target, method: str) -> bytes | mmap:
    """Make the changes that a model's name asks for; almost always none."""
    generates = method in ("generateContent", "streamGenerateContent")
    if target.reasoning is not None and generates:
        body = with_thinking(memoryview(body), target.reasoning, target.abilities.thinking)
    if target.web_search and generates:
        body = with_search(memoryview(body))
    if target.model != target.asked and not generates:
        body = with_model(memoryview(body), target.asked, target.model)
    return body


def _may_name(call: Generate) -> bool:
    """Whether a call may refer to something that Gemini keeps; most do not, and need not be searched."""
    if call.vendor is not None or any(isinstance(tool, (BuiltIn, OpaqueTool)) and tool.vendor for tool in call.tools):
        return True
    for parts in (call.system, *(message.parts for message in call.messages)):
        for part in parts:
            if type(part) is not Text and _is_kept(part):
                return True
    return False


def _is_kept(part: Part) -> bool:
    match part:
        case Media():
            return isinstance(part.source, Uri)
        case ToolResult():
            return any(isinstance(item.source, Uri) for item in part.media)
        case Opaque():
            return True
        case _:
            return False
