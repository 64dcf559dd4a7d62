"""Several locks as one: all of them or none."""

from __future__ import annotations

from time import monotonic

from lockutils.backends.file.naming import key_of
from lockutils.front.lock import lock
from lockutils.parking import task_parker
from lockutils.parking.deadline import Deadline, timeout_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from types import TracebackType

    from lockutils.errors import AcquireLockFailedException
    from lockutils.front.handle import Lock
    from lockutils.front.settings import StrPath
    from lockutils.local.lock_by_key import Semaphores


def lock_all(
    names: Iterable[str],
    lock_file_prefix: str | None = None,
    external: bool = False,
    lock_path: StrPath | None = None,
    do_log: bool | str = True,
    semaphores: Semaphores | None = None,
    delay: float = 0.01,
    fair: bool = False,
    blocking: bool = True,
    *,
    timeout: float | None = None,
    shared: bool = False,
    slots: int = 1,
    reentrant: bool = False,
) -> LockGroup:
    """Return a handle of several locks, which are acquired together; acquires nothing yet.

    They are taken one after the other, in an order that is the same for all callers however
    they list the names, so that two callers cannot wait for each other.  If one is not to be
    had, those that were taken before are released.

    :param names: any strings; a name that comes twice counts once.  Of no name at all nothing
        is acquired
    :param timeout: how long to wait for all of them together, in seconds

    The other parameters are those of :func:`lock`, for each of the names, and so are the
    exceptions.

    :raises TypeError: if ``names`` is a single string, or has something else than strings
    """
    if isinstance(names, (str, bytes)):
        raise TypeError(f"names must be several names, not the one name {names!r}")
    limit = timeout_of(blocking, timeout)
    by_key = {key_of(name, lock_file_prefix): name for name in names}
    handles = [
        lock(
            by_key[key],
            lock_file_prefix,
            external,
            lock_path,
            do_log,
            semaphores,
            delay,
            fair,
            timeout=limit,
            shared=shared,
            slots=slots,
            reentrant=reentrant,
        )
        for key in sorted(by_key)
    ]
    return LockGroup(handles, limit)


class LockGroup:
    """A handle of several locks.  Made by :func:`lockutils.lock_all`.

    As a :class:`Lock`: whoever has it may release it, and if it is dropped, it lets go.
    """

    __slots__ = ("_timeout", "_locks")

    def __init__(self, locks: list[Lock], limit: float | None) -> None:
        """Take over ``locks``, which nobody else uses, in the order to acquire them."""
        self._locks = locks
        self._timeout = limit

    @property
    def names(self) -> list[str]:
        """The names, each once, in the order in which the locks are taken."""
        return [one.name for one in self._locks]

    def acquire(self, blocking: bool = True, timeout: float | None = None) -> bool:
        """Acquire all of the locks; a wait blocks the calling thread or greenthread.

        :param blocking: ``False`` tries once
        :param timeout: in seconds, for all together; ``None`` is as :func:`lock_all` was told
        :return: whether all are held now; if not, none is
        :raises DeadlockError: if the caller would wait for itself for ever
        :raises LockPathError: if a lock file cannot be used
        :raises ValueError: if ``timeout`` is negative or NaN, or comes with ``blocking=False``
        """
        return self._acquire(self._limit_of(blocking, timeout)) is None

    async def async_acquire(self, blocking: bool = True, timeout: float | None = None) -> bool:
        """Acquire all of the locks; a wait suspends the calling task.  Else as :meth:`acquire`."""
        return await self._acquire_in_task(self._limit_of(blocking, timeout)) is None

    def release(self) -> None:
        """Let go of all of the locks.

        :raises RuntimeError: if they are not held; those that are, are released all the same
        """
        _release(self._locks)

    async def async_release(self) -> None:
        """Let go of all of the locks, as :meth:`release`; never waits."""
        self.release()

    def __enter__(self) -> LockGroup:
        """Acquire all of the locks.

        :raises AcquireLockFailedException: if one is held by somebody else and ``blocking`` is
            false; names that one
        :raises LockTimeout: if the time-out ran out
        """
        start = monotonic()
        failed = self._acquire(self._timeout)
        if failed is not None:
            raise self._failure(failed, start)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()

    async def __aenter__(self) -> LockGroup:
        start = monotonic()
        failed = await self._acquire_in_task(self._timeout)
        if failed is not None:
            raise self._failure(failed, start)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.release()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.names!r}>"

    def _acquire(self, limit: float | None) -> Lock | None:
        """Acquire all or none; return the one that was not to be had."""
        left = _time_left(limit, monotonic)
        taken: list[Lock] = []
        try:
            for one in self._locks:
                if not one._acquire(left()):
                    break
                taken.append(one)
            else:
                return None
        except BaseException:
            _release(taken)
            raise
        _release(taken)
        return one

    async def _acquire_in_task(self, limit: float | None) -> Lock | None:
        # on the clock of the task's loop, which need not be that of the system
        left = _time_left(limit, task_parker().clock if limit else monotonic)
        taken: list[Lock] = []
        try:
            for one in self._locks:
                if not await one._acquire_in_task(left()):
                    break
                taken.append(one)
            else:
                return None
        except BaseException:
            _release(taken)
            raise
        _release(taken)
        return one

    def _limit_of(self, blocking: bool, timeout: float | None) -> float | None:
        if blocking and timeout is None:
            return self._timeout
        return timeout_of(blocking, timeout)

    def _failure(self, failed: Lock, start: float) -> AcquireLockFailedException:
        return failed._failure(monotonic() - start if self._timeout else 0.0)


def _time_left(limit: float | None, clock: Callable[[], float]) -> Callable[[], float | None]:
    """What each acquisition may still take: one deadline for all."""
    return Deadline(limit, clock).left if limit else lambda: limit


def _release(locks: list[Lock]) -> None:
    """Release in reverse; go on where one fails, and fail at the end."""
    problem: BaseException | None = None
    for one in reversed(locks):
        try:
            one.release()
        except BaseException as error:
            problem = problem or error
    if problem is not None:
        raise problem
