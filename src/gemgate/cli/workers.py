"""Several serving processes on one socket: started, replaced when one dies, drained together."""

import multiprocessing
import os
import signal
import socket
import time
from collections.abc import Callable
from multiprocessing.connection import wait
from multiprocessing.context import SpawnProcess
from types import FrameType

from gemgate.observe.log import LOGGER

Serve = Callable[[list[socket.socket] | None], None]

SHORT_LIFE_SECONDS = 2.0
MAX_SHORT_LIVES = 5
"""Workers that die so soon, one after the other, will not get better by being replaced."""


class Workers:
    """Keeps `count` processes running `serve` until told to stop. A second signal ends them at once."""

    def __init__(self, count: int, serve: Serve, listener: socket.socket) -> None:
        self._count = count
        self._serve = serve
        self._listener = listener
        self._context = multiprocessing.get_context("spawn")
        self._processes: dict[SpawnProcess, float] = {}
        self._stopping = False
        self._short_lives = 0

    def run(self) -> int:
        """Serve until all processes have ended; gives the exit status."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._stop)
        for _ in range(self._count):
            self._start()
        while self._processes:
            wait([process.sentinel for process in self._processes])
            for process in [process for process in self._processes if not process.is_alive()]:
                self._ended(process)
        return 1 if self._short_lives >= MAX_SHORT_LIVES else 0

    def _start(self) -> None:
        process = self._context.Process(target=_work, args=(self._serve, self._listener))
        process.start()
        self._processes[process] = time.monotonic()

    def _ended(self, process: SpawnProcess) -> None:
        lived = time.monotonic() - self._processes.pop(process)
        process.join()
        if self._stopping:
            return
        self._short_lives = self._short_lives + 1 if lived < SHORT_LIFE_SECONDS else 0
        if self._short_lives >= MAX_SHORT_LIVES:
            LOGGER.error("workers die as soon as they start; giving up")
            self._stop(signal.SIGTERM, None)
            return
        LOGGER.warning("worker %s ended with status %s; starting another", process.pid, process.exitcode)
        self._start()

    def _stop(self, number: int, frame: FrameType | None) -> None:
        self._stopping = True
        for process in list(self._processes):
            process.terminate()


def _work(serve: Serve, listener: socket.socket) -> None:
    # Ctrl-C would reach the whole group; the parent alone decides what it means.
    os.setsid()
    serve([listener])
