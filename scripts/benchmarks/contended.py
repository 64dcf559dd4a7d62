"""Row 5: throughput and fairness of several processes that want one lock all the time.

They start at one moment and go on for a while, each acquiring, holding for 0 or 1 ms (asleep),
releasing.  The figure is acquisitions per second, all processes together; beside it what the
process with the fewest has of what the one with the most has, and the longest single wait.
"""

from __future__ import annotations

import os
import statistics
import time

from benchmarks import contenders
from benchmarks.children import Child
from benchmarks.contenders import Contender
from benchmarks.machine import is_installed
from benchmarks.report import Case, Table, take_turns

PROCESSES = (2, 8)
HOLDS = (0.0, 0.001)


class Crowd:
    """Processes that want the lock of one contender, when they are told to."""

    def __init__(self, contender: Contender, directory: str) -> None:
        os.makedirs(directory)
        self._workers = [Child("worker", contender.name, directory) for _ in range(max(PROCESSES))]

    def run(self, processes: int, hold: float, seconds: float) -> list[tuple[int, float]]:
        """Return the acquisitions and the longest wait of each process."""
        workers = self._workers[:processes]
        start = time.monotonic() + 0.02
        for worker in workers:
            worker.tell([start, start + seconds, hold])
        return [worker.hear() for worker in workers]

    def end(self) -> None:
        for worker in self._workers:
            worker.end()


class Run:
    """One case: a crowd, how many of it, and how long they hold."""

    def __init__(self, crowd: Crowd, processes: int, hold: float, seconds: float) -> None:
        self._crowd = crowd
        self._processes, self._hold, self._seconds = processes, hold, seconds
        self._shares: list[float] = []
        self._longest: list[float] = []

    def measure(self) -> list[float]:
        results = self._crowd.run(self._processes, self._hold, self._seconds)
        counts = [count for count, _ in results]
        self._shares.append(min(counts) / max(1, *counts))
        self._longest.append(max(wait for _, wait in results))
        return [sum(counts) / self._seconds]

    def fairness(self) -> dict[str, float | str]:
        longest = statistics.median(self._longest)
        return {"worst/best": statistics.median(self._shares), "longest ms": longest * 1e3}


def table(quick: bool, directory: str) -> Table:
    seconds, rounds = (0.08, 3) if quick else (0.5, 5)
    present = [c for c in contenders.ALL.values() if is_installed(c.package)]
    crowds = {
        c.name: Crowd(c, os.path.join(directory, "contended", c.name.replace(" ", "-")))
        for c in present
    }
    cases: list[Case] = []
    runs: dict[str, Run] = {}
    for processes in PROCESSES:
        for hold in HOLDS:
            floor = None
            for contender in contenders.ALL.values():
                label = f"{processes} x {hold * 1e3:.0f} ms: {contender.name}"
                if contender.name not in crowds:
                    missing = f"{contender.package} not installed"
                    cases.append(Case(label, None, missing=missing))
                    continue
                run = runs[label] = Run(crowds[contender.name], processes, hold, seconds)
                cases.append(Case(label, run.measure, floor))
                floor = floor or cases[-1]
    take_turns(cases, rounds)
    for case in cases:
        if case.label in runs:
            case.more = runs[case.label].fairness()
    for crowd in crowds.values():
        crowd.end()
    return Table(
        "5. Contended, processes x hold",
        f"Runs of {seconds} s; ratio is throughput to that of kernel flock: more is better.",
        cases,
        unit=("/s", 1.0),
    )
