"""One deadline for all the waits of one acquisition, on the waiter's own clock."""

from __future__ import annotations

import math

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


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


class Deadline:
    """When to give up.  Made once, at the start of the first wait."""

    __slots__ = ("_at", "_clock")

    def __init__(self, timeout: float | None, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._at = None if timeout is None else clock() + timeout

    def left(self) -> float | None:
        """Return the seconds left, 0.0 when the deadline has passed, ``None`` if there is none."""
        if self._at is None:
            return None
        return max(0.0, self._at - self._clock())
