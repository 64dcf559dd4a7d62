"""A wait that has become long: it is published, told of, and given up if it is a deadlock."""

from __future__ import annotations

import math
import os
import tracemalloc

from lockutils.errors import DeadlockError
from lockutils.observe import log, wait_records
from lockutils.observe.wait_graph import deadlock_of
from lockutils.observe.wait_records import Record, wait_of
from lockutils.parking import deadline

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lockutils.front.handle import Lock
    from lockutils.front.pending import PendingAcquire
    from lockutils.local.waiters import Waiter

#: a wait that is longer, in seconds, is not looked at any more
_LONGEST = 1e7
_OURS = os.path.dirname(os.path.dirname(__file__)) + os.sep


class LongWait:
    """One wait that is long, of the caller."""

    __slots__ = ("_notice_at", "_record")

    def __init__(self) -> None:
        #: how long it is when notice is given, in seconds
        self._notice_at = math.inf if deadline.warn_after is None else deadline.warn_after
        #: what others can read of it, if the caller holds anything
        self._record: Record | None = None

    def look(self, pending: PendingAcquire, waited: float) -> float | None:
        """Do what is to be done now that the wait has lasted for ``waited`` seconds.

        :return: when to look again, as :class:`lockutils.parking.deadline.Deadline` says
        :raises DeadlockError: if this is the wait that ends a deadlock
        """
        if self._record is None or self._record.is_over:
            self._record = None
            wait = wait_of(pending.lock, pending.waiter, pending.start, by_task=pending.by_task)
            if wait.holds:
                self._record = Record(wait)
        if wait_records.watching:
            self._end_deadlock()
        if waited >= self._notice_at:
            while self._notice_at <= waited:
                self._notice_at *= 2
            log.notice(self._notice(pending.lock, waited))
        again = min(self._notice_at, 2 * waited if wait_records.watching else math.inf)
        return again if again < _LONGEST else None

    def end(self) -> None:
        """Called when the wait has ended, however.  Callable any number of times."""
        if self._record is not None:
            self._record.end()
            self._record = None

    def _end_deadlock(self) -> None:
        record = self._record
        deadlock = None if record is None else deadlock_of(record.wait, certain=True)
        if record is not None and deadlock is not None and deadlock.youngest == record.wait:
            raise DeadlockError(f"the caller came last into a deadlock, and gives up: {deadlock}")

    def _notice(self, lock: Lock, waited: float) -> str:
        text = f"Waiting for the lock {lock.name!r} for {waited:.1f} s{held_by(lock)}"
        record = self._record
        deadlock = None if record is None else deadlock_of(record.wait)
        return text if deadlock is None else f"{text}; deadlock: {deadlock}"


def deadlock_at_timeout(lock: Lock, waiter: Waiter, since: float) -> str:
    """Return the deadlock that a wait of the caller was in, which has just timed out; or nothing.

    :param waiter: the caller
    :param since: when it began to wait
    """
    wait = wait_of(lock, waiter, since, by_task=waiter.task is not None)
    deadlock = deadlock_of(wait) if wait.holds else None
    return "" if deadlock is None else str(deadlock)


def held_by(lock: Lock) -> str:
    """Return who holds a lock, as it can stand at the end of a line."""
    holders = lock._queue.holders()
    if not holders:
        holder = lock._holder()
        return ", held by a holder that is not known" if holder is None else f", held by {holder}"
    first, *others = holders
    text = f", held by {first.as_holder()}"
    if others:
        text += f" and {len(others)} more"
    if not first.is_scoped():
        text += f", which acquired it by hand{_place_of(first)}"
    return text


def _place_of(waiter: Waiter) -> str:
    """Return where a holder acquired what it has, if Python notes where memory comes from."""
    for frame in reversed(tracemalloc.get_object_traceback(waiter) or ()):
        if not frame.filename.startswith(_OURS):
            return f" at {frame.filename}:{frame.lineno}"
    return ""
