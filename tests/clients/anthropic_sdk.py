"""Both generations of Anthropic's SDK, each in a process of its own: they cannot live in one."""

import contextlib
import json
import os
import select
import subprocess
import sys
import sysconfig
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self

from tests.bed.recordings import ROOT
from tests.clients.bed import KEY, Bed
from tests.clients.installing import from_pip, installed

LOCK = ROOT / "requirements" / "anthropic0.txt"
ACTS = Path(__file__).with_name("anthropic_acts.py")
SECONDS = 45.0


def install_older() -> Path:
    """Return the folder that holds the older one; raises `NotInstalled`."""
    return installed("anthropic-0", [LOCK], from_pip(LOCK))


def newer() -> Path:
    """Return the folder that holds the newer one: it is among the tools for tests."""
    return Path(sysconfig.get_path("purelib"))


GENERATIONS: Mapping[str, Callable[[], Path]] = {"0": install_older, "2": newer}


class Failed(Exception):
    """What the SDK raised: `class`, `status`, `request_id`, and `told`, the error as it was sent."""

    def __init__(self, error: Any) -> None:
        super().__init__(str(error))
        self.error = error


class AnthropicSdk:
    """One generation."""

    def __init__(self, process: subprocess.Popen[str], said: Path) -> None:
        self._process = process
        self._said = said

    @classmethod
    @contextlib.contextmanager
    def running(cls, folder: Path) -> Iterator[Self]:
        """Run the generation that a folder holds while the block runs."""
        with tempfile.TemporaryDirectory(prefix="gemgate-sdk-") as home:
            environment = {"PYTHONPATH": str(folder), "PATH": os.environ.get("PATH", ""), "HOME": home}
            said = Path(home) / "stderr"
            with said.open("w") as stderr:
                process = subprocess.Popen(
                    [sys.executable, "-S", "-P", str(ACTS)],
                    env=environment,
                    cwd=home,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    stderr=stderr,
                    text=True,
                )
            with process:
                try:
                    yield cls(process, said)
                finally:
                    process.kill()

    def does(self, bed: Bed, act: str, *, key: str = KEY, **body: Any) -> Any:
        """Do one act of `anthropic_acts` with these arguments; raises `Failed` for what the gateway refuses."""
        asked = {"act": act, "url": bed.url, "key": key, "body": body}
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(json.dumps(asked) + "\n")
        self._process.stdin.flush()
        came, _, _ = select.select([self._process.stdout], [], [], SECONDS)
        line = self._process.stdout.readline() if came else ""
        assert line, f"no answer to {act}; it said:\n{self._said.read_text()[-3000:]}"
        answer = json.loads(line)
        if "error" in answer:
            raise Failed(answer["error"])
        return answer["made"]
