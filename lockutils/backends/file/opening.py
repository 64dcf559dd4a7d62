"""A lock file or the queue file, opened, and made where it is missing."""

from __future__ import annotations

import errno
import os
from stat import S_IMODE, S_ISREG
from time import time

from lockutils.backends.file import syscalls
from lockutils.backends.file.file_mode import file_mode
from lockutils.parking.native import sleep

_NOT_WRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS)
#: how often others may make and remove a file while it is opened
_TRIES = 1000
#: seconds for whoever makes a file to give it its mode
_MOMENT = 0.1
#: of Linux alone; without it a directory is opened to be written, which fails
_TMPFILE: int = getattr(os, "O_TMPFILE", 0)


def open_file(fd_box: list[int], path: bytes, mode: int | None = None) -> tuple[bool, bool]:
    """Open a file, creating it where there is none; never truncate or follow a link.

    An existing file is opened without ``O_CREAT``: in a sticky directory the kernel refuses
    that flag for a file of somebody else (``fs.protected_regular``, proc(5)).

    :param mode: of a new file, less the umask; ``None`` for what the user wants
    :return: whether it can be written to, whether it is new
    :raises OSError: if it cannot be opened, or is not a regular file; or if it is missing, and
        what the user wants is no mode.  Nothing is open then
    """
    for _ in range(_TRIES):
        writable = True
        try:
            syscalls.open_into(fd_box, path, os.O_RDWR)
        except FileNotFoundError:
            wanted = file_mode() if mode is None else None
            try:
                if wanted is None:
                    less = 0o666 if mode is None else mode
                    syscalls.open_into(fd_box, path, os.O_RDWR | os.O_CREAT | os.O_EXCL, less)
                    return True, True
                _make(path, wanted)
            except FileExistsError:
                pass  # somebody was faster
            continue
        except OSError as error:
            if error.errno not in _NOT_WRITABLE:
                raise
            if mode is None and _is_being_made(path):
                sleep(0.001)
                continue
            syscalls.open_into(fd_box, path, os.O_RDONLY)
            writable = False
        # Refused before it is locked: somebody may have locked what is no file.
        try:
            if not S_ISREG(syscalls.fstat(fd_box[0]).st_mode):
                raise OSError(errno.EINVAL, "Not a regular file")
        except OSError:
            syscalls.close(fd_box)
            raise
        return writable, False
    raise OSError(errno.EAGAIN, "Others make and remove it all the time")


def _make(path: bytes, mode: int) -> None:
    """Make an empty file with exactly this mode, and never with a wider one.

    It gets its name when it has its mode, so that nobody meets it before, or after this process
    was killed in between.  A file system may not know that, or there may be no ``/proc``: then
    the name comes first.
    """
    cell: list[int] = []
    try:
        try:
            # with a dot, since the directory may be a link
            folder = os.path.dirname(path) + b"/."
            syscalls.open_into(cell, folder, os.O_RDWR | _TMPFILE, mode)
            os.fchmod(cell[0], mode)
            nameless = b"/proc/self/fd/%d" % cell[0]
            # with a directory, of no use to an absolute path: without one, link(2) is called,
            # which does not follow the link in /proc
            os.link(nameless, path, src_dir_fd=cell[0], follow_symlinks=True)
        except OSError:
            syscalls.close(cell)
            syscalls.open_into(cell, path, os.O_RDWR | os.O_CREAT | os.O_EXCL, mode)
            os.fchmod(cell[0], mode)
    finally:
        # No call before the one that closes: a signal handler may raise at the end of any.
        if cell:
            syscalls.close_number(cell[0])


def _is_being_made(path: bytes) -> bool:
    """Whether somebody may have made the file just now, and not given it its mode yet."""
    try:
        status = syscalls.lstat(path)
        wanted = file_mode()
    except OSError:
        return False
    is_new = abs(time() - status.st_ctime) < _MOMENT
    return is_new and wanted not in (None, S_IMODE(status.st_mode))
