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


def perhaps(life: Life, plan: Plan) -> None:
    """In a holder, by the luck of its turn."""
    if plan.luck < _FORKS:
        fork(life, plan)
    elif plan.luck < _FORKS + _PROGRAMS:
        try:
            subprocess.Popen(["sleep", str(_LINGERS)], close_fds=False)
        except OSError:
            if not life.is_starved:
                raise


def fork(life: Life, plan: Plan) -> None:
    """Fork a child that wants what ``plan`` has, by itself, and ends in one way or other."""
    process = f"{life.job.process}/{next(_numbers)}"
    if os.fork():
        return
    try:
        for number in (signal.SIGINT, signal.SIGALRM, signal.SIGUSR2):
            signal.signal(number, signal.SIG_IGN)
        chance = random.Random(process)
        inspect(life, plan, process, chance.random() / 50)
        ending = chance.randrange(4)
        if ending == 0:
            time.sleep(chance.random() * _LINGERS)
        elif ending == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        elif ending == 2:
            os.execvp("sleep", ["sleep", str(_LINGERS)])
    except BaseException:
        life.trouble()
    finally:
        os._exit(0)


def inspect(life: Life, plan: Plan, process: str, timeout: float) -> None:
    """In the child: it holds nothing, and is kept out as anybody else is."""
    held = lockutils.held()
    if held:
        life.trouble(f"the child {process} holds {sorted(held)}")
    plan = Plan(plan.keys, plan.how, plan.fair, timeout, 0.0, None, 1.0)
    entry = Entry(life.journal, process, plan)
    entry.ask()
    try:
        with plan.handle(life.place):
            entry.begin()
            entry.end()
    except lockutils.AcquireLockFailedException:
        pass
    except lockutils.LockPathError:
        if not life.is_starved and not plan.is_tampered:
            raise
    finally:
        entry.left()
