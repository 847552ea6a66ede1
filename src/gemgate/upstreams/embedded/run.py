"""One reply in the making: a thread that runs the model, and its bridge to the event loop."""

import asyncio
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from gemgate.upstreams.embedded.library import Model


class Run:
    """Runs requests one after the other in a thread of its own. To be made and used on the event loop."""

    def __init__(self, model: Model, requests: Sequence[dict[str, Any]], ended: Callable[[], None]) -> None:
        """Start at once; `ended` is called on the loop when the thread is done with the model."""
        self._loop = asyncio.get_running_loop()
        # An answer has at most some thousand chunks, so nobody needs to be held back.
        self._chunks: list[tuple[int, object]] = []
        self._news = asyncio.Event()
        self._done = asyncio.Event()
        self._on_end = ended
        self._stopping = False
        self._error: Exception | None = None
        # A daemon, so that it never keeps the interpreter from its exit.
        self._thread = threading.Thread(
            target=self._work, args=(model, tuple(requests)), name="gemgate-embedded-run", daemon=True
        )
        self._thread.start()

    async def read(self) -> list[tuple[int, object]]:
        """Wait for chunks, each with the index of its request; empty at the end. Raises what the model raised."""
        while not self._chunks:
            if self._done.is_set():
                if self._error is not None:
                    raise self._error
                return []
            self._news.clear()
            await self._news.wait()
        chunks, self._chunks = self._chunks, []
        return chunks

    def stop(self) -> None:
        """Have the model stop at its next token; may be called from any thread."""
        self._stopping = True

    async def wait(self) -> None:
        """Wait until the thread is done with the model."""
        await self._done.wait()

    @property
    def alive(self) -> bool:
        """Whether the thread still needs the model."""
        return self._thread.is_alive()

    def join(self, seconds: float) -> None:
        """Wait for the thread without a loop."""
        self._thread.join(seconds)

    def _work(self, model: Model, requests: tuple[dict[str, Any], ...]) -> None:
        try:
            for index, request in enumerate(requests):
                if self._stopping:
                    break
                model.generate(request, partial(self._take, index))
        except Exception as error:
            self._error = error
        finally:
            self._tell(self._end)

    def _take(self, index: int, chunk: object) -> bool:
        if not self._stopping:
            self._tell(partial(self._put, index, chunk))
        return self._stopping

    def _tell(self, what: Callable[[], None]) -> None:
        try:
            self._loop.call_soon_threadsafe(what)
        except RuntimeError:
            # The loop is closed: nobody is left to answer to.
            self._stopping = True

    def _put(self, index: int, chunk: object) -> None:
        self._chunks.append((index, chunk))
        self._news.set()

    def _end(self) -> None:
        self._done.set()
        self._news.set()
        self._on_end()
