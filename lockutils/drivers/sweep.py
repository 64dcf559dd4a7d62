"""Keeping the default lock directory small, whatever number of names passes through it.

A lock file may be removed by whoever holds it: a waiter that gets the lock of a removed file
notices, and starts again on a new one.  That is so among lockutils processes; other tools do
not look.  So only the default directory is swept, where other tools have no business.  A
single try (``blocking=False``) may meet the sweeper, and fail as if somebody held the lock.
"""

from __future__ import annotations

import os

from lockutils.drivers import _posix
from lockutils.drivers.queue import QUEUE_NAME

#: files that may stay; the ones that are used again and again save their making
_KEPT = 256
#: on average every so many new files set off a sweep
_EVERY = 64


def is_due(new_file: int) -> bool:
    """Whether the making of this file, an open descriptor, is the one to sweep after.

    By its inode number, so that it does not matter whether one process makes a million files
    or a million processes make one each.
    """
    return _posix.fstat(new_file).st_ino % _EVERY == 0


def sweep(directory: bytes) -> None:
    """Remove the lock files that nobody holds, if there are many files."""
    try:
        names = os.listdir(directory)
    except OSError:
        return
    if len(names) > _KEPT:
        for name in names:
            if name != QUEUE_NAME:
                _remove_if_free(directory + b"/" + name)


def _remove_if_free(path: bytes) -> None:
    cell: list[int] = []
    try:
        if _posix.lock_at_once(cell, path) and os.path.samestat(
            _posix.fstat(cell[0]), os.lstat(path)
        ):
            os.unlink(path)
    except OSError:
        pass
    finally:
        _posix.release(cell)
