"""An acquisition that may have to wait: in the queue of this process, then outside of it."""

from __future__ import annotations

import sys
from errno import EMFILE, ENFILE, ENOMEM
from time import monotonic, time
from weakref import ref

from lockutils import observe
from lockutils.errors import DeadlockError, SlotsMismatchError
from lockutils.local.shared_waiters import SharedWaiter
from lockutils.local.wait_queue import granted
from lockutils.local.waiters import take_turn
from lockutils.observe import log, subscribers
from lockutils.parking import blocking_parker, may_import, task_parker
from lockutils.parking.callback import importing
from lockutils.parking.deadline import Deadline
from lockutils.parking.on_thread import ThreadParker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Any

    from lockutils.backends.base import Request
    from lockutils.front.handle import Lock
    from lockutils.local.shared_waiters import Level
    from lockutils.local.waiters import Waiter
    from lockutils.observe.events import Kind
    from lockutils.observe.long_wait import LongWait
    from lockutils.parking.base import Parker

_modules = sys.modules

#: seconds between two tries where nothing can wake us: doubled from the first to the last
_FIRST_PAUSE, _LAST_PAUSE = 0.001, 0.064


class PendingAcquire:
    """One acquisition of a lock, by any kind of waiter.

    :param waiter: who asks, and for what
    :param timeout: in seconds: 0 tries once, ``None`` waits without end
    :param scoped: whether nobody but the caller can release the lock
    :param by_task: the wait suspends the calling task; else it blocks its thread or greenthread
    :param level: of a reentrant lock, the level to enter
    :param hold: if ``waiter`` has entered the queue already, and the first try has failed
    """

    __slots__ = (
        "__weakref__",
        "by_task",
        "hold",
        "level",
        "lock",
        "long_wait",
        "scoped",
        "start",
        "timeout",
        "waiter",
    )

    def __init__(
        self,
        lock: Lock,
        waiter: Waiter,
        timeout: float | None,
        scoped: bool,
        by_task: bool,
        level: Level | None = None,
        hold: Generator[None, None, None] | None = None,
    ) -> None:
        self.lock = lock
        self.waiter = waiter
        self.timeout = timeout
        self.scoped = scoped
        self.by_task = by_task
        self.level = level
        self.hold = hold
        #: since when it waits, on the monotonic clock; 0.0 before
        self.start = 0.0
        #: what is known of the wait once it is long
        self.long_wait: LongWait | None = None

    async def take(self) -> Lock | None:
        """Take the lock; return ``None``, or the lock if the time is up.

        A waiter that was passed enters again: there may be one hold after the other.
        """
        lock, waiter, hold, timeout = self.lock, self.waiter, self.hold, self.timeout
        queue, backend = lock._queue, lock._backend
        if hold is None and lock._do_log and log.enabled():
            log.acquiring(lock.name, lock._do_log)
        parker: Parker | None = None
        try:
            while True:
                if hold is None:
                    # a waiter that is not the first one returns: the one before it was passed
                    hold = take_turn(queue, waiter, self.level, waiter is not self.waiter)
                    next(hold)
                    if (
                        waiter.is_next(queue)
                        and (backend is None or lock._try_outside(waiter, backend, timeout))
                        and self._keep(hold, waiter)
                    ):
                        return None
                if not waiter.passed:
                    if parker is None:
                        self._check_slots(waiter)
                        if timeout == 0:
                            break
                        self.start = monotonic()
                        parker = task_parker() if self.by_task else blocking_parker()
                        deadline = Deadline(timeout, parker.clock, ref(self))
                        if subscribers:
                            observe.told("waiting", lock, waiter)
                    waiter.token, waiter.woken = [None], 0.0
                    if await self._wait_for_turn(waiter, parker, deadline):
                        if self._keep(hold, waiter):
                            return None
                    elif not waiter.is_passed():
                        break
                next(hold, None)
                hold, waiter = None, waiter.again()
            next(hold, None)
            waited, self.start = monotonic() - self.start if self.start else 0.0, 0.0
            if subscribers:
                kind: Kind = "refused" if parker is None else "timed_out"
                observe.told(kind, lock, waiter, waited)
            return lock
        except BaseException:
            if hold is not None:
                lock._undo(hold, self.level or waiter)
            # not if it was acquired: then it was released
            if self.start and subscribers and not hasattr(waiter, "told"):
                observe.told("aborted", lock, waiter, monotonic() - self.start)
            raise

    def _keep(self, hold: Generator[None, None, None], waiter: Waiter) -> bool:
        """Note the hold; ``False`` if the waiter was passed at the last moment."""
        lock = self.lock
        waiter.scoped = self.scoped
        if waiter.passed:
            return False
        waiter.entered(lock._queue)
        watched = subscribers or (lock._do_log and log.enabled())
        now = monotonic() if watched else 0.0
        if isinstance(waiter, SharedWaiter):
            waiter.acquired_at = now
        lock._holds.append((waiter, hold, now, self.level))
        if now:
            observe.acquired(lock, waiter, now, now - self.start if self.start else 0.0)
        return True

    async def _wait_for_turn(self, waiter: Waiter, parker: Parker, deadline: Deadline) -> bool:
        """Wait until ``waiter`` holds the lock; ``False`` if it was passed, or the time is up."""
        lock = self.lock
        queue, backend = lock._queue, lock._backend
        tried = waiter.request is not None  # it was the first from the beginning
        try:
            waiter.since = time()
            waiter.parker = parker
            queue.arrive(waiter, parker, by_task=self.by_task)
            self._check_deadlock(waiter, deadline)
            if backend is not None and lock._fair and not tried:
                # on arrival, and not only when it is first: others may arrive in between
                waiter.request = lock._request(waiter, backend)
                waiter.request.enqueue()
            while not waiter.is_next(queue):
                if waiter.is_passed():
                    return False
                if not await parker.park(deadline) and not waiter.is_next(queue):
                    return False
                waiter.woken = 0.0
            if backend is not None:
                request = waiter.request or lock._request(waiter, backend)
                waiter.request = request
                held = not tried and request.try_now()
                if not held and not await self._wait_outside(waiter, request, parker, deadline):
                    return False
            waiter.since = time()
            return waiter.commit()
        finally:
            waiter.parker = None
            if self.long_wait is not None:
                self.long_wait.end()

    async def _wait_outside(
        self, waiter: Waiter, request: Request, parker: Parker, deadline: Deadline
    ) -> bool:
        """Wait until other processes have released the lock."""
        above: Any = _modules.get("lockutils.cli.above")  # there below `lockutils run` alone
        if above and deadline.left() is None and above.enter(self.lock, waiter):
            return True
        if isinstance(parker, ThreadParker):
            if waiter.is_passed():
                return False
            held = request.block(deadline)
            if held is not None:
                return held
        references = ref(self.lock._queue), ref(waiter)
        started = request.start(lambda: granted(*references))
        pause = _FIRST_PAUSE
        while request.grant is None:
            if request.error is not None:
                raise request.error
            if waiter.is_passed():
                return False
            if started:
                in_time = await parker.park(deadline)
            else:  # it polls: no helper thread is available
                deadline.pause()  # which looks at the wait if it is time
                left = deadline.left()
                in_time = left is None or left > pause
                await parker.park(Deadline(pause if in_time else left, parker.clock))
                pause = min(2 * pause, _LAST_PAUSE)
                request.try_now()
            waiter.woken = 0.0
            if not in_time and request.grant is None and request.error is None:
                return False
        return True

    def look(self, waited: float) -> float | None:
        """Look at a long wait, as :class:`Deadline` says.

        :raises DeadlockError: if it is to end a deadlock
        """
        try:
            if self.long_wait is None:
                if "lockutils.observe.long_wait" not in _modules and not may_import():
                    return None
                with importing:
                    from lockutils.observe.long_wait import LongWait

                self.long_wait = LongWait()
            return self.long_wait.look(self, waited)
        except (ImportError, OSError) as error:
            # An import needs a descriptor, and finds nothing without.  But a signal handler may
            # have raised an error of its own.
            if isinstance(error, OSError) and error.errno not in (EMFILE, ENFILE, ENOMEM):
                raise
            return 2 * waited

    def _check_slots(self, waiter: Waiter) -> None:
        first = self.lock._queue.first()
        if first is not None and first.slots != waiter.slots:
            raise SlotsMismatchError(self.lock.name, waiter.slots, first.slots)

    def _check_deadlock(self, waiter: Waiter, deadline: Deadline) -> None:
        queue, by_task = self.lock._queue, self.by_task
        # To ask for more than one has is an error also with a time-out: nobody else ends that.
        first = queue.first()
        upgrades = first is not None and first.shared and not waiter.shared
        if not (deadline.left() is None or upgrades):
            return
        holder = queue.waits_for_itself(waiter, by_task=by_task)
        if holder is None:
            return
        name = self.lock.name
        if not holder.is_of_same(waiter):
            who = holder.as_holder().description
            problem = f"{who} holds {name!r}, and cannot release it while the caller waits"
            cure = "release it before the event loop runs"
            if holder.task is not None:
                cure = "use 'async with', which does not stop the event loop"
        else:
            problem = f"the caller holds {name!r}, and would wait for itself"
            cure = "use reentrant=True each time if this is meant"
            if upgrades:
                cure = "release it first, or ask for it exclusively at once"
        raise DeadlockError(f"{problem}: {cure}")
