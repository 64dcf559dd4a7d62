"""The file driver: one lock, one file, on one host."""

from __future__ import annotations

import errno
import os
from stat import S_ISREG

from lockutils._native import allocate_lock
from lockutils.drivers import _posix, families
from lockutils.drivers.proc_locks import holder_of
from lockutils.errors import LockPathError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lockutils.directory import Directory
    from lockutils.holder import Holder

#: the descriptors of all claims of this process, for a forked child to close
_open_descriptors: set[int] = set()
#: changes in a forked child, to tell it the claims of its parent
_this_process = object()


class FileClaim:
    """One contender for one lock file.  See :class:`lockutils.drivers.base.Claim`."""

    __slots__ = (
        "_descriptor",
        "_directory",
        "_guard",
        "_is_new",
        "_kinds",
        "_process",
        "_waits_for_record",
        "_writable",
        "resource",
    )

    can_block = True

    def __init__(self, key: str, directory: Directory) -> None:
        self._directory = directory
        self.resource = directory.file_of(key)
        self._descriptor = -1
        self._process = _this_process
        self._kinds = families.BOTH
        self._guard = allocate_lock()
        self._waits_for_record = False

    # --- without waiting

    def try_acquire(self) -> bool:
        if self._descriptor < 0:
            descriptor = _posix.lock_at_once(self.resource)
            if descriptor >= 0:
                self._descriptor = descriptor
                _open_descriptors.add(descriptor)
                return True
        try:
            while True:
                descriptor = self._descriptor
                if descriptor < 0:
                    descriptor = self._open()
                if not self._try_both(descriptor):
                    return False
                if self._is_current(descriptor):
                    return True
                self.release()
        except OSError as error:
            self.release()
            raise self._unusable(error) from error

    def _open(self) -> int:
        try:
            opened = _posix.open_file(self.resource)
        except FileNotFoundError:
            self._directory.make()
            opened = _posix.open_file(self.resource)
        self._descriptor, self._writable, self._is_new = opened
        _open_descriptors.add(self._descriptor)
        self._kinds = families.of_file(self._descriptor)
        return self._descriptor

    def _try_both(self, descriptor: int) -> bool:
        """Take both locks or none, as far as the file system has them."""
        kinds = self._kinds
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

    def _learn_kinds(self) -> bool:
        """After a surprise: whether this file system turns out to have one kind only."""
        if not families.find_out(self._descriptor, self._directory.path):
            return False
        self._kinds = families.of_file(self._descriptor)
        return True

    def _is_current(self, descriptor: int) -> bool:
        """Whether the file that is locked is still what the path names.

        While we waited, somebody may have removed or replaced it: then the next one locks
        another file, and both of us would be in.
        """
        held = _posix.fstat(descriptor)
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
            while True:
                descriptor = self._descriptor
                if descriptor < 0:
                    descriptor = self._open()
                if self._wait_for_both(descriptor):
                    if self._is_current(descriptor):
                        return
                    self.release()
        except OSError as error:
            self.release()
            raise self._unusable(error) from error

    def _wait_for_both(self, descriptor: int) -> bool:
        """Wait for one lock, then for the other; ``False`` if it is to be done again."""
        kinds = self._kinds
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
        with self._guard:
            self._waits_for_record = True
        _posix.record_wait(descriptor, self._writable)
        with self._guard:
            self._waits_for_record = False
        if kinds.flock and not _posix.flock_try(descriptor):
            _posix.record_unlock(descriptor)
            return False
        return True

    def stand_aside(self) -> None:
        # Under the guard the waiting thread cannot get past its wait, so that the descriptor
        # is the one it waits with and not another that was given its number since.
        with self._guard:
            if self._waits_for_record and self._kinds.flock:
                _posix.flock_unlock(self._descriptor)

    # --- letting go

    def release(self) -> None:
        descriptor = self._descriptor
        if descriptor < 0:
            return
        if self._process is not _this_process:  # the parent's; our copy is closed already
            self._descriptor = -1
            return
        # Closing alone would do, were it not for descriptors that a forked child inherited:
        # they would keep the lock.  The record lock goes first: waiters queue at the other.
        try:
            if self._kinds.record:
                _posix.record_unlock(descriptor)
            if self._kinds.flock:
                _posix.flock_unlock(descriptor)
        except OSError:
            pass  # there was nothing to unlock, or closing does it
        finally:
            self._descriptor = -1
            _open_descriptors.discard(descriptor)
            _posix.close(descriptor)

    def __del__(self) -> None:
        if self._descriptor >= 0:
            self.release()

    def hand_to_child(self) -> None:
        """Let the programs that this process starts inherit the lock, until it is released."""
        os.set_inheritable(self._descriptor, True)

    def holder(self) -> Holder | None:
        return holder_of(self.resource)


def _after_fork_in_child() -> None:
    global _this_process
    _this_process = object()
    # Close and never unlock: the lock is shared with the parent.
    for descriptor in _open_descriptors:
        _posix.close(descriptor)
    _open_descriptors.clear()


os.register_at_fork(after_in_child=_after_fork_in_child)
