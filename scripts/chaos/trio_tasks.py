"""A process of trio tasks, which are cancelled; the loop ends and is made again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import trio

from chaos.tasks import one_turn

if TYPE_CHECKING:
    import random

    from chaos.life import Life

_TASKS = 5
_TURNS = 50


def run(life: Life) -> None:
    life.begins()
    while not life.is_over():
        trio.run(_all_tasks, life)


async def _all_tasks(life: Life) -> None:
    async with trio.open_nursery() as nursery:
        for task in range(_TASKS):
            nursery.start_soon(_turns, life, life.chance(task), nursery.cancel_scope)


async def _turns(life: Life, chance: random.Random, scope: trio.CancelScope) -> None:
    for _ in range(_TURNS):
        if life.is_over():
            break
        plan = life.draw(chance)
        after = float("inf") if plan.ended_after is None else plan.ended_after
        with trio.move_on_after(after) as cancelled:
            await one_turn(life, plan, trio.sleep)
        life.outcomes["cancelled"] += cancelled.cancelled_caught
    scope.cancel()  # the loop ends under the others
