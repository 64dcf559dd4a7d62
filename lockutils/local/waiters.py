"""The in-process queue of a key: whoever is first in it holds the lock.

The position in the queue is the truth.  It changes in single steps that neither another thread
nor a signal handler can split: ``append`` enters, ``remove`` leaves, a slice copies.  Each of
them is one call into C on one list, which compares the waiters by identity alone.  Waking a
waiter is only a hint to look at the queue again.  So nothing here needs a guard, a place is
handed over in strict order, and an exception that arrives at any instruction leaves one of two
states: in the queue, or not.

A waiter that cannot run must not stop those behind it.  It is *passed*: taken out of the queue
for good.  If it does run again, it notices and enters again, with a new :class:`Waiter`, right
behind the holder.  Its token decides between the two: the waiter pops it to commit itself to
the lock, and whoever passes the waiter pops it before.
"""

from __future__ import annotations

import sys
from time import monotonic
from weakref import ref

from lockutils.local.caller import (
    current_greenlet,
    current_task,
    current_thread,
    has_finished,
    here,
)
from lockutils.local.watcher import watch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from typing import TypeVar

    from lockutils.backends.base import Request
    from lockutils.local.caller import Thread
    from lockutils.parking.base import Parker

    T = TypeVar("T")

_modules = sys.modules

#: copies a list in one step: without the GIL, and where the collector may run in the middle of
#: it and a finaliser change the list, which a slice does not take well
snapshot: Callable[[list[T]], list[T]] = list.copy if sys.version_info >= (3, 12) else list

#: seconds that a waiter whose loop or hub does not run may be first before it is passed
PATIENCE = 0.1


class Waiter:
    """One place in the queue of a key: whose it is, what it has, and how to wake its owner.

    Two waiters are equal only if they are the same one: ``remove`` depends on it.
    """

    #: whether others may hold at the same time: see :mod:`lockutils.local.shared_waiters`
    joint = False
    shared = False
    slots = 1
    #: whether it is held; set for a joint waiter alone
    held = False
    #: of a joint waiter: where the lock is shared with other processes
    place: object = None

    __slots__ = (
        "__weakref__",
        "greenlet",
        "parker",
        "passed",
        "request",
        "scoped",
        "task",
        "thread",
        "token",
        "woken",
    )

    #: with one item, until the waiter commits itself to the lock, or is passed; set before parker
    token: list[None]
    #: since when it is woken and has not run, where a loop or hub must run it; set before parker
    woken: float

    def __init__(self) -> None:
        #: set before the waiter looks at the queue for the last time and parks
        self.parker: Parker | None = None
        #: what contends for the lock, or holds it, outside of the process
        self.request: Request | None = None
        #: whether others took it out of the queue
        self.passed = False
        #: whether the lock is held by ``with``, or by hand; ``None``: not yet, or not any more
        self.scoped: bool | None = None
        try:
            self.thread: Thread = here.thread  # as current_thread() has it, to spare the call
        except AttributeError:
            self.thread = current_thread()
        self.greenlet = current_greenlet() if "greenlet" in _modules else None
        self.task = current_task() if "asyncio" in _modules or "trio" in _modules else None

    def again(self) -> Waiter:
        """Return a new waiter that asks for the same."""
        return Waiter()

    def is_next(self, queue: WaitQueue) -> bool:
        """Whether no other waiter of this process is in the way."""
        try:
            return queue[0] is self
        except IndexError:  # it was passed
            return False

    def is_passed(self) -> bool:
        """Whether others took it out; called by its owner once it has a token."""
        return self.passed or not self.token

    def commit(self) -> bool:
        """Become the holder, past recall; ``False`` if it was passed before."""
        try:
            self.token.pop()
        except IndexError:
            return False
        return True

    def entered(self, queue: WaitQueue) -> None:
        """Called when a waiter that is joint holds the lock."""

    def wake_run(self, queue: WaitQueue) -> bool:
        """Wake this, the first, and those behind it that may hold at the same time.

        :return: ``False`` if one of them was dropped, and others may be next now
        """
        return queue.wake(self)

    def is_scoped(self) -> bool:
        """Whether a ``with`` holds the lock: nobody but its owner can release it."""
        return self.scoped is True

    def enter_level(self, queue: WaitQueue, level: object) -> None:
        raise NotImplementedError

    def leave(self, queue: WaitQueue, level: object) -> None:
        """Release the lock, or stop waiting.  Each step of it can be repeated."""
        self.scoped = None
        try:
            if self.request is not None:
                self.request.cancel()
        finally:
            try:
                queue.remove(self)
            except ValueError:
                pass  # a second time, or it was passed, or it is the parent's, in a forked child
            # A wake-up too many is harmless, one too few is a hang.
            if queue:
                queue.wake_next(self)

    def stops(self, other: Waiter) -> bool:
        """Whether ``other`` cannot run while the caller blocks its thread or greenthread."""
        return self.thread is other.thread and self.greenlet is other.greenlet

    def is_of_same(self, other: Waiter) -> bool:
        """Whether both are of one and the same thread, greenthread or task."""
        return self.stops(other) and self.task is other.task

    def waits_for_itself(self, other: Waiter, *, by_task: bool) -> bool:
        """Whether the holder ``other`` cannot go on while this one waits.

        :param by_task: this one suspends its task; else it blocks its thread or greenthread
        """
        if not (other.is_scoped() and self.stops(other)):
            return False
        if other.task is None:
            return True  # below the event loop, if there is one
        if by_task:
            return self.task is other.task
        return not has_finished(other.task)


def take_turn(
    queue: WaitQueue, waiter: Waiter, level: object = None, returns: bool = False
) -> Generator[None, None, None]:
    """Enter ``queue`` at the first step; undo whatever ``waiter`` has at the second.

    A generator for one property: it cannot be left but through its ``finally``.  A signal
    handler may raise at the entry of any Python function, so that an ``__exit__`` or
    ``__del__`` is skipped as a whole, and the lock is held for ever.  A generator that goes on
    is inside its ``try`` already, and one that is dropped is closed by the interpreter.

    :param level: of a reentrant lock, the level to enter and to leave
    :param returns: the waiter was passed before, and does not go to the end of the queue
    """
    try:
        if level is not None:
            waiter.enter_level(queue, level)
        elif returns:
            queue.enter_again(waiter)
        else:
            queue.append(waiter)
        yield
    finally:
        try:
            waiter.leave(queue, level)
        except BaseException:
            # Every step of it can be repeated, and none may be left out.  More signals than one
            # may have come while the process had no core, or was stopped.
            try:
                waiter.leave(queue, level)
            except BaseException:
                waiter.leave(queue, level)
                raise
            raise


class WaitQueue(list[Waiter]):
    """The waiters of one key: the holder first, the others in the order they came."""

    #: whether some of them may hold together, or they came to this process by a fork: then
    #: whoever was passed comes to the end of the queue
    mixed = False
    #: what runs the waiters that have parked: the identities of loops and hubs; 0 for threads
    kinds: set[int] | frozenset[int] = frozenset()

    # identity, as for any lock; a list would compare its content
    __hash__ = object.__hash__  # type: ignore[assignment]
    __eq__ = object.__eq__
    __ne__ = object.__ne__

    def first(self) -> Waiter | None:
        try:
            return self[0]
        except IndexError:
            return None

    def enter_again(self, waiter: Waiter) -> None:
        """Enter near the front, and never before somebody who holds or may hold already."""
        if not self.mixed:
            self.insert(1, waiter)
            # Whoever may hold with others says that they are mixed before it enters: then it
            # is behind this one, or this one sees it here.
            if not self.mixed:
                return
            try:
                self.remove(waiter)
            except ValueError:
                pass  # passed, by a signal handler
        self.append(waiter)
        self.wake_next(waiter)

    def wake_next(self, gone: Waiter) -> None:
        """Wake who may be next, now that ``gone`` has left the queue."""
        while True:
            first = self.first()
            if first is None:
                return
            if not first.joint:
                if self.wake(first):
                    return
            elif first.held and gone.shared and gone.held:
                return  # one reader less: for readers nothing has changed, and others still wait
            elif first.wake_run(self):
                return

    def wake(self, waiter: Waiter, *, granted: bool = False) -> bool:
        """Have ``waiter`` look at the queue; drop it if nothing can ever run it.

        :param granted: it holds the lock outside of the process, where others wait for it
        """
        parker = waiter.parker
        if parker is None:
            return True  # it has not begun to wait, and will look before it does
        if parker.loop is not None:
            if not waiter.woken:
                waiter.woken = monotonic()
            if granted or len(self.kinds) > 1:
                watch(self, waiter)
        return _wake(parker) or not self.pass_by(waiter)

    def pass_by(self, waiter: Waiter) -> bool:
        """Take out a waiter that cannot run; ``False`` if it has the lock by now.

        The caller wakes the next one.
        """
        if not waiter.commit():
            return False
        self._drop(waiter)
        return True

    def _drop(self, waiter: Waiter) -> None:
        waiter.passed = True
        try:
            if waiter.request is not None:
                waiter.request.cancel()
        finally:
            try:
                self.remove(waiter)
            except ValueError:
                pass  # it has left by itself
        if waiter.parker is not None:
            _wake(waiter.parker)  # it enters again, if it can run after all

    def arrive(self, waiter: Waiter, parker: Parker, *, by_task: bool) -> None:
        """Look at those before ``waiter``, which is about to park, and pass who cannot run."""
        kinds: set[int] = self.__dict__.setdefault("kinds", set())
        kinds.add(0 if parker.loop is None else id(parker.loop))
        if not by_task:
            self._pass_below(waiter)
        first = self.first()
        if first is None:
            return
        for other in snapshot(self) if first.joint else (first,):
            if other is waiter:
                break
            if not other.held:
                woken_parker = other.parker
                if woken_parker is None or not other.woken:
                    break
                if woken_parker.loop is not parker.loop:
                    self.look_at(other)

    def look_at(self, waiter: Waiter) -> None:
        """Pass a waiter that was woken if it is dead, or has not run for too long."""
        since = waiter.woken
        if not since or not waiter.token:
            return  # it has run
        parker = waiter.parker
        if parker is None or (len(self) == 1 and waiter.request is None):
            return  # nobody waits for it; whoever arrives looks
        if _wake(parker) and monotonic() - since <= PATIENCE:
            watch(self, waiter)
        elif self.pass_by(waiter):
            self.wake_next(waiter)

    def _pass_below(self, waiter: Waiter) -> None:
        """Pass those who cannot run while ``waiter`` blocks its thread or greenthread.

        It is a signal handler, a finaliser or a callback of an event loop, and interrupts an
        acquisition or a release of its own thread; or it is a task, and others of its loop wait.
        They do not run while this does, whatever they are about to do.
        """
        thread, greenlet = waiter.thread, waiter.greenlet
        for other in snapshot(self):
            # waiter.stops(other), inlined: there may be thousands of greenthreads
            if other.greenlet is not greenlet or other.thread is not thread:
                continue
            if other.scoped is None and other is not waiter:
                if other.parker is not None:
                    other.commit()
                self._drop(other)
                self.wake_next(other)

    def holders(self) -> list[Waiter]:
        """Return the waiters that hold the lock."""
        return [waiter for waiter in snapshot(self) if waiter.scoped is not None]

    def waits_for_itself(self, waiter: Waiter, *, by_task: bool) -> bool:
        """Whether ``waiter`` waits for what only its own owner can release, and so never will."""
        first = self.first()
        others = [] if first is None else [first]
        if first is not None and first.joint:
            others = snapshot(self)
            if waiter.is_next(self):  # what it waits for is outside of the process
                others = [other for other in others if other.place is not None]
        mine = [
            other
            for other in others
            if other is not waiter and waiter.waits_for_itself(other, by_task=by_task)
        ]
        return len(mine) >= waiter.slots

    def forget_parent(self) -> None:
        """In a forked child: whoever held does so in the parent alone.

        Of those who waited, the child has the ones of the thread that forked: they enter again.
        """
        self.mixed = True
        waiters = snapshot(self)
        self.clear()
        thread = current_thread()
        for waiter in waiters:
            if waiter.thread is thread and waiter.scoped is None:
                waiter.passed = True
                if waiter.parker is not None:
                    _wake(waiter.parker)


def granted(queue: ref[WaitQueue], waiter: ref[Waiter]) -> bool:
    """Called when the request of a waiter that has parked was granted, or failed.

    :return: ``False`` if the waiter can never run again
    """
    where, who = queue(), waiter()
    if where is None or who is None:
        return False
    if where.wake(who, granted=True):
        return True
    where.wake_next(who)
    return False


def _wake(parker: Parker) -> bool:
    try:
        parker.wake()
    except Exception:  # of a loop or hub that is gone, or half gone; it must not stop a release
        return False
    return True
