"""Keeping the default lock directory small, whatever number of names passes through it.

A lock file may be removed by whoever holds it: a waiter that gets the lock of a removed file
notices, and starts again on a new one.  That is so among lockutils processes; other tools do
not look.  So only the default directory is swept, where other tools have no business.  A
single try (``blocking=False``) may meet the sweeper, and fail as if somebody held the lock.

To remove files is the one thing here that can do harm, and a path may lead elsewhere since it
was checked last.  So the directory is opened, checked, and not looked up by its path again.
"""

from __future__ import annotations

import os
from stat import S_ISREG

from lockutils.backends.file import syscalls
from lockutils.backends.file.refusal import is_open_to_others

#: files that may stay; the ones that are used again and again save their making
_KEPT = 256
#: on average every so many new files set off a sweep
_EVERY = 64


def is_due(new_file: int) -> bool:
    """Whether the making of this file, an open descriptor, is the one to sweep after.

    By its inode number, so that it does not matter whether one process makes a million files
    or a million processes make one each.
    """
    return syscalls.fstat(new_file).st_ino % _EVERY == 0


def sweep(path: bytes) -> None:
    """Remove the lock files that nobody holds, if there are many files.

    Nothing is done if the directory is not this user's own, and closed to all others.
    """
    cell: list[int] = []
    try:
        syscalls.open_into(cell, path, os.O_RDONLY | os.O_DIRECTORY)
        directory = cell[0]
        status = syscalls.fstat(directory)
        if status.st_uid != os.geteuid() or is_open_to_others(status):
            return
        names = os.listdir(directory)
        if len(names) > _KEPT:
            for name in names:
                if not name.startswith("."):  # no lock is named so, but the queue
                    _remove_if_free(directory, name)
    except OSError:
        pass
    finally:
        # No call before the one that closes: a signal handler may raise at the end of any.
        if cell:
            syscalls.close_number(cell[0])


def _remove_if_free(directory: int, name: str) -> None:
    cell: list[int] = []
    try:
        syscalls.open_in(cell, directory, name, os.O_RDWR)
        if syscalls.flock_try(cell[0]) and syscalls.span_try(cell[0], syscalls.WHOLE):
            locked = syscalls.fstat(cell[0])
            named = os.stat(name, dir_fd=directory, follow_symlinks=False)
            if S_ISREG(locked.st_mode) and os.path.samestat(locked, named):
                os.unlink(name, dir_fd=directory)
    except OSError:
        pass
    finally:
        try:
            syscalls.release(cell)
        except BaseException:
            syscalls.release(cell)  # a signal handler may have raised before it was done
            raise
