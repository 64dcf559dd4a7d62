"""The system calls of the file driver: one function each, and the ordinary case in one go.

A lock here is two locks on one descriptor.  ``flock`` meets filelock, portalocker and
flock(1); a record lock on the whole file meets oslo.concurrency, fasteners and whoever else
uses ``lockf``.  The record lock belongs to the open file description (``F_OFD_SETLK``,
fcntl(2)) and not to the process: closing another descriptor of that file does not drop it.

All of them raise :class:`OSError`; a call that a signal interrupts is repeated (PEP 475).
"""

from __future__ import annotations

import errno
import fcntl
import os
import struct
import sys
from fcntl import LOCK_EX, LOCK_NB, LOCK_SH, LOCK_UN, flock
from fcntl import fcntl as _fcntl

# not those of os, which eventlet replaces by ones that may switch to another greenthread
from posix import close as _close
from posix import fstat as fstat
from posix import lstat as lstat
from posix import open as _open
from stat import S_IFREG, S_ISREG

from lockutils.parking.native import sleep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lockutils.parking.sleeper import Sleeper

close_number = _close

_FLAGS = os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK  # a FIFO in our place must not hang us
#: seconds between the tries to unlock
_PAUSES = (0.0, 0.0, 0.001, 0.002, 0.004, 0.008)
_UNSUPPORTED = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOLCK)
#: what says that there is nothing to unlock: no such lock here, or the descriptor is closed
_NOT_LOCKED = (errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.EBADF)

_READ_WRITE = (_FLAGS | os.O_RDWR,)

#: The mode of the files of a default directory.  The sticky bit means nothing to the system on a
#: file (inode(7)).  It tells a file that was made there from any other file of the same user,
#: which somebody else may have moved to where the directory was.
MARK = 0o1600
MARKED = S_IFREG | MARK

#: the two ways to have a flock
EXCLUSIVE, SHARED = LOCK_EX, LOCK_SH

# Python has these names since 3.9 on Linux; elsewhere there may be no such lock.
_SETLK: int | None = getattr(fcntl, "F_OFD_SETLK", 37 if sys.platform == "linux" else None)
_GETLK: int | None = getattr(fcntl, "F_OFD_GETLK", 36 if sys.platform == "linux" else None)

WRITE, READ, UNLOCK = fcntl.F_WRLCK, fcntl.F_RDLCK, fcntl.F_UNLCK
#: a ``struct flock`` of a 64-bit kernel: type, whence, start, length, pid
_struct_flock = struct.Struct("hhqqi4x")


def span(kind: int, start: int = 0, length: int = 0) -> bytes:
    """Return what to lock, and how; a length of 0 reaches to the end of any file."""
    return _struct_flock.pack(kind, os.SEEK_SET, start, length, 0)


END = 2**63  # one after the last byte that any file can have
WHOLE, WHOLE_SHARED = span(WRITE), span(READ)
_UNLOCK = span(UNLOCK)
#: what a remover of the file locks: all but the last byte that it can have.  So others can tell it
#: from a holder
REMOVAL_END = END - 1
REMOVAL = span(WRITE, 0, REMOVAL_END)


# --- descriptors
#
# A descriptor lives in a list of at most one, and is put there by the call into C that opens
# it.  Between posix.open and the next line of Python a signal handler may raise, and the
# descriptor would never be closed, perhaps with a lock on it.


def open_into(fd_box: list[int], path: bytes, flags: int, mode: int = 0o666) -> None:
    """Open ``path`` and append the descriptor to ``fd_box``, both or none."""
    fd_box.extend(map(_open, (path,), (_FLAGS | flags,), (mode,)))


def open_in(fd_box: list[int], directory: int, name: str, flags: int) -> None:
    """Open a file of a directory that is open, and append the descriptor to ``fd_box``."""
    from functools import partial

    fd_box.extend(map(partial(_open, dir_fd=directory), (name,), (_FLAGS | flags,)))


def lock_at_once(
    fd_box: list[int],
    path: bytes,
    owner: int | None = None,
    flock_op: int = EXCLUSIVE,
    record: bytes = WHOLE,
) -> bool | None:
    """Open, lock twice and check, if all of it is as ordinary as it nearly always is.

    A process removes or replaces a lock file while it holds the lock, and then it has no link
    left.  It may have been moved away between our open and our lock; a look at the path would
    not help, since that can also happen right after it.

    :param owner: whose marked file alone is ordinary, if not anybody's: see :data:`MARKED`
    :return: ``True`` with both locks held; else nothing is held or open: ``False`` if somebody
        has the flock; ``None`` for the single steps to tell what is out of the ordinary
    """
    held: bool | None = None
    try:
        fd_box.extend(map(_open, (path,), _READ_WRITE))
        fd = fd_box[0]
        try:
            flock(fd, flock_op | LOCK_NB)
        except BlockingIOError:
            held = False
        else:
            _fcntl(fd, _SETLK, record)  # type: ignore[arg-type]
            status = fstat(fd)
            mode = status.st_mode
            if (
                status.st_nlink == 1
                and (S_ISREG(mode) if owner is None else mode == MARKED and status.st_uid == owner)
                and fd_box  # a signal handler may have forked, and this is the child
            ):
                return True
    except (OSError, TypeError, IndexError):
        pass  # TypeError: there is no such call here; IndexError: as in the case of a fork
    release(fd_box)
    return held


def wait_at_once(
    sleeper: Sleeper, fd: int, path: bytes, flock_op: int = EXCLUSIVE, record: bytes = WHOLE
) -> bool | None:
    """Wait for the flock, then do the rest, if all of it is ordinary.

    :return: ``True`` with both locks held, and on what ``path`` names; ``False`` if the sleeper
        was called back; ``None`` for the single steps to go on
    """
    try:
        held = fstat(fd)  # before the wait: what comes after it is what the next holder waits for
        if not sleeper.flock(fd, flock_op):
            return False
        _fcntl(fd, _SETLK, record)  # type: ignore[arg-type]
        named = lstat(path)
    except (OSError, TypeError):
        return None
    return (held.st_ino == named.st_ino and held.st_dev == named.st_dev) or None


def unsupported(error: OSError) -> bool:
    """Whether ``error`` may mean that the file system does not have this kind of lock."""
    return error.errno in _UNSUPPORTED


def flock_try(fd: int, flock_op: int = EXCLUSIVE) -> bool:
    try:
        flock(fd, flock_op | LOCK_NB)
    except BlockingIOError:
        return False
    return True


def flock_unlock(fd: int) -> None:
    flock(fd, LOCK_UN)


def record_unlock(fd: int) -> None:
    if _SETLK is not None:
        _fcntl(fd, _SETLK, _UNLOCK)


def span_try(fd: int, what: bytes) -> bool:
    """Lock a part of a file, or unlock it; ``False`` if somebody has a lock in the way."""
    if _SETLK is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    try:
        _fcntl(fd, _SETLK, what)
    except BlockingIOError:  # EACCES, too, is that in POSIX, but not where there are such locks
        return False
    return True


def span_unlock(fd: int, what: bytes) -> None:
    """Unlock a part of a file, and leave it open.  Never fails.

    Of a lock that reaches beyond the part on both sides two are left, and for the second the
    kernel needs memory (``ENOLCK``); a network may be down for a moment (``EIO``).  So the kernel
    is asked again a few times.  What cannot be unlocked at all goes with the descriptor.
    """
    for pause in _PAUSES:
        try:
            span_try(fd, what)
            return
        except OSError as error:
            if error.errno in _NOT_LOCKED:
                return
        sleep(pause)


def span_in_use(fd: int, what: bytes) -> tuple[int, int, int, int] | None:
    """Return a lock that another open file description has on a part of the file.

    :param what: a lock to ask for; which one is returned of several that are in its flock_op is
        up to the kernel (Linux: the oldest)
    :return: its first byte and the one after the last; its kind; the process that has it, or
        -1 if it is of an open file description.  ``None`` if nothing is in the way
    """
    if _GETLK is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    kind, _, start, length, pid = _struct_flock.unpack(_fcntl(fd, _GETLK, what))
    if kind == UNLOCK:
        return None
    return start, start + length if length else END, kind, pid


def close(fd_box: list[int]) -> None:
    """Close, and unlock if no forked child has a copy."""
    if fd_box:
        # No call between taking it out and closing it: an exception comes at the end of a call.
        fd = fd_box[0]
        del fd_box[0]
        _close(fd)


def release(fd_box: list[int]) -> None:
    """Let go of both locks, and close.

    Closing alone would do, were it not for descriptors that a forked child inherited: they
    would keep the locks.  The record lock goes first, because waiters queue at the other.
    """
    if not fd_box:
        return
    # IndexError: a signal handler came in between, and did the same or forked
    try:
        _fcntl(fd_box[0], _SETLK, _UNLOCK)  # type: ignore[arg-type]
    except (OSError, TypeError, IndexError):
        pass  # there are no such locks here
    try:
        flock(fd_box[0], LOCK_UN)
    except (OSError, IndexError):
        pass
    close(fd_box)
