"""Where the gateway's CPU time goes: `python -m bench --profile CASE`.

The gateway runs under cProfile (`python -m bench.profiling FILE`), which counts only between two SIGUSR1: around the
counted requests. cProfile makes Python calls dearer than C ones, so read it for its order, not for its microseconds.
"""

import cProfile
import os
import pstats
import signal
import sys
import time
from pathlib import Path

from bench import BenchError, servers
from bench.cases import CASES, SHAPES
from bench.report import RESULTS
from bench.rounds import Lane
from bench.rounds import run as run_lane

SHOWN = 40
CONNECTIONS = 64


def profile(case: str, folder: Path) -> None:
    """Profile one case; a table on stdout, the profile itself beside the results."""
    RESULTS.mkdir(exist_ok=True)
    dump = RESULTS / f"profile-{case}.pstats"
    dump.unlink(missing_ok=True)
    command = [sys.executable, "-m", "bench.profiling", str(dump)]
    env = {"PYTHONPATH": str(servers.ROOT)}
    with (
        servers.upstream(folder / "upstream") as upstream,
        servers.gateway(folder / "gateway", upstream.port, command, env) as gateway,
    ):
        lane = Lane(case, CASES[case].shape, gateway, CASES[case].traffic())
        count = SHAPES[lane.shape].counts[CONNECTIONS]
        run_lane(lane, CONNECTIONS, CONNECTIONS)  # warm
        os.kill(gateway.pid, signal.SIGUSR1)
        run_lane(lane, CONNECTIONS, count)
        os.kill(gateway.pid, signal.SIGUSR1)
        for _ in range(100):
            if dump.exists():
                break
            time.sleep(0.1)
        else:
            raise BenchError("the gateway wrote no profile")
    print(table(dump, count + 2 * CONNECTIONS))


def table(dump: Path, requests: int) -> str:
    """The functions that took the most time themselves, per request."""
    stats = pstats.Stats(str(dump)).stats  # pyright: ignore[reportAttributeAccessIssue]
    rows = sorted(((own, total, calls, where) for where, (_, calls, own, total, _) in stats.items()), reverse=True)
    lines = [f"{'own µs':>8}{'with callees':>14}{'calls':>8}   per request, {requests:,} of them"]
    for own, total, calls, (file, line, name) in rows[:SHOWN]:
        place = f"{'/'.join(Path(file).parts[-3:])}:{line} " if line else ""
        each_us = 1e6 / requests
        lines.append(f"{own * each_us:8.1f}{total * each_us:14.1f}{calls / requests:8.1f}   {place}{name}")
    return "\n".join(lines)


def run_gateway(dump: Path) -> None:
    """Be the gateway, and obey SIGUSR1."""
    profiler = cProfile.Profile()
    running = False

    def toggle(*_: object) -> None:
        nonlocal running
        running = not running
        if running:
            profiler.enable()
        else:
            profiler.disable()
            unfinished = dump.with_suffix(".part")
            profiler.dump_stats(unfinished)
            unfinished.rename(dump)

    signal.signal(signal.SIGUSR1, toggle)
    from gemgate.cli.main import main

    sys.argv = ["gemgate", "serve"]
    main()


if __name__ == "__main__":
    run_gateway(Path(sys.argv[1]))
