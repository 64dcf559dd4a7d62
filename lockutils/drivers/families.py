"""Which of the two kinds of lock a file system has, and whether they are really two.

NFS emulates ``flock`` by a record lock on the whole file (flock(2)), so that there a process
may meet its own first lock when it asks for the second.  Some network and FUSE file systems
and sandboxed kernels have only one of the kinds.  Both are found out by trying, once for each
device, and only after something went wrong: an ordinary file system is never probed.
"""

from __future__ import annotations

import os

from lockutils.drivers import _posix

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class Families:
    """The kinds of lock to take on a file system."""

    __slots__ = ("flock", "record")

    def __init__(self, *, flock: bool, record: bool) -> None:
        self.flock = flock
        self.record = record


BOTH = Families(flock=True, record=True)
_of_device: dict[int, Families] = {}


def of_file(fd: int) -> Families:
    """Return what is known of the file system of ``fd``; both kinds where nothing is."""
    if not _of_device:
        return BOTH
    return _of_device.get(os.fstat(fd).st_dev, BOTH)


def find_out(fd: int, directory: bytes) -> bool:
    """Try both kinds on a file of our own in ``directory``, unless that was done before.

    :param fd: an open file of the same file system
    :return: whether it has one kind only, and that is news
    """
    device = os.fstat(fd).st_dev
    if device in _of_device:
        return False
    # a leading dot: no lock is ever named like this
    path = os.path.join(directory, b".lockutils-probe-%d-%d" % (os.getpid(), id(_of_device)))
    try:
        probe = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    except OSError:
        return False
    try:
        found = Families(flock=_works(_posix.flock_try, probe), record=_works(_record_try, probe))
        if found.flock and not found.record:
            # Either there is no record lock, or the flock that we hold is one.
            _posix.flock_unlock(probe)
            if _works(_record_try, probe):
                found = Families(flock=False, record=True)
    finally:
        os.close(probe)
        os.unlink(path)
    _of_device[device] = found
    return found.flock != found.record


def _works(lock: Callable[[int], bool], fd: int) -> bool:
    try:
        return lock(fd)
    except OSError:
        return False


def _record_try(fd: int) -> bool:
    return _posix.record_try(fd, writable=True)
