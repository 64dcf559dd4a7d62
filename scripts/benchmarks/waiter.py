"""A process that waits for a lock: ``waiter CONTENDER KIND DIRECTORY``.

For each order it says that it begins to wait, acquires, and answers with the time it had the
lock.  The lock is free again before the answer.
"""

from __future__ import annotations

import sys
import threading
import time
import warnings

from benchmarks.children import answer, orders
from benchmarks.contenders import ALL, Maker

#: seconds, of every waiter of ours but the plain thread; never reached
TIMEOUT = 3600.0


def now() -> float:
    return time.clock_gettime(time.CLOCK_MONOTONIC)


def wait(make: Maker) -> None:
    for _ in orders():
        answer("waiting")
        with make():
            acquired = now()
        answer(acquired)


def hold(make: Maker) -> None:
    """Acquire at one order, release at the next."""
    told = orders()
    for _ in told:
        with make():
            answer("held")
            next(told)


def timed(directory: str) -> Maker:
    from lockutils import lock, set_defaults

    set_defaults(warn_after=None)  # to be told of a wait after 10 s is what the user asks for
    return lambda: lock("a", external=True, lock_path=directory, timeout=TIMEOUT)


def wait_in_threads(make: Maker) -> None:
    """Each order is for so many threads, which all begin before the answer."""

    def wait_once() -> None:
        with make():
            pass

    for count in orders():
        threads = [threading.Thread(target=wait_once) for _ in range(count)]
        for thread in threads:
            thread.start()
        answer("waiting")
        for thread in threads:
            thread.join()
        answer(now())


async def wait_in_task(directory: str) -> None:
    from lockutils import lock

    for _ in orders():
        answer("waiting")
        async with lock("a", external=True, lock_path=directory, timeout=TIMEOUT):
            acquired = now()
        answer(acquired)


def main(contender: str, kind: str, directory: str) -> None:
    if kind == "thread":
        wait(ALL[contender].load(directory))
    elif kind == "holder":
        hold(ALL[contender].load(directory))
    elif kind == "timed":
        wait(timed(directory))
    elif kind == "threads":
        wait_in_threads(timed(directory))
    elif kind == "asyncio":
        import asyncio

        asyncio.run(wait_in_task(directory))
    elif kind == "trio":
        import trio

        trio.run(wait_in_task, directory)
    elif kind == "gevent":
        from gevent import monkey, spawn

        monkey.patch_all()
        spawn(wait, timed(directory)).join()
    elif kind == "eventlet":
        warnings.simplefilter("ignore")  # of its deprecation
        import eventlet

        eventlet.monkey_patch()
        eventlet.spawn(wait, timed(directory)).wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
