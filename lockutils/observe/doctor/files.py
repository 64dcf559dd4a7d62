"""The files of the lock directory, who has locks on them, and whether that can be seen."""

from __future__ import annotations

import os
import stat
import sys

from lockutils.errors import LockPathError
from lockutils.observe.doctor.finding import ok, problem, warning

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from lockutils.backends.file.proc import Table
    from lockutils.observe.doctor.finding import Place, Result

#: files whose size is looked at, and names that are told
_MOST, _SOME = 10_000, 3
#: by the kind of lock, what other tools do
_HABITS = {
    b"POSIX": "lockf, as fasteners and oslo.concurrency",
    b"FLOCK": "flock alone, as flock(1), filelock and portalocker",
    b"OFDLCK": "a record lock alone, as flock(1) --fcntl",
}
#: of the namespaces that a host begins with (linux/proc_ns.h)
_FIRST_PID_NAMESPACE, _FIRST_USER_NAMESPACE = 0xEFFFFFFC, 0xEFFFFFFD
_SHARE = "have its owner chmod it, and all users set one $LOCKUTILS_FILE_MODE"


def queue(place: Place) -> Iterator[Result]:
    """Whether waiters can stand in line, and how many do."""
    if place.directory is None or place.status is None or os.name != "posix":
        return
    from lockutils.backends.file import syscalls
    from lockutils.backends.file.queue import QUEUE_NAME

    path = place.directory.path + b"/" + QUEUE_NAME
    name = os.fsdecode(QUEUE_NAME)
    fd_box: list[int] = []
    try:
        status = os.lstat(path)
        if not stat.S_ISREG(status.st_mode):
            yield problem(f"{name} is no file: nobody can wait with fair=True", "remove it")
            return
        syscalls.open_into(fd_box, path, os.O_RDWR)
        syscalls.span_in_use(fd_box[0], syscalls.WHOLE)
    except FileNotFoundError:
        yield ok(f"nobody has waited here yet: the first waiter makes {name}")
    except OSError as error:
        text = f"{name}: {error.strerror}: this user cannot wait with fair=True, or in line"
        hint = LockPathError(error.errno, error.strerror, os.fsdecode(path)).hint
        yield warning(text, hint or _SHARE)
    else:
        table = _table()
        lines = table.lines((status.st_dev, status.st_ino))[0] if table else []
        tickets = [line for line in lines if line.writes and not line.waits]
        yield ok(f"waiters with a ticket in {name}: {_number(tickets if table else None)}")
    finally:
        syscalls.close(fd_box)


def lock_files(place: Place) -> Iterator[Result]:
    """How many there are, and what other tools do with them."""
    if place.directory is None or place.status is None:
        return
    table, device = _table(), place.status.st_dev
    number, used, filled = 0, [], []
    others: dict[bytes, list[str]] = {kind: [] for kind in _HABITS}
    with os.scandir(os.fsdecode(place.directory.path)) as entries:
        for entry in entries:
            if entry.name.startswith(".") or not entry.is_file(follow_symlinks=False):
                continue  # no lock is named so
            number += 1
            if number <= _MOST and entry.stat(follow_symlinks=False).st_size:
                filled.append(repr(entry.name))
            lines = table.lines((device, entry.inode()))[0] if table else ()
            kinds = {line.kind for line in lines if not line.waits}
            if kinds:
                used.append(entry.name)
            if b"POSIX" in kinds or len(kinds) == 1:  # ours have a flock and an OFDLCK
                others[b"POSIX" if b"POSIX" in kinds else kinds.pop()].append(repr(entry.name))
    yield ok(f"{number} in all, {_number(used if table else None)} in use")
    if place.kinds is not None and not place.kinds[1]:
        others[b"FLOCK"].clear()  # ours are such, too
    for kind, names in others.items():
        if names:
            yield ok(f"held by {_HABITS[kind]} do: {_some(names)}")
    if filled:
        text = "have content, of another tool; one that locks by the"
        yield ok(f"{_some(filled)} {text} mere existence of a file does not exclude others")


def _number(known: list[Any] | None) -> str:
    return "an unknown number" if known is None else str(len(known))


def _table() -> Table | None:
    """Return the locks of the host; ``None`` where they are not known."""
    try:
        from lockutils.backends.file.proc import Table

        table = Table()
    except (ImportError, OSError):  # ImportError: on Windows
        return None
    table.index()
    return table


def _some(names: list[str]) -> str:
    more = len(names) - _SOME
    return ", ".join(names[:_SOME]) + (f" and {more} more" if more > 0 else "")


def processes(place: Place) -> Iterator[Result]:
    """Whether it can be seen from here who holds a lock."""
    from lockutils.backends.file.proc import trouble

    if sys.platform != "linux":
        yield ok(f"the holders of locks cannot be named on {sys.platform}")
    elif why := trouble():
        text = f"the holders of locks cannot be named: {why}"
        yield warning(text, "mount it: mount -t proc proc /proc")
    else:
        limits = []
        if not os.access("/proc/1/cmdline", os.R_OK):
            limits.append("those of other users are hidden (hidepid=, ProtectProc=)")
        if _is_other("pid", _FIRST_PID_NAMESPACE):
            limits.append("those outside of this pid namespace are not visible")
        if _is_other("user", _FIRST_USER_NAMESPACE):
            limits.append("in this user namespace user numbers are others than outside")
        yield ok(f"holders can be named{': ' if limits else ''}{'; '.join(limits)}")


def _is_other(namespace: str, first: int) -> bool:
    try:
        return os.stat(f"/proc/self/ns/{namespace}").st_ino != first
    except OSError:
        return False  # the kernel has none of this kind


CHECKS = (queue, lock_files, processes)
