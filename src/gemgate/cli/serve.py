"""`gemgate serve`: listen, say so, serve, drain."""

import asyncio
import contextlib
import errno
import gc
import socket
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from types import FrameType

import uvicorn
from uvicorn.supervisors import ChangeReload

from gemgate.app import State, build
from gemgate.callers.first_key import first_key
from gemgate.catalog.catalog import Catalog
from gemgate.cli.banner import banner
from gemgate.cli.workers import Workers
from gemgate.config import Settings, advice, load
from gemgate.errors import SettingsError
from gemgate.observe.log import set_up
from gemgate.server.application import Application
from gemgate.server.protocol import JoinedHttpProtocol, websocket_protocol

BACKLOG = 2048
IDLE_SECONDS = 75
GRACE_SECONDS = 5
DRAIN_STEP_SECONDS = 0.02
PING_SECONDS = 30
PONG_SECONDS = 300
"""A client that is sending a large message cannot answer a ping in the midst of it."""
COLLECTOR_THRESHOLDS = (20_000, 20, 50)


def serve(environment: Mapping[str, str], flags: Mapping[str, object], *, reload: bool) -> int:
    """Serve until told to stop; gives the exit status."""
    settings = load(environment, flags)
    made = None if settings.clients.api_keys else first_key(settings.data_path)
    newest = Catalog.load(settings.catalog_overrides).newest_chat_model(datetime.now(UTC).date())
    _allow_many_connections()
    listener = _listen(settings.server.host, settings.server.port)
    print(banner(settings, listener.getsockname()[1], made, newest, language=environment.get("LANG", "")), flush=True)
    for remark in advice(settings):
        print(f"! {remark}", file=sys.stderr, flush=True)
    worker = Worker(settings)
    if reload:
        # The supervisor starts `worker` itself; of the configuration it reads only what to watch.
        ChangeReload(uvicorn.Config("gemgate.app:build", log_config=None, reload=True), worker, [listener]).run()
    elif settings.server.workers > 1:
        set_up(settings.log.level, settings.log.format)
        return Workers(settings.server.workers, worker, listener).run()
    else:
        worker([listener])
    return 0


class Worker:
    """One serving process, described so that it can be started anywhere."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def __call__(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve on open sockets until told to stop."""
        set_up(self._settings.log.level, self._settings.log.format)
        state = State()
        application = build(self._settings, state)
        config = uvicorn.Config(
            application,  # pyright: ignore[reportArgumentType] - an ASGI callable with plainer types
            loop="uvloop" if sys.platform != "win32" else "asyncio",
            http=JoinedHttpProtocol,
            ws=websocket_protocol,  # pyright: ignore[reportArgumentType] - whatever makes a protocol will do
            ws_max_size=self._settings.server.max_body_bytes,
            ws_ping_interval=PING_SECONDS,
            ws_ping_timeout=PONG_SECONDS,
            # What is compressed costs memory for each connection, and may be a bomb.
            ws_per_message_deflate=False,
            lifespan="on",
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            timeout_keep_alive=IDLE_SECONDS,
            timeout_graceful_shutdown=GRACE_SECONDS,
        )
        # What start-up has made lives as long as the process: the collector need not look at it again. Requests make
        # hardly any cycles, so it need not look often.
        gc.freeze()
        gc.set_threshold(*COLLECTOR_THRESHOLDS)
        DrainingServer(config, application, state, self._settings.server.drain_seconds).run(sockets)


class DrainingServer(uvicorn.Server):
    """At the first signal: not ready any more, but every request is answered. At the second: at once."""

    def __init__(self, config: uvicorn.Config, application: Application, state: State, drain_seconds: float) -> None:
        super().__init__(config)
        self._application = application
        self._state = state
        self._drain_seconds = drain_seconds
        self._loop: asyncio.AbstractEventLoop | None = None

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until told to stop."""
        self._loop = asyncio.get_running_loop()
        await super().serve(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to drain, or end at once."""
        if self._state.draining or self._loop is None:
            self.should_exit = self.force_exit = True
        else:
            self._state.draining = True
            self._loop.call_soon_threadsafe(self._begin_to_drain)

    def _begin_to_drain(self) -> None:
        self._application.drain()
        self._draining = asyncio.ensure_future(self._drain())

    async def _drain(self) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self._drain_seconds
        # Looking now and then costs the requests nothing; an event would cost each of them a little.
        while self._application.under_way and loop.time() < deadline and not self.should_exit:  # noqa: ASYNC110
            await asyncio.sleep(DRAIN_STEP_SECONDS)
        self.should_exit = True


def _allow_many_connections() -> None:
    """Raise the limit of open files as far as we may: the usual 1,024 is 500 requests under way."""
    if sys.platform != "win32":
        import resource

        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        with contextlib.suppress(OSError, ValueError):  # some systems promise more than they grant
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _listen(host: str, port: int) -> socket.socket:
    """Open the port; raises `SettingsError` with what to do if it cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        if error.errno == errno.EADDRINUSE:
            raise SettingsError("PORT", f"port {port} is in use; stop what listens there or choose another") from error
        raise SettingsError("HOST", f"cannot listen on {host}:{port}: {error.strerror}") from error
    listener.set_inheritable(True)
    return listener
