"""The in-process queue of a key: whoever is first in it holds the lock.

The position in the queue is the truth.  It changes in single steps that neither another thread
nor a signal handler can split: ``append`` enters, ``remove`` leaves, ``snapshot`` copies.  Each of
them is one call into C on one list, which compares the waiters by identity alone.  Waking a
waiter is only a hint to look at the queue again.  So nothing here needs a guard, a place is
handed over in strict order, and an exception that arrives at any instruction leaves one of two
states: in the queue, or not.
"""

from __future__ import annotations

from time import monotonic

from lockutils.local.caller import current_thread
from lockutils.local.waiters import Waiter, snapshot
from lockutils.local.watcher import watch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from weakref import ref

    from lockutils.parking.base import Parker

#: seconds that a waiter whose loop or hub does not run may be first before it is passed
PATIENCE = 0.1


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
        while (first := self.first()) is not None:
            if first.held and gone.shared and gone.held:
                return  # one reader less: for readers nothing has changed, and others still wait
            if first.wake_run(self):
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

    def waits_for_itself(self, waiter: Waiter, *, by_task: bool) -> Waiter | None:
        """Return the holder that cannot release what ``waiter`` waits for, while it waits."""
        first = self.first()
        if first is None:
            return None
        others = snapshot(self) if first.joint else [first]
        if waiter.is_next(self):  # what it waits for is outside of the process
            others = [other for other in others if other.place is not None]
        mine = [
            other
            for other in others
            if other is not waiter and waiter.waits_for_itself(other, by_task=by_task)
        ]
        return mine[-1] if len(mine) >= waiter.slots else None

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
