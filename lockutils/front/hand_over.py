"""Moves holds to the child of a fork, as a program does that becomes a daemon.

After a fork both processes have the lock: its file is open in both, by one description.  The
parent closes its copy without unlocking, and only when the child has said that it lives: a fork
may fail, and its hooks are not told.
"""

from __future__ import annotations

import os

from lockutils import observe
from lockutils.local.waiters import Waiter, snapshot
from lockutils.parking.native import get_ident, read, write

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lockutils.front.handle import Lock

#: what the next fork is to move
_promised: list[Lock] = []
#: what is being moved: by the thread that forks, with the pipe by which its child answers
_moving: dict[int, tuple[list[Lock], int, int]] = {}


def promise(lock: Lock) -> None:
    """Have the next fork, by any thread, move what ``lock`` holds."""
    _promised.append(lock)


def _before() -> None:
    if not _promised:
        return
    reading, writing = os.pipe()  # where it fails, the holds stay here, and the promise stands
    locks = snapshot(_promised)
    del _promised[: len(locks)]
    me = get_ident()
    _moving[me] = locks, reading, writing
    _mark(locks, me)


def _mark(locks: list[Lock], thread: int) -> None:
    for lock in locks:
        for waiter, *_ in snapshot(lock._holds):
            if waiter.request is not None:
                waiter.request.moves = thread


def _after_in_parent() -> None:
    moving = _moving.pop(get_ident(), None)
    if moving is None:
        return
    locks, reading, writing = moving
    os.close(writing)
    has_child = _is_answered(reading)
    os.close(reading)
    _mark(locks, 0)
    if not has_child:
        return
    for lock in locks:
        holds = snapshot(lock._holds)
        # first of all: from here on nothing that comes to an end in this process can unlock
        for waiter, *_ in holds:
            if waiter.request is not None:
                waiter.request.leave_to_child()
        del lock._holds[: len(holds)]
        for waiter, hold, _, level in holds:
            next(hold, None)
            observe.ended(waiter, level)


def _is_answered(reading: int) -> bool:
    """Wait for the child; ``False`` if there is none."""
    while True:
        try:
            return read(reading, 1) != b""
        except OSError:
            return False
        except BaseException:  # of a signal handler: Python drops what a hook of a fork raises
            continue


def _after_in_child() -> None:
    me = get_ident()
    for thread, (locks, reading, writing) in _moving.items():
        if thread == me:
            _mark(locks, 0)
            caller = Waiter()
            for lock in locks:
                for waiter, *_ in lock._holds:
                    waiter.thread = caller.thread
                    waiter.greenlet = caller.greenlet
                    waiter.task = caller.task
                    lock._queue.append(waiter)
            write(writing, b"x")
        os.close(reading)
        os.close(writing)
    _moving.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before, after_in_parent=_after_in_parent, after_in_child=_after_in_child
    )
