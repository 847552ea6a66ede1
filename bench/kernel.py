"""What the kernel says about a process and its children: CPU time and memory."""

import time
from pathlib import Path


def process_tree(pid: int) -> list[int]:
    """The process and everything below it."""
    pids = [pid]
    for known in pids:  # grows while it is walked
        for task in Path(f"/proc/{known}/task").iterdir():
            pids += map(int, (task / "children").read_text().split())
    return pids


def cpu_ns(pid: int) -> int:
    """CPU time so far, user and system, of all threads of the process and its children, in nanoseconds.

    From each process's CPU clock, which counts exactly where /proc/PID/stat counts ticks of 10 ms. The number of
    another process's clock is made as the C library's `clock_getcpuclockid` makes it.
    """
    return sum(time.clock_gettime_ns((~each << 3) | 2) for each in process_tree(pid))


def memory_mb(pid: int) -> dict[str, float]:
    """Resident memory in MB (10^6 bytes) of the process and its children: whole (rss) and their share of it (pss)."""
    total = {"rss": 0, "pss": 0}
    for each in process_tree(pid):
        for line in Path(f"/proc/{each}/smaps_rollup").read_text().splitlines():
            name, _, value = line.partition(":")
            if name.lower() in total:
                total[name.lower()] += int(value.split()[0])
    return {name: round(kib * 1024 / 1e6, 1) for name, kib in total.items()}
