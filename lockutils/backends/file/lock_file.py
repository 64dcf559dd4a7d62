"""A lock file, and the two kinds of lock on it."""

from __future__ import annotations

import errno
import os

from lockutils.backends.file import lock_kinds, syscalls
from lockutils.backends.file.descriptors import opened
from lockutils.backends.file.queue import Place
from lockutils.backends.file.sweep import is_due, sweep
from lockutils.errors import LockPathError
from lockutils.parking.native import allocate_lock, sleep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lockutils.backends.file.directory import Directory

#: how often a wait begins again at once because the file was replaced, and else after how long
_QUICK_ROUNDS, _PAUSE = 100, 0.001

#: between a thread that waits for a record lock and those who make it stand aside
_guard = allocate_lock()
#: changes in a forked child, to tell it the claims of its parent
this_process = object()


class LockFile:
    """One open file description of a lock file, which can have both kinds of lock, or is closed.

    Its methods raise :class:`OSError`.
    """

    # what a claim that is not exclusive has otherwise
    _way = syscalls.EXCLUSIVE
    _record = syscalls.WHOLE

    # of most, so that those need not be given them
    _kinds = lock_kinds.BOTH
    _sweeps = False
    _unwanted = False
    _waits_for_record = False
    _process: object = None

    def __init__(self, key: str, directory: Directory) -> None:
        self._directory = directory
        self._place = directory.places.get(key) or _place_of(key, directory)
        #: the descriptor, if the file is open
        self._cell: list[int] = []

    def _open(self) -> int:
        """Return the descriptor, opened if it is not yet."""
        cell = self._cell
        if cell:
            return cell[0]
        self._process = this_process
        self._directory.check()
        try:
            self._writable, is_new = syscalls.open_file(cell, self._place.path)
        except FileNotFoundError:
            self._directory.make()
            self._writable, is_new = syscalls.open_file(cell, self._place.path)
        descriptor = cell[0]
        opened.add(descriptor)
        self._sweeps = is_new and self._directory.swept and is_due(descriptor)
        self._kinds = lock_kinds.of_file(descriptor)
        return descriptor

    def _try_both(self, descriptor: int) -> bool:
        """Take both locks or none, as far as the file system has them."""
        kinds = self._checked_kinds()
        try:
            if kinds.flock and not syscalls.flock_try(descriptor, self._way):
                return False
            if not kinds.record or syscalls.span_try(descriptor, self._record_for_mode()):
                return True
        except OSError as error:
            if not syscalls.unsupported(error) or not self._learn_kinds():
                raise
            return self._try_both(descriptor)
        if kinds.flock:
            syscalls.flock_unlock(descriptor)
            # Was it our own flock that we ran into?
            if self._learn_kinds():
                return self._try_both(descriptor)
        return False

    def _checked_kinds(self) -> lock_kinds.Families:
        if not (self._kinds.flock or self._writable):
            # a read lock alone would let in every other reader
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
        lock_kinds.find_out(self._cell[0], self._directory.path)
        self._kinds = lock_kinds.of_file(self._cell[0])
        return self._kinds is not before

    def _is_current(self) -> bool:
        """Whether the file that is locked is still what the path names.

        While we waited, somebody may have removed or replaced it: then the next one locks
        another file, and both of us would be in.  A symbolic link to the file is not the file,
        since nobody opens it by that.
        """
        held = syscalls.fstat(self._cell[0])
        try:
            named = syscalls.lstat(self._place.path)
        except FileNotFoundError:
            return False
        return named.st_ino == held.st_ino and named.st_dev == held.st_dev

    # --- waiting

    def _wait_in_kernel(self) -> None:
        descriptor = self._open()
        if self._wait_at_once(descriptor):
            return
        rounds = 0
        while True:
            if self._wait_for_both(self._open()):
                if self._is_current():
                    return
                self._let_go()
                rounds += 1
                if rounds > _QUICK_ROUNDS:  # somebody replaces it all the time
                    sleep(_PAUSE)

    def _wait_at_once(self, descriptor: int) -> bool:
        """Wait, and do all that is left to do then in as few steps as possible.

        :return: ``False`` if that is for the single steps
        """
        ordinary = self._kinds is lock_kinds.BOTH and self._writable
        path = self._place.path
        return ordinary and syscalls.wait_at_once(descriptor, path, self._way, self._record)

    def _wait_for_both(self, descriptor: int) -> bool:
        """Wait for one lock, then for the other; ``False`` if it is to be done again."""
        kinds = self._checked_kinds()
        try:
            if kinds.flock:
                syscalls.flock_wait(descriptor, self._way)
            if not kinds.record or syscalls.span_try(descriptor, self._record_for_mode()):
                return True
        except OSError as error:
            if not syscalls.unsupported(error) or not self._learn_kinds():
                raise
            return False
        if kinds.flock and self._learn_kinds():
            syscalls.flock_unlock(descriptor)
            return False
        # A foreign tool has the record lock.  We wait for it with our flock in hand, until
        # the waiter gives up: see stand_aside.
        with _guard:
            self._waits_for_record = True
            if self._unwanted and kinds.flock:
                syscalls.flock_unlock(descriptor)
        try:
            syscalls.span_wait(descriptor, self._record_for_mode())
        finally:
            with _guard:
                self._waits_for_record = False
        if kinds.flock and not syscalls.flock_try(descriptor, self._way):
            syscalls.record_unlock(descriptor)
            return False
        return True

    def _let_others_pass(self) -> None:
        """Called while another thread waits in vain: keep nothing from others meanwhile."""
        # Under the guard the waiting thread cannot get past its wait, so that the descriptor
        # is the one it waits with and not another that was given its number since.
        with _guard:
            self._unwanted = True
            if self._waits_for_record and self._kinds.flock:
                try:
                    syscalls.flock_unlock(self._cell[0])
                except OSError:
                    pass  # it goes with the descriptor

    # --- letting go

    def _let_go(self) -> None:
        cell = self._cell
        if cell:
            # first, since the number may be another file's as soon as it is closed
            opened.discard(cell[0])
            syscalls.release(cell)
            if self._sweeps:
                self._sweeps = False
                sweep(self._directory.path)


def unusable(error: OSError, path: bytes) -> LockPathError:
    if isinstance(error, LockPathError):
        return error
    return LockPathError(error.errno, error.strerror, os.fsdecode(path))


def _place_of(key: str, directory: Directory) -> Place:
    place = Place(directory.file_of(key), directory.owner)
    places = directory.places
    if len(places) >= 256:  # not a record of every name ever used
        places.clear()
    return places.setdefault(key, place)


def _after_fork_in_child() -> None:
    global _guard, this_process
    _guard = allocate_lock()
    this_process = object()


os.register_at_fork(after_in_child=_after_fork_in_child)
