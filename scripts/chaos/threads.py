"""A process of native threads; signal handlers raise into the main one."""

from __future__ import annotations

import signal
import threading
import time
from typing import TYPE_CHECKING

from chaos import forks
from chaos.shortage import LASTS
from chaos.sync import Guard, Interrupted, one_turn

if TYPE_CHECKING:
    import random
    from types import FrameType

    from chaos.life import Life

_OTHERS = 3


def run(life: Life) -> None:
    life.begins()
    guard = Guard()
    _handle_signals(life, guard)
    all_started = threading.Event()  # before there is a shortage of threads
    others = [
        threading.Thread(target=_turns, args=(life, number, all_started))
        for number in range(_OTHERS)
    ]
    for other in others:
        other.start()
    all_started.set()
    chance = life.chance("main")
    while not life.is_over():
        try:
            one_turn(life, life.draw(chance), time.sleep, guard)
        except (Interrupted, KeyboardInterrupt):
            life.outcomes["interrupted"] += 1
    for other in others:
        other.join()


def _turns(life: Life, number: int, all_started: threading.Event) -> None:
    chance, guard = life.chance(number), Guard()
    all_started.wait()
    try:
        while not life.is_over():
            plan = life.draw(chance)
            with life.shortages.perhaps(life, chance) as is_short:
                if is_short:
                    time.sleep(LASTS)
            one_turn(life, plan, time.sleep, guard)
    except BaseException:
        life.trouble()


def _handle_signals(life: Life, guard: Guard) -> None:
    def interrupt(signum: int, frame: FrameType | None) -> None:
        guard.interrupt(signum)

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
