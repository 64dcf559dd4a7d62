"""Row 3: from the holder's release to the waiter's acquire, between two processes.

The waiter is known to wait when the lock is released.  One that the kernel wakes is blocked on
the file (a line with an arrow in ``/proc/locks``) and all its threads are asleep.  One that polls
has begun, and then a random part of its longest pause goes by.  The time begins right before the
holder releases, and ends when the waiter has the lock; both read CLOCK_MONOTONIC, which is the
same in all processes.  The holder, here, uses the library of the waiter, in a native thread.

Several generations of waiters share the rounds: where a process happens to be, in memory and on
which core, makes as much as a third.
"""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

from benchmarks import contenders
from benchmarks.children import Child
from benchmarks.contenders import Contender, Maker
from benchmarks.machine import is_installed
from benchmarks.report import Case, Table, Target, take_turns

#: label, contender, kind of waiter in :mod:`benchmarks.waiter`, the distribution it needs
OURS = (
    ("lockutils, native thread with time-out", "timed", None),
    ("lockutils, native thread", "thread", None),
    ("lockutils, asyncio task", "asyncio", None),
    ("lockutils, trio task", "trio", "trio"),
    ("lockutils, gevent greenlet", "gevent", "gevent"),
    ("lockutils, eventlet greenthread", "eventlet", "eventlet"),
)
TARGET = Target(2.5)
#: of a sleeping waiter: to let the core it ran on become idle, too
SETTLE = 0.002


class Pair:
    """A holder, here, and a waiter, in a child."""

    def __init__(self, contender: Contender, kind: str, directory: str, handoffs: int) -> None:
        os.makedirs(directory)
        self._file = Path(directory, "a")
        self._period = contender.period
        self._handoffs = handoffs
        self._make: Maker = contender.load(directory)
        self._arguments = (contender.name, kind, directory)

    def start(self) -> None:
        self._waiter = Child("waiter", *self._arguments)

    def warm_up(self) -> None:
        if not self._period:
            self.handoff()

    def end(self) -> None:
        self._waiter.end()

    def measure(self) -> list[float]:
        return [self.handoff() for _ in range(self._handoffs)]

    def handoff(self) -> float:
        with self._make():
            self._waiter.tell("wait")
            self._waiter.hear()  # it begins now
            if self._period:
                time.sleep(SETTLE + random.uniform(0, self._period))
            else:
                self._until_asleep()
            released = time.clock_gettime(time.CLOCK_MONOTONIC)
        acquired: float = self._waiter.hear()
        return acquired - released

    def _until_asleep(self) -> None:
        status = self._file.stat()
        device = status.st_dev
        file = f" {os.major(device):02x}:{os.minor(device):02x}:{status.st_ino} "
        deadline = time.monotonic() + 60
        while not (_is_waited_for(file) and _all_asleep(self._waiter.pid)):
            self._waiter.check()
            if time.monotonic() > deadline:
                raise RuntimeError(f"the waiter for {self._file} does not come to block")
            time.sleep(0.0005)
        time.sleep(SETTLE)


def _is_waited_for(file: str) -> bool:
    with open("/proc/locks", encoding="ascii") as table:
        return any(" -> " in line and file in line for line in table)


def _all_asleep(pid: int) -> bool:
    stats = Path(f"/proc/{pid}/task").glob("*/stat")
    return all(stat.read_text().rpartition(")")[2].split()[0] == "S" for stat in stats)


def table(quick: bool, directory: str) -> Table:
    directory = os.path.join(directory, "handoff")
    few, many, generations = (1, 12, 2) if quick else (3, 25, 6)
    pairs: list[Pair] = []

    def case(
        label: str, contender: Contender, kind: str, package: str | None, floor: Case | None
    ) -> Case:
        if not is_installed(package):
            return Case(label, None, missing=f"{package} not installed")
        place = os.path.join(directory, str(len(pairs)))
        pair = Pair(contender, kind, place, few if contender.period else many)
        pairs.append(pair)
        return Case(label, pair.measure, floor)

    floor = case("floor: kernel-blocking flock", contenders.KERNEL, "thread", None, None)
    cases = [floor]
    cases += [case(name, contenders.OURS, kind, need, floor) for name, kind, need in OURS]
    cases[1].target = TARGET
    cases += [case(c.name, c, "thread", c.package, floor) for c in contenders.PEERS]
    for _ in range(generations):
        for pair in pairs:
            pair.start()
        for pair in pairs:
            pair.warm_up()
        take_turns(cases, 4)
        for pair in pairs:
            pair.end()
    for one in cases:
        if one.rounds:
            one.more["extra us"] = one.extra() * 1e6
    return Table(
        "3. Handoff between two processes",
        "Floor: open, flock, close by the same program.  The waiter sleeps when it is released.",
        cases,
        percentiles=(0.5, 0.99),
    )
