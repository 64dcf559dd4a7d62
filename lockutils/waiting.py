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

from lockutils import helpers
from lockutils._native import allocate_lock
from lockutils.deadline import Deadline
from lockutils.parking.on_thread import ThreadParker

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Hashable

    from lockutils.drivers.base import Claim
    from lockutils.parking.base import Parker

#: seconds between two tries where nothing can wake us: doubled from the first to the last
_FIRST_PAUSE = 0.001
_LAST_PAUSE = 0.064

#: errands that nobody waits for, by what they wait for
_abandoned: dict[Hashable, Errand] = {}


class Errand:
    """A helper's wait for a claim, on behalf of one waiter at a time.

    The guard is between the helper and the waiter; it is never held across a wait.
    """

    __slots__ = ("_done", "_error", "_guard", "_started", "_waiter", "claim")

    def __init__(self, claim: Claim, waiter: Parker) -> None:
        self.claim = claim
        self._guard = allocate_lock()
        self._waiter: Parker | None = waiter
        self._started = False
        self._done = False
        self._error: BaseException | None = None

    def run(self) -> None:
        """What the helper does."""
        with self._guard:
            if self._waiter is None:
                return  # given up before it began
            self._started = True
        error = None
        try:
            self.claim.block()
        except BaseException as raised:
            error = raised
        with self._guard:
            self._done = True
            self._error = error
            waiter = self._waiter
            if waiter is None:
                _abandoned.pop(self.claim.resource, None)
        # a waiter whose event loop is closed will never take what it waited for
        if waiter is None or not waiter.wake():
            self.claim.release()

    def adopt(self, waiter: Parker) -> bool:
        """Go on for ``waiter``; ``False`` if it is over already."""
        with self._guard:
            if self._done:
                return False
            self._waiter = waiter
            return True

    def abandon(self) -> bool:
        """Go on for nobody; ``False`` if it is over: what it got is the caller's then."""
        with self._guard:
            if self._waiter is None:  # given up before: it is the helper's since
                return True
            if self._done:
                return False
            self._waiter = None
            if self._started:
                self.claim.stand_aside()
                _abandoned[self.claim.resource] = self
            else:
                self.claim.release()
        return True

    async def wait(self, waiter: Parker, deadline: Deadline) -> Claim | None:
        """Wait for the end of the errand; leave it to itself if the deadline comes first.

        :return: the claim, held; ``None`` when the deadline passed
        """
        try:
            while not self._done:
                if not await waiter.park(deadline):
                    break
            if self.abandon():
                return None
        except BaseException:
            self.drop()
            raise
        if self._error is not None:
            raise self._error
        return self.claim

    def drop(self) -> None:
        """After an exception: leave nothing held that nobody knows of."""
        if not self.abandon():
            self.claim.release()


async def wait_for(claim: Claim, waiter: Parker, deadline: Deadline) -> Claim | None:
    """Wait until the lock is held, after a try of ``claim`` failed.

    ``claim`` is given away: whatever happens, the caller must not use or release it again,
    unless it is what is returned.  An exception leaves nothing held.

    :return: the claim that is held now, which may be another one for the same thing;
        ``None`` when the deadline passed before
    :raises LockPathError: if the lock cannot be used
    """
    if claim.can_block:
        left_over = _abandoned.pop(claim.resource, None)
        if left_over is not None:
            try:
                if left_over.adopt(waiter):
                    claim.release()
                    return await left_over.wait(waiter, deadline)
            except BaseException:
                left_over.drop()
                raise
        if deadline.left() is not None or not isinstance(waiter, ThreadParker):
            errand = Errand(claim, waiter)
            try:
                helpers.run(errand.run)
                return await errand.wait(waiter, deadline)
            except helpers.NoHelper:
                pass
            except BaseException:
                errand.drop()
                raise
    try:
        if claim.can_block and deadline.left() is None and isinstance(waiter, ThreadParker):
            claim.block()
            return claim
        if await _poll(claim, waiter, deadline):
            return claim
    except BaseException:
        claim.release()
        raise
    claim.release()
    return None


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
