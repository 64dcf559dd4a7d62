"""Children that are forked in the middle of something, and see what they hold."""

from __future__ import annotations

import itertools
import os
import random
import signal
import subprocess
import time
from typing import TYPE_CHECKING

import lockutils
from chaos.turns import Entry, Plan

if TYPE_CHECKING:
    from chaos.life import Life

#: how often a holder forks, and how often it starts a program that inherits descriptors
_FORKS, _PROGRAMS = 0.003, 0.001
_LINGERS = 0.05
_numbers = itertools.count(1)
#: not empty while a thread of this process forks
forking: list[None] = []


def perhaps(life: Life, plan: Plan) -> None:
    """In a holder, by the luck of its turn."""
    if plan.luck < _FORKS:
        fork(life, plan)
    elif plan.luck < _FORKS + _PROGRAMS:
        start = time.monotonic()
        try:
            subprocess.Popen(["sleep", str(_LINGERS)], close_fds=False)
            life.note("program")
        except OSError:
            if not life.shortages.since(start):
                raise


def fork(life: Life, plan: Plan) -> None:
    """Fork a child that wants what ``plan`` has, by itself, and ends in one way or other."""
    process = f"{life.job.process}/{next(_numbers)}"
    life.note("fork")
    if _fork_undisturbed():
        return
    try:
        for number in (signal.SIGINT, signal.SIGALRM, signal.SIGUSR2):
            signal.signal(number, signal.SIG_IGN)
        chance = random.Random(process)
        inspect(life, plan, process, chance.random() / 50)
        ending = chance.randrange(4)
        if ending == 0:
            _linger(life, chance)
        elif ending == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        elif ending == 2:
            os.execvp("sleep", ["sleep", str(_LINGERS)])
    except BaseException:
        life.trouble()
    finally:
        os._exit(0)


def _fork_undisturbed() -> int:
    """Fork; meanwhile no handler raises.

    What is raised into a function that Python calls at a fork is lost, and so is the rest of it.
    """
    forking.append(None)
    try:
        return os.fork()
    finally:
        forking.pop()


def _linger(life: Life, chance: random.Random) -> None:
    """Stay, sometimes for so long that whoever waits for what the child has, waits in vain."""
    longest = 2 * life.job.bound if chance.random() < 0.1 else _LINGERS
    end = time.monotonic() + chance.random() * longest
    while time.monotonic() < end and not life.is_run_over():
        time.sleep(_LINGERS)


def inspect(life: Life, plan: Plan, process: str, timeout: float) -> None:
    """In the child: it holds nothing, and is kept out as anybody else is."""
    held = lockutils.held()
    if held:
        life.trouble(f"the child {process} holds {sorted(held)}")
    plan = Plan(plan.keys, plan.how, plan.fair, timeout, 0.0, None, 1.0)
    entry = Entry(life.journal, process, plan)
    start = time.monotonic()
    entry.ask()
    try:
        with plan.handle(life.place):
            entry.begin()
            entry.end()
    except lockutils.AcquireLockFailedException:
        pass
    except lockutils.LockPathError:
        if not life.shortages.since(start) and not plan.is_tampered:
            raise
    finally:
        entry.left()
