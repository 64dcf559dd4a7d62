"""Turns that hold together: readers, slots; and one that its holder takes several times.

As everywhere, the position in the queue is the truth.  A reader may go in if all before it
are readers, a contender for one of N slots if it is one of the first N.  Whoever may go in
will be allowed to until it leaves, since others only come behind it.

Of those that also need the lock file one at a time asks for it: the next does when that one
has it.  So a process has one contender outside, whatever the number of its readers.
"""

from __future__ import annotations

from lockutils.local.waiters import Waiter, give_up

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Generator, Hashable
    from typing import TypeGuard

    from lockutils.local.waiters import WaitQueue


class SharedWaiter(Waiter):
    """A place in the queue that may hold together with those next to it."""

    joint = True
    #: whether nobody before it is in the way; once true, it stays so
    may_enter = False
    #: whether its last level was released
    ended = False

    def __init__(self, shared: bool, slots: int, reentrant: bool, place: Hashable) -> None:
        super().__init__()
        self.shared = shared
        self.slots = slots
        self.reentrant = reentrant
        #: the lock file, if there is one
        self.place = place
        #: how often it is held by its holder: one object each
        self.levels: list[object] = []

    def is_next(self, queue: WaitQueue) -> bool:
        if self.may_enter:
            return True
        try:
            # one step
            last, before = queue[-1], queue[-2]
        except IndexError:
            pass
        else:
            # A crowd of readers that arrive one after the other need not go through all those
            # before them: if the last one is in, so are they.
            if last is self and before.held and before.shared and self.shared:
                self.may_enter = before.place is not None or self.place is None
                if self.may_enter:
                    return True
        for other in list(queue)[: None if self.shared else self.slots]:
            if other is self:
                self.may_enter = True
                return True
            if not self._goes_with(other):
                return False
        return False

    def _goes_with(self, other: Waiter) -> bool:
        if self.place is not None and other.place is not None and not other.held:
            return False
        return self._is_like(other)

    def _is_like(self, other: Waiter) -> TypeGuard[SharedWaiter]:
        """Whether it may hold at the same time."""
        if self.shared:
            return other.shared
        return self.slots > 1 and other.slots == self.slots

    def wake_run(self, queue: WaitQueue) -> bool:
        contended = False
        for other in list(queue)[: None if self.shared else self.slots]:
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
        if self.place is None or queue[-1] is self:
            return
        try:
            # now the next one may ask outside
            while not queue[0].wake_run(queue):
                pass
        except BaseException:
            # whoever gives up what he has not got does what is missing here
            self.held = False
            raise

    def covers(self, other: SharedWaiter) -> bool:
        """Whether who has this turn may have ``other`` at once, as one level more of it."""
        return (
            self.reentrant
            and self.held
            and other.place in (None, self.place)
            and self.slots == other.slots
            and (other.shared or not self.shared)
            and self.is_of_same(other)
        )


def take_level(queue: WaitQueue, turn: Waiter) -> Generator[None, None, None]:
    """Hold ``turn`` once more at the first step; undo it at the second, and all with the last.

    A generator for the reason that :func:`lockutils.local.waiters.take_turn` has.
    """
    assert isinstance(turn, SharedWaiter)
    level = object()
    try:
        turn.levels.append(level)
        if len(turn.levels) == 1 and not turn.held:
            queue.append(turn)
        yield
    finally:
        try:
            _give_level_up(queue, turn, level)
        except BaseException:
            # as in take_turn: every step of it can be repeated, and several signals may come
            try:
                _give_level_up(queue, turn, level)
            except BaseException:
                _give_level_up(queue, turn, level)
                raise
            raise


def _give_level_up(queue: WaitQueue, turn: SharedWaiter, level: object) -> None:
    try:
        turn.levels.remove(level)
    except ValueError:
        pass  # a second time
    # one step: who takes another level meanwhile, and does not find it ended, has it
    if not turn.levels:
        turn.ended = True
    if turn.ended:
        give_up(queue, turn)
