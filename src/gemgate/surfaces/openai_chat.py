"""`POST /v1/chat/completions`."""

from mmap import mmap
from typing import Literal

from gemgate.pipeline.body import readable
from gemgate.pipeline.exchange import Exchange
from gemgate.pipeline.handle import Handler
from gemgate.pipeline.preview import DryRun, Preview
from gemgate.protocols.openai_chat.inbound import inbound


class ChatSurface:
    """Answers chat completions from whatever upstream there is.

    `images` is where images of an answer go if the request does not say.
    """

    def __init__(self, handler: Handler, dry_run: DryRun, *, images: Literal["content", "field"] = "content") -> None:
        self._handler = handler
        self._dry_run = dry_run
        self._images: Literal["content", "field"] = images

    async def complete(self, exchange: Exchange, body: bytes | mmap) -> None:
        """Answer one request."""
        parsed = inbound(readable(body), images=self._images)
        await self._handler.generate(exchange, parsed)

    def preview(self, body: bytes) -> Preview:
        """Tell what would be sent for a request."""
        return self._dry_run(inbound(body, images=self._images))
