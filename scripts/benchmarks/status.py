"""Row 10: who holds a lock, with 100 locks on the host.

Ten other processes hold them.  The floor is to read ``/proc/locks`` once.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable

from benchmarks.report import Case, Table, take_turns
from benchmarks.targets import at_most

LOCKS, PROCESSES = 100, 10
TARGET = at_most(200.0, "status", "us", 1e6)
#: a program as users start it: the command line of ``python -c`` has line breaks to be escaped
HOLDER = """
import sys
import lockutils

directory, first, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
numbers = range(first, first + count)
handles = [lockutils.lock(f"n{one}", external=True, lock_path=directory) for one in numbers]
for handle in handles:
    handle.acquire()
print("held", flush=True)
sys.stdin.read()
"""


def read_table() -> None:
    with open("/proc/locks", "rb") as table:
        table.read()


def case(
    label: str, call: Callable[[], object], count: int, floor: Case | None, **options: object
) -> Case:
    def measure() -> list[float]:
        samples = []
        for _ in range(count):
            start = time.perf_counter()
            call()
            samples.append(time.perf_counter() - start)
        return samples

    return Case(label, measure, floor, **options)  # type: ignore[arg-type]


def table(quick: bool, directory: str) -> Table:
    import lockutils

    directory = os.path.join(directory, "status")
    os.mkdir(directory)
    program = os.path.join(directory, ".holder.py")
    with open(program, "w", encoding="utf-8") as file:
        file.write(HOLDER)
    each = LOCKS // PROCESSES
    holders = [
        subprocess.Popen(
            [sys.executable, program, directory, str(first), str(each)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for first in range(0, LOCKS, each)
    ]
    for holder in holders:
        assert holder.stdout is not None
        if holder.stdout.readline() != b"held\n":
            raise RuntimeError("a holder has ended")
    lock = lockutils.lock("n7", external=True, lock_path=directory)
    where = {"external": True, "lock_path": directory}
    count = 20 if quick else 50
    floor = case("floor: read /proc/locks", read_table, count, None)
    cases = [
        floor,
        case("status()", lambda: lockutils.status("n7", **where), count, floor, targets=(TARGET,)),
        case("locked()", lock.locked, count, floor),
    ]
    take_turns(cases, 5 if quick else 40)
    for holder in holders:
        holder.communicate()
    return Table(
        f"10. Who holds a lock, of {LOCKS} on the host",
        f"Each of {PROCESSES} other processes holds {each} of them.",
        cases,
    )
