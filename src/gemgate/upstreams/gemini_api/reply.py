"""An answer of the Gemini API, read as it comes."""

from collections.abc import AsyncIterator

from gemgate.errors import GemgateError, Timeout, UpstreamError
from gemgate.hub.events import Event, Failure
from gemgate.net.connection import DeadlineError, NetworkError, Response
from gemgate.net.sse import EventTooLarge, SseParser
from gemgate.protocols.gemini.reader import GeminiReader
from gemgate.upstreams.gemini_api.classify import early

MAX_REPLY_BYTES = 256 * 1024 * 1024


class GeminiReply:
    """One answer: the events of each read of the socket make one batch."""

    def __init__(self, response: Response, names: dict[str, str], *, stream: bool) -> None:
        self._response = response
        self._reader = GeminiReader(names, whole=not stream)
        self._stream = stream

    async def __aiter__(self) -> AsyncIterator[list[Event]]:
        """Give the batches.

        Raises `UpstreamRefusal` if the very first event is an error: nothing has been answered then.
        """
        begun = False
        try:
            async for events in self._streamed() if self._stream else self._whole():
                if not begun and isinstance(failure := events[0], Failure):
                    raise early(failure.error)
                begun = True
                yield events
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
            yield [*_counted(reader), Failure(_error(fault))]
            return
        yield events + reader.end()

    async def _whole(self) -> AsyncIterator[list[Event]]:
        try:
            body = await self._response.read_all(MAX_REPLY_BYTES)
        except NetworkError as fault:
            yield [Failure(_error(fault))]
            return
        yield self._reader.feed(body) + self._reader.end()


def _counted(reader: GeminiReader) -> list[Event]:
    """Tell what a reply that broke off has cost so far."""
    return [reader.usage] if reader.usage.total_tokens else []


def _error(fault: NetworkError | EventTooLarge) -> GemgateError:
    return Timeout(str(fault)) if isinstance(fault, DeadlineError) else UpstreamError(f"{fault} Try again.")
