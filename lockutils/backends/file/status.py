"""Who holds a lock file, read off ``/proc/locks`` (proc(5))."""

from __future__ import annotations

import os

from lockutils.errors import Holder


def holder_of(path: bytes) -> Holder | None:
    """Return the process that holds a lock on the file at ``path``.

    :return: ``None`` where that cannot be told: no ``/proc``, a process of another pid
        namespace, a file system whose device numbers differ from those of ``stat``
    """
    try:
        status = os.stat(path)
        with open("/proc/locks", "rb") as table:
            lines = table.readlines()
    except OSError:
        return None
    device = status.st_dev
    file = b"%02x:%02x:%d" % (os.major(device), os.minor(device), status.st_ino)
    for line in lines:
        # "1: FLOCK  ADVISORY  WRITE 1234 08:01:5678 0 EOF"; a waiter has "->" after the number
        fields = line.split()
        if len(fields) >= 6 and fields[5] == file and int(fields[4]) > 0:
            pid = int(fields[4])
            return Holder(pid, _command_line(pid))
    return None


def _command_line(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = file.read(200).rstrip(b"\0").split(b"\0")
    except OSError:
        return ""
    return b" ".join(words).decode("utf-8", "replace")
