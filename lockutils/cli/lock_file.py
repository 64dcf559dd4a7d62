"""A lock of exactly one file, as ``flock FILE`` takes it."""

from __future__ import annotations

import errno
import os

from lockutils.backends.file.directory import Directory
from lockutils.errors import LockPathError


class LockFile(Directory):
    """The directory of one lock file that the user named, with that file alone.

    :param path: of the file
    """

    __slots__ = ("_file",)
    swept = False  # nobody said that it is one for locks

    def __init__(self, path: str) -> None:
        directory, name = os.path.split(path)
        # The kernel follows links and ".." on the way to the file, and abspath() does not.
        super().__init__(os.fsencode(os.path.realpath(directory)))
        self._file = os.path.join(self.path, os.fsencode(name))

    def file_of(self, key: str) -> bytes:
        return self._file

    def make(self) -> None:
        """Not for us: the path may be wrong, and flock(1) does not either."""
        text = os.strerror(errno.ENOENT)
        raise LockPathError(errno.ENOENT, text, os.fsdecode(self.path))


def in_order(named: list[tuple[str, Directory]], paths: list[str]) -> list[tuple[str, Directory]]:
    """Return each lock once, in the order in which everybody takes them.

    This is by directory and name, so that names that are taken along with files are in the order
    of names alone.

    :param named: the keys of locks, and the directory of each
    :param paths: of lock files
    :return: the name and the directory of each
    :raises OSError: if a directory is not there
    """
    found: dict[bytes, tuple[tuple[bytes, str], str, Directory]] = {}
    for key, directory in named:
        real = os.path.realpath(directory.path)
        name = os.path.basename(directory.file_of(key))
        found[os.path.join(real, name)] = (real, key), key, directory
    for path in paths:
        file = LockFile(path)
        whole = file.file_of(path)
        if whole not in found:
            key = os.path.basename(whole).decode("utf-8", "surrogateescape")
            found[whole] = (file.path, key), path, file
    return [(name, where) for _, name, where in sorted(found.values(), key=lambda one: one[0])]
