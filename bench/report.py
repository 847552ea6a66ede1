"""The results: judged against the bounds, shown as a table, kept as JSON."""

import json
import os
import platform
import shutil
import subprocess
import sys
from dataclasses import asdict, dataclass, field
from datetime import datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from bench.cases import CASES, MB_IDLE_BOUND, SLOW_STREAMS, START_SECONDS_BOUND
from bench.rounds import Summary
from bench.servers import ROOT

RESULTS = ROOT / "bench" / "results"
PACKAGES = ("gemgate", "uvicorn", "uvloop", "httptools", "msgspec")
STATES = {"idle": "idle", "streaming": f"with {SLOW_STREAMS:,} open slow streams", "after": "after they have gone"}


@dataclass
class Report:
    """Everything that one run of the bench found."""

    rounds: int
    gateway: str | None
    """what was measured instead of gemgate"""
    machine: dict[str, Any]
    summaries: dict[tuple[str, int], Summary] = field(default_factory=dict)
    memory: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)
    """server → state → kind of memory → MB"""
    start_seconds: float | None = None

    def cpu_rows(self) -> list[dict[str, Any]]:
        rows = []
        for name, case in CASES.items():
            if (name, 64) in self.summaries:
                own, nginx = (self.summaries[n, 64].cpu_us for n in (name, f"nginx-{case.shape}"))
                multiple = own / nginx
                ok = None if case.bound is None else multiple <= case.bound
                row = {"us": own, "nginx_us": nginx, "multiple": multiple, "bound": case.bound, "ok": ok}
                rows.append({"case": name, **row})
        return rows

    def latency_rows(self) -> list[dict[str, Any]]:
        """Added latency: less what the same traffic takes straight to the upstream."""
        rows = []
        for (name, connections), found in self.summaries.items():
            shape = CASES[name].shape if name in CASES else name.partition("-")[2]
            if not name.startswith("direct-"):
                direct = self.summaries[f"direct-{shape}", connections]
                added = {"p50_ms": found.p50_ms - direct.p50_ms, "p99_ms": found.p99_ms - direct.p99_ms}
                rows.append({"case": name, "connections": connections, **added})
        return rows

    def bounds(self) -> dict[str, bool]:
        found = {row["case"]: row["ok"] for row in self.cpu_rows() if row["ok"] is not None}
        if "gateway" in self.memory:
            found["memory idle"] = self.memory["gateway"]["idle"]["rss"] <= MB_IDLE_BOUND
        if self.start_seconds is not None:
            found["start"] = self.start_seconds <= START_SECONDS_BOUND
        return found

    def save(self) -> Path:
        RESULTS.mkdir(exist_ok=True)
        now = datetime.now().astimezone()
        lanes = [{"lane": n, "connections": c, **asdict(s)} for (n, c), s in self.summaries.items()]
        content = {
            "date": now.isoformat(timespec="seconds"),
            "machine": self.machine,
            "gateway": self.gateway,
            "bounds": self.bounds(),
            "cpu": self.cpu_rows(),
            "added_latency": self.latency_rows(),
            "memory_mb": self.memory,
            "start_seconds": self.start_seconds,
            "lanes": lanes,
        }
        path = RESULTS / f"{now:%Y-%m-%dT%H-%M-%S}.json"
        path.write_text(json.dumps(content, indent=1) + "\n")
        return path


def machine(nginx_version: str) -> dict[str, Any]:
    """Facts that numbers depend on; nothing that names the machine."""
    cpu = [line for line in Path("/proc/cpuinfo").read_text().splitlines() if line.startswith("model name")]
    return {
        "cores": len(os.sched_getaffinity(0)),
        "cpu": cpu[0].partition(":")[2].strip() if cpu else platform.machine(),
        "memory_mb": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 10**6,
        "kernel": platform.release(),
        "python": platform.python_version(),
        "nginx": nginx_version,
        "commit": _commit(),
        "packages": {name: _version(name) for name in PACKAGES},
    }


def _commit() -> str | None:
    if not shutil.which("git"):
        return None
    asked = subprocess.run(["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    return asked.stdout.strip() or None


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


# -- on the screen -------------------------------------------------------------------------------------------------


def show(report: Report) -> str:
    """The tables."""
    facts = report.machine
    lines = [
        f"{facts['cores']} cores of {facts['cpu']}, Python {facts['python']}, nginx {facts['nginx']}; "
        f"{report.rounds} rounds: CPU the least of them, latency the median"
    ]
    if report.summaries:
        lines += _show_cpu(report) + _show_latency(report)
    if report.memory:
        lines += _show_memory(report)
    if report.start_seconds is not None:
        ok = _verdict(report.bounds()["start"])
        lines += ["", f"{'Start, seconds to /health':44}{report.start_seconds:8.2f}{'≤ 1':>28}   {ok}"]
    return "\n".join(lines)


def _show_cpu(report: Report) -> list[str]:
    lines = ["", f"{'CPU per request at 64 connections':44}{'µs':>8}{'nginx µs':>10}{'multiple':>10}{'bound':>8}"]
    for row in report.cpu_rows():
        bound = f"≤ {row['bound']}×" if row["bound"] else ""
        lines.append(
            f"  {CASES[row['case']].title:42}{row['us']:8.1f}{row['nginx_us']:10.1f}{row['multiple']:9.1f}×{bound:>8}"
            f"   {_verdict(row['ok'])}"
        )
    return lines


def _show_latency(report: Report) -> list[str]:
    heads = "".join(f"{head:>10}" for head in ("p50 at 1", "p99 at 1", "p50 at 64", "p99 at 64"))
    lines = ["", f"{'Added latency, ms':42}{heads}"]
    by_case: dict[str, dict[int, dict[str, Any]]] = {}
    for row in report.latency_rows():
        by_case.setdefault(row["case"], {})[row["connections"]] = row
    for name, rows in by_case.items():
        title = CASES[name].title if name in CASES else name.replace("-", " ")
        cells = [rows[c][p] if c in rows else None for c in (1, 64) for p in ("p50_ms", "p99_ms")]
        lines.append(f"  {title:40}" + "".join(f"{'' if cell is None else f'{cell:.2f}':>10}" for cell in cells))
    return lines


def _show_memory(report: Report) -> list[str]:
    lines = ["", f"{'Memory, MB':44}{'rss':>8}{'pss':>10}{'nginx rss':>10}{'bound':>8}"]
    for state, title in STATES.items():
        own, nginx = report.memory["gateway"][state], report.memory["nginx"][state]
        bound, ok = (f"≤ {MB_IDLE_BOUND}", report.bounds()["memory idle"]) if state == "idle" else ("", None)
        lines.append(f"  {title:42}{own['rss']:8.1f}{own['pss']:10.1f}{nginx['rss']:10.1f}{bound:>8}   {_verdict(ok)}")
    return lines


def _verdict(ok: bool | None) -> str:
    if ok is None:
        return ""
    text, colour = ("ok", 32) if ok else ("MISS", 31)
    return f"\033[{colour}m{text}\033[0m" if sys.stdout.isatty() else text
