"""A client as a process of its own: an environment of its own, an end in any case."""

import contextlib
import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

SECONDS = 60.0
"""How long a client may take, unless a test says otherwise."""


@dataclass(frozen=True)
class Ran:
    """How a client ended, and what it wrote."""

    status: int
    out: str
    err: str


class Running:
    """A client that has been started."""

    def __init__(self, process: subprocess.Popen[str], seconds: float) -> None:
        self._process = process
        self._seconds = seconds

    def ended(self) -> bool:
        """Tell whether it has come to its end."""
        return self._process.poll() is not None

    def finish(self) -> Ran:
        """Wait for the end; fails if it does not come in time."""
        try:
            out, err = self._process.communicate(timeout=self._seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            out, err = self._process.communicate(timeout=10)
            raise AssertionError(f"no end within {self._seconds} s; it said:\n{out[-3000:]}\n{err[-3000:]}") from None
        return Ran(self._process.returncode, out.strip(), err.strip())

    def kill(self) -> None:
        """End it and all that it has started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)


@contextlib.contextmanager
def running(
    command: Sequence[str], *, environment: Mapping[str, str], folder: Path, seconds: float = SECONDS
) -> Iterator[Running]:
    """Run a client while the block runs, with this environment and nothing else."""
    process = subprocess.Popen(
        command,
        env=dict(environment),
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    with process:
        started = Running(process, seconds)
        try:
            yield started
        finally:
            started.kill()
