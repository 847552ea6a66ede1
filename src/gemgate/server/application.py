"""The ASGI application: start, serve, drain, stop."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from gemgate.errors import SettingsError
from gemgate.observe.log import LOGGER
from gemgate.pipeline.exchange import Receive, Send
from gemgate.server.endpoint import Endpoint

Step = Callable[[], Awaitable[None]]


class Application:
    """What uvicorn runs.

    `starts` run before the first request, `stops` after the last. `apart` counts what is being answered apart from any
    request.
    """

    def __init__(
        self, endpoint: Endpoint, starts: Sequence[Step], stops: Sequence[Step], apart: Callable[[], int] = int
    ) -> None:
        self._endpoint = endpoint
        self._apart = apart
        self._starts = starts
        self._stops = stops

    @property
    def under_way(self) -> int:
        """How much is being answered."""
        return self._endpoint.under_way + self._apart()

    def drain(self) -> None:
        """Let no more WebSockets in, and close those that are open as soon as all is answered."""
        self._endpoint.sockets.drain()

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        """Serve what a scope stands for."""
        if scope["type"] == "http":
            await self._endpoint(scope, receive, send)
        elif scope["type"] == "websocket":
            await self._endpoint.sockets(scope, receive, send)
        elif scope["type"] == "lifespan":
            await self._live(receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            for step in self._starts:
                await step()
        except SettingsError as error:
            LOGGER.error("%s", error)
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        except Exception as error:
            LOGGER.exception("the server could not start")
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        for step in self._stops:
            await step()
        await send({"type": "lifespan.shutdown.complete"})
