"""`POST /v1/messages` and `/v1/messages/count_tokens`."""

from mmap import mmap

from msgspec import json

from gemgate.pipeline.body import readable
from gemgate.pipeline.exchange import Exchange
from gemgate.pipeline.handle import Handler
from gemgate.pipeline.preview import DryRun, Preview
from gemgate.protocols.anthropic.inbound import inbound, inbound_count


class MessagesSurface:
    """Answers messages from whatever upstream there is."""

    def __init__(self, handler: Handler, dry_run: DryRun) -> None:
        self._handler = handler
        self._dry_run = dry_run

    async def create(self, exchange: Exchange, body: bytes | mmap) -> None:
        """Answer one request."""
        await self._handler.generate(exchange, inbound(readable(body)))

    async def count_tokens(self, exchange: Exchange, body: bytes | mmap) -> None:
        """Tell how long a prompt is."""
        count = await self._handler.count_tokens(exchange, inbound_count(readable(body)))
        await exchange.answer(200, json.encode({"input_tokens": count}))

    def preview(self, body: bytes) -> Preview:
        """Tell what would be sent for a request."""
        return self._dry_run(inbound(body))
