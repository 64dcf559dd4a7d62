"""Row 6: whether ``fair=True`` serves waiters strictly in the order of their tickets.

Sixteen processes want one lock all the time.  Each that has waited looks, as soon as it has the
lock, whether the queue has a lower ticket than its own: then it has overtaken somebody.

While they hold it for no time, many find nobody else waiting.  Where each gives up its core for
a moment while it holds, nearly all have to wait.
"""

from __future__ import annotations

import os
import time

from benchmarks.children import Child, end_all
from benchmarks.report import Case, Table, take_turns
from benchmarks.targets import column

PROCESSES = 16
#: what each process counts
COLUMNS = ("acquisitions", "with a ticket", "overtakes", "given back")


def table(quick: bool, directory: str) -> Table:
    directory = os.path.join(directory, "order")
    os.makedirs(directory)
    each = (4_000 if quick else 100_000) // PROCESSES
    children = [Child("ticketed", directory) for _ in range(PROCESSES)]

    def case(label: str, yields: bool) -> Case:
        one = Case(label, None, targets=(column("overtakes", 0),))

        def run() -> list[float]:
            start = time.monotonic() + 0.1
            for child in children:
                child.tell([start, each, yields])
            ends, *counts = zip(*(child.hear() for child in children), strict=True)
            one.more.update(zip(COLUMNS, map(sum, counts), strict=True))
            return [each * PROCESSES / (max(ends) - start)]

        one.measure = run
        return one

    cases = [
        case("fair=True, held for no time", False),
        case("fair=True, core given up while held", True),
    ]
    take_turns(cases, 1)
    end_all(children)
    return Table(
        f"6. Order of {PROCESSES} processes",
        "Given back: a lower ticket was there, and gone before anybody could be served with it.",
        cases,
        unit=("/s", 1.0),
    )
