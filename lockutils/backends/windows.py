"""The file driver where there is no ``fcntl``: filelock does the locking, and we poll."""

from __future__ import annotations

import errno
import os

from filelock import FileLock, Timeout

from lockutils.errors import LockPathError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lockutils.backends.file.directory import Directory
    from lockutils.errors import Holder


class PortableClaim:
    """One contender for one lock file.  See :class:`lockutils.backends.base.Claim`."""

    __slots__ = ("_directory", "_fair", "_lock", "resource")

    can_block = False

    def __init__(self, key: str, directory: Directory, fair: bool = False) -> None:
        self._directory = directory
        self._fair = fair
        self.resource = os.fsdecode(directory.file_of(key))
        self._lock = FileLock(self.resource, timeout=0, thread_local=False)

    def try_acquire(self, passing: bool = False) -> bool:
        try:
            self._directory.make()
            self._lock.acquire()
        except Timeout:
            return False
        except LockPathError:
            raise
        except OSError as error:
            raise LockPathError(error.errno, error.strerror, self.resource) from error
        return True

    def others_go_first(self) -> bool:
        return False

    def go_first(self) -> None:
        """Nobody can be seen to wait here."""

    def line_up(self) -> None:
        if self._fair:
            problem = "No order of waiting processes on this platform"
            raise LockPathError(errno.ENOTSUP, problem, self.resource)

    def check_use(self) -> None:
        """There are no slots here."""

    def block(self) -> bool:
        raise NotImplementedError("a portable claim is polled")

    def stand_aside(self) -> None:
        """Nothing is held between two tries."""

    def take_over(self, other: PortableClaim) -> bool:
        """Nothing is held between two tries."""
        return True

    def release(self) -> None:
        self._lock.release()

    def holder(self) -> Holder | None:
        return None
