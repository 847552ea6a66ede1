"""A client in memory: what it sends, and what it is sent."""

import asyncio
from typing import Any

from gemgate.pipeline.exchange import Exchange

Message = dict[str, Any]


class Client:
    """The other side of one exchange."""

    def __init__(self, *messages: Message) -> None:
        self.inbox: asyncio.Queue[Message] = asyncio.Queue()
        self.sent: list[Message] = []
        for message in messages:
            self.inbox.put_nowait(message)

    async def receive(self) -> Message:
        return await self.inbox.get()

    async def send(self, message: Any) -> None:
        self.sent.append(message)

    def says(self, body: bytes, *, more: bool = False) -> None:
        self.inbox.put_nowait({"type": "http.request", "body": body, "more_body": more})

    def leaves(self) -> None:
        self.inbox.put_nowait({"type": "http.disconnect"})

    def exchange(self, *headers: tuple[bytes, bytes], method: str = "POST") -> Exchange:
        return Exchange(
            method=method,
            path="/x",
            query=b"",
            headers=headers,
            receive=self.receive,
            send=self.send,
            request_id="req_1",
        )

    @property
    def headers(self) -> dict[bytes, bytes]:
        return dict(self.sent[0]["headers"])

    @property
    def body(self) -> bytes:
        return b"".join(message["body"] for message in self.sent[1:])
