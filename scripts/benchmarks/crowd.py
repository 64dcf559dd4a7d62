"""Row 9: thousands of waiters of one event loop or hub, each of which is served once.

The figure is the time per waiter, from when the first begins to wait until the last has had the
lock.  It must not grow with their number, so it is compared with that of a tenth of them.  Nor
must a waiter be woken for nothing: counted are the returns from its parker.
"""

from __future__ import annotations

import os

from benchmarks.children import Child
from benchmarks.machine import is_installed
from benchmarks.report import Case, Table, take_turns
from benchmarks.targets import column, ratio

#: kind of waiter, how many, the distribution it needs
KINDS = (
    ("asyncio", 10_000, None),
    ("gevent", 2_000, "gevent"),
    ("eventlet", 2_000, "eventlet"),
)
WAKES = "wakes per waiter"
TARGETS = (ratio(2.0), column(WAKES, 1.0))


def table(quick: bool, directory: str) -> Table:
    directory = os.path.join(directory, "crowd")
    os.makedirs(directory)
    cases: list[Case] = []
    children: list[Child] = []
    for kind, many, package in KINDS:
        child = None
        if is_installed(package):
            child = Child("throng", kind, directory)
            children.append(child)
        for external in (False, True):
            floor = None
            for waiters in (many // 10, many):
                case = Case(f"{waiters} waiters", None, floor)
                case.group = kind + (", external" if external else "")
                cases.append(case)
                if child is None:
                    case.missing = f"{package} not installed"
                    continue
                child.ask([10, external])  # to import
                measure_in(child, case, waiters, external)
                if floor is not None:
                    case.targets = TARGETS
                floor = case
    take_turns(cases, 2 if quick else 5)
    for child in children:
        child.end()
    return Table(
        "9. Crowds in one process",
        "Per waiter; ratio: to a tenth of the waiters.",
        cases,
    )


def measure_in(child: Child, case: Case, waiters: int, external: bool) -> None:
    """Have the case measured there, with the most wakes of any round."""

    def measure() -> list[float]:
        seconds, woken = child.ask([waiters, external])
        case.more[WAKES] = max(woken / waiters, float(case.more.get(WAKES, 0.0)))
        return [seconds / waiters]

    case.measure = measure
