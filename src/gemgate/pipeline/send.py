"""Events → the client: one write for each read upstream."""

from collections.abc import Awaitable, Callable

from gemgate.errors import GemgateError
from gemgate.hub.codec import Writer
from gemgate.hub.events import Event, Failure, Finish, Usage
from gemgate.pipeline.exchange import JSON, Exchange

STREAM_HEADERS = ((b"cache-control", b"no-cache"), (b"x-accel-buffering", b"no"))
"""Nobody on the way may hold a stream back."""

Settle = Callable[[], Awaitable[None]]
"""What is to be done when an answer is over, before its client learns that it is; must not fail."""


async def nothing_to_settle() -> None:
    """Settle nothing."""


async def send_blank(exchange: Exchange) -> None:
    """Send white space, which JSON allows before a document."""
    if not exchange.started:
        await exchange.start(200, JSON, STREAM_HEADERS)
    await exchange.send(b" ")


async def send_batch(
    exchange: Exchange, writer: Writer, batch: list[Event], settle: Settle = nothing_to_settle
) -> None:
    """Send the events of one upstream read in one write; the end of the stream goes with the last of them.

    `settle` is awaited before the end is sent. Raises the error of a failure at the end of the batch, after what came
    before it has been sent.
    """
    end = batch[-1]
    if not isinstance(end, (Finish, Failure)):
        await _send(exchange, writer, writer.stream(batch), more=True)
        return
    remember_usage(exchange, batch)
    first = len(batch) - 1
    while first and isinstance(batch[first - 1], (Finish, Failure)):
        first -= 1
    data = writer.stream(batch[:first])
    try:
        data += writer.stream(batch[first:]) + writer.end()
    except GemgateError:
        if data:
            await _send(exchange, writer, data, more=True)
        raise
    await settle()
    await _send(exchange, writer, data, more=False)


async def _send(exchange: Exchange, writer: Writer, data: bytes, *, more: bool) -> None:
    if not exchange.started:
        await exchange.start(200, writer.content_type, STREAM_HEADERS)
    if data or not more:
        await exchange.send(data, more=more)


def remember_usage(exchange: Exchange, events: list[Event]) -> None:
    """Keep what a reply has cost."""
    for event in reversed(events):
        if isinstance(event, Usage):
            exchange.usage = event
            return
