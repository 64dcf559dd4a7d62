"""Row 3: from the holder's release to the waiter's acquire, between two processes.

The waiter is known to wait when the lock is released.  One that the kernel wakes is blocked on
the file (a line with an arrow in ``/proc/locks``) and all its threads are asleep.  One that polls
has begun, and then a random part of its longest pause goes by.  The time begins right before the
holder releases, and ends when the waiter has the lock; both read CLOCK_MONOTONIC, which is the
same in all processes.  The holder, here, uses the library of the waiter, in a native thread.

All waiters of ours but one have a time-out, as a service has.  A helper thread sleeps for those
in a loop or hub.  They are released twice over: soon after they fell asleep, when their core is
still awake, and later, when it sleeps too and has to be woken first.  The targets are for both.

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
from benchmarks.proc import until_blocked
from benchmarks.report import Case, Table, take_turns
from benchmarks.targets import beside, ratio, tail

NATIVE = "lockutils, native thread"
#: label, kind of waiter in :mod:`benchmarks.waiter`, the distribution it needs, and what it may
#: take at most: the native thread of the floor, the others of the native thread
OURS = (
    (NATIVE, "thread", None, 2.5),
    ("lockutils, native thread with time-out", "timed", None, 1.15),
    ("lockutils, asyncio task", "asyncio", None, 2.0),
    ("lockutils, trio task", "trio", "trio", 2.0),
    ("lockutils, gevent greenlet", "gevent", "gevent", 2.0),
    ("lockutils, eventlet greenthread", "eventlet", "eventlet", 2.0),
)
TAIL = tail(4.0)
#: seconds from when a waiter sleeps to its release
SETTLE = 0.002
#: the same where its core is to sleep, too
LONG_SETTLE = 0.02
FLOOR = "kernel flock"


class Pair:
    """A holder, here, and a waiter, in a child."""

    def __init__(self, contender: Contender, kind: str, directory: str) -> None:
        os.makedirs(directory)
        self._file = Path(directory, "a")
        self._period = contender.period
        self._make: Maker = contender.load(directory)
        self._arguments = (contender.name, kind, directory)

    def start(self) -> None:
        self._waiter = Child("waiter", *self._arguments)

    def warm_up(self) -> None:
        if not self._period:
            self.handoff(SETTLE)

    def end(self) -> None:
        self._waiter.end()

    def measure(self, handoffs: int, settle: float) -> list[float]:
        return [self.handoff(settle) for _ in range(handoffs)]

    def handoff(self, settle: float) -> float:
        with self._make():
            self._waiter.tell("wait")
            self._waiter.hear()  # it begins now
            if self._period:
                time.sleep(settle + random.uniform(0, self._period))
            else:
                until_blocked(self._waiter, self._file)
                time.sleep(settle)
            released = time.clock_gettime(time.CLOCK_MONOTONIC)
        acquired: float = self._waiter.hear()
        return acquired - released


def table(quick: bool, directory: str) -> Table:
    directory = os.path.join(directory, "handoff")
    few, many, late, generations = (1, 12, 3, 2) if quick else (3, 25, 8, 6)
    pairs: list[Pair] = []

    def pair(contender: Contender, kind: str) -> Pair:
        pairs.append(Pair(contender, kind, os.path.join(directory, str(len(pairs)))))
        return pairs[-1]

    kernel = pair(contenders.KERNEL, "thread")
    ours = {
        label: pair(contenders.OURS, kind) for label, kind, need, _ in OURS if is_installed(need)
    }
    groups = [
        group(settle, handoffs, kernel, ours)
        for settle, handoffs in ((SETTLE, many), (LONG_SETTLE, late))
    ]
    for contender in contenders.PEERS:
        if not is_installed(contender.package):
            missing = f"{contender.package} not installed"
            groups[0].append(Case(contender.name, None, missing=missing, group=group_name(SETTLE)))
            continue
        waiter = pair(contender, "thread")
        groups[0].append(case(contender.name, waiter, few, SETTLE, groups[0][0]))
    cases = [case for cases in groups for case in cases]
    for _ in range(generations):
        for one in pairs:
            one.start()
        for one in pairs:
            one.warm_up()
        take_turns(cases, 4)
        for one in pairs:
            one.end()
    for measured in cases:
        if measured.rounds:
            measured.more["extra us"] = measured.extra() * 1e6
    return Table(
        "3. Handoff between two processes",
        "Floor: open, flock, close by the same program.  The waiter has slept for 2 or 20 ms.",
        cases,
        percentiles=(0.5, 0.99),
    )


def group(settle: float, handoffs: int, kernel: Pair, ours: dict[str, Pair]) -> list[Case]:
    """The floor and the cases of lockutils, for waiters that have slept so long."""
    floor = case(FLOOR, kernel, handoffs, settle)
    cases = [floor]
    for label, _, package, limit in OURS:
        if label not in ours:
            missing = f"{package} not installed"
            cases.append(Case(label, None, missing=missing, group=floor.group))
            continue
        cases.append(case(label, ours[label], handoffs, settle, floor))
        native = cases[1]
        least = ratio(limit) if label == NATIVE else beside(native, limit, "native thread")
        cases[-1].targets = (least, TAIL)
    return cases


def case(label: str, pair: Pair, handoffs: int, settle: float, floor: Case | None = None) -> Case:
    return Case(label, lambda: pair.measure(handoffs, settle), floor, group=group_name(settle))


def group_name(settle: float) -> str:
    return f"{settle * 1e3:.0f} ms"
