"""Handles of locks that several hold at once, or one several times."""

from __future__ import annotations

from lockutils.front.arguments import check_options
from lockutils.front.base import Handle
from lockutils.front.handle import Lock
from lockutils.front.pending import PendingAcquire
from lockutils.local.shared_waiters import Level, SharedWaiter
from lockutils.local.waiters import Waiter, snapshot, take_turn

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from lockutils.front.handle import Hold

#: each one may cost a system call or two of who looks for a free one
MOST_SLOTS = 1_000_000


class SharingLock(Lock):
    """A handle of a lock that is shared, has slots, or is reentrant.

    It may be acquired again before it was released, by the same caller or others, where the
    mode lets them in.  A release ends the latest hold of the caller; of a caller that has
    none, the latest of all, since whoever has the handle may release it.

    :param mode: whether it is shared, the number of slots, and whether it is reentrant
    :param how: as of :class:`Lock`
    :raises TypeError: if ``slots`` is not an integer
    :raises ValueError: if it is less than 1, or more than 1 and ``shared`` is true, or if the
        backend has neither
    """

    __slots__ = ("_mode",)

    def __init__(self, mode: tuple[bool, int, bool], *how: Any) -> None:
        super().__init__(*how)
        shared, slots, reentrant = mode
        check_options(shared=shared, reentrant=reentrant)
        if isinstance(slots, bool) or not isinstance(slots, int):
            raise TypeError(f"slots must be an int, not {slots!r}")
        if not 1 <= slots <= MOST_SLOTS:
            raise ValueError(f"slots must be from 1 to {MOST_SLOTS}: {slots!r}")
        if shared and slots > 1:
            raise ValueError(f"shared=True does not go with slots={slots}: readers are not counted")
        backend = self._backend
        if backend is not None and not backend.shares and (shared or slots > 1):
            raise ValueError("shared and slots need fcntl for external locks, which is not here")
        self._mode = shared, slots, reentrant, backend

    def _how(self) -> tuple[Any, ...]:
        return self._mode[:3], *super()._how()

    _acquire = Handle._acquire

    async def _take(self, timeout: float | None, scoped: bool, by_task: bool) -> Lock | None:
        self._queue.mixed = True  # before it is in the queue
        waiter, level = SharedWaiter(*self._mode), None
        if waiter.reentrant:
            level = Level(scoped)
            if self._take_again(waiter, level):
                return None
        return await PendingAcquire(self, waiter, timeout, scoped, by_task, level).take()

    def _take_again(self, wanted: SharedWaiter, level: Level) -> bool:
        """Whether the caller has it already and may have it once more, and now does."""
        for waiter in self._queue.holders():
            if isinstance(waiter, SharedWaiter) and waiter.covers(wanted):
                hold = take_turn(self._queue, waiter, level)
                try:
                    next(hold)
                    # another thread that has the handle may have released it meanwhile
                    if not waiter.ended:
                        self._holds.append((waiter, hold, waiter.acquired_at, level))
                        return True
                    next(hold, None)
                except BaseException:
                    self._undo(hold, level)
                    raise
        return False

    def _latest(self) -> Hold:
        caller = Waiter()
        while True:
            holds = snapshot(self._holds)
            mine = [hold for hold in holds if hold[0].is_of_same(caller)] or holds
            if not mine:
                raise RuntimeError(f"the lock {self.name!r} is released, but not held")
            try:
                self._holds.remove(mine[-1])
            except ValueError:
                continue  # another thread was faster
            return mine[-1]
