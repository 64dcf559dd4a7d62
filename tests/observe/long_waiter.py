"""One waiter of one kind whose wait is long: long_waiter.py KIND LOCK_DIR WHERE OPTIONS...

WHERE is "inside", where this process holds the lock itself, or "outside".  After two notices it
prints "noticed", with the number of threads that were started for them; when the lock was released,
"in".
"""

import logging
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "parking"))

import kinds

KIND, LOCK_DIR, WHERE, *OPTIONS = sys.argv[1:]
kind = kinds.make(KIND)

import lockutils  # noqa: E402
from lockutils.parking import helpers  # noqa: E402

lockutils.set_defaults(warn_after=0.05)
options = {"external": True, "lock_path": LOCK_DIR}
if "timeout" in OPTIONS:
    options["timeout"] = 600
if "slots" in OPTIONS:
    options["slots"] = 2
for name in ("shared", "fair", "reentrant"):
    if name in OPTIONS:
        options[name] = True
if "polls" in OPTIONS:
    helpers.LIMIT = 0

lines = []


class Lines(logging.Handler):
    def emit(self, record):
        lines.append(f"{record.levelname} {record.name} {record.getMessage()}")


logging.getLogger("lockutils").addHandler(Lines())


def lock():
    if "all" in OPTIONS:
        return lockutils.lock_all(["it", "other"], **options)
    return lockutils.lock("it", **options)


def threads():
    return len(os.listdir("/proc/self/task"))


async def wait(kind):
    holder = lockutils.lock("it", external=True, lock_path=LOCK_DIR)
    if WHERE == "inside":
        holder.acquire()
    waiter = kinds.Waiter(lock())
    waiter.may_leave = True
    await kind.start(waiter)
    await kind.until(lambda: len(lines) >= 1)
    before = threads()
    await kind.until(lambda: len(lines) >= 2)
    print("noticed", threads() - before, flush=True)
    print(lines[0], flush=True)
    if WHERE == "inside":
        holder.release()
    await kind.until(lambda: waiter.state == kinds.DONE)
    print("in", flush=True)


kind.run(wait)
