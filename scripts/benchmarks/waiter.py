"""The waiter of row 3: ``waiter CONTENDER KIND DIRECTORY``.

For each order it says that it begins to wait, acquires, and answers with the time it had the
lock.  The lock is free again before the answer.
"""

from __future__ import annotations

import sys
import time
import warnings

from benchmarks.children import answer, orders
from benchmarks.contenders import ALL, Maker

#: seconds, of the timed waiter; never reached
TIMEOUT = 3600.0


def now() -> float:
    return time.clock_gettime(time.CLOCK_MONOTONIC)


def wait(make: Maker) -> None:
    for _ in orders():
        answer("waiting")
        with make():
            acquired = now()
        answer(acquired)


async def wait_in_task(directory: str) -> None:
    from lockutils import lock

    for _ in orders():
        answer("waiting")
        async with lock("a", external=True, lock_path=directory):
            acquired = now()
        answer(acquired)


def main(contender: str, kind: str, directory: str) -> None:
    if kind == "thread":
        wait(ALL[contender].load(directory))
    elif kind == "timed":
        from lockutils import lock

        wait(lambda: lock("a", external=True, lock_path=directory, timeout=TIMEOUT))
    elif kind == "asyncio":
        import asyncio

        asyncio.run(wait_in_task(directory))
    elif kind == "trio":
        import trio

        trio.run(wait_in_task, directory)
    elif kind == "gevent":
        from gevent import monkey, spawn

        monkey.patch_all()
        spawn(wait, ALL[contender].load(directory)).join()
    elif kind == "eventlet":
        warnings.simplefilter("ignore")  # of its deprecation
        import eventlet

        eventlet.monkey_patch()
        eventlet.spawn(wait, ALL[contender].load(directory)).wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
