"""Waiters that hold together: readers, slots; and one that its holder takes several times.

As everywhere, the position in the queue is the truth.  A reader may go in if all before it
are readers, a contender for one of N slots if it is one of the first N.  Whoever may go in
will be allowed to until it leaves, since others only come behind it.

Of those that also need the lock outside of the process one at a time asks for it: the next
does when that one has it.  So a process has one contender outside, whatever the number of its
readers.
"""

from __future__ import annotations

from lockutils.local.waiters import Waiter, snapshot

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeGuard

    from lockutils.local.wait_queue import WaitQueue


class Level:
    """One of the times that a reentrant lock is held by its holder."""

    __slots__ = ("scoped",)

    def __init__(self, scoped: bool) -> None:
        #: whether it is held by ``with``, or by hand; ``None``: it is given up
        self.scoped: bool | None = scoped


class SharedWaiter(Waiter):
    """A place in the queue that may hold together with those next to it."""

    joint = True
    #: whether nobody before it is in the way; once true, it stays so
    may_enter = False
    #: since when it is held, if that is to be told
    acquired_at = 0.0

    def __init__(self, shared: bool, slots: int, reentrant: bool, place: object) -> None:
        super().__init__()
        self.shared = shared
        self.slots = slots
        self.reentrant = reentrant
        self.place = place
        #: how often it is held by its holder
        self.levels: list[Level] = []

    def again(self) -> SharedWaiter:
        return SharedWaiter(self.shared, self.slots, self.reentrant, self.place)

    def is_next(self, queue: WaitQueue) -> bool:
        if self.may_enter:
            return not self.passed
        # A crowd of readers that arrive one after the other need not go through all those
        # before them: if the last one is in, so are they.
        try:
            last, before = queue[-1], queue[-2]
        except IndexError:
            pass
        else:
            # whoever came in between the two steps is held only if all before it may be
            if last is self and before.held and before.shared and self.shared:
                self.may_enter = before.place is not None or self.place is None
                if self.may_enter:
                    return True
        for other in snapshot(queue)[: None if self.shared else self.slots]:
            if other is self:
                self.may_enter = True
                return True
            # one at a time asks outside
            if self.place is not None and other.place is not None and not other.held:
                return False
            if not self._is_like(other):
                return False
        return False

    def _is_like(self, other: Waiter) -> TypeGuard[SharedWaiter]:
        """Whether it may hold at the same time."""
        if self.shared:
            return other.shared
        return self.slots > 1 and other.slots == self.slots

    def wake_run(self, queue: WaitQueue) -> bool:
        contended = False
        for other in snapshot(queue)[: None if self.shared else self.slots]:
            if other is not self and not self._is_like(other):
                break
            if other.held:
                continue
            if other.place is not None:
                if contended:
                    continue
                contended = True
            if not queue.wake(other):
                return False
            # after the wake: one that is interrupted in between can be repeated
            other.may_enter = True
        return True

    def entered(self, queue: WaitQueue) -> None:
        self.held = True
        try:
            if self.place is None or queue[-1] is self:
                return
            # now the next one may ask outside
            while not queue[0].wake_run(queue):
                pass
        except IndexError:
            pass  # in a forked child
        except BaseException:
            # whoever gives up what it has not got does what is missing here
            self.held = False
            raise

    def enter_level(self, queue: WaitQueue, level: object) -> None:
        assert isinstance(level, Level)
        self.levels.append(level)
        if len(self.levels) == 1 and not self.held:
            queue.append(self)

    def leave(self, queue: WaitQueue, level: object) -> None:
        """Leave one level, and the queue with the last."""
        if level is not None:
            try:
                self.levels.remove(level)  # type: ignore[arg-type]
            except ValueError:
                pass  # a second time
        # one step: who takes another level meanwhile, and does not find it ended, has it
        if not self.levels:
            self.ended = True
        if self.ended:
            super().leave(queue, level)

    def is_scoped(self) -> bool:
        if self.reentrant:
            return any(level.scoped for level in snapshot(self.levels))
        return super().is_scoped()

    def covers(self, other: SharedWaiter) -> bool:
        """Whether who has this may have ``other`` at once, as one level more of it."""
        return (
            self.reentrant
            and self.scoped is not None
            and other.place in (None, self.place)
            and self.slots == other.slots
            and (other.shared or not self.shared)
            and self.is_of_same(other)
        )
