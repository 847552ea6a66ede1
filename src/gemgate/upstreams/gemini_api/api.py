"""The Gemini API as an upstream."""

from msgspec import json

from gemgate.catalog.catalog import Target
from gemgate.errors import UpstreamError
from gemgate.hub.call import CountTokens, Generate
from gemgate.keys.pool import Lease
from gemgate.net.connection import Body, NetworkError, Response
from gemgate.net.http import HttpClient, Request
from gemgate.net.url import split
from gemgate.protocols.gemini.outbound import count_tokens, outbound
from gemgate.upstreams.gemini_api.classify import broken, refusal
from gemgate.upstreams.gemini_api.reply import GeminiReply

MAX_ERROR_BYTES = 1024 * 1024
KEY_HEADER = b"x-goog-api-key"
JSON_HEADERS = ((b"content-type", b"application/json"), (b"accept-encoding", b"identity"))


class GeminiApi:
    """Calls translated to generateContent, and requests relayed as they are."""

    name = "gemini"
    model_name: str | None = None

    def __init__(self, client: HttpClient, base_url: str, version: str) -> None:
        self._client = client
        self._origin, path = split(base_url)
        self._path = path.rstrip("/")
        self._version = version

    async def generate(self, call: Generate, target: Target, lease: Lease | None) -> GeminiReply:
        """Ask for an answer."""
        assert lease is not None
        rendered = outbound(call, target.abilities)
        method = "streamGenerateContent?alt=sse" if call.stream else "generateContent"
        path = f"/{self._version}/models/{target.model}:{method}"
        response = await self.send("POST", path, JSON_HEADERS, lease, b"".join(rendered.body))
        return GeminiReply(response, rendered.names, rendered.dropped, stream=call.stream)

    async def count_tokens(self, call: CountTokens, target: Target, lease: Lease | None) -> int:
        """Ask how long a prompt is."""
        assert lease is not None
        body = count_tokens(outbound(call.generate, target.abilities), target.model)
        path = f"/{self._version}/models/{target.model}:countTokens"
        response = await self.send("POST", path, JSON_HEADERS, lease, body)
        try:
            answer = json.decode(await response.read_all(MAX_ERROR_BYTES), type=dict[str, object])
            total = answer.get("totalTokens", 0)
            assert isinstance(total, int)
        except (NetworkError, ValueError, AssertionError) as fault:
            raise UpstreamError("The upstream's token count cannot be read.") from fault
        return total

    async def send(
        self,
        method: str,
        path: str,
        headers: tuple[tuple[bytes, bytes], ...],
        lease: Lease | None,
        body: Body = b"",
        *,
        length_bytes: int | None = None,
    ) -> Response:
        """Send a request under a key and give the answer once its head has come.

        `path` begins with the version. Raises `UpstreamRefusal` for every status of 400 and above.
        """
        key = ((KEY_HEADER, lease.secret.encode()),) if lease is not None else ()
        request = Request(
            origin=self._origin,
            method=method,
            target=self._path + path,
            headers=headers + key,
            body=body,
            length_bytes=length_bytes,
        )
        return await self._opened(request)

    async def send_to(
        self, url: str, method: str, headers: tuple[tuple[bytes, bytes], ...], body: Body, length_bytes: int | None
    ) -> Response:
        """Send a request to an address that the upstream itself has named, such as that of an upload under way."""
        origin, target = split(url)
        return await self._opened(
            Request(origin=origin, method=method, target=target, headers=headers, body=body, length_bytes=length_bytes)
        )

    async def _opened(self, request: Request) -> Response:
        try:
            response = await self._client.open(request)
            if response.status >= 400:
                body = await response.read_all(MAX_ERROR_BYTES)
                raise refusal(response.status, response.headers, body)
        except NetworkError as fault:
            raise broken(fault) from fault
        return response
