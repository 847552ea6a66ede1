"""The counted runs: everything takes its turn in every round, so that noise of the machine meets all alike."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

import uvloop

from bench import kernel
from bench.cases import CASES, SHAPES, Traffic
from bench.load import Load, Result, measure
from bench.servers import Server


@dataclass(frozen=True)
class Lane:
    """One traffic through one server."""

    name: str
    """a case, or `nginx-json`, `direct-json`, …: the same shape without the gateway"""
    shape: str
    server: Server
    traffic: Traffic


def lanes(cases: Iterable[str], upstream: Server, nginx: Server, gateway: Server) -> list[Lane]:
    """What the cases need: for each shape straight to the upstream and through nginx, then the gateway."""
    found: list[Lane] = []
    for shape in dict.fromkeys(CASES[case].shape for case in cases):
        native = SHAPES[shape].native()
        found += [Lane(f"direct-{shape}", shape, upstream, native), Lane(f"nginx-{shape}", shape, nginx, native)]
        found += [Lane(c, shape, gateway, CASES[c].traffic()) for c in cases if CASES[c].shape == shape]
    return found


def run(lane: Lane, connections: int, count: int) -> Result:
    load = Load(lane.server.port, lane.traffic.request, lane.traffic.check())
    return uvloop.run(measure(load, connections, count, lambda: kernel.cpu_ns(lane.server.pid)))


@dataclass(frozen=True)
class Summary:
    """All rounds of one lane at one number of connections.

    CPU time is the least of the rounds: what disturbs a round only ever adds to it. Latencies are medians of rounds.
    """

    requests: int
    cpu_us: float
    p50_ms: float
    p99_ms: float
    rounds: list[dict[str, Any]]

    @classmethod
    def of(cls, results: list[Result]) -> "Summary":
        return cls(
            requests=results[0].requests,
            cpu_us=min(result.cpu_us for result in results),
            p50_ms=median(result.p50_ms for result in results),
            p99_ms=median(result.p99_ms for result in results),
            rounds=[asdict(result) for result in results],
        )


def run_all(lanes: list[Lane], rounds: int, progress: Callable[[str], None]) -> dict[tuple[str, int], Summary]:
    """Every lane at each number of connections, `rounds` times; by name and connections."""
    results: dict[tuple[str, int], list[Result]] = defaultdict(list)
    for number in range(1, rounds + 1):
        for lane in lanes:
            for connections, count in SHAPES[lane.shape].counts.items():
                result = run(lane, connections, count)
                results[lane.name, connections].append(result)
                progress(
                    f"round {number} of {rounds}: {lane.name} at {connections}: {result.cpu_us:.1f} µs CPU, "
                    f"{result.requests / result.seconds:,.0f} a second"
                )
    return {key: Summary.of(of_lane) for key, of_lane in results.items()}
