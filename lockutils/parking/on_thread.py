"""A native thread parks on a C queue.

``SimpleQueue`` and not a lock, because ``put`` may be called from a signal handler or a
finaliser that interrupted ``put`` itself (its documentation promises that much), and
because a second wake does no harm.
"""

from __future__ import annotations

from time import monotonic

from lockutils._native import Empty, SimpleQueue

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lockutils.deadline import Deadline

#: a longer wait is cut into these, in seconds: the platform's own limit may be 49 days
_LONGEST = 1_000_000.0


class ThreadParker:
    """Blocks the calling native thread."""

    __slots__ = ("_wakes",)
    clock = staticmethod(monotonic)

    def __init__(self) -> None:
        self._wakes: SimpleQueue[None] = SimpleQueue()

    async def park(self, deadline: Deadline) -> bool:
        left = deadline.left()
        if left is None:
            self._wakes.get()
            return True
        try:
            self._wakes.get(True, min(left, _LONGEST))
        except Empty:
            return left > _LONGEST
        return True

    def wake(self) -> bool:
        self._wakes.put(None)
        return True
