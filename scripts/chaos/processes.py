"""A process that holds a lock while it starts others by multiprocessing."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from typing import TYPE_CHECKING

import lockutils
from chaos import forks
from chaos.life import Job, Life
from chaos.turns import Plan

if TYPE_CHECKING:
    import random

METHODS = ("fork", "forkserver", "spawn")
#: to start one takes more of a core than a hundred turns of others
_REST = 0.3


def _start_servers() -> None:
    """Start what multiprocessing keeps: a server, and a tracker of resources."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    for method in METHODS:
        process = multiprocessing.get_context(method).Process(target=os.getpid)
        process.start()
        process.join()
        process.close()


def run(life: Life) -> None:
    _start_servers()
    life.begins()
    chance = life.chance("main")
    number = 0
    while not life.is_over():
        number += 1
        plan = life.draw(chance)
        if plan.how != "internal":
            _turn(life, plan, f"{life.job.process}/m{number}", chance)
            time.sleep(chance.random() * _REST)


def _turn(life: Life, plan: Plan, name: str, chance: random.Random) -> None:
    method = chance.choice(METHODS)
    entry = life.entry(plan)
    entry.ask()
    process = None
    try:
        with plan.handle(life.place):
            entry.begin()
            try:
                process = multiprocessing.get_context(method).Process(
                    target=_in_child, args=(life.job, plan, name)
                )
                process.start()
                life.note(method)
                time.sleep(plan.hold)
            finally:
                entry.end()
        life.outcomes["done"] += 1
    except lockutils.AcquireLockFailedException:
        life.outcomes["timed out"] += 1
    except lockutils.LockPathError:
        if not plan.is_tampered:
            raise
    finally:
        entry.left()
        if process is not None:
            process.join()
            process.close()


def _in_child(job: Job, plan: Plan, name: str) -> None:
    life = Life(job)
    try:
        forks.inspect(life, plan, name, 0.05)
    except BaseException:
        life.trouble()
