"""Locks that a ``lockutils run`` above this process holds until this process has ended.

A wait for such a lock would never end, unless it has a time-out.  ``lockutils run`` tells its
command in an environment variable what it holds: for each lock its own process, the file, and the
number of slots, which is 1 for an exclusive holder, or 0 for a reader.  A process is identified by
its number and the time of its start, a file by its device and inode, so that no path has to mean
the same here and there.

Imported along with lockutils where that variable is set, and never when somebody waits.
"""

from __future__ import annotations

import os

from lockutils.backends.file.directory import Directory
from lockutils.backends.file.proc import Table, stat_of
from lockutils.errors import DeadlockError, Holder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from lockutils.front.handle import Lock
    from lockutils.local.waiters import Waiter

VARIABLE = "LOCKUTILS_HELD"
_SHARED = 0
_FIELDS = 5


def told(paths: Iterable[bytes], shared: bool, slots: int) -> str:
    """Return what to set the variable to, for a command that is started under these locks.

    :param paths: of the lock files that this process holds
    """
    mode = _SHARED if shared else slots
    entries = [os.environ.get(VARIABLE, "")]
    try:
        pid, _, start = stat_of("self")
        for path in paths:
            status = os.stat(path)
            entries.append(f"{pid}:{start}:{status.st_dev}:{status.st_ino}:{mode}")
    except OSError:
        pass  # no /proc; or the file is not there any more, and nobody can wait for it
    return " ".join(filter(None, entries))


def enter(lock: Lock, waiter: Waiter) -> bool:
    """Called before ``waiter`` waits without a time-out for a lock that others have.

    :return: whether it holds the lock now: a reader does not wait for a writer that waits for a
        reader above
    :raises DeadlockError: if it would wait for itself
    """
    backend = lock._backend
    if not isinstance(backend, Directory) or waiter.request is None:
        return False
    pid = _holder_above(backend.file_of(lock._key), waiter.slots)
    if pid is None:
        return False
    if waiter.request.try_now(True):
        return True
    holder = Holder(pid, command="lockutils run")
    raise DeadlockError(
        f"the caller would wait for itself: {lock.name!r} is held by {holder}, "
        "which is above this process and waits for it to end"
    )


def held() -> list[tuple[int, int, bool]]:
    """Return what is held above this process: device and inode of the file, whether by a reader."""
    above = _above()
    return [
        (device, inode, mode == _SHARED)
        for pid, start, device, inode, mode in _entries(os.environ.get(VARIABLE, ""))
        if above.get(pid) == start
    ]


def _holder_above(path: bytes, slots: int) -> int | None:
    """Return the process above that holds the lock, if no other holder can free it."""
    entries = _entries(os.environ.get(VARIABLE, ""))
    if not entries:
        return None
    try:
        status = os.stat(path)
    except OSError:
        return None
    above = _above()
    found = [
        (pid, mode)
        for pid, start, device, inode, mode in entries
        if (device, inode) == (status.st_dev, status.st_ino)
        and above.get(pid) == start
        and _has_it(pid, status)
    ]
    # One of the other slots may become free; and of a number of slots that differs, the lock
    # itself tells.
    agreed = {slots} if slots > 1 else {_SHARED, 1}
    if len(found) < slots or not agreed.issuperset(mode for _, mode in found):
        return None
    return found[-1][0]


def _entries(text: str) -> list[list[int]]:
    entries = []
    for entry in text.split():
        fields = entry.split(":")
        if len(fields) == _FIELDS and all(part.isascii() and part.isdigit() for part in fields):
            entries.append([int(part[:20]) for part in fields])
    return entries


def _above() -> dict[int, int]:
    """Return the processes above this one, and when each began."""
    found: dict[int, int] = {}
    try:
        _, parent, _ = stat_of("self")
        while parent and parent not in found:
            pid, parent, found[pid] = stat_of(parent)
    except OSError:
        pass  # of another user, and hidden; or no /proc
    return found


def _has_it(pid: int, status: os.stat_result) -> bool:
    """Whether ``pid`` has the file locked, as far as that can be told.

    The command may have unlocked the descriptor that it inherited.
    """
    try:
        lines, is_sure = Table().lines((status.st_dev, status.st_ino))
    except OSError:
        return True
    pids = [line.pid for line in lines if line.kind == b"FLOCK" and not line.waits]
    return not is_sure or not pids or pid in pids
