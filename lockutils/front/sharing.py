"""Handles of locks that several hold at once, or one several times."""

from __future__ import annotations

from lockutils.front.handle import Lock
from lockutils.local.shared_waiters import Level, SharedWaiter
from lockutils.local.waiters import Waiter, snapshot, take_turn
from lockutils.parking import task_checkpoint

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from lockutils.backends.base import Backend
    from lockutils.front.handle import Hold
    from lockutils.local.wait_queue import WaitQueue


#: each one may cost a system call or two of who looks for a free one
MOST_SLOTS = 1_000_000


class Mode:
    """How a lock is held."""

    __slots__ = ("reentrant", "shared", "slots")

    def __init__(self, shared: bool, slots: int, reentrant: bool) -> None:
        """Check that they go together.

        :raises TypeError: if ``slots`` is not an integer
        :raises ValueError: if it is less than 1, or more than 1 and ``shared`` is true
        """
        if isinstance(slots, bool) or not isinstance(slots, int):
            raise TypeError(f"slots must be an int, not {slots!r}")
        if not 1 <= slots <= MOST_SLOTS:
            raise ValueError(f"slots must be from 1 to {MOST_SLOTS}: {slots!r}")
        if shared and slots > 1:
            raise ValueError(f"shared=True does not go with slots={slots}: readers are not counted")
        self.shared = bool(shared)
        self.slots = slots
        self.reentrant = bool(reentrant)


class SharingLock(Lock):
    """A handle of a lock in a mode of its own.

    It may be acquired again before it was released, by the same caller or others, where the
    mode lets them in.  A release ends the latest hold of the caller; of a caller that has
    none, the latest of all, since whoever has the handle may release it.
    """

    __slots__ = ("_mode",)

    def __init__(
        self,
        name: str,
        key: str,
        queue: WaitQueue,
        backend: Backend | None,
        timeout: float | None,
        do_log: bool | str,
        fair: bool,
        mode: Mode,
    ) -> None:
        if backend is not None and not backend.shares and (mode.shared or mode.slots > 1):
            raise ValueError("shared and slots need fcntl for external locks, which is not here")
        super().__init__(name, key, queue, backend, timeout, do_log, fair)
        self._mode = mode

    def _acquire(self, timeout: float | None, scoped: bool = False, *_: Any) -> bool:
        waiter, level = self._how(scoped)
        again = self._acquire_again(waiter, level)
        return again or super()._acquire(timeout, scoped, waiter, level)

    async def _acquire_in_task(self, timeout: float | None, scoped: bool = False, *_: Any) -> bool:
        await task_checkpoint()
        waiter, level = self._how(scoped)
        again = self._acquire_again(waiter, level)
        return again or await super()._acquire_in_task(timeout, scoped, waiter, level)

    def _how(self, scoped: bool) -> tuple[SharedWaiter, Level | None]:
        mode, backend = self._mode, self._backend
        self._queue.mixed = True  # before it is in the queue
        waiter = SharedWaiter(mode.shared, mode.slots, mode.reentrant, backend)
        return waiter, Level(scoped) if mode.reentrant else None

    def _acquire_again(self, wanted: SharedWaiter, level: Level | None) -> bool:
        """Whether the caller has it already and may have it once more, and now does."""
        if level is None:
            return False
        for waiter in self._queue.holders():
            if isinstance(waiter, SharedWaiter) and waiter.covers(wanted):
                hold = take_turn(self._queue, waiter, level)
                try:
                    next(hold)
                    # another thread that has the handle may have released it meanwhile
                    if not waiter.ended:
                        self._holds.append((waiter, hold, 0.0, level))
                        return True
                    next(hold, None)
                except BaseException:
                    self._undo(hold)
                    raise
        return False

    def _try(self, waiter: Waiter, timeout: float | None) -> bool:
        if not waiter.is_next(self._queue):
            return False
        return self._backend is None or self._try_outside(waiter, self._backend, timeout)

    def _latest(self) -> Hold:
        caller = Waiter()
        while True:
            holds = snapshot(self._holds)
            if not holds:
                raise RuntimeError(f"the lock {self.name!r} is released, but not held")
            mine = [hold for hold in holds if hold[0].is_of_same(caller)] or holds
            try:
                self._holds.remove(mine[-1])
            except ValueError:
                continue  # another thread was faster
            return mine[-1]

    def _state(self) -> str:
        return f"held {len(self._holds)} times" if self._holds else "free"
