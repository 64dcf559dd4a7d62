"""The handle of one lock."""

from __future__ import annotations

import os
import sys
from time import monotonic

from lockutils import observe
from lockutils.errors import AcquireLockFailedException, Holder, LockTimeout
from lockutils.front.base import Handle
from lockutils.front.pending import PendingAcquire
from lockutils.local.waiters import Waiter, snapshot, take_turn
from lockutils.observe import log, subscribers
from lockutils.observe.status import holders_of
from lockutils.parking.base import run
from lockutils.parking.callback import importing
from lockutils.parking.deadline import LONG

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator
    from typing import Any, TypeAlias

    from typing_extensions import Self

    from lockutils.backends.base import Backend, Request
    from lockutils.local.shared_waiters import Level
    from lockutils.local.wait_queue import WaitQueue

    #: a hold: whose, what ends it, since when if that is to be told, and its level if it is
    #: reentrant
    Hold: TypeAlias = tuple[Waiter, Generator[None, None, None], float, Any]

_modules = sys.modules

#: frames that a release may need, see :func:`_finish`
_ROOM = 100


class Lock(Handle):
    """A handle of a named lock.  Made by :func:`lockutils.lock`; holds nothing until it acquires.

    All handles of one name exclude each other, and so do the threads, greenthreads and tasks
    that share one handle.  Whoever has the handle may release it, also from another thread.
    A handle that is dropped while it holds releases the lock; after an acquisition by hand that is
    a :class:`ResourceWarning`.
    """

    __slots__ = ("_backend", "_do_log", "_fair", "_holds", "_key", "_queue", "name")

    def __init__(
        self,
        name: str,
        key: str = "",
        queue: WaitQueue = None,  # type: ignore[assignment]
        backend: Backend | None = None,
        timeout: float | None = None,
        do_log: bool | str = True,
        fair: bool = False,
        **_: object,
    ) -> None:
        if queue is None:
            raise TypeError(f"a handle is made by lockutils.lock({name!r}, ...)")
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

    def __repr__(self) -> str:
        where = "" if self._backend is None else f" in {self._backend}"
        # what a parent process holds is not held here
        times = sum(waiter in self._queue for waiter, *_ in self._holds)
        state = f"held {times} times" if times > 1 else "held" if times else "free"
        return f"<Lock {self.name!r}{where}, {state}>"

    @property
    def path(self) -> str:
        """The path of the lock file, whether the file exists or not.

        :raises AttributeError: if the lock has none, as a lock of this process alone
        """
        file_of = getattr(self._backend, "file_of", None)
        if file_of is None:
            raise AttributeError(f"the lock {self.name!r} has no lock file")
        return os.fsdecode(file_of(self._key))

    def locked(self) -> bool:
        """Return whether anybody holds the lock at the moment, in whatever mode.

        It takes nothing, and nobody notices it.  A lock that is held may still let in another
        reader, or another holder of a slot.  A lock that another tool holds by ``flock`` alone is
        not seen if that tool is in another pid namespace, or if the system has no ``/proc``.
        """
        if any(waiter.scoped is not None for waiter in snapshot(self._queue)):
            return True
        return self._backend is not None and self._backend.is_held(self._key)

    def exists(self) -> bool:
        """Return whether the lock file exists.

        :raises AttributeError: if the lock has none
        """
        return os.path.exists(self.path)

    def release(self) -> None:
        """Release the lock and wake the next in line.

        :raises RuntimeError: if this handle does not hold it, or a parent process does
        """
        hold = self._latest()
        # what a parent process acquired is not in the queue of a forked child
        inherited = hold[0] not in self._queue
        self._end(hold)
        if observe.published:  # whoever acquired it may wait, and have told that it holds this
            observe.no_longer_held(self)
        if inherited:
            raise RuntimeError(f"the lock {self.name!r} was acquired by the parent, before a fork")

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        self._end(self._latest())

    def __copy__(self) -> Self:
        return type(self)(*self._how())

    def _how(self) -> tuple[Any, ...]:
        """Return what another handle of the same lock is made of."""
        backend, timeout, do_log = self._backend, self._timeout, self._do_log
        return self.name, self._key, self._queue, backend, timeout, do_log, self._fair

    def __reduce__(self) -> tuple[Any, ...]:
        from lockutils.front.lock import unpickled

        if self._backend is None:
            raise TypeError(
                f"the lock {self.name!r} is of this process alone, where no other process can "
                "have it: external=True makes one that can be pickled"
            )
        *mode, name, key, _, backend, timeout, do_log, fair = self._how()
        return unpickled, (*mode, name, key, backend, timeout, do_log, fair)

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

    def hand_to_child(self) -> None:
        """Move the hold to the child of the next fork; nobody gets in between.

        The child holds the lock by its copy of this handle, and the parent's handle is free.  If
        the fork fails, nothing has moved.  As a program does before it becomes a daemon.

        :raises RuntimeError: if this handle does not hold the lock, or a lock of its kind cannot
            be moved
        """
        requests = [waiter.request for waiter, *_ in self._holds if waiter in self._queue]
        if not requests:
            raise RuntimeError(f"the lock {self.name!r} is not held")
        if not all(request is None or hasattr(request, "leave_to_child") for request in requests):
            raise RuntimeError(f"the lock {self.name!r} cannot be moved to another process")
        from lockutils.front.hand_over import promise

        promise(self)

    # --- the steps

    def _acquire(self, timeout: float | None, scoped: bool = False) -> Lock | None:
        # common case, inlined: a lock that is free
        logs = self._do_log and "logging" in _modules and log.enabled()
        if logs:
            log.acquiring(self.name, self._do_log)
        queue, backend = self._queue, self._backend
        waiter = Waiter()
        hold = take_turn(queue, waiter)
        try:
            next(hold)
            try:
                first = queue[0]
            except IndexError:
                first = None  # a signal handler has passed it
            if first is waiter and (backend is None or self._try_outside(waiter, backend, timeout)):
                waiter.scoped = scoped
                if not waiter.passed:
                    since = monotonic() if logs or subscribers else 0.0
                    self._holds.append((waiter, hold, since, None))
                    if since:
                        observe.acquired(self, waiter, since, 0.0)
                    return None
            pending = PendingAcquire(self, waiter, timeout, scoped, False, None, hold)
            missing: Lock | None = run(PendingAcquire.take, pending)
            return missing
        except BaseException:
            self._undo(hold, waiter)
            raise

    async def _take(self, timeout: float | None, scoped: bool, by_task: bool) -> Lock | None:
        return await PendingAcquire(self, Waiter(), timeout, scoped, by_task).take()

    def _try_outside(self, waiter: Waiter, backend: Backend, timeout: float | None) -> bool:
        # before the try: whoever passes the waiter cancels its request
        request = waiter.request = self._request(waiter, backend)
        # a caller that does not wait would have no turn in which to be fair to others
        return request.try_now(timeout == 0)

    def _request(self, waiter: Waiter, backend: Backend) -> Request:
        shared, slots = waiter.shared, waiter.slots
        return backend.request(self._key, shared=shared, slots=slots, fair=self._fair)

    def _undo(self, hold: Generator[None, None, None], what: Waiter | Level) -> None:
        what.scoped = None
        told = [entry for entry in snapshot(self._holds) if entry[1] is hold]
        for entry in told:
            self._holds.remove(entry)
        hold.close()
        for entry in told:
            if entry[2]:
                observe.released(self, entry)

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
        finally:
            if hold[2]:
                try:
                    observe.released(self, hold)
                except BaseException:  # of a signal handler: it must not make a holder for good
                    observe.ended(hold[0], hold[3])
                    raise

    def _failure(self, waited: float) -> AcquireLockFailedException:
        if self._timeout is False:
            return AcquireLockFailedException(self.name, 0.0, self._holder())
        failure = LockTimeout(self.name, waited, self._holder())
        if waited >= LONG:
            try:
                with importing:
                    from lockutils.observe.long_wait import deadlock_at_timeout

                failure.deadlock = deadlock_at_timeout(self, Waiter(), monotonic() - waited)
            except (ImportError, OSError):
                pass  # no descriptor is left, which an import needs, too
        return failure

    def _holder(self) -> Holder | None:
        try:
            return next(iter(holders_of(self._queue, self._backend, self._key)), None)
        except OSError:  # no descriptor is left
            return None


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
