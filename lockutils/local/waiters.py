"""The in-process turn: a queue of places whose head holds the lock.

The position in the queue is the truth, and it changes in single steps that neither another
thread nor a signal handler can split: ``append`` enters, ``remove`` leaves, and whoever is
first holds.  Waking a waiter is only a hint to look at the queue again.  So nothing here
needs a guard, a place is handed over in strict order, and an exception that arrives at any
instruction leaves one of two states: in the queue, or not.
"""

from __future__ import annotations

import sys

from lockutils.local.caller import current_greenlet, current_task, current_thread, here

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections import deque
    from collections.abc import Generator, Hashable

    from lockutils.backends.base import Claim
    from lockutils.backends.file.waiting import Wait
    from lockutils.local.caller import Thread
    from lockutils.parking.base import Parker
    from lockutils.parking.deadline import Deadline
else:
    from _collections import deque  # the same; collections takes a fifth of the import of it all

_modules = sys.modules


class Waiter:
    """One place in the queue of a key: whose it is, and how to wake him.

    Two turns are equal only if they are the same one: ``remove`` depends on it.
    """

    #: whether others may hold at the same time: see :mod:`lockutils.local.shared_waiters`
    joint = False
    shared = False
    slots = 1
    #: whether it is held; of a turn that is not joint the queue alone says so
    held = False
    #: of a joint turn: the lock file, if there is one
    place: Hashable = None

    __slots__ = ("claim", "greenlet", "parker", "since", "task", "thread", "wait", "waited")

    def __init__(self) -> None:
        #: set before the waiter looks at the queue for the last time and parks
        self.parker: Parker | None = None
        #: what whoever has this turn has, or contends for, outside of the process
        self.claim: Claim | None = None
        #: what has taken over the claim, if it had to be waited for
        self.wait: Wait | None = None
        #: seconds; for the log
        self.waited = self.since = 0.0
        try:
            self.thread: Thread = here.thread  # as current_thread() has it, to spare the call
        except AttributeError:
            self.thread = current_thread()
        self.greenlet = current_greenlet() if "greenlet" in _modules else None
        self.task = current_task() if "asyncio" in _modules or "trio" in _modules else None

    def is_next(self, queue: WaitQueue) -> bool:
        """Whether no other turn of this process is in the way."""
        return queue[0] is self

    def entered(self, queue: WaitQueue) -> None:
        """Called when a turn that is joint is held."""

    def wake_run(self, queue: WaitQueue) -> bool:
        """Wake this, the first, and those behind it that may hold at the same time.

        :return: ``False`` if one of them was dropped, and others may be next now
        """
        return queue.wake(self)

    def stops(self, other: Waiter) -> bool:
        """Whether ``other`` cannot run while the caller blocks its thread or greenthread."""
        return self.thread is other.thread and self.greenlet is other.greenlet

    def is_of_same(self, other: Waiter) -> bool:
        """Whether both are of one and the same thread, greenthread or task."""
        return self.stops(other) and self.task is other.task


def take_turn(queue: WaitQueue, turn: Waiter) -> Generator[None, None, None]:
    """Enter ``queue`` at the first step; undo whatever ``turn`` has at the second.

    A generator for one property: it cannot be left but through its ``finally``.  A signal
    handler may raise at the entry of any Python function, so that an ``__exit__`` or
    ``__del__`` is skipped as a whole, and the lock is held for ever.  A generator that goes on
    is inside its ``try`` already, and one that is dropped is closed by the interpreter.
    """
    try:
        queue.append(turn)
        yield
    finally:
        try:
            give_up(queue, turn)
        except BaseException:
            # Every step of it can be repeated, and none may be left out.  More signals than one
            # may have come while the process had no core, or was stopped.
            try:
                give_up(queue, turn)
            except BaseException:
                give_up(queue, turn)
                raise
            raise


def give_up(queue: WaitQueue, turn: Waiter) -> None:
    try:
        if turn.wait is not None:
            turn.wait.release()
        elif turn.claim is not None:
            turn.claim.release()
    finally:
        try:
            queue.remove(turn)
        except ValueError:
            pass  # a second time, or in a forked child, which has none of its parent's turns
        # A wake-up too many is harmless, one too few is a hang.
        if queue:
            queue.wake_next(turn)


class WaitQueue(deque[Waiter]):
    """The turns of one key, holder first, waiters behind it in the order they came."""

    __slots__ = ()

    # identity, as for any lock; a deque would compare its content
    __hash__ = object.__hash__  # type: ignore[assignment]
    __eq__ = object.__eq__
    __ne__ = object.__ne__

    def forget_parent(self) -> None:
        """In a forked child: whoever held or waited does so in the parent alone."""
        self.clear()

    def wake_next(self, gone: Waiter) -> None:
        """Wake who may be next, now that ``gone`` has left the queue."""
        while True:
            try:
                first = self[0]
            except IndexError:
                return
            if not first.joint:
                if self.wake(first):
                    return
            elif first.held and gone.shared and gone.held:
                return  # one reader less: for readers nothing has changed, and others still wait
            elif first.wake_run(self):
                return

    def wake(self, turn: Waiter) -> bool:
        """Wake the waiter of ``turn``; drop it if its event loop is gone and can never run it."""
        parker = turn.parker
        # without a parker it has not begun to wait, and will look before it does
        if parker is None or parker.wake():
            return True
        try:
            self.remove(turn)
        except ValueError:
            pass  # it has left by itself
        return False

    def holders(self) -> list[Waiter]:
        """Return the turns that hold; one may be just about to get the lock, or to let go."""
        try:
            first = self[0]
        except IndexError:
            return []
        return [turn for turn in list(self) if turn.held] if first.joint else [first]

    def waits_for_itself(self, turn: Waiter, *, by_task: bool) -> bool:
        """Whether ``turn`` waits for something that the waiter itself keeps from running.

        :param by_task: the waiter suspends its task; else it blocks its thread or greenthread
        """
        if self[0] is turn:
            return False
        if by_task or turn.task is None:
            before = [other for other in self.holders() if other is not turn]
        else:
            # A task that blocks its thread also stops the tasks of the same loop that wait
            # before it, although none of them holds the lock yet.
            before = list(self)[: self.index(turn)]
        if by_task:
            mine = [turn.task is not None and turn.task is other.task for other in before]
        else:
            mine = [turn.stops(other) for other in before]
        return sum(mine) >= turn.slots

    async def wait_for(self, turn: Waiter, parker: Parker, deadline: Deadline) -> bool:
        """Wait until ``turn`` is first.  The caller takes it out again if this fails.

        :return: whether it is first; ``False`` when the deadline passed before
        """
        turn.parker = parker
        try:
            while not turn.is_next(self):
                if not await parker.park(deadline):
                    return turn.is_next(self)
        finally:
            turn.parker = None
        return True
