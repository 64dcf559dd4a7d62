"""The process of row 9: ``throng KIND DIRECTORY``.

For each order it takes the lock, has that many tasks or greenthreads come to wait for it, lets
go, and answers when all have had it: how long that took, and how often they were woken.
"""

from __future__ import annotations

import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from benchmarks.children import answer, orders
from lockutils import lock
from lockutils.parking.hub_waker import HubParker
from lockutils.parking.tasks import AsyncioParker

#: calls of ``park`` that have begun, and that have returned
counts: Counter[str] = Counter()


def count_parks(parker: Any) -> None:
    park = parker.park

    async def counted(self: Any, deadline: Any) -> bool:
        counts["parked"] += 1
        in_time: bool = await park(self, deadline)
        counts["woken"] += 1
        return in_time

    parker.park = counted


def maker(external: bool, directory: str) -> Callable[[], Any]:
    if external:
        return lambda: lock("a", external=True, lock_path=directory)
    return lambda: lock("a")


async def in_tasks(directory: str) -> None:
    import asyncio

    async def wait_once(make: Callable[[], Any]) -> None:
        async with make():
            pass

    for count, external in orders():
        make = maker(external, directory)
        counts.clear()
        start = time.perf_counter()
        async with make():
            tasks = [asyncio.ensure_future(wait_once(make)) for _ in range(count)]
            while counts["parked"] < count:
                await asyncio.sleep(0)
        await asyncio.gather(*tasks)
        answer([time.perf_counter() - start, counts["woken"]])


def in_greenthreads(
    directory: str, spawn: Callable[..., Any], join: Callable[[Any], Any], pause: Callable[[], Any]
) -> None:
    def wait_once(make: Callable[[], AbstractContextManager[Any]]) -> None:
        with make():
            pass

    for count, external in orders():
        make = maker(external, directory)
        counts.clear()
        start = time.perf_counter()
        with make():
            greenthreads = [spawn(wait_once, make) for _ in range(count)]
            while counts["parked"] < count:
                pause()
        for greenthread in greenthreads:
            join(greenthread)
        answer([time.perf_counter() - start, counts["woken"]])


def main(kind: str, directory: str) -> None:
    if kind == "asyncio":
        import asyncio

        count_parks(AsyncioParker)
        asyncio.run(in_tasks(directory))
        return
    count_parks(HubParker)
    if kind == "gevent":
        import gevent
        from gevent import monkey

        monkey.patch_all()
        join, pause = gevent.Greenlet.join, gevent.sleep
        gevent.spawn(in_greenthreads, directory, gevent.spawn, join, pause).join()
    elif kind == "eventlet":
        warnings.simplefilter("ignore")  # of its deprecation
        import eventlet
        from eventlet.greenthread import GreenThread

        eventlet.monkey_patch()
        eventlet.spawn(
            in_greenthreads, directory, eventlet.spawn, GreenThread.wait, eventlet.sleep
        ).wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
