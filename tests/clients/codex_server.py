"""Codex as editors run it: one process for many turns, JSON lines on its standard streams."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator
from typing import Any

from tests.clients.bed import Json
from tests.clients.codex import Codex

SECONDS = 30.0
"""How long one message may let wait."""
LINE_BYTES = 1 << 24


class CodexServer:
    """A running one, with one thread."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._asked = 0
        self._thread = ""

    async def open(self, folder: str) -> None:
        """Begin a thread in a folder."""
        await self._ask("initialize", clientInfo={"name": "tests", "title": "tests", "version": "1"})
        await self._send({"method": "initialized"})
        opened = await self._ask("thread/start", cwd=folder, approvalPolicy="never", sandbox="danger-full-access")
        self._thread = opened["thread"]["id"]

    async def begin(self, prompt: str) -> str:
        """Begin a turn; return its id."""
        begun = await self._ask("turn/start", threadId=self._thread, input=[{"type": "text", "text": prompt}])
        return begun["turn"]["id"]

    async def interrupt(self, turn: str) -> None:
        """End a turn that is under way."""
        await self._ask("turn/interrupt", threadId=self._thread, turnId=turn)

    async def until(self, method: str) -> list[Json]:
        """Read on until it tells of something; return all that it told, that included."""
        told: list[Json] = []
        while not told or told[-1].get("method") != method:
            told.append(await self._read())
        return told

    async def says(self, prompt: str) -> str:
        """Have it work on a prompt and return the last that the model said."""
        await self.begin(prompt)
        told = [line["params"] for line in await self.until("turn/completed")]
        assert told[-1]["turn"]["status"] == "completed", told[-1]
        said = [each["item"]["text"] for each in told if each.get("item", {}).get("type") == "agentMessage"]
        return said[-1]

    async def _ask(self, method: str, **params: Any) -> Any:
        self._asked += 1
        await self._send({"id": self._asked, "method": method, "params": params})
        while True:
            line = await self._read()
            if line.get("id") == self._asked:
                assert "result" in line, line
                return line["result"]

    async def _send(self, message: Json) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(message).encode() + b"\n")
        await self._process.stdin.drain()

    async def _read(self) -> Json:
        assert self._process.stdout is not None
        async with asyncio.timeout(SECONDS):
            line = await self._process.stdout.readline()
        assert line, "it has ended"
        return json.loads(line)


@contextlib.asynccontextmanager
async def serving(codex: Codex) -> AsyncIterator[CodexServer]:
    """Run it while the block runs, with a thread in the folder that it works in."""
    process = await asyncio.create_subprocess_exec(
        str(codex.program),
        "app-server",
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
        cwd=codex.work,
        env=codex.environment,
        limit=LINE_BYTES,
    )
    try:
        server = CodexServer(process)
        await server.open(str(codex.work))
        yield server
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await process.communicate()
