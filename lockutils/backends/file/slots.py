"""Slots of a lock file: a number of holders at a time, over all processes.

A holder has, all on one descriptor: the flock shared, which keeps exclusive holders out; a
read lock on a byte that says how many slots there are, for all to agree; and a write lock on
the byte of its slot.  With the descriptor all of it goes at once, at whatever instruction the
process is killed.

Whoever waits has a ticket, and the first in line alone looks for a slot.  The kernel wakes a
waiter for one lock, but nobody can wait for any one of several.  So it sleeps until somebody
closes the file, as every holder does in the end.
"""

from __future__ import annotations

import errno
import os

from lockutils.backends.file import lock_kinds, syscalls
from lockutils.backends.file.queue import DECLARED
from lockutils.backends.file.request import FileRequest
from lockutils.errors import SlotsMismatchError
from lockutils.parking.native import sleep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lockutils.backends.file.directory import Directory
    from lockutils.parking.sleeper import Sleeper

#: an exclusive holder that stays longer, in seconds, is no waiter that gave up
_MOMENT = 0.05
#: seconds between two looks in any case: a descriptor that another process has inherited is not
#: closed when the holder releases
_LOOK = 1.0
#: seconds between two looks where nothing tells of a closing
_PAUSE = 0.064


class SlotRequest(FileRequest):
    """One contender for one slot of several."""

    _flock_op = syscalls.SHARED
    _at_once = False
    _strict = True

    def __init__(self, key: str, directory: Directory, fair: bool, slots: int) -> None:
        super().__init__(key, directory, fair)
        self._slots = slots
        self._declaration = syscalls.span(syscalls.READ, DECLARED + slots, 1)
        self._declared_by_others = syscalls.span(syscalls.WRITE, DECLARED + slots, 1)
        self._others = (
            syscalls.span(syscalls.WRITE, DECLARED, slots),
            syscalls.span(syscalls.WRITE, DECLARED + slots + 1, 0),
        )
        #: what can be read when the file was closed, while it is waited for
        self._watch: list[int] = []

    def _checked_kinds(self) -> lock_kinds.LockKinds:
        # not the flock where the two are one, since slots need the other
        return lock_kinds.BOTH if self._kinds is lock_kinds.BOTH else lock_kinds.RECORD

    def _try_record(self, fd: int) -> bool | None:
        if not self._writable:
            raise OSError(errno.EACCES, "File cannot be written to, which slots need")
        try:
            if self._take_slot(fd):
                return True
            alone = syscalls.span_in_use(fd, self._declared_by_others) is None
        except OSError as error:
            if not syscalls.unsupported(error):
                raise
            problem = "Slots need record locks, which this file system has not"
            raise OSError(errno.EOPNOTSUPP, problem) from error
        syscalls.record_unlock(fd)
        return None if alone else False

    def _take_slot(self, fd: int) -> bool:
        if not syscalls.span_try(fd, self._declaration):
            return False
        for others in self._others:
            found = syscalls.span_in_use(fd, others)
            if found is not None and found[0] > DECLARED:
                raise self._mismatch(found[0] - DECLARED)
        # not all from the same one on: the first ones would be in use
        first = os.getpid() % self._slots
        for slot in (*range(first, self._slots), *range(first)):
            if syscalls.span_try(fd, syscalls.span(syscalls.WRITE, slot, 1)):
                return True
        return False

    def _mismatch(self, slots: int) -> SlotsMismatchError:
        self._let_go()
        return SlotsMismatchError(os.fsdecode(self.path), self._slots, slots)

    def _sleep_on_file(self, sleeper: Sleeper) -> bool:
        try:
            return super()._sleep_on_file(sleeper)
        finally:
            syscalls.close(self._watch)

    def _wait_for_both(self, sleeper: Sleeper, fd: int) -> bool:
        """Take a slot, or wait until it may be possible: then ``False``."""
        if not self._watch:  # before the try, so that no closing is missed
            sleeper.watch_closing(self._watch, self.path)
        if self._checked_kinds().flock and not syscalls.flock_try(fd, self._flock_op):
            self._check_not_exclusive()
            if not sleeper.flock(fd, self._flock_op):
                return False
        if self._try_both(fd):
            return True
        if not syscalls.span_try(fd, self._declaration):
            # another tool has the record lock of the whole file
            if not sleeper.lock_span(fd, self._declaration):
                return False
            syscalls.record_unlock(fd)
            return False
        # not closed, which would wake ourselves
        syscalls.record_unlock(fd)
        if self._watch:
            sleeper.read(self._watch[0], _LOOK)
        else:
            sleep(_PAUSE)
        return False

    def _check_not_exclusive(self) -> None:
        """Raise if an exclusive holder of ours stays; another tool is waited for."""
        for _ in range(int(_MOMENT / 0.001)):
            if self._range.use() != 1:
                return
            sleep(0.001)
        raise self._mismatch(1)

    def _let_go(self) -> None:
        super()._let_go()
        syscalls.close(self._watch)  # which is of this file, and the next may be another

    def withdraw(self) -> None:
        handed_down = any(map(os.get_inheritable, self.fd_box))
        super().withdraw()
        if handed_down:
            try:
                os.utime(self.path)  # no closing, but it wakes those who wait for one
            except OSError:
                pass  # they look once a second
