"""The handle: first in this process, granted outside, held; and the same way back."""

from __future__ import annotations

import os
import sys
from time import monotonic
from weakref import ref

from lockutils.errors import (
    AcquireLockFailedException,
    DeadlockError,
    Holder,
    LockTimeout,
    SlotsMismatchError,
)
from lockutils.local.wait_queue import granted
from lockutils.local.waiters import Waiter, snapshot, take_turn
from lockutils.observe import log
from lockutils.parking import blocking_parker, task_checkpoint, task_parker
from lockutils.parking.base import run
from lockutils.parking.deadline import Deadline, limit_of
from lockutils.parking.on_thread import ThreadParker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator
    from types import TracebackType
    from typing import Any, TypeAlias

    from typing_extensions import Self

    from lockutils.backends.base import Backend, Request
    from lockutils.local.wait_queue import WaitQueue
    from lockutils.parking.base import Parker

    #: a hold: whose, what ends it, since when (for the log), and its level if it is reentrant
    Hold: TypeAlias = tuple[Waiter, Generator[None, None, None], float, Any]

_modules = sys.modules

#: seconds between two tries where nothing can wake us: doubled from the first to the last
_FIRST_PAUSE, _LAST_PAUSE = 0.001, 0.064

#: frames that a release may need, see :func:`_finish`
_ROOM = 100


class Handle:
    """What a handle of one lock and a handle of several have in common."""

    __slots__ = ("__weakref__", "_timeout")

    def __init__(self, timeout: float | None) -> None:
        #: how long to wait, in seconds: 0 tries once, None waits for ever
        self._timeout = timeout

    def acquire(self, blocking: bool = True, timeout: float | None = None) -> bool:
        """Acquire the lock; a wait blocks the calling thread or greenthread.

        :param blocking: ``False`` tries once
        :param timeout: in seconds, for all locks together; ``None`` is as the handle was told
            when it was made
        :return: whether the lock is held now; of several, whether all are, and else none is
        :raises DeadlockError: if the caller would wait for itself for ever
        :raises LockPathError: if the lock file cannot be used
        :raises ValueError: if ``timeout`` is negative or NaN, or comes with ``blocking=False``
        """
        plain = blocking and timeout is None
        return self._acquire(self._timeout if plain else limit_of(blocking, timeout))

    async def async_acquire(self, blocking: bool = True, timeout: float | None = None) -> bool:
        """Acquire the lock; a wait suspends the calling task.  As :meth:`acquire` otherwise."""
        plain = blocking and timeout is None
        return await self._acquire_in_task(self._timeout if plain else limit_of(blocking, timeout))

    async def async_release(self) -> None:
        """Release the lock, as :meth:`release`; never waits."""
        self.release()

    def __enter__(self) -> Self:
        """Acquire the lock.

        :raises AcquireLockFailedException: if it is held by somebody else and ``blocking``
            is false; of several locks, names that one
        :raises LockTimeout: if the time-out ran out
        """
        start = monotonic() if self._timeout else 0.0
        if self._acquire(self._timeout, True):
            return self
        raise self._failure(monotonic() - start)

    async def __aenter__(self) -> Self:
        start = monotonic() if self._timeout else 0.0
        if not await self._acquire_in_task(self._timeout, True):
            raise self._failure(monotonic() - start)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.__exit__(kind, error, traceback)

    def release(self) -> None:
        raise NotImplementedError

    def _acquire(self, timeout: float | None, scoped: bool = False) -> bool:
        """Acquire; ``scoped`` says that nobody but the caller can release it."""
        raise NotImplementedError

    async def _acquire_in_task(self, timeout: float | None, scoped: bool = False) -> bool:
        raise NotImplementedError

    def _failure(self, waited: float) -> AcquireLockFailedException:
        raise NotImplementedError


class Lock(Handle):
    """A handle of a named lock.  Made by :func:`lockutils.lock`; holds nothing until it acquires.

    All handles of one name exclude each other, and so do the threads, greenthreads and tasks
    that share one handle.  Whoever has the handle may release it, also from another thread.
    A handle that is dropped while it holds releases the lock.
    """

    __slots__ = ("_backend", "_do_log", "_fair", "_holds", "_key", "_queue", "name")

    def __init__(
        self,
        name: str,
        key: str,
        queue: WaitQueue,
        backend: Backend | None = None,
        timeout: float | None = None,
        do_log: bool | str = True,
        fair: bool = False,
    ) -> None:
        #: the name as it was asked for
        self.name = name
        self._key = key
        self._queue = queue
        #: where the lock is shared with other processes; None if it is of this process alone
        self._backend = backend
        self._timeout = timeout
        #: whether to log; a string says on whose behalf
        self._do_log = do_log
        #: whether waiters of all processes are served in strict order
        self._fair = fair
        #: in the order in which they were acquired; one at most if the lock is exclusive
        self._holds: list[Hold] = []

    def release(self) -> None:
        """Release the lock and wake the next in line.

        :raises RuntimeError: if this handle does not hold it, or a parent process does
        """
        hold = self._latest()
        # what a parent process acquired is not in the queue of a forked child
        inherited = hold[0] not in self._queue
        self._end(hold)
        if inherited:
            raise RuntimeError(f"the lock {self.name!r} was acquired by the parent, before a fork")

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._end(self._latest())

    def _latest(self) -> Hold:
        """Take out the hold that is to be released."""
        try:
            # the handle is free before the lock is: the next holder may be its next user
            return self._holds.pop()
        except IndexError:
            raise RuntimeError(f"the lock {self.name!r} is released, but not held") from None

    def _end(self, hold: Hold) -> None:
        try:
            next(hold[1], None)
        except RecursionError:
            limit = sys.getrecursionlimit()
            sys.setrecursionlimit(limit + _ROOM)
            _finish(limit, self._queue, hold)
        if hold[2]:
            log.released(self.name, self._do_log, monotonic() - hold[2])

    def __repr__(self) -> str:
        where = "" if self._backend is None else f" in {self._backend}"
        return f"<Lock {self.name!r}{where}, {self._state()}>"

    def _state(self) -> str:
        return "held" if self._holds else "free"

    def hand_to_children(self) -> None:
        """Let programs that this process starts from now on inherit the lock, while it is held.

        They keep it when this process dies before it released; a release ends it for all.

        :raises RuntimeError: if this handle does not hold an external lock
        """
        requests = [waiter.request for waiter, *_ in self._holds]
        for request in requests or [None]:
            if request is None:
                raise RuntimeError(f"the lock {self.name!r} is not held by a lock file")
            request.hand_to_children()

    # --- the steps

    def _acquire(
        self,
        timeout: float | None,
        scoped: bool = False,
        waiter: Waiter | None = None,
        level: object = None,
    ) -> bool:
        # without the call where nobody can have configured logging
        logs = self._do_log and "logging" in _modules and log.enabled()
        if logs:
            log.acquiring(self.name, self._do_log)
        if waiter is not None:
            return bool(run(self._take, None, waiter, timeout, scoped, level, False))
        # the common case, inlined: an exclusive lock that is free
        queue = self._queue
        waiter = Waiter()
        hold = take_turn(queue, waiter)
        try:
            next(hold)
            try:
                first = queue[0]
            except IndexError:
                first = None  # a signal handler has passed it
            if first is waiter and (
                self._backend is None or self._try_outside(waiter, self._backend, timeout)
            ):
                waiter.scoped = scoped
                if not waiter.passed:
                    self._holds.append((waiter, hold, monotonic() if logs else 0.0, None))
                    if logs:
                        log.acquired(self.name, self._do_log, 0.0)
                    return True
            return bool(run(self._take, hold, waiter, timeout, scoped, None, False))
        except BaseException:
            self._undo(hold)
            raise

    async def _acquire_in_task(
        self,
        timeout: float | None,
        scoped: bool = False,
        waiter: Waiter | None = None,
        level: object = None,
    ) -> bool:
        await task_checkpoint()
        if self._do_log and log.enabled():
            log.acquiring(self.name, self._do_log)
        return await self._take(None, waiter or Waiter(), timeout, scoped, level, True)

    def _keep(
        self,
        hold: Generator[None, None, None],
        waiter: Waiter,
        scoped: bool,
        waited: float,
        level: object,
    ) -> bool:
        """Note the hold; ``False`` if the waiter was passed at the last moment."""
        waiter.scoped = scoped
        if waiter.passed:
            return False
        waiter.entered(self._queue)
        logs = self._do_log and log.enabled()
        self._holds.append((waiter, hold, monotonic() if logs else 0.0, level))
        if logs:
            log.acquired(self.name, self._do_log, waited)
        return True

    def _undo(self, hold: Generator[None, None, None]) -> None:
        for entry in snapshot(self._holds):
            if entry[1] is hold:
                self._holds.remove(entry)
        hold.close()

    def _try(self, waiter: Waiter, timeout: float | None) -> bool:
        """Whether the lock is held now, since nobody else had it."""
        try:
            if self._queue[0] is not waiter:
                return False
        except IndexError:  # a signal handler has passed it
            return False
        return self._backend is None or self._try_outside(waiter, self._backend, timeout)

    def _try_outside(self, waiter: Waiter, backend: Backend, timeout: float | None) -> bool:
        # before the try: whoever passes the waiter cancels its request
        request = waiter.request = self._request(waiter, backend)
        # a caller that does not wait would have no turn in which to be fair to others
        return request.try_now(timeout == 0)

    def _request(self, waiter: Waiter, backend: Backend) -> Request:
        shared, slots = waiter.shared, waiter.slots
        return backend.request(self._key, shared=shared, slots=slots, fair=self._fair)

    async def _take(
        self,
        hold: Generator[None, None, None] | None,
        waiter: Waiter,
        timeout: float | None,
        scoped: bool,
        level: object,
        by_task: bool,
    ) -> bool:
        """Take the lock; ``False`` when the time is up.

        A waiter that was passed enters again: there may be one hold after the other.

        :param hold: if ``waiter`` has entered already, and the first try has failed
        """
        start = 0.0
        parker: Parker | None = None
        returns = False
        try:
            while True:
                if hold is None:
                    hold = take_turn(self._queue, waiter, level, returns)
                    next(hold)
                    if self._try(waiter, timeout):
                        waited = monotonic() - start if start else 0.0
                        if self._keep(hold, waiter, scoped, waited, level):
                            return True
                if not waiter.passed:
                    if parker is None:
                        self._check_slots(waiter)
                        if timeout == 0:
                            break
                        start = monotonic()
                        parker = task_parker() if by_task else blocking_parker()
                        deadline = Deadline(timeout, parker.clock)
                    waiter.token, waiter.woken = [None], 0.0
                    if await self._wait_for_turn(waiter, parker, deadline, by_task=by_task):
                        if self._keep(hold, waiter, scoped, monotonic() - start, level):
                            return True
                    elif not waiter.is_passed():
                        break
                next(hold, None)
                hold, waiter, returns = None, waiter.again(), True
            next(hold, None)
            return False
        except BaseException:
            if hold is not None:
                self._undo(hold)
            raise

    async def _wait_for_turn(
        self, waiter: Waiter, parker: Parker, deadline: Deadline, *, by_task: bool
    ) -> bool:
        """Wait until ``waiter`` holds the lock; ``False`` if it was passed, or the time is up."""
        queue, backend = self._queue, self._backend
        tried = waiter.request is not None  # it was the first from the beginning
        try:
            waiter.parker = parker
            queue.arrive(waiter, parker, by_task=by_task)
            self._check_deadlock(waiter, deadline, by_task=by_task)
            if backend is not None and self._fair and not tried:
                # on arrival, and not only when it is first: others may arrive in between
                waiter.request = self._request(waiter, backend)
                waiter.request.enqueue()
            while not waiter.is_next(queue):
                if waiter.is_passed():
                    return False
                if not await parker.park(deadline) and not waiter.is_next(queue):
                    return False
                waiter.woken = 0.0
            if backend is not None:
                request = waiter.request or self._request(waiter, backend)
                waiter.request = request
                if not (not tried and request.try_now()) and not await self._wait_outside(
                    waiter, request, parker, deadline
                ):
                    return False
            return waiter.commit()
        finally:
            waiter.parker = None

    async def _wait_outside(
        self, waiter: Waiter, request: Request, parker: Parker, deadline: Deadline
    ) -> bool:
        """Wait until other processes have released the lock."""
        if isinstance(parker, ThreadParker):
            if waiter.is_passed():
                return False
            held = request.block(deadline)
            if held is not None:
                return held
        references = ref(self._queue), ref(waiter)
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
                left = deadline.left()
                in_time = left is None or left > pause
                await parker.park(Deadline(pause if in_time else left, parker.clock))
                pause = min(2 * pause, _LAST_PAUSE)
                request.try_now()
            waiter.woken = 0.0
            if not in_time and request.grant is None and request.error is None:
                return False
        return True

    def _check_slots(self, waiter: Waiter) -> None:
        first = self._queue.first()
        if first is not None and first.slots != waiter.slots:
            raise SlotsMismatchError(self.name, waiter.slots, first.slots)

    def _check_deadlock(self, waiter: Waiter, deadline: Deadline, *, by_task: bool) -> None:
        # To ask for more than one has is an error also with a time-out: nobody else ends that.
        first = self._queue.first()
        upgrades = first is not None and first.shared and not waiter.shared
        if (deadline.left() is None or upgrades) and self._queue.waits_for_itself(
            waiter, by_task=by_task
        ):
            if upgrades:
                cure = "release it first, or ask for it exclusively at once"
            elif waiter.task is not None and not by_task:
                cure = "use 'async with', which does not stop the event loop, or reentrant=True"
            else:
                cure = "use reentrant=True each time if this is meant"
            raise DeadlockError(
                f"the caller holds {self.name!r}, and would wait for itself: {cure}"
            )

    def _failure(self, waited: float) -> AcquireLockFailedException:
        if self._timeout == 0:
            return AcquireLockFailedException(self.name, 0.0, self._holder())
        return LockTimeout(self.name, waited, self._holder())

    def _holder(self) -> Holder | None:
        if self._backend is not None:
            holder = self._backend.holder(self._key)
            if holder is not None:
                return holder
        first = self._queue.first()
        if first is None:
            return None
        return Holder(os.getpid(), f"thread {_thread_name(first.thread.ident)}")


def _finish(limit: int, queue: WaitQueue, hold: Hold) -> None:
    """Do what a release could not do at the recursion limit, which was raised for it."""
    waiter, _, _, level = hold
    try:
        waiter.leave(queue, level)
    finally:
        for more in range(_ROOM):  # it cannot be less than the depth that is in use
            try:
                sys.setrecursionlimit(limit + more)
                break
            except RecursionError:
                pass


def _thread_name(ident: int) -> str:
    threading = sys.modules.get("threading")
    for thread in () if threading is None else threading.enumerate():
        if thread.ident == ident:
            return str(thread.name)
    return str(ident)
