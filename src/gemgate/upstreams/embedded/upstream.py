"""The embedded upstream: what answers when there is no Gemini key."""

import asyncio
import atexit
import contextlib
import time
from collections.abc import AsyncIterator
from concurrent.futures import Future
from pathlib import Path
from threading import Thread

from msgspec import json
from msgspec.structs import replace

from gemgate.catalog.catalog import Target
from gemgate.errors import GemgateError, Unavailable
from gemgate.hub.call import Generate
from gemgate.hub.events import Event, Failure
from gemgate.hub.parts import Media, Remote, Uri
from gemgate.keys.pool import Lease
from gemgate.upstreams.base import Outgoing
from gemgate.upstreams.embedded.advice import SET_A_KEY
from gemgate.upstreams.embedded.library import Model, load
from gemgate.upstreams.embedded.line import Line
from gemgate.upstreams.embedded.prompt import Prompt, prompt_of
from gemgate.upstreams.embedded.reader import ChunkReader, refused
from gemgate.upstreams.embedded.run import Run
from gemgate.upstreams.embedded.weights import locate, name_of

# How long an end waits for the model: it looks up at each token, and at each step of a prompt.
_PATIENCE_SECONDS = 5.0


class EmbeddedReply:
    """An answer that the embedded model has begun."""

    def __init__(self, run: Run, reader: ChunkReader, first: list[Event]) -> None:
        self._run = run
        self._reader = reader
        self._first = first

    async def __aiter__(self) -> AsyncIterator[list[Event]]:
        """Give batches of events, each what has been generated since the last; the last holds `Finish` or `Failure`."""
        try:
            yield self._first
            while chunks := await _read(self._run):
                if events := [event for index, chunk in chunks for event in self._reader.feed(index, chunk)]:
                    yield events
            yield self._reader.end()
        except GemgateError as error:
            yield [Failure(error)]
        finally:
            self._run.stop()

    async def aclose(self) -> None:
        """Stop the generation, and see it stopped."""
        self._run.stop()
        await self._run.wait()


class EmbeddedUpstream:
    """A small model in this process. It answers to every model name, with its own name in the reply."""

    name = "embedded"

    def __init__(
        self,
        model_path: Path | None = None,
        *,
        context_tokens: int = 8192,
        concurrency: int = 1,
        queue_limit: int = 16,
    ) -> None:
        """Take settings and do nothing yet.

        `model_path` is a GGUF file, `None` means the packaged model; each of `concurrency` generations at a time has
        `context_tokens` for prompt and answer, and `queue_limit` more wait behind them.
        """
        self.model_name = name_of(model_path)
        self._path = model_path
        self._context_tokens = context_tokens
        self._concurrency = concurrency
        self._line = Line(concurrency, queue_limit)
        self._runs: set[Run] = set()
        # A failure to load is kept as its message, for each request an error of its own.
        self._outcome: Future[Model | str] = Future()
        self._loader: Thread | None = None
        self._closing = False

    def start(self) -> None:
        """Begin to load the model in the background; returns at once."""
        if self._loader is not None or self._closing:
            return
        # From here on it cannot be cancelled by one of those who wait for it.
        self._outcome.set_running_or_notify_cancel()
        atexit.register(self._at_exit)
        self._loader = Thread(target=self._load, name="gemgate-embedded-load", daemon=True)
        self._loader.start()

    @property
    def ready(self) -> bool:
        """Whether the model is loaded."""
        return not self._closing and self._model is not None

    async def wait_ready(self) -> None:
        """Wait until the model is loaded; raises `Unavailable` if it cannot be."""
        await self._loaded()

    def by_address(self, media: Media, target: Target) -> Media | None:
        """Take every address as it is: nothing is fetched for a model that sees nothing."""
        assert isinstance(media.source, Remote)
        return replace(media, source=Uri(media.source.url))

    def outgoing(self, prepared: Prompt) -> Outgoing:
        """Show what llama.cpp is asked for the first candidate."""
        return Outgoing(method="CALL", url="embedded:chat", body=(json.encode(prepared.requests[0]),))

    def prepare(self, call: Generate, target: Target) -> Prompt:
        """Say what llama.cpp is to be asked; raises `InvalidRequest` for what the model cannot do at all."""
        return prompt_of(call, target)

    async def generate(self, prepared: Prompt, target: Target, lease: Lease | None) -> EmbeddedReply:
        """Begin an answer: wait for the model, for a place, and for the prompt to be accepted.

        Raises `InvalidRequest` for a schema that llama.cpp refuses, `ContextTooLong`, and `Unavailable` when the line
        is full or there is no model.
        """
        model = await self._loaded()
        await self._line.enter()
        began = time.monotonic()

        def ended() -> None:
            self._runs.discard(run)
            self._line.leave(time.monotonic() - began)

        run = Run(model, prepared.requests, ended)
        self._runs.add(run)
        reader = ChunkReader(self.model_name, len(prepared.requests), calls=prepared.calls)
        try:
            chunks = await _read(run)
            first = [event for index, chunk in chunks for event in reader.feed(index, chunk)]
            if not chunks:
                raise _gone()
        except BaseException:
            run.stop()
            raise
        return EmbeddedReply(run, reader, first)

    async def count_tokens(self, prepared: Prompt, target: Target, lease: Lease | None) -> int:
        """Count the tokens of the call's prompt with the model's own tokenizer and template."""
        model = await self._loaded()
        return await asyncio.to_thread(model.count, prepared.requests[0]["messages"])

    async def aclose(self) -> None:
        """Stop all generations and free the model, within some seconds."""
        self._closing = True
        self._line.close()
        for run in self._runs:
            run.stop()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_PATIENCE_SECONDS):
                for run in tuple(self._runs):
                    await run.wait()
                if self._loader is not None:
                    await self._loading()
        self._free()

    @property
    def _model(self) -> Model | None:
        outcome = self._outcome.result() if self._outcome.done() else None
        return outcome if isinstance(outcome, Model) else None

    async def _loaded(self) -> Model:
        self.start()
        if self._closing:
            raise _gone()
        outcome = await self._loading()
        if isinstance(outcome, str):
            raise Unavailable(outcome)
        if self._closing:
            raise _gone()
        return outcome

    async def _loading(self) -> Model | str:
        # Shielded, because a waiter that leaves would take the future with it.
        return await asyncio.shield(asyncio.wrap_future(self._outcome))

    def _load(self) -> None:
        outcome: Model | str
        try:
            outcome = load(locate(self._path), context_tokens=self._context_tokens, concurrency=self._concurrency)
        except Unavailable as error:
            outcome = error.message
        except Exception as error:
            outcome = f"The embedded model could not be loaded ({type(error).__name__}: {error}). {SET_A_KEY}"
        self._outcome.set_result(outcome)

    def _free(self) -> None:
        # A model that is still loading or at work is left to the end of the process.
        if self._runs or (self._loader is not None and not self._outcome.done()):
            return
        atexit.unregister(self._at_exit)
        if self._model is not None:
            self._model.close()

    def _at_exit(self) -> None:
        # The library's threads must not meet an interpreter that is being taken down.
        self._closing = True
        for run in tuple(self._runs):
            run.stop()
        if self._loader is not None:
            self._loader.join(_PATIENCE_SECONDS)
        for run in tuple(self._runs):
            run.join(_PATIENCE_SECONDS)
        if self._model is not None and not any(run.alive for run in self._runs):
            self._model.close()


async def _read(run: Run) -> list[tuple[int, object]]:
    try:
        return await run.read()
    except (ValueError, RuntimeError) as error:
        raise refused(error) from None


def _gone() -> Unavailable:
    return Unavailable("The embedded model is shutting down.", retry_after_seconds=5)
