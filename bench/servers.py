"""The processes of the bench: each started by us on a free port of 127.0.0.1, and ended by its own pid."""

import os
import resource
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from bench import BenchError, payloads

ROOT = Path(__file__).parent.parent
UP_WITHIN_SECONDS = 30
GATEWAY = [sys.executable, "-m", "gemgate", "serve"]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


def allow_many_connections() -> None:
    """Raise our soft limit of open files to the hard one; the servers inherit it."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class Server:
    """A child process that listens on `port`; it runs from `with` to the end of it.

    `health` is a path that answers 200 when it serves; without one, an open port is enough.
    """

    def __init__(
        self, command: Sequence[str], port: int, folder: Path, env: Mapping[str, str], health: str | None = None
    ) -> None:
        self.command, self.port, self.folder, self.health = list(command), port, folder, health
        # Nothing of the user's own settings (keys, proxies) reaches the servers.
        self.env = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(folder), "LANG": "C.UTF-8", **env}

    def __enter__(self) -> Self:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.log = self.folder / "output.log"
        started = time.perf_counter()
        try:
            with self.log.open("wb") as log:
                self.process = subprocess.Popen(
                    self.command,
                    cwd=self.folder,
                    env=self.env,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,  # Ctrl-C is ours to handle
                )
        except OSError as error:
            raise BenchError(f"`{' '.join(self.command)}` cannot be started: {error}") from error
        try:
            while not self.is_up():
                if self.process.poll() is not None:
                    raise self.error(f"ended with status {self.process.returncode} before it served")
                if time.perf_counter() - started > UP_WITHIN_SECONDS:
                    raise self.error(f"was not up after {UP_WITHIN_SECONDS} s")
                time.sleep(0.002)
        except BaseException:
            self.stop()
            raise
        self.start_seconds = time.perf_counter() - started
        return self

    def is_up(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=1) as connection:
                if self.health is None:
                    return True
                connection.sendall(f"GET {self.health} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
                return connection.recv(4096).startswith(b"HTTP/1.1 200")
        except OSError:
            return False

    def error(self, what: str) -> BenchError:
        tail = "\n  ".join(self.log.read_text(errors="replace").splitlines()[-20:])
        return BenchError(f"`{' '.join(self.command)}` {what}; its last words:\n  {tail or '(none)'}")

    @property
    def pid(self) -> int:
        return self.process.pid

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        ended = self.process.poll()
        self.stop()
        if ended is not None and not isinstance(error, KeyboardInterrupt):
            raise self.error(f"ended with status {ended} under load") from error


def upstream(folder: Path) -> Server:
    """The fake Gemini API."""
    port = free_port()
    command = [sys.executable, "-m", "bench.upstream", str(port)]
    return Server(command, port, folder, {"PYTHONPATH": str(ROOT)})


def gateway(
    folder: Path, upstream_port: int, command: Sequence[str] = GATEWAY, env: Mapping[str, str] | None = None
) -> Server:
    """The gateway, as a user starts it."""
    port = free_port()
    settings = {
        "HOST": "127.0.0.1",
        "PORT": str(port),
        "API_KEYS": payloads.CLIENT_KEY,
        "GEMINI_API_KEY": payloads.UPSTREAM_KEY,
        "GEMINI_BASE_URL": f"http://127.0.0.1:{upstream_port}",
        "GEMGATE_DATA_DIR": str(folder / "data"),
        "LOG_LEVEL": "WARNING",
    }
    return Server(command, port, folder, settings | dict(env or {}), health="/health")
