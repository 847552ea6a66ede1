"""OpenAI's SDKs, of two languages and several generations, each in a process of its own."""

import contextlib
import json
import os
import select
import shutil
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self

from tests.bed.recordings import ROOT
from tests.clients.bed import KEY
from tests.clients.installing import NotInstalled, from_npm, from_pip, installed

ACTS = Path(__file__).with_name("openai_acts.py")
LOCKS = ROOT / "requirements"
JS = Path(__file__).with_name("node") / "openai-js"
SECONDS = 45.0


def _older(generation: str) -> Callable[[], Path]:
    """Tell how to install an older Python one; it raises `NotInstalled`."""

    def install() -> Path:
        lock = LOCKS / f"openai{generation}.txt"
        return installed(f"openai-{generation}", [lock], from_pip(lock))

    return install


def _newest() -> Path:
    """Return the folder that holds the newest Python one: it is among the tools for tests."""
    return Path(sysconfig.get_path("purelib"))


def _packages() -> Path:
    """Return the folder that holds the JavaScript ones; raises `NotInstalled`."""
    if shutil.which("node") is None:
        raise NotInstalled("there is no node here")
    return installed("openai-js", [JS / "package.json", JS / "package-lock.json"], from_npm(JS))


@dataclass(frozen=True)
class Generation:
    """One of them; `version` is how its version begins, `lacks` what it had not yet learnt."""

    version: str
    install: Callable[[], Path]
    lacks: frozenset[str] = frozenset()

    def command(self, folder: Path) -> Sequence[str]:
        """Return what starts its acts."""
        if self.install is _packages:
            return ["node", str(JS / "acts.cjs"), str(folder), f"openai-{self.version[0]}"]
        return [sys.executable, "-S", "-P", str(ACTS)]


GENERATIONS: Mapping[str, Generation] = {
    "python-1": Generation("1.", _older("1"), frozenset({"input_tokens", "compact", "socket"})),
    "python-2": Generation("2.", _older("2")),
    "python-3": Generation("3.", _newest),
    "js-6": Generation("6.", _packages, frozenset({"asynchronous"})),
    "js-7": Generation("7.", _packages, frozenset({"asynchronous"})),
}


class Failed(Exception):
    """What the SDK raised: `class`, `status`, `request_id`, and `told`, the error as it was sent."""

    def __init__(self, error: Any) -> None:
        super().__init__(str(error))
        self.error = error


class Place(Protocol):
    """Where a gateway is."""

    @property
    def url(self) -> str: ...


class OpenAISdk:
    """One generation."""

    def __init__(self, generation: Generation, process: subprocess.Popen[str], said: Path) -> None:
        self.generation = generation
        self._process = process
        self._said = said

    @classmethod
    @contextlib.contextmanager
    def running(cls, generation: Generation, folder: Path) -> Iterator[Self]:
        """Run the generation that a folder holds while the block runs."""
        with tempfile.TemporaryDirectory(prefix="gemgate-sdk-") as home:
            environment = {"PYTHONPATH": str(folder), "PATH": os.environ.get("PATH", ""), "HOME": home}
            said = Path(home) / "stderr"
            with said.open("w") as stderr:
                process = subprocess.Popen(
                    generation.command(folder),
                    env=environment,
                    cwd=home,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=stderr,
                    text=True,
                )
            with process:
                try:
                    yield cls(generation, process, said)
                finally:
                    process.kill()

    def does(self, bed: Place, act: str, *path: str, method: str = "", key: str = KEY, **body: Any) -> Any:
        """Do one act of `openai_acts` with these arguments; raises `Failed` for what the gateway refuses."""
        asked = {"act": act, "url": bed.url, "key": key, "method": method, "path": path, "body": body}
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        came, _, _ = select.select([self._process.stdout], [], [], SECONDS)
        line = self._process.stdout.readline() if came else ""
        assert line, f"no answer to {act} {method}; it said:\n{self._said.read_text()[-3000:]}"
        answer = json.loads(line)
        if "error" in answer:
            raise Failed(answer["error"])
        return answer["made"]

    def calls(self, bed: Place, method: str, *path: str, key: str = KEY, **body: Any) -> Any:
        """Call a method, such as `responses.input_items.list`; raises `Failed`."""
        return self.does(bed, "call", *path, method=method, key=key, **body)
