"""A running gateway before a fake Google, and the shortest way to ask it something."""

import asyncio
import contextlib
import json
import sys
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.bed.gateway import Gateway, running_gateway
from tests.bed.upstream import FakeUpstream
from tests.bed.wire import Connection, Reply, fetch

CALLER, OTHER = "sk-caller-one-0123456789", "sk-caller-two-0123456789"
FLASH = "gemini-2.5-flash"
NATIVE = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}
CHAT: dict[str, Any] = {"model": FLASH, "messages": [{"role": "user", "content": "hi"}]}


def generate_path(model: str = FLASH, method: str = "generateContent", version: str = "v1beta") -> str:
    return f"/{version}/models/{model}:{method}"


@dataclass
class Answered:
    """A whole reply."""

    reply: Reply
    body: bytes

    @property
    def status(self) -> int:
        return self.reply.status

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def error(self) -> Any:
        return self.json["error"]

    def header(self, name: str) -> str | None:
        return self.reply.header(name)


@dataclass
class Bed:
    """A gateway and what it calls upstream."""

    up: FakeUpstream
    gateway: Gateway

    @property
    def url(self) -> str:
        return self.gateway.base_url

    async def ask(
        self,
        method: str,
        target: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        *,
        key: str | None = CALLER,
        timeout: float = 15.0,
    ) -> Answered:
        """Ask with a valid key, unless `key` is None."""
        reply, data = await fetch(method, self.url + target, self.headers(headers, key=key), body, timeout)
        return Answered(reply, data)

    async def chat(self, *, headers: Mapping[str, str] | None = None, **more: Any) -> Answered:
        return await self.ask("POST", "/v1/chat/completions", CHAT | more, headers)

    async def native(self, model: str = FLASH, body: Any = None, **how: Any) -> Answered:
        return await self.ask("POST", generate_path(model), body or NATIVE, **how)

    @staticmethod
    def headers(more: Mapping[str, str] | None = None, *, key: str | None = CALLER) -> dict[str, str]:
        return ({"x-api-key": key} if key else {}) | dict(more or {})

    @contextlib.asynccontextmanager
    async def open(
        self, method: str, target: str, body: Any = None, headers: Any = None, **how: Any
    ) -> AsyncIterator[tuple[Connection, Reply]]:
        """Give a connection and the reply that has begun on it."""
        async with await Connection.open(self.url, **how) as connection:
            yield connection, await connection.request(method, target, self.headers(headers), body)


@contextlib.contextmanager
def running_bed(
    env: Mapping[str, str] | None = None,
    *,
    keys: str = "A,B",
    toml: str = "",
    upstream: str = "",
    send_buffer_bytes: int | None = None,
) -> Iterator[Bed]:
    """Run both."""
    with contextlib.ExitStack() as stack:
        known = {key for key in keys.split(",") if not key.startswith("bad")}
        up = stack.enter_context(FakeUpstream.in_thread(known, send_buffer_bytes=send_buffer_bytes))
        settings = {"GEMINI_API_KEYS": keys, "API_KEYS": f"{CALLER},{OTHER}"} | dict(env or {})
        if toml:
            path = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gemgate-e2e-"))) / "gemgate.toml"
            path.write_text(toml)
            settings["GEMGATE_CONFIG"] = str(path)
        yield Bed(up, stack.enter_context(running_gateway(settings, upstream=upstream or up.base_url)))
        assert up.failures == []


def resident_mb(process_id: int) -> float:
    """Tell how much memory a process holds, in megabytes; files mapped by it are not counted."""
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{process_id}/status").read_text().splitlines())
    return int(fields["RssAnon"].split()[0]) / 1024


def peak_mb(process_id: int) -> float:
    """Tell the most memory that a process has held since `reset_peak`, in megabytes."""
    fields = dict(line.split(":", 1) for line in Path(f"/proc/{process_id}/status").read_text().splitlines())
    return int(fields["VmHWM"].split()[0]) / 1024


def reset_peak(process_id: int) -> float:
    """Begin to watch the peak anew; give the memory held now."""
    Path(f"/proc/{process_id}/clear_refs").write_text("5")
    return peak_mb(process_id)


ON_LINUX = Path("/proc/self/clear_refs").exists()


def measured(what: str) -> None:
    """Say what was measured, for who looks (`pytest -rP`)."""
    sys.stdout.write(f"measured: {what}\n")


async def until(there: Callable[[], bool], timeout: float = 10.0) -> None:
    """Wait for something that another process does, with nothing to await but looking."""
    async with asyncio.timeout(timeout):
        while not there():
            await asyncio.sleep(0.01)
