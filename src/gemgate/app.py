"""The composition root: settings → objects → ASGI application. The only module that builds things."""

import asyncio
import random
import secrets
import time
from collections.abc import Awaitable, Callable, Sequence
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path

from msgspec import Struct

from gemgate import __version__
from gemgate.callers.auth import ClientKeys
from gemgate.callers.first_key import first_key
from gemgate.catalog.catalog import Catalog
from gemgate.config import Media, Settings
from gemgate.errors import SettingsError, Unavailable
from gemgate.hub.models import ModelInfo
from gemgate.keys.pool import KeyPool
from gemgate.media.fetch import MediaFetcher
from gemgate.net.http import HttpClient
from gemgate.net.proxy import Proxies
from gemgate.pipeline.contracts import Clock
from gemgate.pipeline.exchange import Cors
from gemgate.pipeline.handle import Handler
from gemgate.pipeline.preview import DryRun
from gemgate.pipeline.recall.recall import Recall
from gemgate.pipeline.relay import Relay
from gemgate.server.application import Application
from gemgate.server.endpoint import Endpoint, Limits, Surfaces
from gemgate.store.sqlite import SqliteStore
from gemgate.surfaces.gemini import GeminiSurface, RelayedGemini, TranslatedGemini
from gemgate.surfaces.gemini_resources import Resources
from gemgate.surfaces.messages import MessagesSurface
from gemgate.surfaces.models import ModelsSurface
from gemgate.surfaces.openai_chat import ChatSurface
from gemgate.surfaces.responses.background import Background
from gemgate.surfaces.responses.compact import Compaction
from gemgate.surfaces.responses.conversations import Conversations
from gemgate.surfaces.responses.create import ResponsesSurface
from gemgate.surfaces.responses.kept import KeptResponses
from gemgate.surfaces.translate import TranslateSurface
from gemgate.upstreams.embedded.advice import SET_A_KEY
from gemgate.upstreams.embedded.upstream import EmbeddedUpstream
from gemgate.upstreams.gemini_api.api import GeminiApi
from gemgate.upstreams.refusal import UpstreamRefusal

DATABASE = "gemgate.sqlite3"
DAY_SECONDS = 24 * 3600
LISTS = "lists of models"
"""What keys rest from when a list fails; no model has such a name."""


class State:
    """What the whole server is going through."""

    def __init__(self) -> None:
        self.draining = False


def build(settings: Settings, state: State | None = None) -> Application:
    """Build the application that serves under these settings; raises `SettingsError`."""
    state = state or State()
    made = _assembled(settings)
    endpoint = _endpoint(settings, made.surfaces, lambda: made.ready() and not state.draining)
    return Application(endpoint, made.start, made.stop, made.apart)


def translator(settings: Settings) -> TranslateSurface:
    """Build what `POST /v1/translate` answers with; nothing is started for it."""
    return _assembled(settings).surfaces.translate


class _Assembly(Struct, frozen=True):
    """The surfaces of an upstream, and what has to be started before them and stopped after them.

    `apart` counts the work apart from requests.
    """

    surfaces: Surfaces
    ready: Callable[[], bool]
    start: Sequence[Callable[[], Awaitable[None]]]
    stop: Sequence[Callable[[], Awaitable[None]]]
    apart: Callable[[], int]


def _assembled(settings: Settings) -> _Assembly:
    return _gemini(settings) if settings.gemini.api_keys else _embedded(settings)


_ids = random.Random(secrets.randbits(128))  # noqa: S311 - ids tell replies apart, they guard nothing


def new_id() -> str:
    """Give a fresh id of 24 letters and digits, without asking the kernel for each."""
    return f"{_ids.getrandbits(96):024x}"


@lru_cache(maxsize=1)
def _date(days: int) -> date:
    return date(1970, 1, 1) + timedelta(days=days)


def _clock() -> Clock:
    return Clock(time.time, lambda: _date(int(time.time() // DAY_SECONDS)), new_id)


def _gemini(settings: Settings) -> _Assembly:
    clock = _clock()
    catalog = Catalog.load(settings.catalog_overrides)
    client = HttpClient(settings.gemini.deadlines, Proxies())
    api = GeminiApi(client, settings.gemini.base_url, settings.gemini.api_version, new_id)
    pool = KeyPool(settings.gemini.api_keys, time.monotonic)
    store = SqliteStore(settings.data_path / DATABASE, time.time)
    attempts = settings.gemini.max_attempts
    fetcher = _fetcher(settings.media)
    resources = Resources(api, pool, catalog, store, clock, max_attempts=attempts)
    handler = Handler(
        api,
        pool,
        catalog,
        clock,
        fetcher=fetcher,
        memory=Recall(store, time.time),
        key_of=resources.key_of,
        max_attempts=attempts,
        keepalive_seconds=settings.server.keepalive_after_seconds,
        whole_keepalive=settings.server.whole_keepalive,
    )
    dry_run = DryRun(api, catalog, clock.today, splits=True, check=fetcher.check)

    async def list_models() -> list[ModelInfo]:
        tried: set[str] = set()
        while (lease := pool.take(LISTS, but_not=tried)) is not None:
            tried.add(lease.id)
            try:
                models = await api.list_models(lease)
            except UpstreamRefusal as refusal:
                pool.failed(lease, LISTS, refusal.trouble)
            else:
                pool.worked(lease, LISTS)
                return models
        raise Unavailable("No upstream key can list the models right now.")

    chat = ChatSurface(handler, dry_run, images=settings.chat.images)
    messages = MessagesSurface(handler, dry_run)
    responses = _responses(settings, handler, dry_run, store, clock)
    relay = Relay(api, pool, catalog, clock, max_attempts=attempts)
    gemini = RelayedGemini(relay, api, resources, keepalive_seconds=settings.server.keepalive_after_seconds)
    surfaces = Surfaces(
        chat=chat,
        responses=responses.create,
        kept_responses=responses.kept,
        conversations=responses.conversations,
        compaction=responses.compaction,
        messages=messages,
        gemini=gemini,
        models=ModelsSurface(list_models, catalog, clock),
        translate=TranslateSurface(chat, responses.create, messages, gemini),
        lists_natively=True,
    )
    start = [store.open, responses.background.start]
    stop = [responses.background.aclose, client.aclose, fetcher.aclose, store.aclose]
    return _Assembly(surfaces, lambda: True, start, stop, lambda: responses.background.under_way)


class _Responses(Struct, frozen=True):
    """What answers requests for responses, and for what is kept of them."""

    create: ResponsesSurface
    kept: KeptResponses
    conversations: Conversations
    compaction: Compaction
    background: Background


def _responses(settings: Settings, handler: Handler, dry_run: DryRun, store: SqliteStore, clock: Clock) -> _Responses:
    days = settings.responses.retention_days
    background = Background(handler, store, clock, keepalive_seconds=settings.server.keepalive_after_seconds)
    return _Responses(
        create=ResponsesSurface(handler, dry_run, store, background, clock, retention_days=days),
        kept=KeptResponses(store, background),
        conversations=Conversations(store, clock, retention_days=days),
        compaction=Compaction(handler, store, clock),
        background=background,
    )


def _fetcher(media: Media) -> MediaFetcher:
    try:
        return MediaFetcher(
            allow=media.allow,
            max_bytes=media.max_bytes,
            max_total_bytes=media.max_total_bytes,
            total_seconds=media.total_seconds,
            proxies=Proxies(),
        )
    except ValueError as error:
        raise SettingsError("media.allow", f"{error} (GEMGATE_MEDIA_ALLOW)") from error


def _embedded(settings: Settings) -> _Assembly:
    clock = _clock()
    catalog = Catalog.load(settings.catalog_overrides)
    chosen = settings.embedded
    upstream = EmbeddedUpstream(
        Path(chosen.model_path).expanduser() if chosen.model_path else None,
        context_tokens=chosen.context_tokens,
        concurrency=chosen.concurrency,
        queue_limit=chosen.queue_limit,
    )
    handler = Handler(
        upstream,
        None,
        catalog,
        clock,
        max_attempts=settings.gemini.max_attempts,
        keepalive_seconds=settings.server.keepalive_after_seconds,
        whole_keepalive=settings.server.whole_keepalive,
    )

    async def list_models() -> list[ModelInfo]:
        methods = ("generateContent", "streamGenerateContent", "countTokens")
        return [
            ModelInfo(name=upstream.model_name, input_tokens=chosen.context_tokens, methods=methods, owner="gemgate")
        ]

    dry_run = DryRun(upstream, catalog, clock.today)
    store = SqliteStore(settings.data_path / DATABASE, time.time)
    chat = ChatSurface(handler, dry_run)
    messages = MessagesSurface(handler, dry_run)
    responses = _responses(settings, handler, dry_run, store, clock)
    gemini: GeminiSurface = TranslatedGemini(handler, dry_run, SET_A_KEY)
    surfaces = Surfaces(
        chat=chat,
        responses=responses.create,
        kept_responses=responses.kept,
        conversations=responses.conversations,
        compaction=responses.compaction,
        messages=messages,
        gemini=gemini,
        models=ModelsSurface(list_models, catalog, clock, answers_any_name=True),
        translate=TranslateSurface(chat, responses.create, messages, gemini),
        lists_natively=False,
    )
    start = [store.open, responses.background.start, _soon(upstream.start)]
    stop = [responses.background.aclose, upstream.aclose, store.aclose]
    return _Assembly(surfaces, lambda: upstream.ready, start, stop, lambda: responses.background.under_way)


def _soon(start: Callable[[], None]) -> Callable[[], Awaitable[None]]:
    """Put a start off until the server listens: loading the model holds the interpreter for a while."""

    async def step() -> None:
        asyncio.get_running_loop().call_later(0.1, start)

    return step


def _endpoint(settings: Settings, surfaces: Surfaces, ready: Callable[[], bool]) -> Endpoint:
    server = settings.server
    keys = client_keys(settings)
    return Endpoint(
        surfaces,
        ClientKeys(keys),
        Cors(frozenset(origin.encode() for origin in server.cors_origins)),
        Limits(
            max_body_bytes=server.max_body_bytes,
            max_requests=server.max_requests,
            strict=server.strict,
            public_url=server.public_url,
        ),
        about={"name": "gemgate", "version": __version__},
        new_id=new_id,
        ready=ready,
    )


def client_keys(settings: Settings) -> tuple[str, ...]:
    """Give the keys that clients may use: those set, or the one that is made at the first start."""
    return settings.clients.api_keys or (first_key(settings.data_path)[0],)
