"""A process of trio tasks, which are cancelled, and signal handlers raise into them.

The loop ends and is made again.
"""

from __future__ import annotations

import contextvars
import signal
from typing import TYPE_CHECKING

import trio

from chaos.shortage import LASTS
from chaos.sync import Guard, Interrupted
from chaos.tasks import one_turn

if TYPE_CHECKING:
    import random
    from types import FrameType

    from chaos.life import Life

_TASKS = 5
_TURNS = 50

#: of the running task
_guard: contextvars.ContextVar[Guard] = contextvars.ContextVar("guard")


def run(life: Life) -> None:
    life.begins()
    for number in (signal.SIGINT, signal.SIGALRM):
        signal.signal(number, _interrupt)
    while not life.is_over():
        trio.run(_all_tasks, life)


def _interrupt(signum: int, frame: FrameType | None) -> None:
    """Raise, but not into trio itself, which its own handler of SIGINT spares as well."""
    guard = _guard.get(None)
    if guard is not None and not trio.lowlevel.currently_ki_protected():
        guard.interrupt(signum)


async def _all_tasks(life: Life) -> None:
    async with trio.open_nursery() as nursery:
        for task in range(_TASKS):
            nursery.start_soon(_turns, life, life.chance(task), nursery.cancel_scope)


async def _turns(life: Life, chance: random.Random, scope: trio.CancelScope) -> None:
    guard = Guard()
    _guard.set(guard)
    for _ in range(_TURNS):
        if life.is_over():
            break
        with life.shortages.perhaps(life, chance) as is_short:
            if is_short:
                await trio.sleep(LASTS)
        plan = life.draw(chance)
        after = float("inf") if plan.ended_after is None else plan.ended_after
        with trio.move_on_after(after) as cancelled:
            try:
                await one_turn(life, plan, trio.sleep, guard)
            except (Interrupted, KeyboardInterrupt):
                life.outcomes["interrupted"] += 1
        if cancelled.cancelled_caught:
            life.note("cancel")
    scope.cancel()  # the loop ends under the others
