"""The file system of the lock directory: its type, its locks, and the room that is left."""

from __future__ import annotations

import os

from lockutils.backends.file import mounts
from lockutils.observe.doctor.finding import ok, problem, warning

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from lockutils.observe.doctor.finding import Place, Result

#: those with a server, which may be used by several hosts
_NETWORK = ("9p", "afs", "ceph", "cifs", "lustre", "ncpfs", "smb3", "virtiofs")
_LOCAL = "keep the lock directory on a local file system where the processes are on one host"
#: options of NFS by which locks stay on the host
_NO_LOCKS, _ONE_KIND = ("nolock", "local_lock=all"), ("local_lock=flock", "local_lock=posix")
#: room; with less, new lock files soon fail
_FEW_INODES, _FEW_BYTES = 1000, 2**20
_CLEAN = "free some: files that nobody needs any more"


def file_system(place: Place) -> Iterator[Result]:
    """Which type it is, and what that means for locks."""
    if place.base is None:
        return
    try:
        device, _, kind, options = mounts.file_system(os.fsdecode(place.base))
    except OSError:
        yield ok("its type is not known: there is no /proc/self/mountinfo")
        return
    yield judge(f"{kind}, device {device}", kind, options)
    if mounts.is_private(os.fsdecode(place.base)):
        text = "other processes of this host have another directory of this name"
        yield warning(text, "do without PrivateTmp= or the like, or name a directory outside of it")


def judge(text: str, kind: str, options: Sequence[str]) -> Result:
    """Return what to say of a file system, beginning with ``text``.

    :param kind: its type, as ``nfs4``
    :param options: that it is mounted with
    """
    if kind in ("nfs", "nfs4"):
        known = [one for one in options if one.startswith(("vers=", "local_lock=", "nolock"))]
        text = ", ".join([text, *known])
        if any(one in _NO_LOCKS for one in known):
            return warning(f"{text}: each host has locks of its own", f"mount it without; {_LOCAL}")
        if any(one in _ONE_KIND for one in known):
            what = "tools of other hosts that use this kind are not excluded"
            return warning(f"{text}: {what}", f"mount it without; {_LOCAL}")
        return warning(f"{text}: a host that is cut off may lose its locks unnoticed", _LOCAL)
    if kind in _NETWORK or kind.startswith("fuse."):
        return warning(f"{text}: whether other hosts and mounts see locks is up to it", _LOCAL)
    if kind == "overlay":
        return ok(f"{text}: in a container neither the host nor others see it")
    if kind in ("tmpfs", "ramfs"):
        return ok(f"{text}: gone at boot; a container may have one of its own")
    if kind in ("fuse", "fuseblk"):
        return ok(f"{text}: the kernel keeps the locks, unless the server asks to do so")
    return ok(text)


def locks(place: Place) -> Iterator[Result]:
    """Which kinds of lock there are, as a probe found."""
    if place.kinds is None:
        return
    flock, record, record_alone = place.kinds
    if None in place.kinds:
        text = "locks fail at the moment: no memory for them, or a lock server is away"
        yield problem(text, f"try again; on NFS see that lockd and statd run; {_LOCAL}")
    elif flock and record:
        yield ok("flock and record locks, independent of each other")
    elif flock and record_alone:
        yield ok("a flock is a record lock here, so that tools of both kinds meet")
    elif flock:
        text = "flock alone: slots and fair=True fail, and tools that use lockf are not excluded"
        yield warning(text, "let all users be lockutils, flock(1), filelock or portalocker")
    elif record:
        text = "record locks alone: tools that use flock are not excluded"
        yield warning(text, "let all users be lockutils, fasteners or oslo.concurrency")
    else:
        yield problem("no locks at all", "name a directory on a local file system")


def space(place: Place) -> Iterator[Result]:
    """How many files there is room for."""
    if place.base is None or not hasattr(os, "statvfs"):
        return
    room = os.statvfs(place.base)
    free = room.f_bavail * room.f_frsize
    texts = [f"{free // 2**20} MiB free"]
    # some have no limit, and say 0 of 0; a read-only one has no room, and needs none
    if room.f_files:
        texts.insert(0, f"{room.f_favail} inodes free")
    is_writable = not room.f_flag & os.ST_RDONLY
    if is_writable and room.f_files and room.f_favail < _FEW_INODES:
        yield warning(f"few inodes are left: {', '.join(texts)}", _CLEAN)
    elif is_writable and room.f_blocks and free < _FEW_BYTES:
        yield warning(f"little room is left: {', '.join(texts)}", _CLEAN)
    else:
        yield ok(", ".join(texts))


CHECKS = (file_system, locks, space)
