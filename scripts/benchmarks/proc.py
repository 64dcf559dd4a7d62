"""What the system says about processes, in /proc."""

from __future__ import annotations

import os
import time
from pathlib import Path

from benchmarks.children import Child


def states(pid: int) -> set[str]:
    """Return the states that its threads are in: ``S`` asleep, ``T`` stopped, ``R`` running."""
    stats = Path(f"/proc/{pid}/task").glob("*/stat")
    return {stat.read_text().rpartition(")")[2].split()[0] for stat in stats}


def is_blocked_on(file: Path) -> bool:
    """Whether the kernel has somebody waiting for a lock of that file."""
    status = file.stat()
    device = status.st_dev
    name = f" {os.major(device):02x}:{os.minor(device):02x}:{status.st_ino} "
    with open("/proc/locks", encoding="ascii") as table:
        return any(" -> " in line and name in line for line in table)


def until_blocked(child: Child, file: Path) -> None:
    """Return when that process waits for the file, and all its threads sleep."""
    deadline = time.monotonic() + 60
    while not (is_blocked_on(file) and states(child.pid) == {"S"}):
        child.check()
        if time.monotonic() > deadline:
            raise RuntimeError(f"the waiter for {file} does not come to block")
        time.sleep(0.0005)


def cpu_seconds(pid: int) -> float:
    """Return how long its threads have run, to the nanosecond."""
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[0]) for task in tasks) / 1e9


def switches(pid: int) -> int:
    """Return how often a thread of it came to sleep, or was made to."""
    return sum(
        int(line.rpartition(":")[2])
        for status in Path(f"/proc/{pid}/task").glob("*/status")
        for line in status.read_text().splitlines()
        if "ctxt_switches:" in line
    )
