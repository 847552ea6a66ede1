"""What is measured, how often, and what is to be reached."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from bench import checks, payloads

MB_IDLE_BOUND = 60
START_SECONDS_BOUND = 1
SLOW_STREAMS = 1000


@dataclass(frozen=True)
class Shape:
    """A kind of reply, and how many of them make a steady number at 64 connections and at one."""

    mark: str
    stream: bool
    counts: dict[int, int]

    def native(self) -> "Traffic":
        check = checks.native_stream if self.stream else checks.native_json
        return Traffic(payloads.native_request(stream=self.stream, mark=self.mark), lambda: check)

    def chat(self) -> "Traffic":
        check = checks.ChatStream if self.stream else checks.Chat
        return Traffic(payloads.chat_request(stream=self.stream, mark=self.mark), check)

    def messages(self) -> "Traffic":
        check = checks.MessagesStream if self.stream else checks.Messages
        return Traffic(payloads.messages_request(stream=self.stream, mark=self.mark), check)

    def responses(self, *, store: bool = False) -> "Traffic":
        check = checks.ResponsesStream if self.stream else checks.Responses
        return Traffic(payloads.responses_request(stream=self.stream, mark=self.mark, store=store), check)


@dataclass(frozen=True)
class Traffic:
    """A request, and the maker of its reply's check."""

    request: bytes
    check: Callable[[], Callable[[bytes], None]]


SHAPES = {
    "json": Shape("", False, {64: 3000, 1: 400}),
    "stream": Shape("", True, {64: 800, 1: 150}),
    "paced": Shape("[paced]", True, {64: 192}),
    "slow": Shape("[slow]", True, {}),
}


@dataclass(frozen=True)
class Case:
    """One row: the gateway's traffic of a shape, beside nginx passing the native form of the same through."""

    title: str
    shape: str
    surface: str
    bound: float | None
    """the most that it may cost, as a multiple of nginx; None: for information"""

    def traffic(self) -> Traffic:
        shape = SHAPES[self.shape]
        surfaces = {
            "chat": shape.chat,
            "messages": shape.messages,
            "responses": shape.responses,
            "responses-kept": partial(shape.responses, store=True),
            "native": shape.native,
        }
        return surfaces[self.surface]()


CASES = {
    "chat-json": Case("Chat JSON", "json", "chat", 18),
    "chat-stream": Case("Chat stream, 100 events at once", "stream", "chat", 20),
    "messages-json": Case("Messages JSON", "json", "messages", 18),
    "messages-stream": Case("Messages stream, 100 events at once", "stream", "messages", 20),
    "responses-json": Case("Responses JSON, not kept", "json", "responses", 22),
    "responses-stream": Case("Responses stream, not kept, 100 at once", "stream", "responses", 20),
    "responses-kept-json": Case("Responses JSON, kept", "json", "responses-kept", None),
    "responses-kept-stream": Case("Responses stream, kept, 100 at once", "stream", "responses-kept", None),
    "native-json": Case("native relay JSON", "json", "native", 12),
    "native-stream": Case("native relay stream, 100 events at once", "stream", "native", 10),
    "chat-paced": Case("Chat stream, an event each 2 ms", "paced", "chat", None),
    "native-paced": Case("native relay stream, an event each 2 ms", "paced", "native", None),
}
