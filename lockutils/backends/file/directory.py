"""The directory that the lock files of a call are in."""

from __future__ import annotations

import errno
import os
import stat

from lockutils.backends.file.naming import file_name_of
from lockutils.errors import LockPathError, printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from lockutils.backends.file.queue import Place


class Directory:
    """A directory that the user named: used as it is, created where it is missing."""

    __slots__ = ("owner", "path", "places")

    #: whether files that nobody uses may be removed from it
    swept = False

    def __init__(self, path: bytes) -> None:
        self.path = path
        #: the user whose files are taken without a look at the directory; ``None`` for anybody's
        self.owner: int | None = None
        #: what the driver knows of lock files, by key; a cache
        self.places: dict[str, Place] = {}

    def __str__(self) -> str:
        return printable(os.fsdecode(self.path))

    shares = os.name == "posix"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Directory) and other.path == self.path

    def __hash__(self) -> int:
        return hash(self.path)

    def request(self, key, *, shared=False, slots=1, fair=False):  # type: ignore[no-untyped-def]
        from lockutils.backends import FileClaim, SharedClaim, SlotClaim
        from lockutils.backends.file.adapter import OldRequest

        if shared:
            return OldRequest(SharedClaim(key, self, fair))
        if slots > 1:
            return OldRequest(SlotClaim(key, self, fair, slots))
        return OldRequest(FileClaim(key, self, fair))

    def holder(self, key):  # type: ignore[no-untyped-def]
        from lockutils.backends import FileClaim

        return FileClaim(key, self).holder()

    def file_of(self, key: str) -> bytes:
        """Return the path of the lock file of ``key``.

        :raises LockPathError: if the directory is needed to know it, and cannot be made
        """
        return self.path + b"/" + file_name_of(key, self.longest_name)

    def check(self) -> None:
        """Called before a lock file is looked for that may have to be created.

        :raises LockPathError: if no file of ours may be in here
        """

    def make(self) -> None:
        """Create the directory, as open to others as the umask allows.

        :raises LockPathError: if that fails
        """
        missing = [self.path]
        try:
            # Not by os.makedirs, which calls itself for each part of the path.
            while not _mkdir(missing[-1], may_lack_parent=True):
                missing.append(os.path.dirname(missing[-1]))
            for path in reversed(missing[:-1]):
                _mkdir(path)
        except OSError as error:
            raise LockPathError(error.errno, error.strerror, os.fsdecode(self.path)) from error

    def longest_name(self) -> int:
        """Return how many bytes the name of a file in here may have.

        :raises LockPathError: if the directory cannot be made
        """
        try:
            try:
                return os.pathconf(self.path, "PC_NAME_MAX")
            except FileNotFoundError:
                self.make()
                return os.pathconf(self.path, "PC_NAME_MAX")
        except OSError as error:
            raise LockPathError(error.errno, error.strerror, os.fsdecode(self.path)) from error


class DefaultDirectory(Directory):
    """The directory of one user on one host, where the user named none.

    It hangs on the user id alone, because a cron job, a systemd unit and a shell of the same
    user must meet there whatever their environment says.

    Its parent is writable for everybody, so that somebody else may put it there before we do.
    What is ours there stays ours, since the parent is sticky: nobody but root can move or remove
    it.  But a cleaner may do so, at any time, and somebody else be faster to make it again.  So
    it is checked each time a lock file is looked for that may have to be created; and one that
    is there is taken for good only if it is ours.

    :param user: whose it is
    """

    __slots__ = ()
    swept = True

    def __init__(self, path: bytes, user: int) -> None:
        super().__init__(path)
        self.owner = user

    def make(self) -> None:
        """Create the directory for this user alone, or check the one that is there.

        :raises LockPathError: if it is not a directory of this user's that no one else can
            write in, or replace
        """
        try:
            parent = os.stat(os.path.dirname(self.path))
            if is_open_to_others(parent) and not parent.st_mode & stat.S_ISVTX:
                self._refuse("Anybody can replace the lock directory: its parent is not sticky")
            try:
                os.mkdir(self.path, 0o700)
            except FileExistsError:
                pass
            status = os.lstat(self.path)
        except LockPathError:
            raise
        except OSError as error:
            raise LockPathError(error.errno, error.strerror, os.fsdecode(self.path)) from error
        self._check(status)

    def check(self) -> None:
        try:
            status = os.lstat(self.path)
        except OSError:
            self.make()
        else:
            self._check(status)

    def _check(self, status: os.stat_result) -> None:
        if not stat.S_ISDIR(status.st_mode):
            self._refuse("Lock directory is not a directory")
        if os.name == "nt":
            return  # owner and mode say nothing there
        if status.st_uid != os.geteuid():
            self._refuse(f"Lock directory belongs to user {status.st_uid}")
        if is_open_to_others(status):
            mode = stat.S_IMODE(status.st_mode)
            self._refuse(f"Lock directory is writable by others (mode {mode:o})")

    def _refuse(self, problem: str) -> NoReturn:
        raise LockPathError(errno.EPERM, problem, os.fsdecode(self.path))


def is_open_to_others(status: os.stat_result) -> bool:
    """Whether others than the owner may write there; on Windows the mode does not tell."""
    return os.name != "nt" and bool(status.st_mode & (stat.S_IWGRP | stat.S_IWOTH))


def _mkdir(path: bytes, *, may_lack_parent: bool = False) -> bool:
    """Make a directory, unless it is there; ``False`` if its parent is missing."""
    try:
        os.mkdir(path)
    except OSError as error:
        if may_lack_parent and isinstance(error, FileNotFoundError):
            return False
        if not os.path.isdir(path):
            raise
    return True


def default_parent() -> str:
    """Where the default directories of all users are.

    ``/run/lock`` where users may write there: it is gone at boot, as locks should be, no
    cleaner visits it, and a unit with ``PrivateTmp=`` sees the same one as everybody else.
    """
    if os.name == "nt":
        import tempfile

        return tempfile.gettempdir()
    for parent in ("/run/lock", "/var/tmp"):
        try:
            mode = os.stat(parent).st_mode
        except OSError:
            continue
        if mode & stat.S_ISVTX and mode & stat.S_IWOTH:
            return parent
    return "/tmp"
