"""One timer for the looks at all the waits of an event loop or hub.

A timer for each wait would cost a sixth where tasks or greenthreads hand a lock to each other, and
would be taken back nearly always: a look is a second away.  So who parks only says when it wants to
look, and there is one timer, for the first of them, which is never taken back.
"""

from __future__ import annotations

import math
from weakref import ref

from lockutils.local.caller import here

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from lockutils.parking.base import Parker


class Alarm:
    """Resumes those who are parked when it is time to look.  Of the thread of the loop alone."""

    __slots__ = ("_at", "parked")

    def __init__(self) -> None:
        #: when the timer fires, ``inf`` if there is none
        self._at = math.inf
        #: who wants to look, and when
        self.parked: dict[Parker, float] = {}

    def enter(self, parker: Parker, when: float) -> None:
        """Called before ``parker`` sleeps; it takes itself out of ``parked`` afterwards."""
        self.parked[parker] = when
        if when < self._at:
            self._set(parker, when)

    def _set(self, parker: Parker, when: float) -> None:
        parker.call_after(max(0.0, when - parker.clock()), self._ring)
        self._at = when  # afterwards: a signal handler that raises leaves a timer too many

    def _ring(self) -> None:
        self._at = math.inf
        due = []
        for parker, when in list(self.parked.items()):
            if when <= parker.clock():
                due.append(parker)
            elif when < self._at:
                self._set(parker, when)
        for parker in due:
            parker.resume_soon()


def alarm_of(loop: Any) -> Alarm:
    """Return the alarm of an event loop that runs in this thread.

    It is kept by the thread, which runs one loop at a time: a loop need not take attributes.
    """
    known: tuple[ref[Any], Alarm] | None = here.__dict__.get("alarm")
    if known is None or known[0]() is not loop:
        known = here.alarm = ref(loop), Alarm()
    return known[1]
