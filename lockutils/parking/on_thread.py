"""A native thread parks on a lock that it waits for in vain until somebody releases it.

A lock of the interpreter, because ``release`` may be called by anybody: a signal handler, a
finaliser.  Not a ``SimpleQueue``: CPython 3.11 makes of its time-out a wait without end, if
that passes before the wait has begun (the remaining time is negative by then, and negative
means without end).
"""

from __future__ import annotations

from time import monotonic

from lockutils.parking.base import LONGEST, Parker
from lockutils.parking.native import held_lock

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lockutils.parking.deadline import Deadline


class ThreadParker(Parker):
    """Blocks the calling native thread."""

    __slots__ = ("_until_woken",)

    def __init__(self) -> None:
        self.loop = None
        self.clock = monotonic
        self._until_woken = held_lock()

    async def park(self, deadline: Deadline) -> bool:
        left = deadline.pause()
        if left is None:
            self._until_woken.acquire()
            return True
        return self._until_woken.acquire(True, min(left, LONGEST)) or deadline.left() != 0.0

    def wake(self) -> None:
        try:
            self._until_woken.release()
        except RuntimeError:
            pass  # woken before, and has not looked yet
