"""The holders and waiters of the lock files of a directory, found without taking anything.

``/proc/locks`` names the process that took a lock.  That process may have died, and have left the
lock to a process that inherited its descriptor; its number may be another process by now.  So a
process is named only if a descriptor of it has the lock at the moment: see
:mod:`lockutils.backends.file.users`.

Between the look at the table and the look at a process the lock may go on to another.  Then
some lock is left that nobody has, and both looks are repeated.
"""

from __future__ import annotations

import os
from stat import S_ISDIR, S_ISREG

from lockutils.backends.file import proc
from lockutils.backends.file.queue import QUEUE_NAME, QueueRange
from lockutils.backends.file.refusal import refuse
from lockutils.backends.file.users import SPAN, Users
from lockutils.errors import Holder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lockutils.backends.file.directory import Directory
    from lockutils.backends.file.proc import File, Line

#: how often to look until table and processes agree
_LOOKS = 3


def status_of(
    directory: Directory, key: str, *, waiters: bool = True
) -> tuple[list[Holder], list[Holder]]:
    """Return who holds a lock of a directory, and who waits for it.

    :raises LockPathError: if this user may not look there
    """
    path = _path_of(directory, key)
    if path is None:
        return [], []
    try:
        return Snapshot(directory.path).status_of(path, waiters=waiters)
    except OSError:
        return ([Holder()] if _is_locked(path) else []), []


def is_held(directory: Directory, key: str) -> bool:
    """Return whether somebody holds a lock of a directory.

    :raises LockPathError: if this user may not look there
    """
    path = _path_of(directory, key)
    if path is None:
        return False
    try:
        return Snapshot(directory.path).is_held(path)
    except OSError:
        return _is_locked(path)


class Snapshot:
    """The locks of one directory at one moment.

    :param directory: its path
    :raises OSError: if the system has no ``/proc/locks``
    """

    def __init__(self, directory: bytes) -> None:
        self.directory = directory
        self._look(indexed=False)

    def _look(self, *, indexed: bool) -> None:
        self._table = proc.Table()
        if indexed:
            self._table.index()
        self._processes = proc.Processes()
        queue = _file_at(self.directory + b"/" + QUEUE_NAME)
        self._queue = queue
        lines = [] if queue is None else self._table.lines(queue)[0]
        #: first byte of the range of a lock file -> the tickets in it
        self._tickets: dict[int, list[Line]] = {}
        for line in lines:
            if line.writes and not line.waits:
                self._tickets.setdefault(line.start - line.start % SPAN, []).append(line)

    def files(self) -> list[bytes]:
        """Return the names of the lock files that are held or waited for.

        :raises OSError: if the directory cannot be read
        """
        if not self._table.is_indexed:
            self._table.index()
        device = os.stat(self.directory).st_dev
        with os.scandir(self.directory) as entries:
            # no lock is named with a leading dot, but the queue is
            found = [(it.name, it.inode()) for it in entries if not it.name.startswith(b".")]
        return [
            name
            for name, inode in found
            if any(map(_is_lock, self._table.lines((device, inode))[0]))
            or (self._tickets and QueueRange(b"/" + name).first_byte in self._tickets)
        ]

    def is_held(self, path: bytes) -> bool:
        """Whether somebody holds a lock on the file."""
        file = _file_at(path)
        if file is None:
            return False
        lines, is_sure = self._lines(file)
        held = any(_is_lock(line) and not line.waits for line in lines)
        return held if is_sure else held and bool(self.status_of(path)[0])

    def status_of(self, path: bytes, *, waiters: bool = True) -> tuple[list[Holder], list[Holder]]:
        """Return who holds a lock on the file, and who waits for it.

        :param waiters: ``False`` to spare the search for them
        :return: holders; waiters, the next to be served first as far as the order is known
        """
        file = _file_at(path)
        if file is None:
            return [], []
        before: Users | None = None
        for look in range(_LOOKS):
            if before is not None:
                self._look(indexed=self._table.is_indexed)
            users = self._users_of(path, file, waiters=waiters)
            if users.are_complete:
                break
            if before is not None and (look == _LOOKS - 1 or users.left == before.left):
                users.guess(before)
                break
            before = users
        return users.holders(), users.waiters() if waiters else []

    def _users_of(self, path: bytes, file: File, *, waiters: bool) -> Users:
        lines, is_sure = self._lines(file)
        lines = _without_copies(list(filter(_is_lock, lines)))
        users = Users(self._processes, file, lines, is_sure=is_sure)
        users.find_holders()
        if self._queue is not None and self._tickets and (waiters or users.may_only_wait):
            first_byte = QueueRange(path).first_byte
            if tickets := self._tickets.get(first_byte):
                users.find_tickets(self._queue, first_byte, tickets)
        return users

    def _lines(self, file: File) -> tuple[list[Line], bool]:
        """Return the lines of a file, looked for once more if they may be missing."""
        lines, is_sure = self._table.lines(file)
        if not lines and self._table.is_torn and not self._table.is_indexed:
            self._look(indexed=False)
            lines, is_sure = self._table.lines(file)
        return lines, is_sure


def _is_lock(line: Line) -> bool:
    return line.kind in (b"FLOCK", b"POSIX", b"OFDLCK")


def _without_copies(lines: list[Line]) -> list[Line]:
    """Leave out what a torn table has twice: two exclusive locks there cannot be."""
    seen: set[Line] = set()
    kept = []
    for line in lines:
        if not (line.writes and line in seen):
            kept.append(line)
            seen.add(line)
    return kept


def _file_at(path: bytes) -> File | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _path_of(directory: Directory, key: str) -> bytes | None:
    """Return the path of a lock file; ``None`` if there is no such file.

    :raises LockPathError: if that cannot be told, as where this user may not enter the directory
    """
    try:
        # for a long name the directory is asked, and made where it is missing
        if not S_ISDIR(os.stat(directory.path).st_mode):
            return None
        path = directory.file_of(key)
        return path if S_ISREG(os.stat(path).st_mode) else None
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        refuse(error, directory.path, directory.source)


def _is_locked(path: bytes) -> bool:
    """Whether there is a record lock, where nothing else can be told.

    Nobody can ask for a flock but who would take it.
    """
    return QueueRange(path).is_held()
