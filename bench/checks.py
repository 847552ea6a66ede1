"""Is a reply whole and right? A check takes each reply's body and raises BenchError if not.

It runs for every reply, so it is cheap: native replies are compared byte for byte; of translated ones each new length
is read in full, and others of that length are only looked at from both ends.
"""

import json
from collections.abc import Iterator
from typing import Any

from bench import BenchError, payloads


def native_json(body: bytes) -> None:
    _same(body, payloads.NATIVE_JSON)


def native_stream(body: bytes) -> None:
    _same(body, payloads.NATIVE_STREAM)


def _same(body: bytes, expected: bytes) -> None:
    if body != expected:
        raise BenchError(f"a native reply is not what the upstream sent: {_shown(body)}")


class Chat:
    """A Chat Completions reply with the upstream's text, its finish and its usage."""

    name, begin, end, finish = "Chat", b"{", b"}", "stop"

    def __init__(self) -> None:
        self.lengths_read: set[int] = set()

    def __call__(self, body: bytes) -> None:
        if not (body.startswith(self.begin) and body.endswith(self.end)):
            raise BenchError(f"a {self.name} reply is cut: {_shown(body)}")
        if len(body) not in self.lengths_read:
            try:
                text, finish, tokens = self.read(body)
            except (LookupError, TypeError, ValueError) as error:
                raise BenchError(f"a {self.name} reply cannot be read ({error!r}): {_shown(body)}") from error
            if text != payloads.TEXT:
                raise BenchError(f"a {self.name} reply has another text than the upstream sent: {_shown(body)}")
            if finish != self.finish or tokens != payloads.EVENTS:
                raise BenchError(
                    f"a {self.name} reply has a wrong end: finish {finish}, {tokens} tokens: {_shown(body)}"
                )
            self.lengths_read.add(len(body))

    def read(self, body: bytes) -> tuple[str, str | None, int | None]:
        reply = json.loads(body)
        choice = reply["choices"][0]
        return choice["message"]["content"], choice["finish_reason"], reply["usage"]["completion_tokens"]


class ChatStream(Chat):
    """The same, streamed."""

    begin, end = b"data: ", b"data: [DONE]\n\n"

    def read(self, body: bytes) -> tuple[str, str | None, int | None]:
        text, finish, usage = "", None, {}
        for chunk in self.chunks(body):
            usage = chunk.get("usage") or usage
            for choice in chunk["choices"]:
                text += choice["delta"].get("content") or ""
                finish = choice.get("finish_reason") or finish
        return text, finish, usage.get("completion_tokens")

    def chunks(self, body: bytes) -> Iterator[dict[str, Any]]:
        for event in body.removesuffix(self.end).split(b"\n\n"):
            if event.startswith(b"data: "):
                yield json.loads(event.removeprefix(b"data: "))


class Messages(Chat):
    """A Messages reply."""

    name, finish = "Messages", "end_turn"

    def read(self, body: bytes) -> tuple[str, str | None, int | None]:
        reply = json.loads(body)
        return reply["content"][0]["text"], reply["stop_reason"], reply["usage"]["output_tokens"]


class MessagesStream(Messages):
    """The same, streamed."""

    begin, end = b"event: message_start", b'data: {"type":"message_stop"}\n\n'

    def read(self, body: bytes) -> tuple[str, str | None, int | None]:
        events = [json.loads(event.partition(b"data: ")[2]) for event in body.split(b"\n\n") if event]
        text = "".join(event["delta"]["text"] for event in events if event["type"] == "content_block_delta")
        ended = next(event for event in events if event["type"] == "message_delta")
        return text, ended["delta"]["stop_reason"], ended["usage"]["output_tokens"]


class Responses(Chat):
    """A response."""

    name, finish = "Responses", "completed"

    def read(self, body: bytes) -> tuple[str, str | None, int | None]:
        return self.of(json.loads(body))

    def of(self, response: dict[str, Any]) -> tuple[str, str | None, int | None]:
        text = "".join(part["text"] for item in response["output"] for part in item["content"])
        return text, response["status"], response["usage"]["output_tokens"]


class ResponsesStream(Responses):
    """The same, streamed: what its pieces make is what its end says."""

    begin, end = b"event: response.created", b"}\n\n"

    def read(self, body: bytes) -> tuple[str, str | None, int | None]:
        events = [json.loads(event.partition(b"data: ")[2]) for event in body.split(b"\n\n") if event]
        text, finish, tokens = self.of(events[-1]["response"])
        if text != "".join(event["delta"] for event in events if event["type"] == "response.output_text.delta"):
            raise ValueError("its pieces make another text than its end says")
        return text, finish, tokens


def _shown(body: bytes) -> str:
    return f"{body[:200]!r} … {body[-300:]!r} ({len(body)} bytes)"
