"""Files, caches, jobs and whatever else Gemini keeps: each belongs to the key that made it, and to one caller.

A request for a resource goes to its key; somebody else's resource is not found. Large bodies are streamed, in one
attempt; only small replies are looked at, to learn what has been made, before the client sees them.
"""

import asyncio
import re
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Sequence
from mmap import mmap
from urllib.parse import parse_qsl, quote

from msgspec import Raw, Struct

from gemgate.callers.auth import Caller
from gemgate.catalog.catalog import Catalog, Target
from gemgate.errors import GemgateError, InvalidRequest, NotFound, UpstreamError
from gemgate.keys.pool import KeyPool, Lease
from gemgate.net.connection import Body, Headers, NetworkError, Response
from gemgate.net.sse import EventTooLarge, SseParser
from gemgate.pipeline.attempt import Attempts
from gemgate.pipeline.contracts import Clock
from gemgate.pipeline.exchange import JSON, Exchange
from gemgate.pipeline.pulse import EVENT_STREAM
from gemgate.pipeline.relay import RelayUpstream, pass_on
from gemgate.protocols.gemini.resources import (
    LIFETIME_SECONDS,
    is_collection,
    made,
    owned_name,
    read_page,
    references,
    write_page,
)
from gemgate.store.protocols import Owner, OwnerStore
from gemgate.upstreams.gemini_api.headers import query_without_key
from gemgate.upstreams.refusal import UpstreamRefusal

PEEKED_BYTES = 1024 * 1024
NEXT_STEP = (b"x-goog-upload-url", b"location")
"""Where an upload goes on, in the two forms of the protocol."""
PATH_SAFE = "/:-._~!$&'()*+,;=@"
NUMBER = re.compile(r"[0-9]{1,9}")
SEARCHED_AT_ONCE_BYTES = 1024 * 1024
PAGE_SIZE = 50
MAX_PAGE_SIZE = 1000
MAX_PAGES = 100
FETCHED_PAGE_SIZE = 100
"""The largest page that every collection grants."""


class ResourcePath(Struct, frozen=True):
    """Where a request goes: `lead` is empty, `/upload` or `/download`; `rest` follows the version, up to the query."""

    lead: str
    version: str
    rest: str

    @property
    def collection(self) -> str:
        """The collection that the path begins with."""
        return self.rest.partition("/")[0].partition(":")[0]


class RequestBody(Struct, frozen=True):
    """A body to send on: its bytes, or a stream of `length_bytes` (`None` if unknown)."""

    data: Body
    length_bytes: int | None = None


class Resources:
    """Serves requests for resources, and remembers whose they are."""

    def __init__(
        self,
        upstream: RelayUpstream,
        pool: KeyPool,
        catalog: Catalog,
        owners: OwnerStore,
        clock: Clock,
        *,
        max_attempts: int,
    ) -> None:
        self._upstream = upstream
        self._pool = pool
        self._catalog = catalog
        self._owners = owners
        self._clock = clock
        self._max_attempts = max_attempts

    async def key_for(self, caller: Caller, body: Body) -> Lease | None:
        """Find the key that owns what a request's body refers to; `None` if it refers to nothing that is owned.

        Raises `NotFound` for somebody else's, `InvalidRequest` for things of two keys.
        """
        return await self.key_of(caller, await _references(body) if isinstance(body, (bytes, mmap)) else [])

    async def key_of(self, caller: Caller, names: Sequence[str]) -> Lease | None:
        """Find the key that owns the named resources; as `key_for`."""
        owners = await self._owners.find(list(names)) if names else []
        mine = [owner for owner in owners if owner.caller_id == caller.id]
        found = {owner.resource for owner in mine}
        for owner in owners:
            if owner.resource not in found:
                raise _not_found(owner.resource)
        keys = {owner.key_id for owner in mine}
        if len(keys) > 1:
            raise InvalidRequest(
                f"{mine[0].resource} and {mine[-1].resource} were made under different upstream keys and cannot be "
                "used in one request. Upload them again, one after the other."
            )
        return self._key(mine[0]) if mine else None

    async def serve(self, exchange: Exchange, path: ResourcePath, body: RequestBody) -> None:
        """Serve a request for a resource or a collection."""
        caller = exchange.caller
        assert caller is not None
        owner = await self._owner_of(caller, path)
        if exchange.method == "GET" and is_collection(path.rest) and path.rest != "models":
            await self._list(exchange, path, caller)
            return
        response, lease = await self._send(exchange, path, body, caller, owner)
        try:
            if exchange.method == "DELETE" and owner is not None and path.rest == owner.resource:
                await self._owners.delete(owner)
            await self._answer(exchange, path, response, lease, caller)
        finally:
            await response.aclose()

    async def begin_upload(self, exchange: Exchange, path: ResourcePath, body: RequestBody, public_url: str) -> None:
        """Begin a resumable upload, or take a whole one; the address of its next step becomes one of ours."""
        caller = exchange.caller
        assert caller is not None
        owner = await self._owner_of(caller, path)
        response, lease = await self._send(exchange, path, body, caller, owner)
        try:
            more: Headers = []
            for name in NEXT_STEP:
                location = response.header(name).decode("latin-1")
                if location:
                    more.append((name, await self._next_step(path, location, lease, caller, public_url)))
            await self._answer(exchange, path, response, lease, caller, more)
        finally:
            await response.aclose()

    async def _next_step(
        self, path: ResourcePath, location: str, lease: Lease, caller: Caller, public_url: str
    ) -> bytes:
        """Give the address where the client shall go on, and remember where that leads."""
        token = secrets.token_urlsafe(32)
        until = self._clock.seconds() + LIFETIME_SECONDS["uploads"]
        await self._owners.put([self._owner(f"uploads/{token}", lease, caller, until, location)])
        base = f"{public_url}{path.lead}/{path.version}/{quote(path.rest, safe=PATH_SAFE)}"
        return f"{base}?upload_id={token}&upload_protocol=resumable".encode()

    async def upload_owner(self, query: bytes) -> Owner | None:
        """Find the upload that a request goes on with: its id is its credential, as the client's SDK sends no other."""
        token = dict(parse_qsl(query.decode("latin-1"))).get("upload_id", "")
        return await self._owners.get(f"uploads/{token}") if token else None

    async def go_on_uploading(self, exchange: Exchange, path: ResourcePath, body: RequestBody, owner: Owner) -> None:
        """Send the next piece of an upload where the upstream wants it."""
        lease = self._key(owner)
        exchange.upstream, exchange.attempts = self._upstream.name, 1
        response = await self._upstream.send_on(
            exchange, owner.location, lease, body.data, length_bytes=body.length_bytes
        )
        try:
            if response.header(b"x-goog-upload-status") in (b"final", b"cancelled"):
                await self._owners.delete(owner)
            await self._answer(exchange, path, response, lease, Caller(owner.caller_id))
        finally:
            await response.aclose()

    async def answer_made(self, exchange: Exchange, response: Response, lease: Lease, path: ResourcePath) -> None:
        """Pass on the answer of a model method that makes something, such as a batch."""
        assert exchange.caller is not None
        try:
            await self._answer(exchange, path, response, lease, exchange.caller)
        finally:
            await response.aclose()

    async def _owner_of(self, caller: Caller, path: ResourcePath) -> Owner | None:
        """Find whose a path's resource is; `None` for a collection. Raises `NotFound` unless it is the caller's."""
        name = owned_name(path.rest)
        if name is None:
            return None
        for owner in await self._owners.find([name]):
            if owner.caller_id == caller.id:
                return owner
        raise _not_found(name)

    def _key(self, owner: Owner) -> Lease:
        lease = self._pool.get(owner.key_id)
        if lease is None:
            raise NotFound(f"{owner.resource} belongs to an upstream key that this server no longer has.")
        return lease

    async def _send(
        self, exchange: Exchange, path: ResourcePath, body: RequestBody, caller: Caller, owner: Owner | None
    ) -> tuple[Response, Lease]:
        """Send a request under the key it belongs to; one that belongs to none moves on from a key that is refused.

        A streamed body has one attempt.
        """
        pinned = self._key(owner) if owner is not None else await self.key_for(caller, body.data)
        whole = isinstance(body.data, (bytes, mmap))
        attempts = Attempts(
            exchange,
            self._upstream.name,
            self._pool,
            self._catalog,
            Target(asked="", model=path.collection),
            limit=self._max_attempts,
            today=self._clock.today(),
            pinned=pinned,
            repeatable=exchange.method in ("GET", "HEAD"),
        )
        while True:
            lease = attempts.take()
            try:
                response = await self._upstream.send_resource(
                    exchange, self._target(path, exchange.query), lease, body.data, length_bytes=body.length_bytes
                )
            except UpstreamRefusal as refusal:
                await attempts.refused(refusal)
                if not whole:
                    raise
                continue
            attempts.worked()
            return response, lease

    def _target(self, path: ResourcePath, query: bytes) -> str:
        rest = quote(path.rest, safe=PATH_SAFE)
        return f"{path.lead}/{self._upstream.served_version(path.version)}/{rest}{query_without_key(query)}"

    async def _answer(
        self,
        exchange: Exchange,
        path: ResourcePath,
        response: Response,
        lease: Lease,
        caller: Caller,
        more: Sequence[tuple[bytes, bytes]] = (),
    ) -> None:
        """Pass an answer on; what it has made is remembered first, so that the client's next request finds it."""
        content_type = response.header(b"content-type")
        if content_type.startswith(JSON) and exchange.method != "HEAD":
            await self._answer_document(exchange, path, response, lease, caller, more)
        elif content_type.startswith(EVENT_STREAM):
            await pass_on(exchange, self._upstream, _Watched(response, self, path, lease, caller), more)
        else:
            await pass_on(exchange, self._upstream, response, more)

    async def _answer_document(
        self,
        exchange: Exchange,
        path: ResourcePath,
        response: Response,
        lease: Lease,
        caller: Caller,
        more: Sequence[tuple[bytes, bytes]],
    ) -> None:
        head: list[bytes] = []
        size = 0
        try:
            while (chunk := await response.read()) and (size := size + len(chunk)) <= PEEKED_BYTES:
                head.append(chunk)
        except NetworkError as fault:
            raise UpstreamError(str(fault)) from fault
        head.append(chunk)
        body = b"".join(head)
        if size <= PEEKED_BYTES:
            await self.remember(body, path, lease, caller)
        kept = self._upstream.answer_headers(response.headers)
        await exchange.start(response.status, response.header(b"content-type"), [*kept, *more])
        try:
            while not response.exhausted:
                await exchange.send(body)
                body = await response.read()
        except NetworkError:
            exchange.ended = True
            return
        await exchange.send(body, more=False)

    async def remember(self, body: bytes, path: ResourcePath, lease: Lease, caller: Caller) -> bool:
        """Keep the owner of whatever a reply tells of; gives whether it told of anything."""
        found = made(body, path.collection, self._clock.seconds())
        if found:
            await self._owners.put([self._owner(item.name, lease, caller, item.expires_at) for item in found])
        return bool(found)

    def _owner(self, name: str, lease: Lease, caller: Caller, expires_at: float, location: str = "") -> Owner:
        return Owner(resource=name, key_id=lease.id, caller_id=caller.id, location=location, expires_at=expires_at)

    async def _list(self, exchange: Exchange, path: ResourcePath, caller: Caller) -> None:
        """List what the caller owns, over all keys: the upstream's own entries, filtered."""
        wanted = dict(parse_qsl(exchange.query.decode("latin-1")))
        size = _page_size(wanted.get("pageSize", wanted.get("page_size", "")))
        start = _offset(wanted.get("pageToken", wanted.get("page_token", "")))
        owned = await self._owners.of_caller(caller.id, f"{path.rest}/")
        names = {(owner.resource, owner.key_id) for owner in owned}
        entries: list[Raw] = []
        member = path.rest.rpartition("/")[2]
        for key_id in dict.fromkeys(owner.key_id for owner in owned):
            lease = self._pool.get(key_id)
            if lease is not None:
                member, found = await self._entries(exchange, path, lease)
                entries += (entry for name, entry in found if (owned_name(name), key_id) in names)
        page = entries[start : start + size]
        next_token = _token(start + size) if start + size < len(entries) else ""
        await exchange.answer(200, write_page(member, page, next_token))

    async def _entries(self, exchange: Exchange, path: ResourcePath, lease: Lease) -> tuple[str, list[tuple[str, Raw]]]:
        entries: list[tuple[str, Raw]] = []
        token, member = "", ""
        asked = [part for part in exchange.query.split(b"&") if part.startswith(b"filter=")]
        exchange.upstream = self._upstream.name
        exchange.attempts += 1
        for _ in range(MAX_PAGES):
            query = [*asked, b"pageSize=%d" % FETCHED_PAGE_SIZE]
            if token:
                query.append(b"pageToken=" + quote(token, safe="").encode())
            response = await self._upstream.send_resource(exchange, self._target(path, b"&".join(query)), lease, b"")
            try:
                page = read_page(await response.read_all(PEEKED_BYTES * 16), path.rest)
            except NetworkError as fault:
                raise UpstreamError(str(fault)) from fault
            if page is None:
                raise UpstreamError("The upstream's list cannot be read.")
            entries += page.entries
            token, member = page.next_token, page.member
            if not token:
                break
        return member, entries


class _Watched:
    """A streamed reply that is watched for the name of what it makes, until it has told it."""

    def __init__(
        self, response: Response, resources: Resources, path: ResourcePath, lease: Lease, caller: Caller
    ) -> None:
        self._response = response
        self._resources = resources
        self._about = (path, lease, caller)
        self._parser: SseParser | None = SseParser()
        self.status = response.status
        self.headers = response.headers
        self.header = response.header
        self.aclose = response.aclose

    @property
    def exhausted(self) -> bool:
        """Whether everything has been read."""
        return self._response.exhausted

    async def read(self) -> bytes:
        """Read on, and remember what an event tells of."""
        chunk = await self._response.read()
        if self._parser is not None:
            try:
                events = self._parser.feed(chunk)
            except EventTooLarge:
                events, self._parser = [], None
            for event in events:
                if await self._resources.remember(event, *self._about):
                    self._parser = None
                    break
        return chunk


def _not_found(name: str) -> GemgateError:
    return NotFound(f"{name} was not found. It may have expired, or it was made with another key of this server.")


async def _references(body: bytes | mmap) -> list[str]:
    """List what a body names; a large one is searched in a thread, so that others need not wait."""
    if len(body) > SEARCHED_AT_ONCE_BYTES:
        return await asyncio.to_thread(references, body)
    return references(body)


def _page_size(text: str) -> int:
    if not text:
        return PAGE_SIZE
    if not NUMBER.fullmatch(text):
        raise InvalidRequest("pageSize must be a whole number.", param="pageSize")
    return min(int(text), MAX_PAGE_SIZE) or PAGE_SIZE


def _token(offset: int) -> str:
    return urlsafe_b64encode(b"%d" % offset).decode().rstrip("=")


def _offset(token: str) -> int:
    if not token:
        return 0
    try:
        text = urlsafe_b64decode(token[:32] + "=" * (-len(token) % 4)).decode()
    except ValueError:
        text = ""
    if not NUMBER.fullmatch(text):
        raise InvalidRequest("pageToken is not one that this server has given.", param="pageToken")
    return int(text)
