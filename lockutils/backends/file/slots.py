"""Slots of a lock file: a number of holders at a time, over all processes.

A holder has, all on one descriptor: the flock shared, which keeps exclusive holders out; a
read lock on a byte that says how many slots there are, for all to agree; and a write lock on
the byte of his slot.  With the descriptor all of it goes at once, at whatever instruction the
process is killed.

Who waits has a ticket, and only the first in line looks for a slot.
"""

from __future__ import annotations

import errno
import os
from posix import sched_yield

from lockutils.backends.file import syscalls
from lockutils.backends.file.queue import DECLARED
from lockutils.backends.file.shared import JointClaim
from lockutils.backends.file.slot_watch import Bell
from lockutils.errors import SlotsMismatchError
from lockutils.parking.native import sleep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lockutils.backends.file.directory import Directory

#: an exclusive holder who stays longer, in seconds, is no sweeper and no waiter who gave up
_MOMENT = 0.05
#: how often to look again while one of those who wait for a slot only looks at it
_YIELDS = 50
#: seconds until then if that does not end: somebody is stopped in the middle of his look, or
#: has a read lock on the slot and keeps it
_REST = 0.02


class SlotClaim(JointClaim):
    """One contender for one slot of several."""

    def __init__(self, key: str, directory: Directory, fair: bool, slots: int) -> None:
        super().__init__(key, directory, fair)
        self._slots = slots
        self._declaration = syscalls.span(syscalls.READ, DECLARED + slots, 1)
        self._declared_by_others = syscalls.span(syscalls.WRITE, DECLARED + slots, 1)
        self._others = (
            syscalls.span(syscalls.WRITE, DECLARED, slots),
            syscalls.span(syscalls.WRITE, DECLARED + slots + 1, 0),
        )
        #: rings when a slot may be free, or nobody wants it any more
        self._bell = Bell()
        #: whether the last try met a slot that was looked at all the time
        self._was_watched = False

    def block(self) -> bool:
        try:
            return super().block()
        except _GivenUp:
            return False

    def stand_aside(self) -> None:
        super().stand_aside()
        self._bell.ring()

    def _try_both(self, descriptor: int) -> bool:
        flock = self._has_flock()
        try:
            if flock and not syscalls.flock_try(descriptor, self._way):
                return False
            if self._take_slot(descriptor):
                return True
            alone = syscalls.span_in_use(descriptor, self._declared_by_others) is None
        except OSError as error:
            if not syscalls.unsupported(error):
                raise
            if not self._learn_kinds():
                problem = "Slots need record locks, which are not to be had"
                raise OSError(errno.EOPNOTSUPP, problem) from error
            return self._try_both(descriptor)
        syscalls.record_unlock(descriptor)
        if flock:
            syscalls.flock_unlock(descriptor)
            # No slot for us, but nobody has one: was it our own flock that we ran into?
            if alone and self._learn_kinds():
                return self._try_both(descriptor)
        return False

    def _has_flock(self) -> bool:
        """Whether to take the flock, too: not where the two are one, since slots need the other."""
        return self._kinds.flock and self._kinds.record

    def _take_slot(self, descriptor: int) -> bool:
        if not self._writable:
            raise OSError(errno.EACCES, "File cannot be written to, which slots need")
        if not syscalls.span_try(descriptor, self._declaration):
            return False
        for others in self._others:
            found = syscalls.span_in_use(descriptor, others)
            if found is not None and found[0] > DECLARED:
                raise self._mismatch(found[0] - DECLARED)
        self._was_watched = False
        # not all from the same one on: the first ones would be in use
        first = os.getpid() % self._slots
        slots = [
            syscalls.span(syscalls.WRITE, slot, 1)
            for slot in (*range(first, self._slots), *range(first))
        ]
        for _ in range(_YIELDS):
            for slot in slots:
                if syscalls.span_try(descriptor, slot):
                    return True
            if not any(_is_watched(descriptor, slot) for slot in slots):
                return False
            sched_yield()
        self._was_watched = True
        return False

    def _mismatch(self, slots: int) -> SlotsMismatchError:
        self._let_go()
        return SlotsMismatchError(os.fsdecode(self._place.path), self._slots, slots)

    def _wait_at_once(self, descriptor: int) -> bool:
        return False

    def _wait_for_both(self, descriptor: int) -> bool:
        """Take a slot, or wait until it may be possible: then ``False``."""
        if self._has_flock() and not syscalls.flock_try(descriptor, self._way):
            self._check_not_exclusive()
            syscalls.flock_wait(descriptor, self._way)
        if self._try_both(descriptor):
            return True
        if not syscalls.span_try(descriptor, self._declaration):
            # another tool has the record lock of the whole file
            syscalls.span_wait(descriptor, self._declaration)
            self._let_go()
            return False
        file = syscalls.fstat(descriptor).st_ino
        self._let_go()
        if self._was_watched:  # and the bell will ring at once
            sleep(_REST)
        self._bell.wait_for_slot(self._place.path, file, self._slots, self._is_unwanted)
        if self._unwanted:
            raise _GivenUp
        return False

    def _is_unwanted(self) -> bool:
        return self._unwanted

    def _check_not_exclusive(self) -> None:
        """Raise if an exclusive holder of ours stays; another tool is waited for."""
        for _ in range(int(_MOMENT / 0.001)):
            if self._place.use()[1] != 1:
                return
            sleep(0.001)
        raise self._mismatch(1)


def _is_watched(descriptor: int, slot: bytes) -> bool:
    """Whether a slot is not taken, but somebody has just been told so, and is about to go."""
    found = syscalls.span_in_use(descriptor, slot)
    return found is None or found[2] == syscalls.READ


class _GivenUp(Exception):
    """Nobody wants the slot any more."""
