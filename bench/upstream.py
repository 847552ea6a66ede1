"""A fake Gemini API, far cheaper than what is measured: whole requests in, prepared bytes out.

Run as `python -m bench.upstream PORT`. It knows generateContent, streamGenerateContent (in one burst, or paced if a
mark of `payloads.PACES` is in the request), the list of models, and `/stats`: how many streams are open now.
"""

import asyncio
import gc
import json
import re
import sys
from typing import cast

import uvloop

from bench import payloads

CONTENT_LENGTH = re.compile(rb"\ncontent-length: *(\d+)", re.IGNORECASE)
SECONDS_BY_MARK = {mark.encode(): seconds for mark, seconds in payloads.PACES.items()}


def _whole(content: bytes, status: str = "200 OK") -> bytes:
    head = (
        f"HTTP/1.1 {status}\r\nContent-Type: application/json; charset=UTF-8\r\nVary: Origin, X-Origin, Referer\r\n"
        f"Server: bench\r\nContent-Length: {len(content)}\r\n\r\n"
    )
    return head.encode() + content


def _chunk(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


REPLY = _whole(payloads.NATIVE_JSON)
MODELS = _whole(payloads.MODELS_JSON)
STREAM_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Disposition: attachment\r\n"
    b"Vary: Origin, X-Origin, Referer\r\nServer: bench\r\nTransfer-Encoding: chunked\r\n\r\n"
)
CHUNKS = [_chunk(event) for event in payloads.NATIVE_EVENTS]
CHUNKS[-1] += _chunk(b"")
BURST = STREAM_HEAD + b"".join(CHUNKS)


class Upstream(asyncio.Protocol):
    """One connection: one request at a time, as HTTP/1.1 clients without pipelining send them."""

    open_streams = 0

    def __init__(self) -> None:
        self.buffer = b""
        self.timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        data = self.buffer + data
        head_end = data.find(b"\r\n\r\n")
        length = CONTENT_LENGTH.search(data, 0, head_end) if head_end >= 0 else None
        if head_end < 0 or len(data) < head_end + 4 + (int(length[1]) if length else 0):
            self.buffer = data
            return
        self.buffer = b""
        self.answer(data[: data.index(b"\r\n")], data)

    def answer(self, line: bytes, request: bytes) -> None:
        if b":generateContent" in line:
            self.transport.write(REPLY)
        elif b":streamGenerateContent" in line:
            for mark, seconds in SECONDS_BY_MARK.items():
                if mark in request:
                    self.start_paced(seconds)
                    return
            self.transport.write(BURST)
        elif line.startswith(b"GET /v1beta/models"):
            self.transport.write(MODELS)
        elif line.startswith(b"GET /stats"):
            self.transport.write(_whole(json.dumps({"open_streams": Upstream.open_streams}).encode()))
        else:
            error = {"error": {"code": 404, "message": f"the fake upstream has no {line!r}", "status": "NOT_FOUND"}}
            self.transport.write(_whole(json.dumps(error).encode(), "404 Not Found"))

    def start_paced(self, seconds: float) -> None:
        self.seconds, self.next = seconds, 0
        self.started = asyncio.get_running_loop().time()
        Upstream.open_streams += 1
        self.transport.write(STREAM_HEAD)
        self.write_next()

    def write_next(self) -> None:
        self.transport.write(CHUNKS[self.next])
        self.next += 1
        if self.next == len(CHUNKS):
            self.timer = None
            Upstream.open_streams -= 1
        else:
            due = self.started + self.next * self.seconds
            self.timer = asyncio.get_running_loop().call_at(due, self.write_next)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.timer:
            self.timer.cancel()
            Upstream.open_streams -= 1


async def serve(port: int) -> None:
    server = await asyncio.get_running_loop().create_server(Upstream, "127.0.0.1", port, backlog=2048)
    gc.freeze()
    await server.serve_forever()


if __name__ == "__main__":
    uvloop.run(serve(int(sys.argv[1])))
