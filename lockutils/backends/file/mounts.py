"""Whether a directory is the one that others know by that path: see mount_namespaces(7)."""

from __future__ import annotations

import os.path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias

    #: by the mount that it is on, and the path where: its number, its device, what of that it
    #: shows, and the type of the file system
    Mounts: TypeAlias = dict[tuple[str, str], tuple[str, str, str, str]]

#: in the path of every private directory of a unit
_OF_SYSTEMD = "systemd-private-"


def is_private(path: str) -> bool:
    """Whether ``path`` is another directory here than for the rest of this host.

    So it is in a systemd unit with ``PrivateTmp=``.  The rest of the host is what the init
    process sees, unless that has another root: then this is a container, a host of its own.

    :return: ``False`` where the system does not tell
    """
    try:
        ours = _read("self")
    except OSError:
        return False
    path = os.path.realpath(path)
    here = locate(ours, path)
    if _OF_SYSTEMD in here[1]:
        return True
    try:
        theirs = _read("1")
    except OSError:  # hidden from us, as by ProtectProc=: is it a file system of a unit's own?
        return here[1:] == ("/", "tmpfs")
    return locate(theirs, "/") == locate(ours, "/") and locate(theirs, path) != here


def file_system(path: str) -> tuple[str, str, str, list[str]]:
    """Return what :func:`locate` does of ``path``, and the options of that file system.

    :raises OSError: if the system does not tell
    """
    mountinfo = _text("self")
    device, shown, kind = locate(parse(mountinfo), os.path.realpath(path))
    return device, shown, kind, options_of(mountinfo, device)


def options_of(mountinfo: str, device: str) -> list[str]:
    """Return the options of the file system with this device number, as ``vers=4.2``."""
    for line in mountinfo.strip("\n").split("\n"):
        mount, _, source = line.partition(" - ")
        if mount.split(" ", 3)[2] == device:
            return source.rpartition(" ")[2].split(",")
    return []


def _read(process: str) -> Mounts:
    return parse(_text(process))


def _text(process: str) -> str:
    with open(f"/proc/{process}/mountinfo", "rb") as file:
        return file.read().decode("utf-8", "surrogateescape")


def parse(mountinfo: str) -> Mounts:
    """Return the mounts that a process sees, from its ``/proc/PID/mountinfo`` (proc(5))."""
    mounts = {}
    for line in mountinfo.strip("\n").split("\n"):  # not splitlines(): a path may have other ends
        fields, _, source = line.partition(" - ")
        number, parent, device, root, point = fields.split(" ", 5)[:5]
        mounts[parent, point] = number, device, root, source.partition(" ")[0]
    return mounts


def locate(mounts: Mounts, path: str) -> tuple[str, str, str]:
    """Return the device of the file system that has ``path``, where it is there, and the type."""
    numbers = {number for number, *_ in mounts.values()}
    device = root = kind = number = ""
    for parent, point in mounts:
        # the root is on a mount that is not to be seen, or on itself
        if point == "/" and (parent not in numbers or mounts[parent, point][0] == parent):
            number = parent
    below = "/"
    parts = path.split("/")[1:] if path != "/" else []
    left = dict(mounts)
    for count in range(len(parts) + 1):
        point = "/" + "/".join(parts[:count])
        while (number, point) in left:  # one may be on the other
            number, device, root, kind = left.pop((number, point))
            below = point
    return device, os.path.normpath(os.path.join(root, os.path.relpath(path, below))), kind
