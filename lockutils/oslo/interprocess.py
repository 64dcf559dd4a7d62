"""fasteners' lock on a file, made to go together with the other locks on that file."""

from __future__ import annotations

import errno
import os
import threading
from weakref import WeakSet

import fasteners

from lockutils.backends.file.naming import key_of
from lockutils.errors import LockPathError, printable
from lockutils.front.settings import lock_directory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from lockutils.front.settings import StrPath

if os.name == "posix":
    from fcntl import F_GETFL, fcntl

    from lockutils.backends.file import lock_kinds, syscalls
    from lockutils.backends.file.directory import Directory
    from lockutils.backends.file.refusal import refuse

    class InterProcessLock(fasteners.InterProcessLock):  # type: ignore[misc]
        """A lock on the file ``path``, as fasteners has it, but held as lockutils holds a file.

        fasteners holds a record lock of the process.  That drops if the process closes any
        descriptor of the file, as whoever tries in vain to lock it does.  So this is ``flock``
        and a record lock of the open file description instead, which exclude fasteners', and
        each other within a process, too.  A file that was removed during the wait is made anew.

        And as lockutils opens a file: what is no regular file, as a symbolic link or a FIFO, is
        refused with a :class:`LockPathError`; one that can only be read is locked all the same.
        """

        lockfile: Any
        _directory: Directory | None = None

        def _do_open(self) -> None:
            if self.lockfile is not None and not self.lockfile.closed:
                return
            directory = self._directory
            if directory is None:  # a path that somebody gave
                directory = Directory(os.fsencode(os.path.dirname(self.path) or "."))
            directory.check()
            path = os.fsencode(self.path)
            try:
                try:
                    self.lockfile = _open(path)
                except FileNotFoundError:
                    directory.make()
                    self.lockfile = _open(path)
            except OSError as error:
                refuse(error, path)

        def trylock(self) -> None:
            """Try once to lock the open file.

            :raises BlockingIOError: if somebody else has it
            """
            _used.add(self)
            while True:
                fd = self.lockfile.fileno()
                if not _lock(fd, os.path.dirname(os.fsencode(self.path)) or b"."):
                    raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN), self.path)
                if os.fstat(fd).st_nlink:
                    return
                self._do_close()
                self._do_open()

        def _try_acquire(self, *how: Any) -> Any:
            self._do_open()  # again, if a try before could not
            try:
                return super()._try_acquire(*how)
            except threading.ThreadError as error:  # what fasteners makes of any OSError
                self._do_close()
                if isinstance(error.__context__, LockPathError):
                    raise error.__context__ from None
                raise threading.ThreadError(printable(str(error))) from error

        def unlock(self) -> None:
            """Unlock the open file, and leave it open."""
            _unlock(self.lockfile.fileno())

        def _forget_parent(self) -> None:
            if self.lockfile is not None:
                self.lockfile.close()
                self.lockfile = None
            self.acquired = False

    def _open(path: bytes) -> Any:
        """Open a lock file, as fasteners has it where it can be written to: to append."""
        cell: list[int] = []
        writable, _ = syscalls.open_file(cell, path)
        return open(cell[0], "a" if writable else "r")

    def _lock(fd: int, directory: bytes) -> bool:
        """Take the two locks or none, as far as the file system has them."""
        kinds = lock_kinds.of_file(fd)
        writable = fcntl(fd, F_GETFL) & os.O_ACCMODE != os.O_RDONLY
        if not (kinds.flock or writable):
            # a read lock alone would let in every other reader
            raise OSError(errno.EPERM, "File cannot be written to, and has no flock")
        try:
            if kinds.flock and not syscalls.flock_try(fd):
                return False
            record = syscalls.WHOLE if writable else syscalls.WHOLE_SHARED
            if not kinds.record or syscalls.span_try(fd, record):
                return True
        except OSError as error:
            if not syscalls.unsupported(error):
                _unlock(fd)
                raise
            surprise: OSError | None = error
        else:
            surprise = None
        _unlock(fd)
        lock_kinds.find_out(fd, directory)
        if lock_kinds.of_file(fd) is not kinds:
            return _lock(fd, directory)
        if surprise is not None:
            raise surprise
        return False

    def _unlock(fd: int) -> None:
        for unlock in (syscalls.record_unlock, syscalls.flock_unlock):
            try:
                unlock(fd)
            except OSError:
                pass  # there is no such lock, or it goes with the descriptor

    _used: WeakSet[InterProcessLock] = WeakSet()

    def _after_fork_in_child() -> None:
        """The child holds nothing.  Its copies of the descriptors would share the locks."""
        for used in list(_used):
            used._forget_parent()

    os.register_at_fork(after_in_child=_after_fork_in_child)
else:
    InterProcessLock = fasteners.InterProcessLock  # type: ignore[misc]


def external_lock(
    name: str, lock_file_prefix: str | None = None, lock_path: StrPath | None = None
) -> InterProcessLock:
    """Return a lock on the file of ``lock(name, lock_file_prefix, external=True)``.

    It has nothing to do with the in-process lock of that name, and polls.

    :raises TypeError: if an argument is not of its type
    :raises ValueError: if the lock directory is not a path
    :raises LockPathError: if there is no safe lock directory
    """
    directory = lock_directory(lock_path)
    path = directory.file_of(key_of(name, lock_file_prefix))
    directory.check()
    lock = InterProcessLock(os.fsdecode(path))
    lock._directory = directory
    return lock
