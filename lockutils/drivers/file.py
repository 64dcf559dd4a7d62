"""The file driver: one lock, one file, on one host."""

from __future__ import annotations

import errno
import os
from stat import S_ISREG

from lockutils._native import allocate_lock
from lockutils.drivers import _posix, families
from lockutils.drivers.proc_locks import holder_of
from lockutils.drivers.sweep import is_due, sweep
from lockutils.errors import LockPathError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lockutils.directory import Directory
    from lockutils.holder import Holder

#: the descriptors of all claims of this process, for a forked child to close
_open_descriptors: set[int] = set()
#: between a thread that waits for a record lock and those who make it stand aside
_guard = allocate_lock()
#: changes in a forked child, to tell it the claims of its parent
_this_process = object()


class FileClaim:
    """One contender for one lock file.  See :class:`lockutils.drivers.base.Claim`."""

    can_block = True

    # of most claims, so that those need not be given them
    _kinds = families.BOTH
    _sweeps = False
    _unwanted = False
    _waits_for_record = False

    def __init__(self, key: str, directory: Directory) -> None:
        self._directory = directory
        self.resource = directory.files.get(key) or directory.file_of(key)
        #: the descriptor, if the file is open
        self._cell: list[int] = []

    # --- without waiting

    def try_acquire(self) -> bool:
        cell = self._cell
        self._process = _this_process
        held = _posix.lock_at_once(cell, self.resource)
        if held:
            _open_descriptors.add(cell[0])
            return True
        return held is None and self._try_step_by_step()

    def _try_step_by_step(self) -> bool:
        try:
            while True:
                if not self._try_both(self._open()):
                    self.release()
                    return False
                if self._is_current():
                    return True
                self.release()
        except OSError as error:
            self.release()
            raise self._unusable(error) from error

    def _open(self) -> int:
        """Return the descriptor, opened if it is not yet."""
        cell = self._cell
        if cell:
            return cell[0]
        self._process = _this_process
        self._directory.check()
        try:
            opened = _posix.open_file(cell, self.resource)
        except FileNotFoundError:
            self._directory.make()
            opened = _posix.open_file(cell, self.resource)
        descriptor = cell[0]
        _open_descriptors.add(descriptor)
        self._writable, is_new = opened
        self._sweeps = is_new and self._directory.swept and is_due(descriptor)
        self._kinds = families.of_file(descriptor)
        return descriptor

    def _try_both(self, descriptor: int) -> bool:
        """Take both locks or none, as far as the file system has them."""
        kinds = self._checked_kinds()
        try:
            if kinds.flock and not _posix.flock_try(descriptor):
                return False
            if not kinds.record or _posix.record_try(descriptor, self._writable):
                return True
        except OSError as error:
            if not _posix.unsupported(error) or not self._learn_kinds():
                raise
            return self._try_both(descriptor)
        if kinds.flock:
            _posix.flock_unlock(descriptor)
            # Was it our own flock that we ran into?
            if self._learn_kinds():
                return self._try_both(descriptor)
        return False

    def _checked_kinds(self) -> families.Families:
        if not (self._kinds.flock or self._writable):
            # a read lock alone would let in every other reader
            raise OSError(errno.EACCES, "File cannot be written to, and has no flock")
        return self._kinds

    def _learn_kinds(self) -> bool:
        """After a surprise: whether this file system has other kinds than we thought."""
        before = self._kinds
        families.find_out(self._cell[0], self._directory.path)
        self._kinds = families.of_file(self._cell[0])
        return self._kinds is not before

    def _is_current(self) -> bool:
        """Whether the file that is locked is still what the path names.

        While we waited, somebody may have removed or replaced it: then the next one locks
        another file, and both of us would be in.
        """
        held = _posix.fstat(self._cell[0])
        if not S_ISREG(held.st_mode):
            raise OSError(errno.EINVAL, "Not a regular file")
        try:
            named = _posix.stat(self.resource)
        except FileNotFoundError:
            return False
        return named.st_ino == held.st_ino and named.st_dev == held.st_dev

    def _unusable(self, error: OSError) -> LockPathError:
        if isinstance(error, LockPathError):
            return error
        return LockPathError(error.errno, error.strerror, os.fsdecode(self.resource))

    # --- waiting

    def block(self) -> None:
        try:
            descriptor = self._open()
            ordinary = self._kinds is families.BOTH and self._writable
            # all that is left to do after the wait, in as few steps as possible
            if ordinary and _posix.wait_at_once(descriptor, self.resource):
                return
            while True:
                if self._wait_for_both(self._open()):
                    if self._is_current():
                        return
                    self.release()
        except OSError as error:
            self.release()
            raise self._unusable(error) from error

    def _wait_for_both(self, descriptor: int) -> bool:
        """Wait for one lock, then for the other; ``False`` if it is to be done again."""
        kinds = self._checked_kinds()
        try:
            if kinds.flock:
                _posix.flock_wait(descriptor)
            if not kinds.record or _posix.record_try(descriptor, self._writable):
                return True
        except OSError as error:
            if not _posix.unsupported(error) or not self._learn_kinds():
                raise
            return False
        if kinds.flock and self._learn_kinds():
            _posix.flock_unlock(descriptor)
            return False
        # A foreign tool has the record lock.  We wait for it with our flock in hand, until
        # the waiter gives up: see stand_aside.
        with _guard:
            self._waits_for_record = True
            if self._unwanted and kinds.flock:
                _posix.flock_unlock(descriptor)
        try:
            _posix.record_wait(descriptor, self._writable)
        finally:
            with _guard:
                self._waits_for_record = False
        if kinds.flock and not _posix.flock_try(descriptor):
            _posix.record_unlock(descriptor)
            return False
        return True

    def stand_aside(self) -> None:
        # Under the guard the waiting thread cannot get past its wait, so that the descriptor
        # is the one it waits with and not another that was given its number since.
        with _guard:
            self._unwanted = True
            if self._waits_for_record and self._kinds.flock:
                _posix.flock_unlock(self._cell[0])

    # --- letting go

    def release(self) -> None:
        cell = self._cell
        if not cell:
            return
        if self._process is not _this_process:  # the parent's; our copy is closed already
            cell.clear()
            return
        # first, since the number may be another file's as soon as it is closed
        _open_descriptors.discard(cell[0])
        _posix.release(cell)
        if self._sweeps:
            self._sweeps = False
            sweep(self._directory.path)

    def hand_to_children(self) -> None:
        """Let the programs that this process starts inherit the lock, until it is released."""
        os.set_inheritable(self._cell[0], True)

    def holder(self) -> Holder | None:
        return holder_of(self.resource)


def _after_fork_in_child() -> None:
    global _guard, _this_process
    _guard = allocate_lock()
    _this_process = object()
    # Close and never unlock: the lock is shared with the parent.
    for descriptor in _open_descriptors:
        try:
            os.close(descriptor)
        except OSError:
            pass  # somebody closed it behind our back
    _open_descriptors.clear()


os.register_at_fork(after_in_child=_after_fork_in_child)
