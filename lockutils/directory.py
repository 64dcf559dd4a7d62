"""The directory that the lock files of a call are in."""

from __future__ import annotations

import errno
import os
import stat

from lockutils.errors import LockPathError
from lockutils.naming import file_name_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lockutils.drivers.queue import Place


class Directory:
    """A directory that the user named: used as it is, created where it is missing."""

    __slots__ = ("path", "places")

    #: whether files that nobody uses may be removed from it
    swept = False

    def __init__(self, path: bytes) -> None:
        self.path = path
        #: what the driver knows of lock files, by key; a cache
        self.places: dict[str, Place] = {}

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
        try:
            os.makedirs(self.path, exist_ok=True)
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
    """

    __slots__ = ()
    swept = True

    def make(self) -> None:
        """Create the directory for this user alone, or check the one that is there.

        Its parent is writable for everybody, so that somebody else may have put it there.

        :raises LockPathError: if it is not a directory of this user's that no one else can
            write in
        """
        path = os.fsdecode(self.path)
        try:
            os.mkdir(self.path, 0o700)
        except FileExistsError:
            pass
        except OSError as error:
            raise LockPathError(error.errno, error.strerror, path) from error
        status = os.lstat(self.path)
        if not stat.S_ISDIR(status.st_mode):
            problem = "Lock directory is not a directory"
        elif os.name == "nt":
            return  # owner and mode say nothing there
        elif status.st_uid != os.geteuid():
            problem = f"Lock directory belongs to user {status.st_uid}"
        elif status.st_mode & 0o022:
            problem = f"Lock directory is writable by others (mode {status.st_mode & 0o7777:o})"
        else:
            return
        raise LockPathError(errno.EPERM, problem, path)

    check = make  # a cleaner may have removed it, and somebody else made it again


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
