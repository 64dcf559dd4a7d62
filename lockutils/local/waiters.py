"""One place in the queue of a key, and how to enter and leave it.

A waiter that cannot run must not stop those behind it.  It is *passed*: taken out of the queue
for good.  If it does run again, it notices and enters again, with a new :class:`Waiter`, right
behind the holder.  Its token decides between the two: the waiter pops it to commit itself to
the lock, and whoever passes the waiter pops it before.
"""

from __future__ import annotations

import os
import sys
from _warnings import warn  # the same as warnings', which takes time to import

from lockutils.errors import Holder
from lockutils.local.caller import (
    current_greenlet,
    current_task,
    current_thread,
    has_finished,
    here,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from typing import TypeVar

    from lockutils.backends.base import Request
    from lockutils.local.caller import Thread
    from lockutils.local.shared_waiters import Level
    from lockutils.local.wait_queue import WaitQueue
    from lockutils.observe.events import Event
    from lockutils.parking.base import Parker

    T = TypeVar("T")

_modules = sys.modules

#: copies a list in one step: without the GIL, and where the collector may run in the middle of
#: it and a finaliser change the list, which a slice does not take well
snapshot: Callable[[list[T]], list[T]] = list.copy if sys.version_info >= (3, 12) else list


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
    #: of one with levels: whether the last was released
    ended = False
    #: of a joint waiter: where the lock is shared with other processes
    place: object = None

    __slots__ = (
        "__weakref__",
        "greenlet",
        "parker",
        "passed",
        "request",
        "scoped",
        "since",
        "task",
        "thread",
        "token",
        "told",
        "woken",
    )

    #: with one item, until the waiter commits itself to the lock, or is passed; set before parker
    token: list[None]
    #: what was told of the acquisition; set by whoever told it
    told: Event
    #: since when it is woken and has not run, where a loop or hub must run it; set before parker
    woken: float
    #: seconds since the epoch: when it began to wait, or when it had waited and acquired the lock;
    #: set of one that waits, and for no other's cost
    since: float

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
            self.thread: Thread = here.thread  # what current_thread() returns, to spare the call
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

    @property
    def mode(self) -> str:
        """How it holds the lock or asks for it: ``exclusive``, ``shared`` or ``slots``."""
        return "shared" if self.shared else "slots" if self.slots > 1 else "exclusive"

    def as_holder(self) -> Holder:
        """Return who this is, with the names of its thread and of its task if it has one."""
        task = None if self.task is None else self.task()
        name = None
        if task is not None:
            name = task.get_name() if hasattr(task, "get_name") else getattr(task, "name", "?")
        since = getattr(self, "since", None)
        return Holder(os.getpid(), thread=self.thread.name, task=name, since=since, mode=self.mode)

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
    queue: WaitQueue, waiter: Waiter, level: Level | None = None, returns: bool = False
) -> Generator[None, None, None]:
    """Enter ``queue`` at the first step; undo whatever ``waiter`` has at the second.

    A generator for one property: it cannot be left but through its ``finally``.  A signal
    handler may raise at the entry of any Python function, so that an ``__exit__`` or
    ``__del__`` is skipped as a whole, and the lock is never released.  A generator that goes on
    is inside its ``try`` already, and one that is dropped is closed by the interpreter.

    :param level: of a reentrant lock, the level to enter and to leave
    :param returns: the waiter was passed before, and does not go to the end of the queue
    """
    dropped = None
    try:
        if level is not None:
            waiter.enter_level(queue, level)
        elif returns:
            queue.enter_again(waiter)
        else:
            queue.append(waiter)
        yield
    except GeneratorExit:
        # acquired, by hand or not, and not undone; a forked child drops what is its parent's
        dropped = (level or waiter).scoped if waiter in queue else None
        raise
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
        if dropped is not None:
            _after_drop(queue, waiter, level, dropped)


def _after_drop(queue: WaitQueue, waiter: Waiter, level: Level | None, scoped: bool) -> None:
    """Tell that the last reference to a handle that held was dropped, and where."""
    if sys.is_finalizing():
        return  # to hold until the process ends is no slip
    _modules["lockutils.observe"].ended(waiter, level)
    if scoped:
        return  # what an exception of a signal handler has left behind
    registries = _modules["lockutils.local.registry"].registries_of_names()
    found = [key for one in registries for key, its in one.items() if its is queue]
    name = f" {found[0]!r}" if found else ""
    warn(
        f"a handle of the lock{name} was dropped while it held: keep it until it is released",
        ResourceWarning,
        stacklevel=3,
    )
