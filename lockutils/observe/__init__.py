"""What can be seen of locks: log lines, events, the order they are taken in.

A handle reports here, and the report goes to the debug log and to the subscribers of
:mod:`lockutils.observe.events`, a module that the first subscriber imports.
"""

from __future__ import annotations

import sys
from time import monotonic

from lockutils.observe import log

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from lockutils.front.handle import Hold, Lock
    from lockutils.local.waiters import Waiter
    from lockutils.observe.events import Kind, Subscription
    from lockutils.observe.wait_records import Record

_modules = sys.modules

#: who listens to events; it changes in single steps
subscribers: list[Subscription] = []
#: the long waits of this process that others can read, by number
published: dict[int, Record] = {}


def acquired(lock: Lock, waiter: Waiter, since: float, waited: float) -> None:
    """Tell that ``waiter`` holds ``lock``, since ``since`` on the monotonic clock."""
    if lock._do_log and log.enabled():
        log.acquired(lock.name, lock._do_log, waited)
    if subscribers:
        _events().acquired(lock, waiter, since, waited)


def released(lock: Lock, hold: Hold) -> None:
    """Tell that ``hold`` of ``lock`` has ended."""
    waiter, _, since, level = hold
    if (level is None or waiter.ended) and lock._do_log and log.enabled():
        log.released(lock.name, lock._do_log, monotonic() - since)
    ended(waiter, level)


def told(kind: Kind, lock: Lock, waiter: Waiter, waited: float | None = None) -> None:
    """Tell the subscribers what has become of an acquisition that has not succeeded."""
    _events().told(kind, lock, waiter, waited)


def ended(waiter: Waiter, level: object) -> None:
    """Tell the subscribers who know that ``waiter`` holds that it does not any more."""
    if level is not None and not waiter.ended:
        return  # it is held still, by another level
    told = getattr(waiter, "told", None)
    if told is not None:
        _events().released(told)


def no_longer_held(lock: Lock) -> None:
    """Take back what is published of waiters that hold ``lock``, which was released by hand."""
    _modules["lockutils.observe.wait_records"].take_back(lock._queue)


def _events() -> Any:
    return _modules["lockutils.observe.events"]
