"""What the consumers of events for metrics have in common: which figures, with which labels."""

from __future__ import annotations

import sys
from collections import deque

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType
    from typing import TypeAlias

    from lockutils.observe.events import Event

    Label: TypeAlias = Callable[[Event], str]
    #: what tells one series from another: the label of the lock, whether it is external, its mode
    Labels: TypeAlias = tuple[str, bool, str]
    #: what records the figures of one series: a wait and a hold, in seconds; 1 holder more, or -1;
    #: and one more of each of COUNTERS
    Instruments: TypeAlias = tuple[
        Callable[[float], object],
        Callable[[float], object],
        Callable[[int], object],
        dict[str, Callable[[], object]],
    ]

#: upper bounds of the buckets of both histograms, in seconds
BUCKETS = 0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0
#: what is counted: the event -> the name of the figure, its unit and its description
COUNTERS = {
    "timed_out": ("timeouts", "timeout", "Waits for a lock that timed out"),
    "refused": ("refusals", "refusal", "Tries for a lock that somebody else held"),
    "lost": ("losses", "loss", "Locks that were lost while they were held"),
}


def template_of(event: Event) -> str:
    """Return the template of a decorated function; one label for all that have none."""
    return event.template or ""


class Recorder:
    """A subscriber that records events by a library for metrics.

    The libraries have guards that a thread must not enter twice.  A signal handler or finaliser
    may release a lock while its thread is under one, as in the middle of a scrape.  What is told
    then is kept, and recorded with the next event, by whichever thread.

    :param instruments: makes those of one series
    :param label: returns the label of an event.  There will be a series for each
    :param guarded: the beginnings of the names of the modules that take guards
    """

    def __init__(
        self,
        instruments: Callable[[Labels], Instruments],
        label: Label | None,
        guarded: tuple[str, ...],
    ) -> None:
        if label is not None and not callable(label):
            raise TypeError(f"label must be callable, not {label!r}")
        self._make = instruments
        self._label = label or template_of
        self._guarded = guarded
        #: modules that take none of those guards
        self._harmless: set[object] = set()
        self._series: dict[Labels, Instruments] = {}
        self._late: deque[Event] = deque()

    def __call__(self, event: Event) -> None:
        self._late.append(event)
        if self._is_under_guard(sys._getframe()):
            return
        while self._late:
            try:
                late = self._late.popleft()
            except IndexError:
                return  # another thread was faster
            self._record(late)

    def _is_under_guard(self, frame: FrameType | None) -> bool:
        harmless = self._harmless
        while frame is not None:
            module = frame.f_globals.get("__name__")
            if module not in harmless:
                if str(module).startswith(self._guarded):
                    return True
                harmless.add(module)
            frame = frame.f_back
        return False

    def _record(self, event: Event) -> None:
        kind = event.kind
        if kind == "waiting" or kind == "aborted":
            return
        labels = self._label(event), event.external, event.mode
        series = self._series.get(labels)
        if series is None:
            series = self._series.setdefault(labels, self._make(labels))
        wait, hold, holders, counters = series
        if kind == "acquired" or kind == "timed_out":
            wait(event.waited or 0.0)
        if kind == "acquired":
            holders(1)
        elif kind == "released":
            hold(event.held or 0.0)
            holders(-1)
        else:
            counters[kind]()
