"""The directory that the lock files of a call are in."""

from __future__ import annotations

import errno
import os
import stat

from lockutils.backends import (
    MARK,
    SHARES,
    FileRequest,
    SharedRequest,
    SlotRequest,
    is_held,
    status_of,
)
from lockutils.backends.file import file_mode as modes
from lockutils.backends.file.mounts import is_private
from lockutils.backends.file.naming import file_name_of
from lockutils.backends.file.refusal import is_open_to_others, refuse, with_source
from lockutils.errors import LockPathError, printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NoReturn

    from lockutils.backends.base import Request
    from lockutils.backends.file.queue import QueueRange
    from lockutils.errors import Holder


#: where the default directory may be: in the first that suits, or else the last
PARENTS = ("/run/lock", "/var/tmp", "/tmp")
_PRIVATE = (
    "Other processes have another directory of this name, as with PrivateTmp= in a systemd unit: "
    "set $LOCKUTILS_LOCK_PATH for all who share the locks"
)


class Directory:
    """A directory that the user named: used as it is, created where it is missing."""

    __slots__ = ("owner", "path", "ranges", "source")

    #: whether files that nobody uses are removed from it; of directories that the user named, what
    #: :func:`lockutils.set_defaults` was told
    swept: bool = False
    #: of the files that are made in it, less the umask; ``None`` for what the user wants
    file_mode: int | None = None
    #: whether a lock can have more than one holder
    shares = SHARES

    def __init__(self, path: bytes, source: str = "") -> None:
        self.path = path
        #: what names it, for errors
        self.source = source
        #: the user whose marked files are taken without a look at the directory; ``None`` if
        #: anybody's are
        self.owner: int | None = None
        #: what is known of lock files, by key; a cache
        self.ranges: dict[str, QueueRange] = {}

    def __str__(self) -> str:
        return printable(os.fsdecode(self.path))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Directory) and other.path == self.path

    def __hash__(self) -> int:
        return hash(self.path)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.path, self.source)

    def file_of(self, key: str) -> bytes:
        """Return the path of the lock file of ``key``.

        :raises LockPathError: if the directory is needed to know it, and cannot be made
        """
        return self.path + b"/" + file_name_of(key, self.longest_name)

    def request(
        self, key: str, *, shared: bool = False, slots: int = 1, fair: bool = False
    ) -> Request:
        """Return a new contender for the lock ``key``, which holds nothing yet."""
        if shared:
            return SharedRequest(key, self, fair)
        if slots > 1:
            return SlotRequest(key, self, fair, slots)
        return FileRequest(key, self, fair)

    def status(self, key: str, *, waiters: bool = True) -> tuple[list[Holder], list[Holder]]:
        """Return the holders and the waiters of the lock at the moment, as far as they are known.

        :param waiters: ``False`` to spare the search for them
        """
        return status_of(self, key, waiters=waiters)

    def is_held(self, key: str) -> bool:
        """Return whether anybody holds the lock at the moment, as far as can be told."""
        return is_held(self, key)

    def check(self) -> None:
        """Called before a lock file is looked for that may have to be created.

        :raises LockPathError: if no file of ours may be in here
        """

    def inspect(self) -> os.stat_result | None:
        """Return its status without making it; ``None`` if it is missing.

        :raises OSError: if it cannot be looked at, or no file of ours may be in here
        """
        try:
            return os.stat(self.path)
        except FileNotFoundError:
            return None

    def make(self) -> None:
        """Create the directory, as open to others as the umask allows.

        :raises LockPathError: if that fails
        """
        missing = [self.path]
        try:
            modes.file_mode()  # what is wrong with it is told before anything is made
            # Not by os.makedirs, which calls itself for each part of the path.
            while not _mkdir(missing[-1], may_lack_parent=True):
                missing.append(os.path.dirname(missing[-1]))
            for path in reversed(missing[:-1]):
                _mkdir(path)
        except OSError as error:
            refuse(error, self.path, self.source)

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
            refuse(error, self.path, self.source)


class DefaultDirectory(Directory):
    """The directory of one user on one host, where the user named none.

    It hangs on the user id alone, because a cron job, a systemd unit and a shell of the same
    user must meet there whatever their environment says.

    Everybody can write in its parent, so another user may make the directory before we do.  The
    parent is sticky: nobody but root can move or remove what is ours there.  But a cleaner may do
    so at any time, and another user may then be faster to make it again.  So the directory is
    checked each time that a lock file may have to be created.  A lock file that is there is
    trusted only if it is ours, and was made in such a directory.

    :param user: whose it is
    """

    __slots__ = ()
    swept = True
    file_mode = MARK

    def __init__(self, path: bytes, user: int) -> None:
        super().__init__(path, "default")
        self.owner = user

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.path, self.owner)

    def make(self) -> None:
        """Create the directory for this user alone, or check the one that is there.

        :raises LockPathError: if it is not a directory of this user's that no one else can
            write in, or replace
        """
        try:
            self._check_parent()
            try:
                os.mkdir(self.path, 0o700)
            except FileExistsError:
                pass
            status = os.lstat(self.path)
        except OSError as error:
            refuse(error, self.path, self.source)
        self._check(status)

    def check(self) -> None:
        try:
            status = os.lstat(self.path)
        except OSError:
            self.make()
        else:
            self._check(status)

    def inspect(self) -> os.stat_result | None:
        self._check_parent()
        try:
            status = os.lstat(self.path)
        except FileNotFoundError:
            return None
        self._check(status)
        return status

    def _check_parent(self) -> None:
        parent = os.stat(os.path.dirname(self.path))
        if is_open_to_others(parent) and not parent.st_mode & stat.S_ISVTX:
            self._refuse("Anybody can replace the lock directory: its parent is not sticky")

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
        raise with_source(LockPathError(errno.EPERM, problem, os.fsdecode(self.path)), self.source)


def _mkdir(path: bytes, *, may_lack_parent: bool = False) -> bool:
    """Make a directory, unless it is there; ``False`` if its parent is missing."""
    try:
        os.mkdir(path)
    except OSError as error:
        if may_lack_parent and isinstance(error, FileNotFoundError) and os.path.dirname(path):
            return False
        if not os.path.isdir(path):
            raise
    return True


def default_parent() -> str:
    """Where the default directories of all users are.

    ``/run/lock`` where users may write there: it is gone at boot, as locks should be, no
    cleaner visits it, and a unit with ``PrivateTmp=`` sees the same one as everybody else.

    :raises LockPathError: if it would be another one than for the rest of the host
    """
    if os.name == "nt":
        import tempfile

        return tempfile.gettempdir()
    looked_at = []
    for parent in PARENTS:
        looked_at.append(parent)
        try:
            mode = os.stat(parent).st_mode
        except OSError:
            continue
        if mode & stat.S_ISVTX and mode & stat.S_IWOTH:
            break
    if len(looked_at) > 1:
        # also those that were passed over: that may be so here alone
        for path in filter(is_private, looked_at):
            raise LockPathError(errno.EPERM, _PRIVATE, path)
    return looked_at[-1]
