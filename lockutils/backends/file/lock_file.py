"""A lock file, and the two kinds of lock on it."""

from __future__ import annotations

import errno

from lockutils.backends.file import lock_kinds, syscalls
from lockutils.backends.file.descriptors import owners
from lockutils.backends.file.opening import open_file
from lockutils.backends.file.queue import QueueRange
from lockutils.backends.file.refusal import refuse
from lockutils.backends.file.sweep import is_due, is_held, sweep
from lockutils.parking.native import sleep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lockutils.backends.file.directory import Directory
    from lockutils.parking.sleeper import Sleeper

#: how often a try begins again because the file was replaced
_ROUNDS = 20
#: how often it does while somebody has locked the file, and no holder is seen: that is another
#: tool, unless each time somebody was about to remove it
_DOUBTS = 4
#: how often a wait begins again at once for that, and else after how long
_QUICK_ROUNDS, _PAUSE = 100, 0.001


class LockFile:
    """One open file description of a lock file, which can have both kinds of lock, or is closed.

    Its methods raise :class:`OSError`.
    """

    # of most, so that those need not be given them
    _flock_op = syscalls.EXCLUSIVE
    _record = syscalls.WHOLE
    #: whether :func:`syscalls.lock_at_once` and :func:`syscalls.wait_at_once` know how to take it
    _at_once = True
    _kinds = lock_kinds.BOTH
    _sweeps = False
    _writable = True
    moves = 0

    def __init__(self, key: str, directory: Directory) -> None:
        self._directory = directory
        ranges = directory.ranges
        found = ranges.get(key)
        if found is None:
            if len(ranges) >= 256:  # not a record of every name ever used
                ranges.clear()
            found = QueueRange(directory.file_of(key), directory.owner)
            found = ranges.setdefault(key, found)
        self._range = found
        #: the descriptor, if the file is open
        self.fd_box: list[int] = []

    @property
    def path(self) -> bytes:
        return self._range.path

    def _open(self) -> int:
        """Return the descriptor, opened if it is not yet."""
        fd_box, directory = self.fd_box, self._directory
        if fd_box:
            return fd_box[0]
        owners.add(self)
        directory.check()
        try:
            self._writable, is_new = open_file(fd_box, self.path, directory.file_mode)
        except FileNotFoundError:
            directory.make()
            self._writable, is_new = open_file(fd_box, self.path, directory.file_mode)
        self._sweeps = is_new and directory.swept and is_due(fd_box[0])
        self._kinds = lock_kinds.of_file(fd_box[0])
        return fd_box[0]

    def _try_step_by_step(self) -> bool:
        # Who replaces the file each time before we have locked it is as good as a holder.
        doubts = 0
        for _ in range(_ROUNDS):
            try:
                if self._try_both(self._open()):
                    if self._is_current():
                        return True
                else:
                    held = is_held(self.fd_box[0])
                    doubts += held is None
                    if (held or doubts > _DOUBTS) and self._is_current():
                        break
            except IndexError:
                pass  # a signal handler came in between, and cancelled or forked
            except OSError as error:
                if error.errno != errno.EBADF or self.fd_box:
                    self._let_go()
                    refuse(error, self.path, self._directory.source)
            self._let_go()
        self._let_go()
        return False

    def _try_both(self, fd: int) -> bool:
        """Take both locks or none, as far as the file system has them."""
        kinds = self._checked_kinds()
        try:
            if kinds.flock and not syscalls.flock_try(fd, self._flock_op):
                return False
            got = not kinds.record or self._try_record(fd)
        except OSError as error:
            if not syscalls.unsupported(error) or not self._learn_kinds():
                raise
            return self._try_both(fd)
        if not got and kinds.flock:
            syscalls.flock_unlock(fd)
            # Was it our own flock that we ran into?
            if got is None and self._learn_kinds():
                return self._try_both(fd)
        return bool(got)

    def _try_record(self, fd: int) -> bool | None:
        """Take what belongs to a hold beside the flock, or nothing.

        :return: ``None`` if nobody who has our kind of flock is known to be in the way
        """
        return syscalls.span_try(fd, self._record_for_mode()) or None

    def _checked_kinds(self) -> lock_kinds.LockKinds:
        # To read, a descriptor that cannot write is as good as another.  To write, a read lock
        # alone would let in every other reader.
        if not (self._kinds.flock or self._writable or self._flock_op == syscalls.SHARED):
            raise OSError(errno.EACCES, "File cannot be written to, and has no flock")
        return self._kinds

    def _record_for_mode(self) -> bytes:
        """The record lock to take: a read lock where the descriptor allows no other.

        It still excludes every writer.
        """
        return self._record if self._writable else syscalls.WHOLE_SHARED

    def _learn_kinds(self) -> bool:
        """After a surprise: whether this file system has other kinds than we thought."""
        before = self._kinds
        lock_kinds.find_out(self.fd_box[0], self._directory.path)
        self._kinds = lock_kinds.of_file(self.fd_box[0])
        return self._kinds is not before

    def _is_current(self) -> bool:
        """Whether the file that is locked is still what the path names.

        While we waited, somebody may have removed or replaced it: then the next one locks
        another file, and both of us would be in.  A symbolic link to the file is not the file,
        since nobody opens it by that.

        :raises LockPathError: if no file of ours may be in that directory
        """
        held = syscalls.fstat(self.fd_box[0])
        try:
            named = syscalls.lstat(self.path)
        except FileNotFoundError:
            return False
        if self._range.owner is not None and held.st_mode != syscalls.MARKED:
            self._directory.check()  # it may have been moved to where the directory was
        return named.st_ino == held.st_ino and named.st_dev == held.st_dev

    # --- waiting

    def _sleep_on_file(self, sleeper: Sleeper) -> bool:
        """Wait until the file is locked; ``False`` if the sleeper is called back."""
        fd = self._open()
        if self._at_once and self._kinds is lock_kinds.BOTH and self._writable:
            held = syscalls.wait_at_once(sleeper, fd, self.path, self._flock_op, self._record)
            if held is not None and (not held or self._range.owner is None):
                return held
            if held and self._is_current():
                return True
        rounds = 0
        while not sleeper.is_over():
            if self._wait_for_both(sleeper, self._open()):
                if self._is_current():
                    return True
                self._let_go()
                rounds += 1
                if rounds > _QUICK_ROUNDS:  # somebody replaces it all the time
                    sleep(_PAUSE)
        return False

    def _wait_for_both(self, sleeper: Sleeper, fd: int) -> bool:
        """Wait for one lock, then for the other; ``False`` if it is to be done again."""
        kinds = self._checked_kinds()
        try:
            if kinds.flock and not sleeper.flock(fd, self._flock_op):
                return False
            if not kinds.record or self._try_record(fd):
                return True
        except OSError as error:
            if not syscalls.unsupported(error) or not self._learn_kinds():
                raise
            return False
        if kinds.flock and self._learn_kinds():
            syscalls.flock_unlock(fd)
            return False
        # A foreign tool has the record lock.  We wait for it with our flock in hand.
        return sleeper.lock_span(fd, self._record_for_mode())

    # --- letting go

    def leave_to_child(self) -> None:
        syscalls.close(self.fd_box)  # an unlock would be the child's, too
        owners.discard(self)

    def _let_go(self) -> None:
        if self.fd_box:
            syscalls.release(self.fd_box)
        # after it is closed: the child of a fork in between looks for it
        owners.discard(self)
        if self._sweeps:
            self._sweeps = False
            sweep(self._directory)
