"""Turns of native threads and greenthreads."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

import lockutils
from chaos import forks

if TYPE_CHECKING:
    from collections.abc import Callable

    from chaos.life import Life
    from chaos.turns import Entry, Plan


class Interrupted(BaseException):
    """Raised by a signal handler."""


class Guard:
    """What a signal handler of this thread or task finds: the turn that it may raise into."""

    def __init__(self) -> None:
        self.entry: Entry | None = None

    def interrupt(self, signum: int) -> None:
        """Called by the handler; raises if there is such a turn."""
        entry = self.entry
        if entry is not None and not forks.forking:
            entry.end()
            raise KeyboardInterrupt if signum == signal.SIGINT else Interrupted


def one_turn(
    life: Life, plan: Plan, nap: Callable[[float], None], guard: Guard, *, forking: bool = True
) -> None:
    """Take a turn, and write down what becomes of it."""
    entry = life.entry(plan)
    start = time.monotonic()
    entry.ask()
    try:
        guard.entry = entry
        _take(life, plan, entry, nap, forking and life.injects("fork"))
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


def _take(
    life: Life, plan: Plan, entry: Entry, nap: Callable[[float], None], forking: bool
) -> None:
    with plan.handle(life.place):
        entry.begin()
        try:
            if plan.hold:
                nap(plan.hold)
            if plan.how == "reentrant":
                with plan.handle(life.place):
                    nap(plan.hold)
            if forking:
                forks.perhaps(life, plan)
        finally:
            entry.end()
