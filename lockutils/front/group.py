"""Several locks as one: all of them or none."""

from __future__ import annotations

from itertools import repeat
from time import monotonic

from lockutils.backends.file.naming import key_of, name_of
from lockutils.front.arguments import check_options
from lockutils.front.base import Handle
from lockutils.front.lock import lock
from lockutils.parking import task_parker
from lockutils.parking.deadline import Deadline, limit_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

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
    they list the names, so that two callers cannot wait for each other.  If one cannot be
    acquired, those that were taken before are released.

    :param names: as the name of a :func:`lock`; a name that comes twice counts once.
        Without a name nothing is acquired
    :param timeout: how long to wait for all of them together, in seconds

    The other parameters are those of :func:`lock`, for each of the names, and so are the
    exceptions.

    :raises TypeError: if ``names`` is a single string, or has what no lock can be named by
    """
    if isinstance(names, (str, bytes)):
        raise TypeError(f"names must be several names, not the one name {names!r}")
    limit = limit_of(blocking, timeout)
    check_options(external=external, fair=fair, shared=shared, reentrant=reentrant)
    where = lock_file_prefix, external, lock_path
    how = semaphores, delay, fair, blocking
    modes: dict[str, Any] = {
        "timeout": timeout,
        "shared": shared,
        "slots": slots,
        "reentrant": reentrant,
    }
    # a decorated function has a template for each of them
    whose: Iterable[Any] = getattr(do_log, "each", None) or repeat(do_log)
    by_key = {
        key_of(name, lock_file_prefix): (name, *where, by, *how)
        for name, by in zip(map(name_of, names), whose, strict=False)
    }
    return LockGroup([lock(*by_key[key], **modes) for key in sorted(by_key)], limit)


class LockGroup(Handle):
    """A handle of several locks.  Made by :func:`lockutils.lock_all`.

    As with a :class:`Lock`, whoever has the handle may release it, and a handle that is dropped
    while it holds releases the locks.
    """

    __slots__ = ("_locks",)

    def __init__(self, locks: list[Lock], timeout: float | None) -> None:
        """Take over ``locks``, which nobody else uses, in the order to acquire them."""
        super().__init__(timeout)
        self._locks = locks

    @property
    def names(self) -> list[str]:
        """The names, each once, in the order in which the locks are taken."""
        return [one.name for one in self._locks]

    def release(self) -> None:
        """Release all of the locks.

        :raises RuntimeError: if they are not held; those that are, are released all the same
        """
        _release(self._locks)

    def locked(self) -> bool:
        """Return whether anybody holds any of the locks at the moment.  See :meth:`Lock.locked`."""
        return any(one.locked() for one in self._locks)

    def hand_to_child(self) -> None:
        """Move the holds to the child of the next fork, as :meth:`Lock.hand_to_child`."""
        for one in self._locks:
            one.hand_to_child()

    def __copy__(self) -> LockGroup:
        return type(self)([one.__copy__() for one in self._locks], self._timeout)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._locks, self._timeout)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.names!r}>"

    async def _take(self, timeout: float | None, scoped: bool, by_task: bool) -> Lock | None:
        # one deadline for all, on the clock of the task's loop, which may not be the system's
        deadline = timeout and Deadline(timeout, task_parker().clock if by_task else monotonic)
        taken: list[Lock] = []
        try:
            for one in self._locks:
                left = deadline.left() if deadline else timeout
                if by_task:
                    missing = await one._take(left, scoped, True)
                else:
                    missing = one._acquire(left, scoped)
                if missing is not None:
                    break
                taken.append(one)
            else:
                return None
        except BaseException:
            _release(taken)
            raise
        _release(taken)
        return missing


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
