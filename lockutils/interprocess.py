"""fasteners' lock on a file, made to go together with the other locks on that file."""

from __future__ import annotations

import errno
import os
from weakref import WeakSet

import fasteners

from lockutils.config import lock_directory
from lockutils.naming import key_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from lockutils.config import StrPath

if os.name == "posix":
    from lockutils.drivers import _posix, families

    class InterProcessLock(fasteners.InterProcessLock):  # type: ignore[misc]
        """A lock on the file ``path``, as fasteners has it, but held as lockutils holds a file.

        fasteners holds a record lock of the process.  That drops if the process closes any
        descriptor of the file, as whoever tries in vain to lock it does.  So this is ``flock``
        and a record lock of the open file description instead, which exclude fasteners', and
        each other within a process, too.  A file that was removed during the wait is made anew.
        """

        lockfile: Any

        def trylock(self) -> None:
            """Try once to lock the open file.

            :raises BlockingIOError: if somebody else has it
            """
            _used.add(self)
            while True:
                fd = self.lockfile.fileno()
                if not _lock(fd, os.fsencode(os.path.dirname(self.lockfile.name)) or b"."):
                    raise BlockingIOError(errno.EAGAIN, os.strerror(errno.EAGAIN), self.path)
                if os.fstat(fd).st_nlink:
                    return
                self.lockfile.close()
                self.lockfile = open(self.lockfile.name, "a")  # noqa: SIM115

        def unlock(self) -> None:
            """Unlock the open file, and leave it open."""
            _unlock(self.lockfile.fileno())

        def _forget_parent(self) -> None:
            if self.lockfile is not None:
                self.lockfile.close()
                self.lockfile = None
            self.acquired = False

    def _lock(fd: int, directory: bytes) -> bool:
        """Take the two locks or none, as far as the file system has them."""
        kinds = families.of_file(fd)
        try:
            if kinds.flock and not _posix.flock_try(fd):
                return False
            if not kinds.record or _posix.span_try(fd, _posix.WHOLE):
                return True
        except OSError as error:
            if not _posix.unsupported(error):
                _unlock(fd)
                raise
            surprise: OSError | None = error
        else:
            surprise = None
        _unlock(fd)
        families.find_out(fd, directory)
        if families.of_file(fd) is not kinds:
            return _lock(fd, directory)
        if surprise is not None:
            raise surprise
        return False

    def _unlock(fd: int) -> None:
        for unlock in (_posix.record_unlock, _posix.flock_unlock):
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
    return InterProcessLock(os.fsdecode(path))
