"""An answer of the Gemini API, read as it comes."""

from collections.abc import AsyncIterator, Awaitable, Callable

from gemgate.errors import GemgateError, Timeout, UpstreamError
from gemgate.hub.events import Event, Failure
from gemgate.net.connection import DeadlineError, NetworkError, Response
from gemgate.net.sse import EventTooLarge, SseParser
from gemgate.protocols.gemini.reader import GeminiReader
from gemgate.upstreams.gemini_api.classify import early
from gemgate.upstreams.gemini_api.hops import Hops
from gemgate.upstreams.refusal import UpstreamRefusal

MAX_REPLY_BYTES = 256 * 1024 * 1024

Follow = Callable[[str], Awaitable[Response]]
"""Sends the same request again with a continuation token."""


class GeminiReply:
    """One answer: the events of each read of the socket make one batch.

    A long decode is followed from hop to hop as if it were one (notes §2.8); without `follow` it ends with the first.
    """

    def __init__(
        self,
        response: Response,
        names: dict[str, str],
        *,
        stream: bool,
        new_id: Callable[[], str],
        follow: Follow | None = None,
        max_output_tokens: int | None = None,
    ) -> None:
        self._response = response
        self._reader = GeminiReader(names, whole=not stream, new_id=new_id)
        self._stream = stream
        self._follow = follow
        self._hops = Hops(max_output_tokens)
        self._token = ""

    async def __aiter__(self) -> AsyncIterator[list[Event]]:
        """Give the batches.

        Raises `UpstreamRefusal` if the very first event is an error: nothing has been answered then.
        """
        begun = False
        try:
            while True:
                async for events in self._streamed() if self._stream else self._whole():
                    if not begun and isinstance(failure := events[0], Failure):
                        raise early(failure.error)
                    begun = True
                    yield events
                if not self._token or self._follow is None:
                    return
                await self._response.aclose()
                try:
                    self._response = await self._follow(self._token)
                except UpstreamRefusal:
                    # What was said stays said: a long decode that is not followed ends as one cut by a limit.
                    yield self._reader.end()
                    return
                self._reader.resume()
        finally:
            await self.aclose()

    async def aclose(self) -> None:
        """Hang up, if the answer is not complete."""
        await self._response.aclose()

    async def _streamed(self) -> AsyncIterator[list[Event]]:
        parser, reader, response = SseParser(), self._reader, self._response
        try:
            while chunk := await response.read():
                events = reader.feed(*parser.feed(chunk))
                if response.exhausted or reader.failed:
                    # Its end came with it: one batch, and one write to the client, less.
                    break
                if events:
                    yield events
            else:
                events = []
            events += reader.feed(*parser.end())
        except (NetworkError, EventTooLarge) as fault:
            events = self._closed([], fault)
        else:
            events = self._closed(events)
        if events:
            yield events

    async def _whole(self) -> AsyncIterator[list[Event]]:
        try:
            body = await self._response.read_all(MAX_REPLY_BYTES)
        except NetworkError as fault:
            events = self._closed([], fault)
        else:
            events = self._closed(self._reader.feed(body))
        if events:
            yield events

    def _closed(self, events: list[Event], fault: NetworkError | EventTooLarge | None = None) -> list[Event]:
        """Add the end of the reply, unless the hop that is over has another to follow."""
        reader = self._reader
        self._token = self._hops.next(reader) if self._follow is not None else ""
        if self._token:
            return events
        if fault is not None:
            return [*events, *_counted(reader), Failure(_error(fault))]
        return events + reader.end()


def _counted(reader: GeminiReader) -> list[Event]:
    """Tell what a reply that broke off has cost so far."""
    return [reader.usage] if reader.usage.total_tokens else []


def _error(fault: NetworkError | EventTooLarge) -> GemgateError:
    return Timeout(str(fault)) if isinstance(fault, DeadlineError) else UpstreamError(f"{fault} Try again.")
