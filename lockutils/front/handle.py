"""The handle: in-process turn, claim outside, held; and the same way back."""

from __future__ import annotations

import os
import sys
from time import monotonic

from lockutils.backends import FileClaim
from lockutils.backends.file.waiting import Wait
from lockutils.errors import (
    AcquireLockFailedException,
    DeadlockError,
    Holder,
    LockTimeout,
    SlotsMismatchError,
)
from lockutils.local.waiters import Waiter, take_turn
from lockutils.observe import log
from lockutils.parking import blocking_parker, task_checkpoint, task_parker
from lockutils.parking.base import run
from lockutils.parking.deadline import Deadline, timeout_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from types import TracebackType
    from typing import TypeAlias

    from lockutils.backends.base import Claim
    from lockutils.backends.file.directory import Directory
    from lockutils.local.waiters import WaitQueue
    from lockutils.parking.base import Parker

    Taking: TypeAlias = Callable[[WaitQueue, Waiter], Generator[None, None, None]]


class Lock:
    """A handle of a named lock.  Made by :func:`lockutils.lock`; holds nothing until it acquires.

    All handles of one name exclude each other, and so do the threads, greenthreads and tasks
    that share one handle.  Whoever has the handle may release it, also from another thread.
    A handle that is dropped while it holds lets go.
    """

    __slots__ = (
        "_directory",
        "_do_log",
        "_fair",
        "_hold",
        "_key",
        "_timeout",
        "_queue",
        "_turn",
        "name",
    )

    def __init__(
        self,
        name: str,
        key: str,
        queue: WaitQueue,
        directory: Directory | None = None,
        limit: float | None = None,
        do_log: bool | str = True,
        fair: bool = False,
    ) -> None:
        #: the name as it was asked for
        self.name = name
        self._key = key
        self._queue = queue
        #: of the lock file; None if the lock is of this process alone
        self._directory = directory
        #: how long to wait, in seconds: 0 tries once, None waits for ever
        self._timeout = limit
        #: whether to log; a string says on whose behalf
        self._do_log = do_log
        #: whether waiters of all processes are served in strict order
        self._fair = fair
        #: the turn of the holder, and what gives it up, if this handle holds
        self._turn: Waiter | None = None
        self._hold: Generator[None, None, None] | None = None

    def acquire(self, blocking: bool = True, timeout: float | None = None) -> bool:
        """Acquire the lock; a wait blocks the calling thread or greenthread.

        :param blocking: ``False`` tries once
        :param timeout: in seconds; ``None`` is as :func:`lockutils.lock` was told
        :return: whether the lock is held now
        :raises DeadlockError: if the caller would wait for itself for ever
        :raises LockPathError: if the lock file cannot be used
        :raises ValueError: if ``timeout`` is negative or NaN, or comes with ``blocking=False``
        """
        limit = self._timeout if blocking and timeout is None else timeout_of(blocking, timeout)
        return self._acquire(limit)

    async def async_acquire(self, blocking: bool = True, timeout: float | None = None) -> bool:
        """Acquire the lock; a wait suspends the calling task.  As :meth:`acquire` otherwise."""
        limit = self._timeout if blocking and timeout is None else timeout_of(blocking, timeout)
        return await self._acquire_in_task(limit)

    def release(self) -> None:
        """Let go of the lock and wake the next in line.

        :raises RuntimeError: if this handle does not hold it, or a parent process does
        """
        turn = self._turn
        # what a parent process acquired is not in the queue of a forked child
        inherited = turn is not None and turn not in self._queue
        self.__exit__(None, None, None)
        if inherited:
            raise RuntimeError(f"the lock {self.name!r} was acquired by the parent, before a fork")

    async def async_release(self) -> None:
        """Let go of the lock, as :meth:`release`; never waits."""
        self.release()

    def __enter__(self) -> Lock:
        """Acquire the lock.

        :raises AcquireLockFailedException: if it is held by somebody else and ``blocking``
            is false
        :raises LockTimeout: if the time-out ran out
        """
        start = monotonic() if self._timeout else 0.0
        if not self._acquire(self._timeout):
            raise self._failure(monotonic() - start)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        turn, hold = self._turn, self._hold
        if turn is None or hold is None:
            raise RuntimeError(f"the lock {self.name!r} is released, but not held")
        # the handle is free before the lock is: the next holder may be its next user
        self._hold = self._turn = None
        next(hold, None)
        if turn.since:
            log.released(self.name, self._do_log, monotonic() - turn.since)

    async def __aenter__(self) -> Lock:
        start = monotonic() if self._timeout else 0.0
        if not await self._acquire_in_task(self._timeout):
            raise self._failure(monotonic() - start)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.__exit__(kind, error, traceback)

    def __repr__(self) -> str:
        where = "" if self._directory is None else f" in {self._directory}"
        state = "free" if self._hold is None else "held"
        return f"<{type(self).__name__} {self.name!r}{where}, {state}>"

    def hand_to_children(self) -> None:
        """Let programs that this process starts from now on inherit the lock, while it is held.

        They keep it when this process dies before it released; a release ends it for all.

        :raises RuntimeError: if this handle does not hold an external lock
        """
        turn = self._turn
        claim = None if turn is None else turn.wait.claim if turn.wait else turn.claim
        if not isinstance(claim, FileClaim):
            raise RuntimeError(f"the lock {self.name!r} is not held by a lock file")
        claim.hand_to_children()

    # --- the steps

    # What a handle that is not exclusive has otherwise comes as arguments: to look it up in the
    # class would be a twentieth of what an acquisition takes.

    def _acquire(
        self, limit: float | None, turn: Waiter | None = None, take: Taking = take_turn
    ) -> bool:
        if logs := self._do_log and log.enabled():
            log.acquiring(self.name, self._do_log)
        if turn is None:
            turn = Waiter()
        hold = take(self._queue, turn)
        try:
            next(hold)
            if self._try(turn, limit) or run(self._wait(turn, limit, by_task=False)):
                self._turn, self._hold = turn, hold
                if logs:
                    self._log_acquired(turn)
                return True
            next(hold, None)
            return False
        except BaseException:
            self._undo(hold)
            raise

    async def _acquire_in_task(
        self, limit: float | None, turn: Waiter | None = None, take: Taking = take_turn
    ) -> bool:
        await task_checkpoint()
        if logs := self._do_log and log.enabled():
            log.acquiring(self.name, self._do_log)
        if turn is None:
            turn = Waiter()
        hold = take(self._queue, turn)
        try:
            next(hold)
            if self._try(turn, limit) or await self._wait(turn, limit, by_task=True):
                self._turn, self._hold = turn, hold
                if logs:
                    self._log_acquired(turn)
                return True
            next(hold, None)
            return False
        except BaseException:
            self._undo(hold)
            raise

    def _log_acquired(self, turn: Waiter) -> None:
        turn.since = monotonic()
        log.acquired(self.name, self._do_log, turn.waited)

    def _undo(self, hold: Generator[None, None, None]) -> None:
        if self._hold is hold:
            self._hold = self._turn = None
        hold.close()

    def _try(self, turn: Waiter, limit: float | None) -> bool:
        """Whether the lock is held now, since nobody else had it."""
        if self._queue[0] is not turn:
            return False
        directory = self._directory
        return directory is None or self._try_outside(turn, directory, limit)

    def _try_outside(self, turn: Waiter, directory: Directory, limit: float | None) -> bool:
        claim = turn.claim
        if claim is None:
            claim = turn.claim = self._new_claim(directory)
        # who does not wait would have no turn in which to be fair to others
        return claim.try_acquire(limit == 0)

    def _new_claim(self, directory: Directory) -> Claim:
        return FileClaim(self._key, directory, self._fair)

    async def _wait(self, turn: Waiter, limit: float | None, *, by_task: bool) -> bool:
        """Go on where :meth:`_try` had to stop; ``False`` when the time is up."""
        queue = self._queue
        first = queue[0]
        if first.slots != turn.slots:
            raise SlotsMismatchError(self.name, turn.slots, first.slots)
        if limit == 0:
            if turn.claim is not None:
                turn.claim.check_use()
            return False
        start = monotonic()
        waiter: Parker = task_parker() if by_task else blocking_parker()
        deadline = Deadline(limit, waiter.clock)
        # To ask for more than one has is an error also with a time-out: nobody else ends that.
        upgrades = first.shared and not turn.shared
        if (limit is None or upgrades) and queue.waits_for_itself(turn, by_task=by_task):
            raise DeadlockError(f"the caller holds {self.name!r}, and would wait for itself")
        directory = self._directory
        #: if the turn was ours from the beginning, the try outside has failed already
        tried = turn.claim is not None
        if self._fair and directory is not None:
            # on arrival, and not only when the turn comes: others may arrive in between
            turn.claim = turn.claim or self._new_claim(directory)
            turn.claim.line_up()
        if not await queue.wait_for(turn, waiter, deadline):
            return False
        if directory is not None and (tried or not self._try(turn, limit)):
            claim = turn.claim
            assert claim is not None
            turn.wait = Wait(claim, waiter)
            if not await turn.wait.until_held(deadline):
                return False
        turn.waited = monotonic() - start
        return True

    def _failure(self, waited: float) -> AcquireLockFailedException:
        if self._timeout == 0:
            return AcquireLockFailedException(self.name, 0.0, self._holder())
        return LockTimeout(self.name, waited, self._holder())

    def _holder(self) -> Holder | None:
        if self._directory is not None:
            holder = FileClaim(self._key, self._directory).holder()
            if holder is not None:
                return holder
        try:
            thread = self._queue[0].thread.ident
        except IndexError:
            return None
        return Holder(os.getpid(), f"thread {_thread_name(thread)}")


def _thread_name(ident: int) -> str:
    threading = sys.modules.get("threading")
    for thread in () if threading is None else threading.enumerate():
        if thread.ident == ident:
            return str(thread.name)
    return str(ident)
