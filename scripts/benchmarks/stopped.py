"""Row 8: a waiter that cannot run keeps the others out for a moment only.

It is stopped by SIGSTOP while it waits.  Then the holder releases, and a newcomer, which has
not waited before, acquires.  The figure is the time from the release until it has the lock; to
tell the newcomer, over a pipe, is part of that.  The kernel reserves nothing for whom it wakes,
so with flock alone the lock is simply free.
"""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

from benchmarks import contenders
from benchmarks.children import Child
from benchmarks.contenders import Contender
from benchmarks.proc import states, until_blocked
from benchmarks.report import Case, Table, take_turns
from benchmarks.targets import column

LONGEST = "longest ms"
TARGETS = (column(LONGEST, 200.0),)


class Detour:
    """A holder, here, a waiter that is stopped, and a newcomer that goes round it."""

    def __init__(self, contender: Contender, kind: str, directory: str) -> None:
        os.makedirs(directory)
        self._file = Path(directory, "a")
        self._make = contender.load(directory)
        self._newcomer = (contender.name, "thread", directory)
        self._waiter = Child("waiter", contender.name, kind, directory)

    def measure(self) -> list[float]:
        # another one each time: who once went round a stopped waiter does so at once
        newcomer = Child("waiter", *self._newcomer)
        newcomer.ask("wait")  # nobody has the lock; to import all that it needs
        newcomer.hear()
        waiter = self._waiter
        try:
            with self._make():
                waiter.ask("wait")
                until_blocked(waiter, self._file)
                os.kill(waiter.pid, signal.SIGSTOP)
                while states(waiter.pid) != {"T"}:
                    time.sleep(0.0005)
                released = time.clock_gettime(time.CLOCK_MONOTONIC)
            newcomer.ask("wait")
            acquired: float = newcomer.hear()
        finally:
            os.kill(waiter.pid, signal.SIGCONT)
        waiter.hear()
        newcomer.end()
        return [acquired - released]

    def end(self) -> None:
        self._waiter.end()


def table(quick: bool, directory: str) -> Table:
    directory = os.path.join(directory, "stopped")
    detours: list[Detour] = []

    def case(label: str, contender: Contender, kind: str) -> Case:
        detours.append(Detour(contender, kind, os.path.join(directory, str(len(detours)))))
        return Case(label, detours[-1].measure)

    floor = case("kernel flock", contenders.KERNEL, "thread")
    cases = [
        floor,
        case("lockutils, native thread is stopped", contenders.OURS, "thread"),
        case("lockutils, one with time-out is stopped", contenders.OURS, "timed"),
    ]
    for ours in cases[1:]:
        ours.floor, ours.targets = floor, TARGETS
    take_turns(cases, 5 if quick else 25)
    for one in cases:
        one.more[LONGEST] = one.percentile(1.0) * 1e3
    for detour in detours:
        detour.end()
    return Table(
        "8. Past a stopped waiter",
        "From the release until a newcomer has the lock.",
        cases,
        unit=("ms", 1e3),
    )
