"""Find the holder of a lock file in ``/proc`` (proc(5))."""

from __future__ import annotations

import os

from lockutils.errors import Holder


def holder_of(path: bytes) -> Holder | None:
    """Return the process that holds a lock on the file at ``path``.

    ``/proc/locks`` has the process that took the lock.  That may have died since, and have left
    the lock to who inherited its descriptor; its number may even be another process by now.

    :return: ``None`` where that cannot be told: no ``/proc``, a process of another pid
        namespace, a file system whose device numbers differ from those of ``stat``
    """
    try:
        status = os.stat(path)
        takers = [pid for _, pid in takers_of(status)]
    except OSError:
        return None
    for pid in takers:
        # of a process of another user it cannot be told
        if pid > 0 and _has_lock(pid, status) is not False:
            return Holder(pid, command=_command_line(pid))
    for name in os.listdir("/proc") if takers else ():
        if name.isdigit() and _has_lock(int(name), status):
            return Holder(int(name), command=_command_line(int(name)))
    return None


def takers_of(status: os.stat_result) -> list[tuple[bytes, int]]:
    """Return the kind of each lock on a file, as ``FLOCK``, and the process that took it.

    :raises OSError: if that cannot be told
    """
    device = status.st_dev
    file = b"%02x:%02x:%d" % (os.major(device), os.minor(device), status.st_ino)
    with open("/proc/locks", "rb") as table:
        # "1: FLOCK  ADVISORY  WRITE 1234 08:01:5678 0 EOF"; a waiter has "->" after the number
        lines = [line.split() for line in table]
    return [(fields[1], int(fields[4])) for fields in lines if fields[5:6] == [file]]


def _has_lock(pid: int, status: os.stat_result) -> bool | None:
    """Whether the process has the file open by a descriptor that has a lock.

    :return: ``None`` if that cannot be told
    """
    try:
        for number in os.listdir(f"/proc/{pid}/fd"):
            try:
                if os.path.samestat(os.stat(f"/proc/{pid}/fd/{number}"), status):
                    with open(f"/proc/{pid}/fdinfo/{number}", "rb") as info:
                        if b"\nlock:" in info.read():
                            return True
            except FileNotFoundError:
                pass  # it was closed meanwhile
    except PermissionError:
        return None
    except OSError:
        pass  # there is no such process any more
    return False


def _command_line(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = file.read(200).rstrip(b"\0").split(b"\0")
    except OSError:
        return ""
    return b" ".join(words).decode("utf-8", "replace")
