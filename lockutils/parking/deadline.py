"""One deadline for all the waits of one acquisition, on the waiter's own clock."""

from __future__ import annotations

import math

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from weakref import ref

    from lockutils.front.pending import PendingAcquire


#: seconds between two looks, at least
_SHORTEST = 0.001


def limit_of(blocking: bool, timeout: float | None) -> float | None:
    """Return how long to wait, in seconds: 0 for a single try, ``None`` without end.

    ``blocking=False`` gives ``False``, which is a 0, too: its error differs from a time-out's.

    :raises TypeError: if ``blocking`` is not a bool, or ``timeout`` not a number
    :raises ValueError: if ``timeout`` is negative or NaN, or comes with ``blocking=False``
    """
    if blocking is not True and blocking is not False:
        cure = f": write timeout={blocking!r}" if isinstance(blocking, (int, float)) else ""
        raise TypeError(f"blocking must be True or False, not {blocking!r}{cure}")
    if timeout is None:
        return None if blocking else False
    if isinstance(timeout, bool) or not isinstance(timeout, (int, float)):
        raise TypeError(f"timeout must be a number of seconds or None, not {timeout!r}")
    if timeout < 0 or timeout != timeout:
        raise ValueError(f"timeout must not be negative or NaN: {timeout!r}")
    if not blocking:
        raise ValueError(f"timeout={timeout!r} does not go with blocking=False")
    return None if timeout == math.inf else timeout


#: seconds after which a wait is long, and is looked at for the first time
LONG = 1.0
#: seconds until a waiter gives notice, ``None`` for never: see :func:`lockutils.set_defaults`
warn_after: float | None = 10.0


class Deadline:
    """When to give up, and when to look at the wait meanwhile.  Made when the wait begins.

    :param waiting: what waits.  Its method ``look`` is called by the waiter, between two sleeps,
        when the wait has become long.  It gets how long the wait has lasted, and returns how long
        it is to last until the next call, both in seconds; ``None`` for no other call.  What it
        raises ends the wait.  A weak reference: the request that it waits by has the deadline
    """

    __slots__ = ("_at", "_clock", "_look_at", "_start", "_waiting")

    def __init__(
        self,
        timeout: float | None,
        clock: Callable[[], float],
        waiting: ref[PendingAcquire] | None = None,
    ) -> None:
        self._clock = clock
        self._waiting = waiting
        self._start = start = clock()
        self._at = None if timeout is None else start + timeout
        self._look_at = math.inf
        if waiting is not None:
            first = LONG
            if warn_after is not None and warn_after < LONG:
                first = warn_after
            if timeout is None or timeout > first:
                self._look_at = start + first

    def left(self) -> float | None:
        """Return the seconds left, 0.0 when the deadline has passed, ``None`` if there is none."""
        if self._at is None:
            return None
        return max(0.0, self._at - self._clock())

    def look(self) -> float:
        """Look at the wait if it is time.  Called by the waiter, where it may run any code.

        :return: when the next look is, on the clock of the deadline; ``inf`` for never
        """
        if self._look_at != math.inf and self._waiting is not None:
            waited = self._clock() - self._start
            if waited >= self._look_at - self._start:
                self._look_at = math.inf  # whatever it raises or returns, it is called once
                pending = self._waiting()
                again = None if pending is None else pending.look(waited)
                if again is not None:
                    self._look_at = self._start + max(again, waited + _SHORTEST)
        return self._look_at

    def pause(self) -> float | None:
        """Look at the wait if it is time; then say how long to sleep before the next call.

        :return: the seconds until the deadline or the next look, otherwise as :meth:`left`
        """
        look_at, left = self.look(), self.left()
        if look_at == math.inf or left == 0.0:
            return left
        seconds = max(look_at - self._clock(), _SHORTEST)
        return seconds if left is None else min(left, seconds)
