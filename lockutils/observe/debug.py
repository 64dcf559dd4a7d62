"""Help in looking for errors.  Imported by programs that ask for it, and never else."""

from __future__ import annotations

import logging
import sys
import tokenize  # noqa: F401 (linecache imports it when it reads the first file)
import traceback
from weakref import ref

from lockutils.front.handle import Lock
from lockutils.front.pending import PendingAcquire
from lockutils.local.held import locks_held
from lockutils.local.registry import registries_of_names
from lockutils.observe import wait_records
from lockutils.observe.lock_order import Inversion, LockOrder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType
    from typing import Any

    from lockutils.local.registry import Registry
    from lockutils.observe.lock_order import Node

#: pairs of locks to remember, some kilobytes each
LIMIT = 10_000

_order: LockOrder | None = None


def watch_order(report: Callable[[Inversion], object] | None = None) -> None:
    """Report from now on when locks are taken in orders that can deadlock.

    One caller takes A and then B, another B and then A: as long as they do not meet, nothing
    happens, and one day both wait without end.  What each caller holds when it asks for another
    lock is remembered, over the life of the process; and when that closes a circle, of two
    locks or more, it is reported, once for the same locks, before the caller waits.  It is
    also where one caller did both, or where another lock keeps the callers apart.

    A caller is a thread, greenthread or task, and holds what :func:`lockutils.held` says.  Who
    asks with ``blocking=False`` or ``timeout=0`` does not wait for the lock, and so adds
    nothing; but then it holds the lock.  Locks of one name in two :class:`lockutils.Semaphores`
    are two locks.  Locks of a :class:`lockutils.LockByKey` are not watched.

    While this is on, an acquisition costs some ten microseconds and a look at all locks in
    use.  Each pair of locks that are taken one in the other is remembered with a stack, and
    names made from templates, as ``"image-{id}"``, may be any number: after 10,000 pairs a
    warning is logged, and no more are noted.

    The environment variable ``LOCKUTILS_WATCH_ORDER=1`` starts it when lockutils is imported.
    Called again, it goes on with what it has seen, and another ``report``.

    :param report: called with an :class:`Inversion` by whoever is asking for a lock, and not
        waiting yet.  What it raises goes through to that caller, who has not got the lock
        then.  By default the report is logged as a warning of the logger ``lockutils``
    """
    global _order
    order = _order or LockOrder(LIMIT)
    order.report = report or _log
    _order = order
    # In the classes, so that it costs nothing while it is off.  There is no other way into an
    # acquisition: subclasses of Lock, too, come here by super().
    Lock._acquire = _watched_acquire  # type: ignore[method-assign]
    PendingAcquire.take = _watched_take  # type: ignore[method-assign]


def stop_watching_order() -> None:
    """End :func:`watch_order`, and forget what was seen.  Does nothing if it is not on."""
    global _order
    Lock._acquire = _acquire  # type: ignore[method-assign]
    PendingAcquire.take = _take  # type: ignore[method-assign]
    _order = None


def watch_deadlocks() -> None:
    """End deadlocks from now on: of the waiters in one, the youngest raises ``DeadlockError``.

    Threads, greenthreads, tasks and processes of a host are in a deadlock when each waits for a
    lock that the next one holds, and the last for a lock that the first one holds.  The one that
    began to wait last gives up, about a second later, and has acquired nothing.  The exception
    releases the locks that it holds as it leaves their ``with``, and the others go on.

    There are no false alarms: only holds by ``with``, ``async with`` and the decorator count,
    which nobody else can release, and the deadlock is looked for twice before the exception is
    raised.  Deadlocks are found among processes of one user; among several processes, on Linux
    alone.  If this is on in only some of the processes, the youngest waiter of those gives up.

    A waiter that holds locks looks for deadlocks after one second, two, four and so on.  Nothing
    else costs more than before.

    The environment variable ``LOCKUTILS_WATCH_DEADLOCKS=1`` starts it when lockutils is imported.
    """
    wait_records.watching = True


def stop_watching_deadlocks() -> None:
    """End :func:`watch_deadlocks`.  Does nothing if it is not on."""
    wait_records.watching = False


_acquire = Lock._acquire
_take = PendingAcquire.take


def _watched_acquire(self: Lock, timeout: float | None, scoped: bool = False) -> Lock | None:
    if timeout != 0:
        _ask(self)
    return _acquire(self, timeout, scoped)


async def _watched_take(self: PendingAcquire) -> Lock | None:
    # one that has a hold was asked for by _watched_acquire()
    if self.timeout != 0 and self.hold is None:
        _ask(self.lock)
    return await _take(self)


def _ask(lock: Lock) -> None:
    """Called before ``lock`` is waited for."""
    order, held = _order, locks_held()
    if not held or order is None:
        return
    for place in registries_of_names():
        if place.find(lock._key) is lock._queue:
            break
    else:
        return  # it is of a container of keys, and has no name
    for inversion in order.note([_node(*one) for one in held], _node(place, lock._key), _stack):
        order.report(inversion)
    if order.is_full() and order.is_first("full"):
        logging.getLogger("lockutils").warning(
            "The order of locks: %d pairs have been seen, no more are noted", LIMIT
        )


def _node(place: Registry[Any], name: str) -> Node:
    # a plain str: what a subclass has for a comparison would run in the middle of setdefault
    return ref(place), str.__str__(name)


def _stack() -> str:
    """The caller's stack, without our own frames at its end."""
    frame: FrameType | None = sys._getframe()
    while frame is not None and str(frame.f_globals.get("__name__")).startswith("lockutils."):
        frame = frame.f_back
    return "" if frame is None else "".join(traceback.format_stack(frame))


def _log(inversion: Inversion) -> None:
    logging.getLogger("lockutils").warning("%s", inversion)
