"""The real gateway as a subprocess on a free loopback port."""

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.bed.recordings import ROOT

CLIENT_KEY = "sk-test-client"
UPSTREAM_KEY = "AIza-test-upstream"
START_SECONDS = 20.0
STOP_SECONDS = 15.0


class GatewayFailed(AssertionError):
    """The gateway did not start, or did not stop as it should; the message has what it said."""


@dataclass
class Gateway:
    """A running gateway."""

    base_url: str
    key: str
    """A client key that it accepts."""
    process: subprocess.Popen[bytes]
    data_dir: Path
    log_path: Path
    environment: dict[str, str] = field(repr=False)

    def log(self) -> str:
        """Return what it has written to stdout and stderr so far."""
        return self.log_path.read_text(errors="replace")

    def stop(self, timeout: float = STOP_SECONDS) -> int:
        """Send SIGTERM and wait; return the exit status; kills and raises if it does not end in time."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(timeout)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(5)
            raise GatewayFailed(f"no end {timeout} s after SIGTERM; it said:\n{self.log()[-4000:]}") from None


def free_port() -> int:
    """Return a loopback port that was free a moment ago."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@contextlib.contextmanager
def running_gateway(
    env: Mapping[str, str] | None = None,
    *,
    upstream: str | None = None,
    arguments: Sequence[str] = ("serve",),
    command: Sequence[str] = (sys.executable, "-m", "gemgate"),
    expect_status: int | None = 0,
    health_path: str = "/health",
) -> Iterator[Gateway]:
    """Run the gateway while the block runs: `with running_gateway(upstream=fake.base_url) as gateway`.

    `env` is added to a clean environment (an empty value takes a variable away); a stop with another status than
    `expect_status` fails, None takes any. For fixtures of any scope. It blocks while it starts and stops, so a fake
    that it talks to meanwhile belongs in a thread (`FakeUpstream.in_thread`).
    """
    with tempfile.TemporaryDirectory(prefix="gemgate-test-") as folder:
        port = free_port()
        environment = _environment(Path(folder), port, upstream) | dict(env or {})
        environment = {name: value for name, value in environment.items() if value != ""}
        port = int(environment.get("PORT", port))
        log_path = Path(folder) / "gateway.log"
        with log_path.open("wb") as log:
            process = subprocess.Popen(
                [*command, *arguments], env=environment, cwd=folder, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        key = environment.get("API_KEYS", CLIENT_KEY).split(",")[0].strip()
        gateway = Gateway(f"http://127.0.0.1:{port}", key, process, Path(folder) / "data", log_path, environment)
        try:
            _wait_for_health(gateway, port, health_path)
            yield gateway
        except BaseException as failure:
            process.kill()
            process.wait(5)
            failure.add_note(f"the gateway said:\n{gateway.log()[-4000:]}")
            raise
        status = gateway.stop()
        if expect_status is not None and status != expect_status:
            raise GatewayFailed(f"ended with status {status}, not {expect_status}; it said:\n{gateway.log()[-4000:]}")


def _environment(folder: Path, port: int, upstream: str | None) -> dict[str, str]:
    data = folder / "data"
    data.mkdir()
    environment = {
        "PATH": os.environ.get("PATH", ""),
        "HOME": str(folder),
        "LANG": "C.UTF-8",
        "PYTHONPATH": str(ROOT / "src"),
        "PYTHONUNBUFFERED": "1",
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "API_KEYS": CLIENT_KEY,
        "GEMINI_API_KEYS": UPSTREAM_KEY,
        "GEMGATE_DATA_DIR": str(data),
        "LOG_LEVEL": "info",
    }
    return environment | ({"GEMINI_BASE_URL": upstream} if upstream else {})


def _wait_for_health(gateway: Gateway, port: int, path: str) -> None:
    """Poll: nothing but the socket tells when another process is ready."""
    deadline = time.monotonic() + START_SECONDS
    seen = "nothing answered"
    while time.monotonic() < deadline:
        if (status := gateway.process.poll()) is not None:
            raise GatewayFailed(f"ended at start with status {status}; it said:\n{gateway.log()[-4000:]}")
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=2)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            if answer.status == 200:
                return
            seen = f"{path} answered {answer.status}"
        except OSError as failure:
            seen = repr(failure)
        finally:
            connection.close()
        time.sleep(0.02)
    raise GatewayFailed(f"not ready after {START_SECONDS} s ({seen}); it said:\n{gateway.log()[-4000:]}")
