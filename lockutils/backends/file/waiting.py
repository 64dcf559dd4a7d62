"""Waiting for a claim: asleep in the kernel where that can be, in small steps where not.

A native thread without a time-out sleeps in the claim itself.  For any other waiter an
*errand* does, in a helper thread, and wakes the waiter by its parker.  The kernel gives no
way to call a helper back (Python repeats a system call after EINTR, PEP 475).  So an errand
whose waiter gave up goes on: the next waiter for the same thing takes it over, or else it
lets go at once of what it gets.  This way a process has one sleeping helper at most for each
thing it ever waited for, however often it gave up.
"""

from __future__ import annotations

import os

from lockutils.parking import helpers
from lockutils.parking.deadline import Deadline
from lockutils.parking.native import allocate_lock
from lockutils.parking.on_thread import ThreadParker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable

    from lockutils.backends.base import Claim
    from lockutils.parking.base import Parker

#: seconds between two tries where nothing can wake us: doubled from the first to the last
_FIRST_PAUSE = 0.001
_LAST_PAUSE = 0.064

#: seconds to give to a waiter that has been woken and is about to take the lock, each time it
#: has not taken it yet and all together; it may be stopped
_INSTANT = 0.00005
_PATIENCE = 0.1

#: errands that nobody waits for, by what they wait for
_abandoned: dict[Hashable, Errand] = {}


class Wait:
    """One waiter's wait for a claim, and then its hold of it."""

    __slots__ = ("_claim", "_errand", "_waiter")

    def __init__(self, claim: Claim, waiter: Parker) -> None:
        """Take over ``claim``, after a try of it failed: only this may release it now."""
        self._claim = claim
        self._waiter = waiter
        self._errand: Errand | None = None

    @property
    def claim(self) -> Claim:
        """The claim that is held, which may be another one for the same thing."""
        return self._claim if self._errand is None else self._errand.claim

    async def until_held(self, deadline: Deadline) -> bool:
        """Wait until the lock is held.

        Whatever comes of it, :meth:`release` is still to be called.

        :return: ``False`` when the deadline passed before
        :raises LockPathError: if the lock cannot be used
        """
        claim, waiter = self._claim, self._waiter
        if claim.others_go_first():
            if await _step_back(claim, waiter, deadline):
                return True
            if deadline.left() == 0.0:
                return False
        claim.line_up()
        if not claim.can_block:
            return await _poll(claim, waiter, deadline)
        errand = self._errand = _abandoned.pop(claim.resource, None)
        if errand is not None:
            if errand.adopt(self, claim):
                return await errand.end(waiter, deadline)
            self._errand = None
        if deadline.left() is None and isinstance(waiter, ThreadParker):
            return claim.block()
        errand = self._errand = Errand(claim, self)
        try:
            helpers.run(errand.run)
        except helpers.NoHelper:
            self._errand = None
            return await _poll(claim, waiter, deadline)
        return await errand.end(waiter, deadline)

    def wake(self) -> bool:
        return self._waiter.wake()

    def release(self) -> None:
        """Let go of what is held, or leave the errand that goes on to itself."""
        errand = self._errand
        if errand is not None:
            errand.leave(self)
        if errand is None or errand.claim is not self._claim:
            self._claim.release()


class Errand:
    """A helper's wait for a claim, on behalf of one waiter at a time.

    The guard is between the helper and the waiter; it is never held across a wait.
    """

    __slots__ = ("_done", "_error", "_guard", "_pid", "_started", "_wait", "claim")

    def __init__(self, claim: Claim, wait: Wait) -> None:
        self.claim = claim
        self._pid = os.getpid()
        self._guard = allocate_lock()
        self._wait: Wait | None = wait
        self._started = False
        self._done = False
        self._error: BaseException | None = None

    def run(self) -> None:
        """What the helper does."""
        with self._guard:
            if self._wait is None:
                return  # given up before it began
            self._started = True
        while True:
            error, held = None, False
            try:
                held = self.claim.block()
            except BaseException as raised:
                error = raised
            with self._guard:
                wait = self._wait
                if wait is not None and not held and error is None:
                    continue  # it was given up, and adopted meanwhile
                self._done = True
                self._error = error
                if wait is None and _abandoned.get(self.claim.resource) is self:
                    _abandoned.pop(self.claim.resource, None)
                break
        # a waiter whose event loop is closed will never take what it waited for
        if wait is None or not wait.wake():
            self.claim.release()

    def adopt(self, wait: Wait, claim: Claim) -> bool:
        """Go on for ``wait`` in place of its ``claim``; ``False`` if it is over already."""
        with self._guard:
            if self._done or not self.claim.take_over(claim):
                return False
            self._wait = wait
            return True

    async def end(self, waiter: Parker, deadline: Deadline) -> bool:
        """Wait for the end of the errand; ``False`` when the deadline passed before."""
        while not self._done:
            if not await waiter.park(deadline) and not self._done:
                return False
        if self._error is not None:
            raise self._error
        return True

    def leave(self, wait: Wait) -> None:
        """Have nothing more to do with ``wait``: release its claim, or go on for nobody."""
        if self._pid != os.getpid():  # the parent's, and perhaps its guard is in use for ever
            return
        with self._guard:
            if self._wait is not wait:
                return  # left before
            # Each step can be repeated, and the last one says that it is over: whoever is
            # interrupted in the middle of it begins again.
            if self._done or not self._started:
                self.claim.release()
            else:
                self.claim.stand_aside()
                _abandoned[self.claim.resource] = self
            self._wait = None


async def _step_back(claim: Claim, waiter: Parker, deadline: Deadline) -> bool:
    """Let another waiter have the lock that is free.

    :return: whether the caller has it all the same: there was nobody in the end
    """
    patience = Deadline(_PATIENCE, waiter.clock)
    while patience.left() != 0.0:
        if deadline.left() == 0.0:
            return False
        await waiter.park(Deadline(_INSTANT, waiter.clock))
        if claim.try_acquire():
            return True
        if not claim.others_go_first():
            return False
    claim.go_first()
    return claim.try_acquire(passing=True)


async def _poll(claim: Claim, waiter: Parker, deadline: Deadline) -> bool:
    pause = _FIRST_PAUSE
    while True:
        left = deadline.left()
        step = pause if left is None else min(pause, left)
        await waiter.park(Deadline(step, waiter.clock))
        if claim.try_acquire():
            return True
        if left is not None and left <= step:
            return False
        pause = min(2 * pause, _LAST_PAUSE)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_abandoned.clear)
