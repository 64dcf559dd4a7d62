"""A process of greenthreads under gevent or eventlet, patched; some are killed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import lockutils
from chaos.sync import Guard, one_turn

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

    from chaos.life import Life
    from chaos.turns import Plan

_GREENTHREADS = 6


def patch(library: str) -> None:
    """Patch the interpreter; to be called before anything else is imported."""
    if library == "gevent":
        from gevent import get_hub, monkey

        monkey.patch_all()
        get_hub()
    else:
        import eventlet
        from eventlet import hubs

        eventlet.monkey_patch()
        hubs.get_hub()


def run_gevent(life: Life) -> None:
    import gevent

    def kill_after(greenthread: Any, seconds: float) -> None:
        greenthread.join(seconds)
        greenthread.kill()

    _run(life, gevent.spawn, lambda greenthread: greenthread.join(), gevent.sleep, kill_after)


def run_eventlet(life: Life) -> None:
    import eventlet
    from greenlet import GreenletExit

    def kill_after(greenthread: Any, seconds: float) -> None:
        eventlet.sleep(seconds)
        greenthread.kill()
        join(greenthread)

    def join(greenthread: Any) -> None:
        try:
            greenthread.wait()
        except GreenletExit:
            pass

    _run(life, eventlet.spawn, join, eventlet.sleep, kill_after)


def _run(
    life: Life,
    spawn: Callable[..., Any],
    join: Callable[[Any], None],
    sleep: Callable[[float], None],
    kill_after: Callable[[Any, float], None],
) -> None:
    def turns(chance: random.Random) -> None:
        while not life.is_over():
            plan = life.draw(chance)
            if plan.ended_after is None:
                one(plan)
                continue
            greenthread = spawn(one, plan)
            kill_after(greenthread, plan.ended_after)
            life.note("greenlet-kill")

    def one(plan: Plan) -> None:
        try:
            # a forked child would have copies of all greenthreads, which go on in it
            one_turn(life, plan, sleep, Guard(), forking=False)
        except Exception:
            life.trouble()

    def wait_once(_: None) -> None:
        """Make what the hub keeps as long as it lives."""
        with lockutils.lock("warm"):
            sleep(0.001)

    for greenthread in [spawn(wait_once, None) for _ in range(2)]:
        join(greenthread)
    life.begins()
    started = [spawn(turns, life.chance(number)) for number in range(_GREENTHREADS)]
    for greenthread in started:
        join(greenthread)
