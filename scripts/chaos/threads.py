"""A process of native threads; signal handlers raise into the main one."""

from __future__ import annotations

import os
import resource
import signal
import threading
import time
from typing import TYPE_CHECKING

from chaos import forks
from chaos.sync import Guard, one_turn

if TYPE_CHECKING:
    import random
    from types import FrameType

    from chaos.life import Life

_OTHERS = 3
#: how often, and how long, the process may open no more files
_STARVES, _STARVED_SECONDS = 0.003, 0.003


class Interrupted(BaseException):
    """Raised by a handler."""


def run(life: Life) -> None:
    life.begins()
    guard = Guard()
    _handle_signals(life, guard)
    others = [threading.Thread(target=_turns, args=(life, number)) for number in range(_OTHERS)]
    for other in others:
        other.start()
    chance = life.chance("main")
    while not life.is_over():
        try:
            one_turn(life, life.draw(chance), time.sleep, guard)
        except (Interrupted, KeyboardInterrupt):
            life.outcomes["interrupted"] += 1
    for other in others:
        other.join()


def _turns(life: Life, number: int) -> None:
    chance, guard = life.chance(number), Guard()
    try:
        while not life.is_over():
            plan = life.draw(chance)
            if number == 0 and plan.luck > 1 - _STARVES and life.injects("starve"):
                _starve(life)
            one_turn(life, plan, time.sleep, guard)
    except BaseException:
        life.trouble()


def _handle_signals(life: Life, guard: Guard) -> None:
    def interrupt(signum: int, frame: FrameType | None) -> None:
        entry = guard.entry
        if entry is not None:
            entry.end()
            raise KeyboardInterrupt if signum == signal.SIGINT else Interrupted

    chance = life.chance("forks")

    def fork(signum: int, frame: FrameType | None) -> None:
        forks.fork(life, _plan_of_child(life, chance))

    signal.signal(signal.SIGINT, interrupt)
    signal.signal(signal.SIGALRM, interrupt)
    signal.signal(signal.SIGUSR2, fork)


def _plan_of_child(life: Life, chance: random.Random) -> forks.Plan:
    while True:
        plan = life.draw(chance)
        if plan.how != "internal":
            return plan


def _starve(life: Life) -> None:
    """Run out of descriptors for an instant, really."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(map(int, os.listdir("/proc/self/fd")))
    life.is_starved = True
    life.outcomes["starved"] += 1
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1, hard))
    try:
        time.sleep(_STARVED_SECONDS)
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
