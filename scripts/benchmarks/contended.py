"""Row 5: throughput and fairness of several processes that want one lock all the time.

They start at one moment and go on for a while, each acquiring, holding for 0 or 1 ms (asleep),
releasing.  The figure is acquisitions per second, all processes together; beside it what the
process with the fewest has of what the one with the most has, and the longest single wait.

With ``fair=True`` it is one waiter after the other, which costs a wake each time; without, a
process may acquire several times while the system lets it run, and contention is to cost little
beside one process alone.
"""

from __future__ import annotations

import os
import statistics
import time

from benchmarks import contenders
from benchmarks.children import Child, end_all
from benchmarks.contenders import FAIR, OURS, PEERS, Contender
from benchmarks.machine import is_installed
from benchmarks.report import Case, Table, take_turns
from benchmarks.targets import Target, above, beside, column, ratio

PROCESSES = (2, 8, 32)
HOLDS = (0.0, 0.001)
#: what ``fair=True`` is to have of kernel flock's throughput, by processes
FAIR_LEAST = {2: 0.15, 8: 0.12, 32: 0.06}
SHARE, LONGEST = "worst/best", "longest ms"


class Crowd:
    """Processes that want the lock of one contender, when they are told to."""

    def __init__(self, contender: Contender, directory: str, size: int) -> None:
        os.makedirs(directory)
        self._workers = [Child("worker", contender.name, directory) for _ in range(size)]

    def run(self, processes: int, hold: float, seconds: float) -> list[tuple[int, float]]:
        """Return the acquisitions and the longest wait of each process."""
        workers = self._workers[:processes]
        start = time.monotonic() + 0.02
        for worker in workers:
            worker.tell([start, start + seconds, hold])
        return [worker.hear() for worker in workers]

    def end(self) -> None:
        end_all(self._workers)


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
        return {SHARE: statistics.median(self._shares), LONGEST: longest * 1e3}


def table(quick: bool, directory: str) -> Table:
    seconds, turns, rounds = (0.08, 15, 2) if quick else (0.4, 40, 5)
    sizes = PROCESSES[:2] if quick else PROCESSES
    present = [c for c in contenders.ALL.values() if is_installed(c.package)]
    crowds = {
        c.name: Crowd(c, os.path.join(directory, "contended", str(number)), max(sizes))
        for number, c in enumerate(present)
    }
    alone = Case(OURS.name, None, group=group_name(1, 0.0))
    runs = [(alone, Run(crowds[OURS.name], 1, 0.0, seconds))]
    alone.measure = runs[0][1].measure
    cases = [alone]
    for processes in sizes:
        for hold in HOLDS:
            # enough turns of each that one more or less makes no difference
            long_enough = max(seconds, turns * processes * hold)
            group: dict[str, Case] = {}
            for contender in contenders.ALL.values():
                case = group[contender.name] = Case(contender.name, None)
                case.group = group_name(processes, hold)
                if contender.name not in crowds:
                    case.missing = f"{contender.package} not installed"
                    continue
                run = Run(crowds[contender.name], processes, hold, long_enough)
                runs.append((case, run))
                case.measure = run.measure
                if contender is not contenders.KERNEL:
                    case.floor = group[contenders.KERNEL.name]
            peers = [group[peer.name] for peer in PEERS if peer.name in crowds]
            group[OURS.name].targets = targets(processes, hold, alone, peers)
            group[FAIR.name].targets = fair_targets(processes, hold)
            cases += group.values()
    take_turns(cases, rounds)
    for case, run in runs:
        case.more = run.fairness()
    for crowd in crowds.values():
        crowd.end()
    return Table(
        "5. Contended, processes x hold",
        f"Runs of {seconds} s or more; ratio: throughput to kernel flock's, more is better.",
        cases,
        unit=("/s", 1.0),
    )


def group_name(processes: int, hold: float) -> str:
    return f"{processes} x {hold * 1e3:.0f} ms"


def targets(processes: int, hold: float, alone: Case, peers: list[Case]) -> tuple[Target, ...]:
    if not hold:
        least = beside(alone, 0.75, "one process alone", is_least=True)
        share = column(SHARE, 0.5, is_least=True)
        return (least, share, above(peers)) if peers else (least, share)
    return (ratio(0.9, is_least=True), *even(processes, hold, 0.8))


def fair_targets(processes: int, hold: float) -> tuple[Target, ...]:
    if not hold:
        return (ratio(FAIR_LEAST[processes], is_least=True),)
    return (ratio(0.9, is_least=True), *even(processes, hold, 0.9))


def even(processes: int, hold: float, share: float) -> tuple[Target, ...]:
    """How alike all of a crowd are to be served; two are not a crowd."""
    if processes <= 2:
        return ()
    longest = 3 * processes * hold * 1e3
    return column(SHARE, share, is_least=True), column(LONGEST, longest)
