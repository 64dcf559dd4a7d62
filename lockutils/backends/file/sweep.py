"""Removing lock files that nobody uses, and so keeping a directory small.

A holder of a lock file may remove it: a waiter that gets the lock of a removed file notices, and
starts again on a new one.  That is so among lockutils processes.  Most other tools do not look: one
that has the file open, to wait for it, then locks a file that nobody else finds.

So only the default directory is swept, where other tools have no business, and with
``set_defaults(clean=True)`` also those that the user named.

The remover locks all of the file but the last byte.  So a single try (``blocking=False``) that
meets it sees that this is no holder, and tries again.

Removing files can do harm, and a path may lead elsewhere since it was checked last.  So the
directory is opened, and its files are found by its descriptor.
"""

from __future__ import annotations

import errno
import os
from posix import sched_yield
from stat import S_ISREG, S_ISVTX

from lockutils.backends.file import lock_kinds, syscalls
from lockutils.backends.file.naming import may_be_file_name
from lockutils.backends.file.refusal import is_open_to_others
from lockutils.parking.native import sleep

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from lockutils.backends.file.directory import Directory

#: files that may stay; the ones that are used again and again save their making
_KEPT = 256
#: on average every so many new files set off a sweep
_EVERY = 64
#: How often, a millisecond apart, a remover is waited for.  It takes some microseconds, and may
#: lose its core in between: on a busy host for more than a tenth of a second.
_LOOKS = 1000


def is_due(new_file: int) -> bool:
    """Whether the making of this file, an open descriptor, is the one to sweep after.

    By its inode number, so that it does not matter whether one process makes a million files
    or a million processes make one each.
    """
    return syscalls.fstat(new_file).st_ino % _EVERY == 0


def sweep(where: Directory) -> None:
    """Remove the lock files that nobody holds, if there are many files.

    Nothing is done in a default directory that is not this user's own, and closed to all others;
    nor in a named one that has anything but lock files, since somebody may have named ``/tmp``.
    """
    own = where.owner is not None
    cell: list[int] = []
    try:
        status = open_directory(cell, where.path, own=own)
        names = os.listdir(cell[0])
        if len(names) <= _KEPT:
            return
        files, others = survey(cell[0], names)
        if others and not own:
            return
        for name in files:
            try:
                remove_if_free(cell[0], status, name)
            except OSError:
                pass
    except OSError:
        pass
    finally:
        # No call before the one that closes: a signal handler may raise at the end of any.
        if cell:
            syscalls.close_number(cell[0])


def open_directory(cell: list[int], path: bytes, *, own: bool) -> os.stat_result:
    """Open a lock directory to remove files from it, and append the descriptor to ``cell``.

    :param own: whether it must be this user's own, and closed to all others
    :raises OSError: if it is not, or cannot be opened
    """
    # a directory that the user named may be a link
    syscalls.open_into(cell, path if own else path + b"/.", os.O_RDONLY | os.O_DIRECTORY)
    status = syscalls.fstat(cell[0])
    if own and (status.st_uid != os.geteuid() or is_open_to_others(status)):
        raise PermissionError(errno.EPERM, "Lock directory is not this user's alone")
    return status


def survey(directory: int, names: Iterable[str]) -> tuple[dict[str, os.stat_result], list[str]]:
    """Return which of the files of a directory are lock files, and which are anything else.

    Hidden files are neither: the queue is one, and no lock is named so.

    :param directory: a descriptor
    """
    files, others = {}, []
    for name in names:
        if not name.startswith("."):
            try:
                status = os.stat(name, dir_fd=directory, follow_symlinks=False)
            except FileNotFoundError:
                continue
            if status.st_nlink == 0:
                continue  # it was removed while we looked
            if is_lock_file(name, status):
                files[name] = status
            else:
                others.append(name)
    return files, others


def is_lock_file(name: str, status: os.stat_result) -> bool:
    """Whether it may be a lock file: a lock needs no content, and no second name."""
    is_empty = S_ISREG(status.st_mode) and status.st_size == 0 and status.st_nlink == 1
    return is_empty and may_be_file_name(name)


def remove_if_free(directory: int, parent: os.stat_result, name: str) -> bool:
    """Remove a lock file, unless somebody has locked it.

    :param directory: a descriptor
    :param parent: the status of that directory
    :return: whether it was removed; ``False`` if somebody has locked it, or it is no lock file
        any more
    :raises OSError: if this user may not remove it, or not write to it
    """
    cell: list[int] = []
    try:
        syscalls.open_in(cell, directory, name, os.O_RDWR)
        # before it is locked, since a file that stays must not look like one that goes
        _check_sticky(parent, syscalls.fstat(cell[0]))
        if not _lock(cell[0], directory):
            return False
        locked = syscalls.fstat(cell[0])
        named = os.stat(name, dir_fd=directory, follow_symlinks=False)
        if not is_lock_file(name, locked) or not os.path.samestat(locked, named):
            return False
        os.unlink(name, dir_fd=directory)
        return True
    except FileNotFoundError:
        return False
    finally:
        try:
            _release(cell)
        except BaseException:
            _release(cell)  # a signal handler may have raised before it was done
            raise


def _release(cell: list[int]) -> None:
    """Unlock and close.  First the flock: without the record lock it looks like another tool's."""
    try:
        if cell:
            syscalls.flock_unlock(cell[0])
    except OSError:
        pass  # there are no such locks here
    syscalls.release(cell)


def _check_sticky(parent: os.stat_result, status: os.stat_result) -> None:
    """:raises PermissionError: if the directory is sticky, and the file somebody else's."""
    if parent.st_mode & S_ISVTX and os.geteuid() not in (0, parent.st_uid, status.st_uid):
        text = f"It belongs to user {status.st_uid}, and the directory is sticky"
        raise PermissionError(errno.EPERM, text)


def _lock(fd: int, directory: int) -> bool:
    """Lock the file in both kinds, as far as the file system has them; without waiting."""
    kinds, missing = lock_kinds.of_file(fd), None
    try:
        # First the lock that tells others what we are; nobody sees a flock without it.
        if kinds.record and not syscalls.span_try(fd, syscalls.REMOVAL):
            return False
        if not kinds.flock or syscalls.flock_try(fd):
            return True
    except OSError as error:
        if not syscalls.unsupported(error):
            raise
        missing = error
    # Somebody has the flock, or our own record lock is in its way, or one kind is missing.
    lock_kinds.find_out(fd, b"/proc/self/fd/%d/." % directory)
    if lock_kinds.of_file(fd) is kinds:
        if missing is not None:
            raise missing
        return False
    syscalls.span_unlock(fd, syscalls.span(syscalls.UNLOCK))
    return _lock(fd, directory)


def is_held(fd: int) -> bool | None:
    """Whether a holder is seen to have locked the file ``fd``, which could not be locked just now.

    It waits a moment for a remover.

    :return: ``False`` if a remover had locked it, and has gone; ``None`` if nobody is seen: a
        remover that has gone already, or another tool
    :raises OSError: if it cannot be told
    """
    gone = None
    for look in range(_LOOKS):
        try:
            found = syscalls.span_in_use(fd, syscalls.WHOLE)
        except OSError as error:
            if not syscalls.unsupported(error):
                raise
            break  # there is only flock, which does not tell who has it
        if found is None:
            return gone
        if found[1] != syscalls.REMOVAL_END:
            break
        gone = False
        if look:
            sleep(0.001)
        else:
            sched_yield()
    return True
