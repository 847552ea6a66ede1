"""Claude Code, set up as its users do to reach a gateway."""

import contextlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.clients.bed import KEY, Bed
from tests.clients.installing import NotInstalled, from_npm, installed
from tests.clients.running import Ran, Running, running

PACKAGE = Path(__file__).parent / "node" / "claude_code"


def install() -> Path:
    """Return the program; raises `NotInstalled`."""
    locks = [PACKAGE / "package.json", PACKAGE / "package-lock.json"]
    place = installed("claude-code", locks, from_npm(PACKAGE))
    # The package itself is a launcher that its install script completes: the program is in the platform's own.
    found = [path for path in place.glob("node_modules/@anthropic-ai/claude-code-*/claude*") if path.is_file()]
    if not found:
        raise NotInstalled("Claude Code has no program for this platform")
    return found[0]


class ClaudeCode:
    """One user's Claude Code: a home and a folder to work in."""

    def __init__(self, program: Path, bed: Bed, folder: Path) -> None:
        self._program = program
        self._bed = bed
        self.home = folder / "home"
        self.work = folder / "work"
        self.home.mkdir()
        self.work.mkdir()

    def file(self, name: str, content: str) -> str:
        """Put a file into the folder it works in; return its path."""
        path = self.work / name
        path.write_text(content)
        return str(path)

    @contextlib.contextmanager
    def started(self, prompt: str, *options: str, extra: Mapping[str, str] | None = None) -> Iterator[Running]:
        """Have it work on a prompt while the block runs."""
        command = [str(self._program), "-p", prompt, *options]
        environment = self._environment() | dict(extra or {})
        with running(command, environment=environment, folder=self.work) as process:
            yield process

    def run(self, prompt: str, *options: str, extra: Mapping[str, str] | None = None) -> Ran:
        """Have it work on a prompt."""
        with self.started(prompt, *options, extra=extra) as process:
            return process.finish()

    def says(self, prompt: str, *options: str, extra: Mapping[str, str] | None = None) -> str:
        """Have it work on a prompt and return its answer; fails if it does not end well."""
        return self.answer(self.run(prompt, *options, extra=extra))

    def answer(self, ran: Ran) -> str:
        """Return what it answered; fails if it did not end well."""
        said = f"{ran.out[-3000:]}\n{ran.err[-3000:]}\nthe gateway said:\n{self._bed.gateway.log()[-3000:]}"
        assert ran.status == 0, said
        return ran.out

    def report(self, prompt: str, *options: str) -> Any:
        """Have it work on a prompt and return its report: `result`, `session_id`, `usage`, `is_error` and more."""
        return json.loads(self.says(prompt, *options, "--output-format", "json"))

    def _environment(self) -> dict[str, str]:
        return {
            "HOME": str(self.home),
            "PATH": os.environ.get("PATH", ""),
            "LANG": "C.UTF-8",
            "ANTHROPIC_BASE_URL": self._bed.url,
            "ANTHROPIC_AUTH_TOKEN": KEY,
            "DISABLE_TELEMETRY": "1",
            "DISABLE_AUTOUPDATER": "1",
            "DISABLE_ERROR_REPORTING": "1",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        }
