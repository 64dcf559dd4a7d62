"""One process of row 6: ``ticketed DIRECTORY``.

Of two who take a ticket at once, the one with the lower may find that there is a higher one,
and then gives its own back (see :mod:`lockutils.backends.file.tickets`).  Until it has done so its
ticket can be seen, but orders nobody.  One that is kept stays where it is for as long as the
lock is held, so whatever goes away in this time was not overtaken.
"""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from collections.abc import Callable

from benchmarks.children import answer, orders
from benchmarks.order import COLUMNS
from lockutils import lock
from lockutils.backends.file.request import FileRequest
from lockutils.backends.file.tickets import QueueEntry

#: seconds for somebody to give back a ticket: he may not be running
PATIENCE = 0.5

counts: Counter[str] = Counter()


def counted(
    served: Callable[[FileRequest, QueueEntry], None],
) -> Callable[[FileRequest, QueueEntry], None]:
    """What a contender does that has waited and has the lock, with a look at the queue before."""

    def counting(self: FileRequest, entry: QueueEntry) -> None:
        if entry.is_taken:
            counts["with a ticket"] += 1
            if entry.ahead(entry.tickets.lowest(), 1):
                deadline = time.monotonic() + PATIENCE
                while entry.ahead(entry.tickets.lowest(), 1) and time.monotonic() < deadline:
                    time.sleep(0.0001)
                counts["overtakes" if entry.ahead(entry.tickets.lowest(), 1) else "given back"] += 1
        served(self, entry)

    return counting


def main(directory: str) -> None:
    FileRequest._served = counted(FileRequest._served)  # type: ignore[method-assign]
    for start, count, yields in orders():
        counts.clear()
        time.sleep(max(0.0, start - time.monotonic()))
        for _ in range(count):
            with lock("a", external=True, lock_path=directory, fair=True):
                counts["acquisitions"] += 1
                if yields:
                    os.sched_yield()
        answer([time.monotonic(), *(counts[name] for name in COLUMNS)])


if __name__ == "__main__":
    main(*sys.argv[1:])
