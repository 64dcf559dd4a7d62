"""The life of one process: what it is, and what it has left behind when it ends in peace."""

from __future__ import annotations

import faulthandler
import json
import signal
import sys
from typing import TYPE_CHECKING

from chaos.belongings import left_behind
from chaos.life import Job, Life

if TYPE_CHECKING:
    from collections.abc import Callable

#: kinds of processes, with how many there are of each for one of the last
_KINDS = {
    "threads": 3,
    "asyncio": 2,
    "trio": 1,
    "gevent": 1,
    "eventlet": 1,
    "multiprocessing": 1,
    "libraries": 1,
    "commands": 1,
}
_NEED_GIL = {"gevent", "eventlet"} if "t" in sys.abiflags else set()
KINDS = {kind: number for kind, number in _KINDS.items() if kind not in _NEED_GIL}


def import_kind(kind: str) -> Callable[[Life], None]:
    """Import all that a process of this kind uses; return what it does."""
    if kind in ("gevent", "eventlet"):
        from chaos import greenlets

        greenlets.patch(kind)
        return greenlets.run_gevent if kind == "gevent" else greenlets.run_eventlet
    if kind == "multiprocessing":
        from chaos import processes

        return processes.run
    if kind in ("libraries", "commands"):
        from chaos import foreign

        return foreign.run_library if kind == "libraries" else foreign.run_commands
    if kind == "trio":
        from chaos import trio_tasks

        return trio_tasks.run
    if kind == "asyncio":
        from chaos import tasks

        return tasks.run
    from chaos import threads

    return threads.run


def live(job: Job, run: Callable[[Life], None], errors: str) -> None:
    """Do what a process of this kind does, until it is told that it is over."""
    log = open(errors, "a")  # noqa: SIM115
    faulthandler.register(signal.SIGUSR1, file=log, all_threads=True)
    for number in (signal.SIGALRM, signal.SIGINT, signal.SIGUSR2):
        signal.signal(number, lambda *_: None)
    life = Life(job)
    try:
        run(life)
        left = left_behind(life.belongings, job.bound)
        if left:
            life.trouble(f"left behind: {left}")
        report = {"process": job.process, "kind": job.kind, "outcomes": life.outcomes}
        with open(f"{job.home}/reports", "a") as reports:
            reports.write(json.dumps({**report, "left": left}) + "\n")
    except BaseException:
        life.trouble()
