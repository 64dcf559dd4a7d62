"""Looks after waiters that are first and that an event loop or hub must run.

A loop may be closed, or stopped and never run again, after the wake was posted.  Each waiter that
arrives looks at the first in line; this is for the case that none arrives any more.  It uses a
helper thread while a waiter that was woken has not run, and others wait for it.
"""

from __future__ import annotations

import os
from weakref import ref

from lockutils.parking import helpers
from lockutils.parking.native import sleep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lockutils.local.wait_queue import WaitQueue
    from lockutils.local.waiters import Waiter

#: seconds between two looks
PAUSE = 0.1

_watched: list[tuple[ref[WaitQueue], ref[Waiter]]] = []
#: with one item while no helper looks: whoever pops it starts one
_idle: list[None] = [None]


def watch(queue: WaitQueue, waiter: Waiter) -> None:
    """See to it that ``waiter``, which was woken, is passed unless it runs soon."""
    _watched.append((ref(queue), ref(waiter)))
    try:
        _idle.pop()
    except IndexError:
        return
    try:
        helpers.run(_look)
    except BaseException as error:
        _idle.append(None)
        if not isinstance(error, helpers.NoHelper):  # without a helper, whoever arrives looks
            raise


def _look() -> None:
    while True:
        sleep(PAUSE)
        watched = _watched[:]
        del _watched[: len(watched)]
        for one in watched:
            _look_at(*one)
        if not _watched:
            _idle.append(None)
            if not _watched:
                return
            try:
                _idle.pop()
            except IndexError:
                return  # somebody has just started another one


def _look_at(queue_reference: ref[WaitQueue], waiter_reference: ref[Waiter]) -> None:
    queue, waiter = queue_reference(), waiter_reference()
    if queue is not None and waiter is not None:
        queue.look_at(waiter)


def _after_fork_in_child() -> None:
    _watched.clear()
    _idle[:] = [None]


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork_in_child)
