"""`python -m bench`: run everything, show it, and fail if a bound is missed."""

import argparse
import shlex
import signal
import sys
import tempfile
from pathlib import Path
from statistics import median

from bench import BenchError, memory, nginx, report, rounds, servers
from bench.cases import CASES, SHAPES, SLOW_STREAMS
from bench.profiling import profile

ROUNDS, QUICK_ROUNDS, STARTS = 8, 2, 3


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description="What gemgate costs, beside nginx in the same run."
    )
    parser.add_argument("--quick", action="store_true", help="few rounds: a first look, not a verdict")
    parser.add_argument("--no-bounds", action="store_true", help="exit with 0 though a bound is missed")
    parser.add_argument("--only", action="append", choices=[*CASES, "memory", "start"], help="this only; repeatable")
    parser.add_argument("--gateway", metavar="CMD", help="measure another server that takes the same environment")
    parser.add_argument("--profile", metavar="CASE", choices=CASES, help="where the CPU goes, by cProfile, in one case")
    return parser.parse_args()


def run(args: argparse.Namespace, folder: Path) -> report.Report:
    wanted = args.only or [*CASES, "memory", "start"]
    command = shlex.split(args.gateway) if args.gateway else servers.GATEWAY
    proxy = nginx.find()
    found = report.Report(
        rounds=QUICK_ROUNDS if args.quick else ROUNDS, gateway=args.gateway, machine=report.machine(proxy.version())
    )
    with servers.upstream(folder / "upstream") as upstream:
        if "start" in wanted:
            progress("start")
            found.start_seconds = start_seconds(folder, upstream.port, command)
        with (
            proxy.server(folder / "nginx", upstream.port) as passing,
            servers.gateway(folder / "gateway", upstream.port, command) as gateway,
        ):
            if "memory" in wanted:
                progress(f"memory with {SLOW_STREAMS:,} open streams")
                slow = SHAPES["slow"]
                for name, server, traffic in (("nginx", passing, slow.native()), ("gateway", gateway, slow.chat())):
                    found.memory[name] = memory.measure(server, upstream, traffic.request, SLOW_STREAMS)
            lanes = rounds.lanes([case for case in CASES if case in wanted], upstream, passing, gateway)
            found.summaries = rounds.run_all(lanes, found.rounds, progress)
    return found


def start_seconds(folder: Path, upstream_port: int, command: list[str]) -> float:
    """From spawning the gateway to its first healthy answer: the median of some starts."""
    seconds: list[float] = []
    for number in range(STARTS):
        with servers.gateway(folder / f"start-{number}", upstream_port, command) as gateway:
            seconds.append(gateway.start_seconds)
    return median(seconds)


def progress(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main() -> int:
    args = arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the servers end with us
    servers.allow_many_connections()
    with tempfile.TemporaryDirectory(prefix="gemgate-bench-") as folder:
        try:
            if args.profile:
                profile(args.profile, Path(folder))
                return 0
            found = run(args, Path(folder))
        except BenchError as error:
            progress(f"bench: {error}")
            return 2
        except KeyboardInterrupt:
            progress("bench: stopped")
            return 130
    print(report.show(found))
    progress(f"kept in {found.save().relative_to(servers.ROOT)}")
    missed = [name for name, ok in found.bounds().items() if not ok]
    if missed:
        progress(f"bounds missed: {', '.join(missed)}")
    return 1 if missed and not args.no_bounds else 0


if __name__ == "__main__":
    sys.exit(main())
