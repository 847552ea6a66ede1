"""`POST /v1/chat/completions`."""

from mmap import mmap

from gemgate.pipeline.exchange import Exchange
from gemgate.pipeline.handle import Handler
from gemgate.protocols.openai_chat.inbound import inbound


class ChatSurface:
    """Answers chat completions from whatever upstream there is."""

    def __init__(self, handler: Handler) -> None:
        self._handler = handler

    async def complete(self, exchange: Exchange, body: bytes | mmap) -> None:
        """Answer one request."""
        await self._handler.generate(exchange, inbound(body if isinstance(body, bytes) else memoryview(body)))
