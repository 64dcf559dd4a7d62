"""Which of the two kinds of lock a file system has, and whether they are really two.

NFS emulates ``flock`` by a record lock on the whole file (flock(2)), so that there a process
may meet its own first lock when it asks for the second.  Some network and FUSE file systems
and sandboxed kernels have only one of the kinds.  Both are found out by trying, once for each
device, and only after something went wrong: an ordinary file system is never probed.
"""

from __future__ import annotations

import errno
import itertools
import os

from lockutils.backends.file import syscalls

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class LockKinds:
    """The kinds of lock to take on a file system."""

    __slots__ = ("flock", "record")

    def __init__(self, *, flock: bool, record: bool) -> None:
        self.flock = flock
        self.record = record


BOTH = LockKinds(flock=True, record=True)
FLOCK = LockKinds(flock=True, record=False)
RECORD = LockKinds(flock=False, record=True)
_of_device: dict[int, LockKinds] = {}
_probes = itertools.count()
_TMPFILE: int | None = getattr(os, "O_TMPFILE", None)  # of Linux alone


def of_file(fd: int) -> LockKinds:
    """Return what is known of the file system of ``fd``; both kinds where nothing is."""
    if not _of_device:
        return BOTH
    return _of_device.get(os.fstat(fd).st_dev, BOTH)


def find_out(fd: int, directory: bytes) -> None:
    """Try both kinds on a file of our own in ``directory``, unless that was done before.

    It remembers what is certain: that the kinds are two, or one.  If there is none at the moment,
    or no file can be made, the next request tries again.

    :param fd: an open file of the same file system
    """
    device = os.fstat(fd).st_dev
    if device in _of_device:
        return
    try:
        works = probe(directory)
    except OSError:
        return  # there can be no file
    for kinds in BOTH, FLOCK, RECORD:
        if works[:2] == (kinds.flock, kinds.record):
            _of_device[device] = kinds


def probe(directory: bytes) -> tuple[bool | None, bool | None, bool | None]:
    """Try both kinds on a file of our own in ``directory``, which is gone afterwards.

    :return: whether a flock can be had, a record lock beside it, and a record lock without it;
        ``None`` for what may change
    :raises OSError: if no file can be made
    """
    # a leading dot: no lock is ever named like this
    path = directory + b"/.lockutils-probe-%d-%d" % (os.getpid(), next(_probes))
    cell: list[int] = []
    try:
        is_named = _open_probe(cell, directory, path)
        try:
            # with the flock in hand: where it is a record lock in truth, the other one fails
            flock, record = _works(syscalls.flock_try, cell[0]), _works(_record_try, cell[0])
            if record or not flock:
                return flock, record, record
            return flock, record, _works(_record_alone, cell[0])
        finally:
            if is_named:
                try:
                    os.unlink(path)
                except OSError:
                    pass  # others may write here, and one of them has removed it
    finally:
        # No call before the one that closes: a signal handler may raise at the end of any.
        if cell:
            syscalls.close_number(cell[0])


def _open_probe(cell: list[int], directory: bytes, path: bytes) -> bool:
    """Make a file, which nobody else can open; whether it is at ``path``, and has a name at all."""
    if _TMPFILE is not None:
        try:
            # a process that is killed meanwhile leaves nothing behind (open(2))
            syscalls.open_into(cell, directory, os.O_RDWR | _TMPFILE, 0o600)
            return False
        except OSError:
            pass  # this file system has no files without a name
    syscalls.open_into(cell, path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    return True


def _works(lock: Callable[[int], bool], fd: int) -> bool | None:
    """Whether ``fd`` can be locked so; ``None`` if that may change."""
    try:
        return lock(fd)
    except OSError as error:
        # ENOLCK is also what a kernel says that has no memory for locks (fcntl(2)), and any
        # other error may be of the moment, too.
        for_ever = syscalls.unsupported(error) and error.errno != errno.ENOLCK
        return False if for_ever else None


def _record_alone(fd: int) -> bool:
    syscalls.flock_unlock(fd)
    return _record_try(fd)


def _record_try(fd: int) -> bool:
    return syscalls.span_try(fd, syscalls.WHOLE)
