"""A process of asyncio tasks in two loops, which end and are made again; tasks are cancelled."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import TYPE_CHECKING

import lockutils
from chaos import forks
from chaos.shortage import LASTS
from chaos.sync import Guard

if TYPE_CHECKING:
    import random

    from chaos.life import Life
    from chaos.turns import Entry, Plan

_TASKS = 4
#: turns of a task in one loop
_TURNS = 50


def run(life: Life) -> None:
    life.begins()
    other = threading.Thread(target=_loops, args=(life, "second"))
    other.start()
    _loops(life, "first")
    other.join()


def _loops(life: Life, loop: str) -> None:
    try:
        while not life.is_over():
            with life.shortages.kept_out():  # a loop needs descriptors of its own
                running = asyncio.new_event_loop()
            try:
                running.run_until_complete(_all_tasks(life, loop))
                running.run_until_complete(_end_other_tasks())
            finally:
                running.close()
    except BaseException:
        life.trouble()


async def _end_other_tasks() -> None:
    tasks = asyncio.all_tasks() - {asyncio.current_task()}
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def _all_tasks(life: Life, loop: str) -> None:
    """Until one of them has had its turns: the loop ends under the others."""
    tasks = [
        asyncio.ensure_future(_turns(life, life.chance(f"{loop} {task}"))) for task in range(_TASKS)
    ]
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        task.result()


async def _turns(life: Life, chance: random.Random) -> None:
    for _ in range(_TURNS):
        if life.is_over():
            return
        with life.shortages.perhaps(life, chance) as is_short:
            if is_short:
                await asyncio.sleep(LASTS)
        plan = life.draw(chance)
        task = asyncio.ensure_future(one_turn(life, plan, asyncio.sleep, Guard()))
        try:
            if plan.ended_after is not None:
                await asyncio.wait([task], timeout=plan.ended_after)
                task.cancel()
            await asyncio.wait([task])
        finally:
            task.cancel()
        if not task.cancelled():
            task.result()
            continue
        life.note("cancel")


async def one_turn(life: Life, plan: Plan, sleep: Sleep, guard: Guard) -> None:
    """As :func:`chaos.sync.one_turn`, in a task."""
    entry = life.entry(plan)
    start = time.monotonic()
    entry.ask()
    try:
        guard.entry = entry
        await _take(life, plan, entry, sleep)
        life.outcomes["done"] += 1
    except lockutils.LockTimeout:
        life.outcomes["timed out"] += 1
    except lockutils.AcquireLockFailedException:
        life.outcomes["not free"] += 1
    except lockutils.LockPathError:
        if not life.shortages.since(start) and not plan.is_tampered:
            raise
        life.outcomes["refused"] += 1
    finally:
        # no call before this: from here on nothing is raised into it
        guard.entry = None
        entry.left()


async def _take(life: Life, plan: Plan, entry: Entry, sleep: Sleep) -> None:
    async with plan.handle(life.place):
        entry.begin()
        try:
            if plan.hold:
                await sleep(plan.hold)
            if plan.how == "reentrant":
                async with plan.handle(life.place):
                    await sleep(plan.hold)
            if life.injects("fork"):
                forks.perhaps(life, plan)
        finally:
            entry.end()


if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    Sleep = Callable[[float], Awaitable[None]]
