"""Row 7: what waiting costs while nothing happens.

A hundred waiters, all with a time-out, wait for a lock that is held: as threads of one process,
and as processes.  The peers, which all look again and again, are ten processes each.  They wait
all at the same time; counted is what their own threads do, for 10 s.

A thread that makes a system call has to run, and one that runs has to come to sleep again: where
there is no context switch there was no call.  Where strace is installed it counts calls as well,
of a few processes, afterwards, for to attach it interrupts them.  Each thread then enters again
the call that it was in, and strace does not count this: it counts calls when they end.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

from benchmarks import contenders
from benchmarks.children import Child, end_all
from benchmarks.contenders import Contender
from benchmarks.machine import is_installed
from benchmarks.proc import cpu_seconds, states, switches
from benchmarks.report import Case, Table
from benchmarks.targets import at_most, column

WAITERS = 100
#: of each peer, which would take long to start
FEW = 10
#: what the figures are for, in seconds
WINDOW = 10.0
#: seconds after which every waiter has had the look that it has in its first second
FIRST = 1.5
#: processes that strace looks at, at most
TRACED = 3
SWITCHES, CALLS = "switches", "system calls"
TARGETS = (at_most(100.0, "CPU", "ms", 1e3), column(SWITCHES, 0))


class Sleepers:
    """Waiters for one lock, and its holder."""

    def __init__(self, contender: Contender, kind: str, directory: str, waiters: int) -> None:
        os.makedirs(directory)
        self._polls = contender.period > 0
        self._waiters = waiters
        self._file = Path(directory, "strace")
        self._holder = Child("waiter", contender.name, "holder", directory)
        processes = 1 if kind == "threads" else waiters
        arguments = ("waiter", contender.name, kind, directory)
        self._children = [Child(*arguments) for _ in range(processes)]
        self._pids = [child.pid for child in self._children]

    def begin(self) -> None:
        self._holder.ask("hold")
        for child in self._children:
            child.ask(self._waiters)

    def until_asleep(self) -> None:
        """Return when nothing moves any more; those that poll have begun anyway."""
        deadline = time.monotonic() + 60.0
        before = -1
        while not self._polls:
            now = self._switches()
            if now == before and all(states(pid) == {"S"} for pid in self._pids):
                return
            if time.monotonic() > deadline:
                raise RuntimeError("the waiters do not come to sleep")
            before = now
            time.sleep(0.3)

    def look(self) -> tuple[float, int]:
        """Return the time that they have run for, and how often they were switched."""
        return sum(map(cpu_seconds, self._pids)), self._switches()

    def trace(self, strace: str) -> subprocess.Popen[bytes]:
        """Have the system calls of some of them counted."""
        command = [strace, "-f", "-c", "-o", str(self._file)]
        for pid in self._pids[:TRACED]:
            command += ["-p", str(pid)]
        return subprocess.Popen(command, stderr=subprocess.DEVNULL)

    def traced(self) -> float:
        """Return how many system calls were counted, as if it were of all of them."""
        lines = self._file.read_text().splitlines()
        totals = [line.split() for line in lines if line.endswith(" total")]
        share = min(TRACED, len(self._pids)) / len(self._pids)
        return int(totals[0][3]) / share if totals else 0.0

    def scale(self, seconds: float) -> float:
        """What makes a figure of these and so long one of a hundred and ten seconds."""
        return WAITERS / self._waiters * WINDOW / seconds

    def end(self) -> None:
        self._holder.tell("release")
        for child in self._children:
            child.hear()
        end_all([self._holder, *self._children])

    def _switches(self) -> int:
        return sum(map(switches, self._pids))


def table(quick: bool, directory: str) -> Table:
    directory = os.path.join(directory, "idle")
    seconds = 1.0 if quick else WINDOW
    cases: list[Case] = []
    crowds: list[tuple[Case, Sleepers]] = []

    def wait(label: str, contender: Contender, kind: str, waiters: int) -> None:
        cases.append(Case(label, None))
        if is_installed(contender.package):
            place = os.path.join(directory, str(len(cases)))
            crowds.append((cases[-1], Sleepers(contender, kind, place, waiters)))
        else:
            cases[-1].missing = f"{contender.package} not installed"

    wait(f"lockutils, {WAITERS} threads", contenders.OURS, "threads", WAITERS)
    wait(f"lockutils, {WAITERS} processes", contenders.OURS, "timed", WAITERS)
    for ours in cases:
        ours.targets = TARGETS
    for peer in contenders.PEERS:
        wait(f"{peer.name}, {FEW} processes", peer, "thread", FEW)

    for _, sleepers in crowds:
        sleepers.begin()
    for _, sleepers in crowds:
        sleepers.until_asleep()
    time.sleep(FIRST)
    watch(crowds, seconds)
    trace(crowds, min(seconds, 2.0))
    for _, sleepers in crowds:
        sleepers.end()
    return Table(
        "7. While nothing happens",
        f"Of {WAITERS} waiters in {WINDOW:.0f} s, from {seconds:.0f} s; peers from fewer waiters.",
        cases,
        unit=("CPU ms", 1e3),
    )


def watch(crowds: list[tuple[Case, Sleepers]], seconds: float) -> None:
    before = [sleepers.look() for _, sleepers in crowds]
    time.sleep(seconds)
    for (case, sleepers), (ran, switched) in zip(crowds, before, strict=True):
        ran_now, switched_now = sleepers.look()
        case.rounds = [[(ran_now - ran) * sleepers.scale(seconds)]]
        case.more[SWITCHES] = round((switched_now - switched) * sleepers.scale(seconds))


def trace(crowds: list[tuple[Case, Sleepers]], seconds: float) -> None:
    strace = shutil.which("strace")
    if strace is None:
        return
    tracers = [sleepers.trace(strace) for _, sleepers in crowds]
    time.sleep(seconds)
    for tracer, (case, sleepers) in zip(tracers, crowds, strict=True):
        attached = tracer.poll() is None
        tracer.send_signal(signal.SIGINT)
        tracer.wait()
        counted = round(sleepers.traced() * sleepers.scale(seconds)) if attached else "-"
        case.more[CALLS] = counted
