"""A sign of life on a relayed event stream."""

from gemgate.pipeline.exchange import Exchange
from gemgate.pipeline.heartbeat import Heartbeat
from gemgate.pipeline.send import STREAM_HEADERS

EVENT_STREAM = b"text/event-stream"
EVENT_ENDS = (b"\r\n\r\n", b"\n\n")
BLANK_LINE = b"\r\n"
"""Ends no event, because none has begun; unlike a comment, every client's parser skips it."""


class Pulse:
    """Sends blank lines between the events of a stream while nothing comes for `seconds`; stop it at the end.

    The first one begins the answer, with status 200.
    """

    def __init__(self, exchange: Exchange, seconds: float) -> None:
        self._exchange = exchange
        self._between_events = True
        self._heartbeat = Heartbeat(seconds, self._beat)

    def passed(self, chunk: bytes) -> None:
        """A piece of the stream goes to the client."""
        self._between_events = chunk.endswith(EVENT_ENDS)
        self._heartbeat.touch()

    async def stop(self) -> None:
        """Fall silent; a beat under way is finished first."""
        await self._heartbeat.stop()

    async def _beat(self) -> None:
        if not self._between_events:
            return
        if not self._exchange.started:
            await self._exchange.start(200, EVENT_STREAM, STREAM_HEADERS)
        await self._exchange.send(BLANK_LINE)
