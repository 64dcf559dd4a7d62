"""What a handle of one lock and a handle of several have in common."""

from __future__ import annotations

import sys
from time import monotonic

from lockutils.parking import task_checkpoint
from lockutils.parking.base import run
from lockutils.parking.deadline import limit_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing_extensions import Self

    from lockutils.front.handle import Lock

_modules = sys.modules


class Handle:
    """Acquires and releases.  A subclass says how it takes what, and what it releases."""

    __slots__ = ("__weakref__", "_timeout")

    def __init__(self, timeout: float | None) -> None:
        #: how long to wait, in seconds: 0 tries once, None waits without end
        self._timeout = timeout

    def acquire(self, blocking: bool = True, timeout: float | None = None) -> bool:
        """Acquire the lock; a wait blocks the calling thread or greenthread.

        :param blocking: ``False`` tries once
        :param timeout: in seconds, for all locks together; ``None`` is the time-out that the
            handle was made with
        :return: whether the lock is held now; of several, either all are held or none
        :raises DeadlockError: if the caller would wait for itself without end
        :raises LockPathError: if the lock file cannot be used
        :raises TypeError: if ``blocking`` is not a bool, or ``timeout`` not a number
        :raises ValueError: if ``timeout`` is negative or NaN, or comes with ``blocking=False``
        """
        plain = blocking is True and timeout is None
        return self._acquire(self._timeout if plain else limit_of(blocking, timeout)) is None

    async def async_acquire(self, blocking: bool = True, timeout: float | None = None) -> bool:
        """Acquire the lock; a wait suspends the calling task.  As :meth:`acquire` otherwise."""
        plain = blocking is True and timeout is None
        limit = self._timeout if plain else limit_of(blocking, timeout)
        if "trio" in _modules:
            await task_checkpoint()
        return await self._take(limit, False, True) is None

    def release(self) -> None:
        raise NotImplementedError

    def locked(self) -> bool:
        raise NotImplementedError

    def __copy__(self) -> Self:
        """Return a new handle of the same lock, with the same options, which holds nothing."""
        raise NotImplementedError

    def __deepcopy__(self, _: object) -> Self:
        return self.__copy__()

    async def async_release(self) -> None:
        """Release the lock, as :meth:`release`; never waits."""
        self.release()

    def __enter__(self) -> Self:
        """Acquire the lock.

        :raises AcquireLockFailedException: if somebody else holds it and ``blocking`` is false;
            of several locks, the exception names that one
        :raises LockTimeout: if the time-out ran out, also one of 0
        """
        start = monotonic() if self._timeout else 0.0
        missing = self._acquire(self._timeout, True)
        if missing is None:
            return self
        raise missing._failure(monotonic() - start if start else 0.0)

    async def __aenter__(self) -> Self:
        start = monotonic() if self._timeout else 0.0
        if "trio" in _modules:
            await task_checkpoint()
        missing = await self._take(self._timeout, True, True)
        if missing is None:
            return self
        raise missing._failure(monotonic() - start if start else 0.0)

    def __exit__(self, kind: object, error: object, traceback: object) -> None:
        self.release()

    async def __aexit__(self, kind: object, error: object, traceback: object) -> None:
        self.__exit__(kind, error, traceback)

    def _acquire(self, timeout: float | None, scoped: bool = False) -> Lock | None:
        """Acquire as :meth:`_take`, and block the caller meanwhile."""
        missing: Lock | None = run(self._take, timeout, scoped, False)
        return missing

    async def _take(self, timeout: float | None, scoped: bool, by_task: bool) -> Lock | None:
        """Acquire; return ``None``, or the lock that could not be acquired in time.

        :param scoped: whether nobody but the caller can release it
        :param by_task: a wait suspends the calling task; else it blocks its thread or greenthread
        """
        raise NotImplementedError
