"""Handles of locks that several hold at once, or one several times."""

from __future__ import annotations

from lockutils.backends import SHARES, SharedClaim, SlotClaim
from lockutils.front.handle import Lock
from lockutils.local.shared_waiters import SharedWaiter, take_level
from lockutils.local.waiters import Waiter, take_turn
from lockutils.parking import task_checkpoint

TYPE_CHECKING = False
if TYPE_CHECKING:
    from types import TracebackType

    from lockutils.backends.base import Claim
    from lockutils.backends.file.directory import Directory
    from lockutils.front.handle import Taking
    from lockutils.local.waiters import WaitQueue


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

    __slots__ = ("_holds", "_mode")

    def __init__(
        self,
        name: str,
        key: str,
        queue: WaitQueue,
        directory: Directory | None,
        limit: float | None,
        do_log: bool | str,
        fair: bool,
        mode: Mode,
    ) -> None:
        if directory is not None and not SHARES and (mode.shared or mode.slots > 1):
            raise ValueError("shared and slots need fcntl for external locks, which is not here")
        super().__init__(name, key, queue, directory, limit, do_log, fair)
        self._mode = mode
        #: in the order in which they were acquired
        self._holds: list[_Hold] = []

    def _acquire(self, limit: float | None, *_: object) -> bool:
        hold = _Hold(self)
        try:
            if not hold.acquire_again() and not hold._acquire(limit, *hold.how()):
                return False
            self._holds.append(hold)
            return True
        except BaseException:
            self._drop(hold)
            raise

    async def _acquire_in_task(self, limit: float | None, *_: object) -> bool:
        await task_checkpoint()
        hold = _Hold(self)
        try:
            if not hold.acquire_again() and not await hold._acquire_in_task(limit, *hold.how()):
                return False
            self._holds.append(hold)
            return True
        except BaseException:
            self._drop(hold)
            raise

    def _drop(self, hold: _Hold) -> None:
        if hold in self._holds:
            self._holds.remove(hold)
        if hold._hold is not None:
            hold._undo(hold._hold)

    def release(self) -> None:
        self._latest().release()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._latest().__exit__(kind, error, traceback)

    def _latest(self) -> _Hold:
        """Take out the hold that is to be released."""
        caller = Waiter()
        while True:
            holds = list(self._holds)
            if not holds:
                raise RuntimeError(f"the lock {self.name!r} is released, but not held")
            mine = [hold for hold in holds if hold.is_of(caller)] or holds
            try:
                self._holds.remove(mine[-1])
            except ValueError:
                continue  # another thread was faster
            return mine[-1]

    def hand_to_children(self) -> None:
        for hold in self._holds or [_Hold(self)]:
            hold.hand_to_children()

    def __repr__(self) -> str:
        where = "" if self._directory is None else f" in {self._directory}"
        state = f"held {len(self._holds)} times" if self._holds else "free"
        return f"<Lock {self.name!r}{where}, {state}>"


class _Hold(Lock):
    """One hold of a handle, or the wait for it."""

    __slots__ = ("_mode",)

    def __init__(self, of: SharingLock) -> None:
        where = of._queue, of._directory
        super().__init__(of.name, of._key, *where, of._limit, of._do_log, of._fair)
        self._mode = of._mode

    def is_of(self, caller: Waiter) -> bool:
        turn = self._turn
        return turn is not None and turn.is_of_same(caller)

    def acquire_again(self) -> bool:
        """Whether the caller has it already and may have it once more, and now does."""
        if not self._mode.reentrant:
            return False
        wanted = self._new_turn()
        for turn in self._queue.holders():
            if isinstance(turn, SharedWaiter) and turn.covers(wanted):
                hold = take_level(self._queue, turn)
                try:
                    next(hold)
                    # another thread that has the handle may have released it meanwhile
                    if not turn.ended:
                        self._turn, self._hold = turn, hold
                        return True
                    next(hold, None)
                except BaseException:
                    self._undo(hold)
                    raise
        return False

    def how(self) -> tuple[Waiter, Taking]:
        """The turn to acquire, and what takes it."""
        return self._new_turn(), take_level if self._mode.reentrant else take_turn

    def _new_turn(self) -> SharedWaiter:
        mode, directory = self._mode, self._directory
        place = None if directory is None else directory.path
        return SharedWaiter(mode.shared, mode.slots, mode.reentrant, place)

    def _new_claim(self, directory: Directory) -> Claim:
        mode = self._mode
        if mode.shared:
            return SharedClaim(self._key, directory, self._fair)
        if mode.slots > 1:
            return SlotClaim(self._key, directory, self._fair, mode.slots)
        return super()._new_claim(directory)

    def _try(self, turn: Waiter, limit: float | None) -> bool:
        if not turn.is_next(self._queue):
            return False
        directory = self._directory
        if directory is not None and not self._try_outside(turn, directory, limit):
            return False
        turn.entered(self._queue)
        return True

    async def _wait(self, turn: Waiter, limit: float | None, *, by_task: bool) -> bool:
        if not await super()._wait(turn, limit, by_task=by_task):
            return False
        turn.entered(self._queue)
        return True
