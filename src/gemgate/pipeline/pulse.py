"""A sign of life on a relayed event stream."""

from gemgate.pipeline.exchange import Exchange
from gemgate.pipeline.heartbeat import Heartbeat
from gemgate.pipeline.send import STREAM_HEADERS

EVENT_STREAM = b"text/event-stream"
EVENT_ENDS = (b"\r\n\r\n", b"\n\n")
BEGINNING = b"data: "
EMPTY_EVENT_END = b"{}\r\n\r\n"


class Pulse:
    """Begins the next event early while nothing comes for `seconds`, and spins its line out with blanks.

    JSON may begin with blanks, so that every client takes it; comments and empty lines break the vendor's own older
    SDKs. The first beat begins the answer, with status 200. Stop it at the end.
    """

    def __init__(self, exchange: Exchange, seconds: float) -> None:
        self._exchange = exchange
        self._between_events = True
        self._begun = False
        self._heartbeat = Heartbeat(seconds, self._beat)

    def passed(self, chunk: bytes) -> bytes:
        """Give a piece of the stream as it goes to the client: without the beginning that is there already."""
        self._heartbeat.touch()
        if self._begun:
            self._begun = False
            chunk = chunk[len(BEGINNING) :] if chunk.startswith(BEGINNING) else EMPTY_EVENT_END + chunk
        self._between_events = chunk.endswith(EVENT_ENDS)
        return chunk

    async def stop(self) -> None:
        """Fall silent; a beat under way is finished first."""
        await self._heartbeat.stop()

    async def _beat(self) -> None:
        if not self._between_events:
            return
        if not self._exchange.started:
            await self._exchange.start(200, EVENT_STREAM, STREAM_HEADERS)
        begun, self._begun = self._begun, True
        await self._exchange.send(b" " if begun else BEGINNING)
